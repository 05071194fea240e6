"""The child process of :mod:`contracts_svc.adapters.sql_process`: follows the SQL of queries.

Called with the megabytes that it may use. Every question on standard input is the length of a pickle in eight
bytes, and the pickle; so is every answer on standard output. Both ends are this program.
"""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import BinaryIO

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.queries import follow

LENGTH = struct.Struct(">Q")


def main(megabytes: int) -> None:
    """Answer every question until there are no more."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == -1 else min(wanted, hard), hard))
    while (question := read(sys.stdin.buffer)) is not None:
        queries, columns, names = pickle.loads(question)
        try:
            answer = pickle.dumps(follow(queries, _Columns(columns), names))
        except (MemoryError, RecursionError) as error:
            answer = pickle.dumps(type(error).__name__)
        write(sys.stdout.buffer, answer)


class _Columns:
    def __init__(self, known: Mapping[DatasetId, Mapping[str, str]]) -> None:
        self._known = known

    def __call__(self, dataset: DatasetId) -> Mapping[str, str]:
        return self._known.get(dataset, {})


def read(stream: BinaryIO) -> bytes | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None


def write(stream: BinaryIO, message: bytes) -> None:
    """Send a message."""
    stream.write(LENGTH.pack(len(message)) + message)
    stream.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
