"""Jobs done in this process: one of a kind waits, the urgent go first, one that fails stops no other."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from contracts_svc.adapters.jobs_inprocess import InProcessJobs


class Gated:
    """Does nothing until it is let go, so that jobs wait for as long as a test needs."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.done: list[str] = []
        self.jobs = InProcessJobs({"check": self._do})

    def _do(self, arguments: Mapping[str, Any]) -> None:
        self.began.set()
        assert self.go.wait(30)
        if arguments["name"] == "broken":
            raise LookupError("a job that fails")
        self.done.append(arguments["name"])

    def ask(self, name: str, priority: int = 1) -> str:
        return self.jobs.defer("check", {"name": name}, name, priority)

    def finish(self) -> list[str]:
        last = threading.Event()
        self.jobs._do["last"] = lambda arguments: last.set()
        self.jobs.defer("last", {}, "last", -1)
        self.go.set()
        assert last.wait(30)
        self.jobs.close()
        return self.done


def test_what_waits_is_not_asked_for_twice_and_the_urgent_goes_first() -> None:
    gated = Gated()
    running = gated.ask("running")
    assert gated.began.wait(30)
    low = gated.ask("low")
    gated.ask("middle", 5)
    assert gated.ask("low") == low
    # What runs may have read what is there before it was published: asking again is another job.
    assert gated.ask("running") != running
    assert [(j.arguments["name"], j.running) for j in gated.jobs.open_jobs()] == [
        ("running", True), ("middle", False), ("low", False), ("running", False)
    ]  # fmt: skip
    assert gated.ask("low", 9) == low, "asked for more urgently, it goes before the others"
    assert gated.finish() == ["running", "low", "middle", "running"]


def test_one_that_waits_can_be_taken_back_and_one_that_runs_cannot() -> None:
    gated = Gated()
    running = gated.ask("running")
    assert gated.began.wait(30)
    waiting = gated.ask("waiting")
    assert gated.jobs.cancel(waiting) is True
    assert [gated.jobs.cancel(j) for j in (waiting, running, "none")] == [False, False, False]
    assert gated.finish() == ["running"]


def test_one_that_fails_stops_no_other() -> None:
    gated = Gated()
    gated.ask("broken")
    gated.jobs.defer("unknown kind", {}, "x", 1)
    gated.ask("fine")
    assert gated.finish() == ["fine"]
    assert gated.jobs.open_jobs() == ()
