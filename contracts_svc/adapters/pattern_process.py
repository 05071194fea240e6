"""Compares the languages of patterns in a child process, bounded in time and memory.

Two short patterns can have automata of millions of states, so nothing of this runs in our own process.
"""

from __future__ import annotations

import json
import math
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import IO, Self

from contracts_svc.adapters.children import bare_environment
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
        self._child: _Child | None = None
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
            self._child = _Child(self._megabytes, cpu_seconds=math.ceil(self._budget) + 5)
            self.started += 1
        seconds = min(self._seconds, self._budget)
        try:
            said = self._child.ask({"old": old, "new": new}, seconds)
        except TimeoutError:
            self._end()
            return _undecided(f"it takes longer than {seconds:.3g} s to compare them")
        if said is None or "undecided" in said:
            self._end()
        if said is None:
            return _undecided("the process that compares patterns was ended")
        if "undecided" in said:
            return _undecided(said["undecided"])
        return Compared(Inclusion(said["inclusion"]))

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


def _undecided(why: str) -> Compared:
    return Compared(Inclusion.UNDECIDED, why)


class _Child:
    """One child process: a line of JSON in, a line of JSON out."""

    def __init__(self, megabytes: int, *, cpu_seconds: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", CHILD, str(megabytes), str(cpu_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=bare_environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        # A pipe cannot be read with a time limit on every system; a queue can.
        self._reader = threading.Thread(target=self._read, name="pattern-reader", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._out:
            self._lines.put(line)
        self._lines.put(b"")

    def ask(self, pair: dict[str, str], seconds: float) -> dict[str, str] | None:
        """Its answer; None when it has ended. Raises TimeoutError, OSError."""
        try:
            self._in.write(json.dumps(pair).encode() + b"\n")
            self._in.flush()
        except BrokenPipeError:
            return None
        try:
            line = self._lines.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if not line:
            return None
        answer: dict[str, str] = json.loads(line)
        return answer

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._out.close()
        # What it never read is of no use any more.
        with suppress(BrokenPipeError):
            self._in.close()
