"""The demo's lake in a service with its pages, on loopback, where nobody has to log in."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from contracts_svc import app, app_people, app_work
from contracts_svc.api.app import create_app
from contracts_svc.api.deps import acting_of
from contracts_svc.demo import files
from contracts_svc.demo.fill import fill
from contracts_svc.errors import ExitCode
from contracts_svc.ports import S3Access
from contracts_svc.settings import Settings

_HOST, _PORT = "127.0.0.1", 8080
_GRACE_SECONDS = 2


class Pages:
    """A service that listens and is yet to be run. Whom it has to tell has no channel here: what could not
    be told is among its dead letters."""

    def __init__(self, access: S3Access, directory: Path, database: Path) -> None:
        """``directory`` is the demo's. The database is made, and filled."""
        loaded = _settings(access, database)
        self._store, registry = app.store(loaded), CollectorRegistry()
        opened = app.service(loaded, everyone_may=True, opened=self._store)
        people = app_people.PeoplePart(loaded, opened)
        service = people.service
        fill(self._store, service.lineage, acting_of(service).telling, access, directory)
        self._work = app_work.scheduled(
            loaded, registry, self._store, known=service.lineage, alerting=people.alerting, github=None
        )
        self._app = create_app(service, registry=registry)
        self._listening = _listen()
        self.url = f"http://{_HOST}:{self._listening.getsockname()[1]}/"

    def run(self) -> None:
        """Serve until Ctrl-C, or the process is told to stop."""
        import uvicorn

        # Else uvicorn ends the process where it was told to, and nothing is tidied up.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(ExitCode.OK)))
        self._work.start()
        try:
            config = uvicorn.Config(self._app, log_config=None, timeout_graceful_shutdown=_GRACE_SECONDS)
            uvicorn.Server(config).run(sockets=[self._listening])
        finally:
            self._listening.close()
            self._work.stop()
            self._store.close()


@contextmanager
def pages(access: S3Access, directory: Path) -> Iterator[Pages]:
    """The service over the demo's data; its database is gone afterwards."""
    with TemporaryDirectory(prefix="contracts-demo-") as folder:
        yield Pages(access, directory, Path(folder) / "contracts.db")


def _settings(access: S3Access, database: Path) -> Settings:
    return Settings(
        database_url=SecretStr(f"sqlite:///{database}"),
        s3_endpoint=access.endpoint,
        s3_region=access.region,
        s3_access_key=SecretStr(access.access_key),
        s3_secret_key=SecretStr(access.secret_key),
        s3_path_style=access.path_style,
        checks_directory=files.checks_folder(),
        states_file="",
    )


def _listen() -> socket.socket:
    """At the usual port, else at any that is free."""
    try:
        return socket.create_server((_HOST, _PORT))
    except OSError:
        return socket.create_server((_HOST, 0))
