"""Processes of `contracts serve` and `contracts worker`, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from tests.support import wait_for

CONTRACTS = [sys.executable, "-c", "from contracts_svc.cli.main import run; run()"]


class Process:
    """One process of a command that goes on until it is told to stop, in a folder of its own."""

    def __init__(self, folder: Path, database: str, *command: str, **environment: str) -> None:
        self.folder = folder
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CONTRACTS_")}
        self.environment |= {"CONTRACTS_DATABASE_URL": database, **environment}
        self.log = folder / f"{command[0]}-{os.urandom(4).hex()}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*CONTRACTS, *command], cwd=folder, env=self.environment, stderr=log, stdout=log
            )

    def logged(self) -> list[dict[str, Any]]:
        """What it has logged up to now."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def run(self, *argv: str, **environment: str) -> tuple[int, str]:
        """Another command, with the settings of this process."""
        done = subprocess.run(
            [*CONTRACTS, *argv],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def stop(self) -> list[dict[str, Any]]:
        """End it as an orchestrator does; what it logged."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=60)
        return self.logged()

    def kill(self) -> None:
        """End it at whatever line it is."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


class Server(Process):
    """`contracts serve`, ready for requests."""

    def __init__(self, folder: Path, database: str, *arguments: str, **environment: str) -> None:
        super().__init__(folder, database, "serve", "--port", "0", *arguments, **environment)
        wait_for(lambda: "\n" in self.log.read_text(), "the first line of the log")
        self.started = self.logged()[0]
        self.url: str = self.started["url"]
        wait_for(self._answers, "the first answer")

    def client(self, *scopes: str, tenant: str = "") -> httpx.Client:
        """A client with a new token."""
        given = [word for scope in scopes for word in ("--scope", scope)]
        code, said = self.run(
            "token", "create", "--owner", "ada", "--tenant", tenant, "--format", "json", *given
        )
        assert code == 0, said
        bearer = {"Authorization": f"Bearer {json.loads(said)['token']}"}
        return httpx.Client(base_url=self.url, headers=bearer, timeout=60)

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health").is_success
        except httpx.TransportError:
            assert self.process.poll() is None, self.log.read_text()
            return False
