"""Child processes that read what anybody may have written: what they are given, and how they are asked."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO

_CREDENTIALS = ("AWS_", "CONTRACTS_")
"""How the names of variables begin that may hold secrets."""


def bare_environment(*also: str) -> dict[str, str]:
    """The environment of this process without what may hold a secret; ``also`` are further beginnings of
    names that are left out."""
    hidden = (*_CREDENTIALS, *also)
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


class Child:
    """A module of ours as a process that answers one message after the other.

    ``send`` writes a message to a stream, ``receive`` reads the next one (None: there is no more).
    """

    def __init__(
        self,
        module: str,
        *arguments: int,
        send: Callable[[IO[bytes], bytes], None],
        receive: Callable[[IO[bytes]], bytes | None],
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=bare_environment(),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._out: IO[bytes] = self._process.stdout
        self._send, self._receive = send, receive
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        # A pipe cannot be read with a time limit on every system; a queue can.
        self._reader = threading.Thread(target=self._read, name=f"{module} reader", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while (answer := self._receive(self._out)) is not None:
            self._answers.put(answer)
        self._answers.put(None)

    def ask(self, message: bytes, seconds: float) -> bytes | None:
        """Its answer; None when it has ended. Raises TimeoutError, OSError."""
        try:
            self._send(self._in, message)
        except BrokenPipeError:
            return None
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._out.close()
        # What it never read is of no use any more.
        with suppress(BrokenPipeError):
            self._in.close()
