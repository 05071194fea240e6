"""Compares the languages of patterns in a child process, bounded in time and memory.

Two short patterns can have automata of millions of states, so nothing of this runs in our own process.
"""

from __future__ import annotations

import json
import math
import time
from types import TracebackType
from typing import IO, Self

from contracts_svc.adapters.children import Child
from contracts_svc.compat.patterns import Compared, Inclusion, full_match, quick
from contracts_svc.compat.regex import Undecidable

CHILD = "contracts_svc.adapters.pattern_child"


class PatternProcess:
    """Implements :class:`contracts_svc.ports.PatternInclusion`. For use in a ``with`` block.

    The child starts with the first pair that needs it and serves all of them; one that takes too long
    or too much is ended, and the next pair gets a new one. ``seconds`` bounds a pair, ``budget`` all
    pairs together (seconds too), ``megabytes`` the child's memory.
    """

    def __init__(self, *, seconds: float = 3, budget: float = 30, megabytes: int = 512) -> None:
        self._seconds = seconds
        self._budget = budget
        self._megabytes = megabytes
        self._child: Child | None = None
        self.started = 0
        """How many children there have been."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def compare(self, old: str, new: str) -> Compared:
        """Compare what two patterns let through. See the port."""
        known = quick(old, new)
        if known is not None:
            return known
        if self._budget <= 0:
            return _undecided("the time for comparing patterns is used up")
        try:
            forms = full_match(old, new)
        except Undecidable as error:
            return _undecided(str(error))
        began = time.monotonic()
        try:
            return self._ask(*forms)
        except OSError as error:
            self._end()
            return _undecided(f"the process that compares patterns failed: {error.strerror or error}")
        finally:
            self._budget -= time.monotonic() - began

    def _ask(self, old: str, new: str) -> Compared:
        if self._child is None:
            # Should we be killed ourselves, it ends by its own bound.
            cpu_seconds = math.ceil(self._budget) + 5
            self._child = Child(CHILD, self._megabytes, cpu_seconds, send=_send, receive=_received)
            self.started += 1
        seconds = min(self._seconds, self._budget)
        try:
            answer = self._child.ask(json.dumps({"old": old, "new": new}).encode(), seconds)
        except TimeoutError:
            self._end()
            return _undecided(f"it takes longer than {seconds:.3g} s to compare them")
        if answer is None:
            self._end()
            return _undecided("the process that compares patterns was ended")
        said: dict[str, str] = json.loads(answer)
        if "undecided" in said:
            self._end()
            return _undecided(said["undecided"])
        return Compared(Inclusion(said["inclusion"]))

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


def _undecided(why: str) -> Compared:
    return Compared(Inclusion.UNDECIDED, why)


def _send(stream: IO[bytes], message: bytes) -> None:
    stream.write(message + b"\n")
    stream.flush()


def _received(stream: IO[bytes]) -> bytes | None:
    return stream.readline() or None
