"""A proxy before an S3 server that writes down every request, to count what reaches the server."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

from contracts_svc.ports import S3Access

_REQUEST = re.compile(rb"^(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r$", re.MULTILINE)


@dataclass
class Requests:
    """What was asked for, as ``GET /bucket/key?query``."""

    seen: list[str] = field(default_factory=list)

    def objects(self) -> set[str]:
        """Keys of the objects that were asked for."""
        return {
            r.split(" ", 1)[1].split("/", 2)[2]
            for r in self.seen
            if "list-type" not in r and r.count("/") > 1
        }

    def listings(self) -> int:
        """How many pages of lists were asked for."""
        return sum("list-type" in r for r in self.seen)

    def clear(self) -> None:
        self.seen.clear()


@contextmanager
def counted(access: S3Access) -> Iterator[tuple[S3Access, Requests]]:
    """The same server by another address, and what was asked of it there."""
    host, _, port = access.endpoint.rpartition("://")[2].partition(":")
    requests = Requests()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        threading.Thread(target=_serve, args=(listener, (host, int(port)), requests), daemon=True).start()
        yield replace(access, endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}"), requests


def _serve(listener: socket.socket, server: tuple[str, int], requests: Requests) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            behind = socket.create_connection(server)
            threading.Thread(target=_pipe, args=(client, behind, requests), daemon=True).start()
            threading.Thread(target=_pipe, args=(behind, client, None), daemon=True).start()


def _pipe(source: socket.socket, target: socket.socket, requests: Requests | None) -> None:
    rest = b""
    with suppress(OSError), source, target:
        while data := source.recv(65536):
            if requests is not None:
                # A line may come in two pieces.
                whole, _, rest = (rest + data).rpartition(b"\n")
                found = _REQUEST.findall(whole + b"\n")
                requests.seen += [f"{method.decode()} {path.decode()}" for method, path in found]
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
