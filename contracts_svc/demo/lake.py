"""The demo's lake: a real S3-protocol server (nanio) on loopback, for as long as it is needed.

It runs in a process of its own, picks a free port itself, and ends with its parent however that ends:
it holds the read end of a pipe, whose other end the system closes when the parent is gone.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

from contracts_svc.errors import CouldNotCheck
from contracts_svc.ports import S3Access

HOST = "127.0.0.1"
_REGION = "us-east-1"
_START_SECONDS = 20
_STOP_SECONDS = 5


class Lake:
    """A running S3 server: how to reach it, and the folder that its buckets lie in.

    Ends with its ``with`` block, or with :meth:`stop`.
    """

    def __init__(self, process: subprocess.Popen[bytes], access: S3Access, directory: Path) -> None:
        self._process = process
        self.access = access
        self.directory = directory

    @classmethod
    def start(cls, directory: Path) -> Self:
        """Start to serve what is in this folder, and wait until it does. Raises CouldNotCheck."""
        directory.mkdir(parents=True, exist_ok=True)
        _no_proxy_to_loopback()
        access_key, secret_key = secrets.token_hex(10), secrets.token_urlsafe(30)
        log = directory / "server.log"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(directory / "data")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                # Not as arguments: those of a process can be seen by everyone.
                env=os.environ | {"NANIO_ACCESS_KEY": access_key, "NANIO_SECRET_KEY": secret_key},
                start_new_session=True,  # Ctrl-C reaches the parent only, which then stops it in order
            )
        try:
            endpoint = f"http://{HOST}:{_port(process, log)}"
        except BaseException:
            _stop(process)
            raise
        access = S3Access(
            access_key=access_key,
            secret_key=secret_key,
            region=_REGION,
            endpoint=endpoint,
            path_style=True,
        )
        return cls(process, access, directory / "data")

    def stop(self) -> None:
        """End the server. A second time does nothing."""
        _stop(self._process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _no_proxy_to_loopback() -> None:
    """Keep clients from asking a proxy of the environment for this machine: DuckDB's has no other switch."""
    # Both spellings, from one value: curl looks at the second only where the first is not set.
    hosts = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if HOST not in hosts.split(","):
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = f"{hosts},{HOST}".lstrip(",")


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server says it listens on."""
    assert process.stdout is not None
    alarm = threading.Timer(_START_SECONDS, process.kill)
    alarm.start()
    try:
        line = process.stdout.readline()
    finally:
        alarm.cancel()
    if not line.strip():
        process.wait()
        last = log.read_text(errors="replace").strip().rpartition("\n")[2]
        raise CouldNotCheck(
            "the demo's S3 server",
            f"it did not start: {last or f'no answer in {_START_SECONDS} s'}",
            "is the demo installed? pip install 'contracts-svc[demo]'",
            retryable=False,
        )
    return int(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _serve(directory: Path) -> None:
    """The server's process: say the port on standard output, end when standard input ends."""
    import socket

    import uvicorn
    from nanio.app import build_app
    from nanio.config import Settings

    def end_with_parent() -> None:
        # Not sys.stdin: held by this thread, it would turn any other way to end into a crash.
        os.read(0, 1)
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    directory.mkdir(parents=True, exist_ok=True)
    app = build_app(Settings(data_dir=directory.resolve(), region=_REGION, access_log=False))
    config = uvicorn.Config(app, log_level="warning", access_log=False)
    with socket.create_server((HOST, 0), backlog=256) as listener:
        # It listens from here on: a client that is faster than the server waits, and is not refused.
        print(listener.getsockname()[1], flush=True)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
