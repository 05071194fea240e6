"""`contracts demo --serve`: the demo in a browser, by a service that checks and tells by itself."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.serving import CONTRACTS
from tests.support import wait_for

pytestmark = pytest.mark.slow


def test_the_demo_is_a_service_with_something_to_see(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as out:
        demo = subprocess.Popen([*CONTRACTS, "demo", "--serve"], cwd=tmp_path, stdout=out, stderr=out)
    try:
        wait_for(lambda: "in a browser" in log.read_text() or demo.poll() is not None, "the demo", 120)
        url = re.search(r"in a browser: (http://127\.0\.0\.1:\d+)/", log.read_text())
        assert url is not None, log.read_text()
        with httpx.Client(base_url=url[1], headers={"accept": "text/html"}, follow_redirects=True) as browser:
            assert "errors now" in browser.get("/").text
            assert "of 7 tables checked" in browser.get("/").text
            page = browser.get("/contracts/airlines").text
            csrf = re.search(r'name="csrf" value="(\w+)"', page)
            assert csrf is not None
            before = page.count('href="/runs/')
            asked = browser.post(
                "/contracts/airlines/check",
                data={"csrf": csrf[1], "table": "airlines"},
                headers={"origin": url[1]},
            )
            assert "The check is asked for" in asked.text

            def is_checked() -> bool:
                return browser.get("/contracts/airlines").text.count('href="/runs/') > before

            wait_for(is_checked, "the check that was asked for")
            wait_for(
                lambda: "no token for Slack is set" in browser.get("/dead-letters").text, "dead letters", 120
            )
    finally:
        demo.send_signal(signal.SIGTERM)
        assert demo.wait(timeout=60) == 0
