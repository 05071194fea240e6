"""`contracts serve` at a terminal speaks to people; anywhere else its log is JSON."""

from __future__ import annotations

import io
import logging
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

from contracts_svc.api.logs import for_people, log_for_people
from contracts_svc.cli.serve_banner import banner
from contracts_svc.settings import load
from tests.serving import CONTRACTS
from tests.support import wait_for


def test_at_a_terminal_one_is_told_where_it_is_and_how_to_get_in(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CONTRACTS_")}
    with subprocess.Popen(
        [*CONTRACTS, "serve", "--port", "0"], cwd=tmp_path, env=environment, stderr=theirs, stdout=theirs
    ) as process:
        os.close(theirs)
        said = ""

        def reading(end: str) -> bool:
            nonlocal said
            said += os.read(ours, 65_536).decode()
            return end in said

        wait_for(lambda: reading("leads the schedule"))
        (url,) = re.findall(r"served at (http://127\.0\.0\.1:\d+) ", said)
        assert httpx.get(f"{url}/api/v1/contracts").status_code == 401
        wait_for(lambda: reading("route=/api/v1/contracts status=401"))
        process.send_signal(signal.SIGTERM)
        wait_for(lambda: reading("stopped"))
    os.close(ours)
    assert process.returncode == 0
    for part in ("contracts token create", "none yet", f"{url}/api/v1/docs", ".contracts/contracts.db"):
        assert part in said
    assert "{" not in said


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    log_for_people(written)
    yield written
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_for_people_has_the_time_and_what_happened(log: io.StringIO) -> None:
    logger = logging.getLogger("contracts.x")
    logger.info("request", extra={"route": "/a", "status": 200, "caller": "", "request_id": "r1"})
    logger.warning("odd \x1b[31m\nname")
    try:
        raise ZeroDivisionError("a defect")
    except ZeroDivisionError:
        logger.exception("it broke")
    lines = [re.sub(r"^\d\d:\d\d:\d\d", "AT", line) for line in log.getvalue().splitlines()]
    assert lines[:4] == [
        "AT request route=/a status=200",
        "AT WARNING odd \ufffd[31m name",
        "AT ERROR it broke",
        "  Traceback (most recent call last):",
    ]
    assert lines[-1] == "  ZeroDivisionError: a defect"


@pytest.mark.parametrize(("form", "people"), [("text", True), ("json", False), ("auto", False)])
def test_the_setting_decides_where_there_is_no_terminal(
    form: str, people: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert load({"CONTRACTS_LOG_FORMAT": form}).log_format == form
    assert for_people(form) is people


def test_the_banner_says_what_is_so() -> None:
    settings = load(
        {
            "CONTRACTS_DATABASE_URL": "postgresql://ada:hunter2@db/contracts",
            "CONTRACTS_ROUTES": "routes.yaml",
        }
    )
    said = banner("http://[::1]:1", settings, demo=True, worker="", contracts=1_000)
    for part in (
        "nobody needs one (--demo)",
        "postgresql://ada:***@db/contracts",
        "1,000 or more",
        "`contracts worker` schedules",
        "as routes.yaml says",
    ):
        assert part in said
    assert "hunter2" not in said
