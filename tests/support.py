"""What tests share: finding things outside the project, and saying clearly when they are missing."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"


def missing(what: str, how_to_get: str) -> NoReturn:
    """Skip the test, or fail it where everything is required (CONTRACTS_REQUIRE_ALL=1)."""
    message = f"{what} is missing; {how_to_get}"
    if os.environ.get("CONTRACTS_REQUIRE_ALL") == "1":
        pytest.fail(message)
    pytest.skip(message)


def shared(path: str) -> Path:
    """A file or folder of the cases and schemas kept beside the project."""
    base = Path(os.environ.get("CONTRACTS_SHARED", ROOT.parent / "shared"))
    found = base / path
    if not found.exists():
        missing(f"../shared/{path}", "put the folder `shared` beside the checkout, or set CONTRACTS_SHARED")
    return found


def program(name: str, how_to_get: str) -> str:
    """The path of a system program."""
    found = shutil.which(name)
    if found is None:
        missing(f"the program {name}", how_to_get)
    return found


def wait_for(until: Callable[[], bool], what: str = "what was waited for", seconds: float = 60) -> None:
    """Wait until it is so. After so many seconds it is given up, which is no measure of anything."""
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, f"{what} did not come"
        time.sleep(0.05)


def case_rows(name: str) -> Iterator[dict[str, Any]]:
    """The rows of a case file, contested ones left out."""
    with shared(f"cases/{name}.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if not row.get("contested"):
                yield row
