"""Sources other than files, measured by the test engine of datacontract-cli in a bounded child process.

The engine brings the drivers: PostgreSQL, Snowflake, BigQuery, Databricks, Kafka and others, each an extra
of datacontract-cli. Credentials are its own (``DATACONTRACT_POSTGRES_USERNAME`` ...), from the environment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts_svc.errors import CouldNotCheck
from contracts_svc.model import Json

CHILD = Path(__file__).with_name("datacontract_cli_child.py")
_PASSED_ON = ("DATACONTRACT_", "LC_", "SSL_", "GOOGLE_", "AZURE_", "SNOWFLAKE_")
_NAMES = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""The variables that the child gets: the engine's own credentials, and none of ours."""
_LONGEST = 64 << 20


class DataContractCli:
    """Implements :class:`contracts_svc.ports.OtherSources`.

    ``seconds`` and ``megabytes`` bound each measuring. ``python`` is the interpreter that has
    datacontract-cli and the extra of the source; by default the one that runs this.
    """

    def __init__(self, *, seconds: float = 600, megabytes: int = 4096, python: str = "") -> None:
        self._seconds = seconds
        self._megabytes = megabytes
        self._python = python or sys.executable

    def measure(self, contract: Mapping[str, Json], server: str, table: str) -> Sequence[Mapping[str, Json]]:
        """What the engine says of each of its checks. Raises CouldNotCheck."""
        what = f"the {_type(contract, server)} server {server}"
        task = {"contract": contract, "server": server, "table": table, "megabytes": self._megabytes}
        with tempfile.TemporaryDirectory(prefix="contracts-", ignore_cleanup_errors=True) as private:
            code, errors = self._run(json.dumps(task), Path(private), what)
            answer = Path(private) / "answer.json"
            if not answer.is_file():
                raise CouldNotCheck(what, self._ending(code, errors), retryable=False)
            if answer.stat().st_size > _LONGEST:
                raise CouldNotCheck(what, "its answer is too long", retryable=False)
            found = json.loads(answer.read_text(encoding="utf-8"))
        if "error" in found:
            raise CouldNotCheck(what, str(found["error"]), str(found.get("hint") or ""), retryable=False)
        checks: Sequence[Mapping[str, Json]] = found["checks"]
        return checks

    def _run(self, task: str, private: Path, what: str) -> tuple[int, str]:
        process = subprocess.Popen(
            [self._python, "-P", str(CHILD), str(private / "answer.json")],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if k in _NAMES or k.startswith(_PASSED_ON)},
            cwd=private,
            # A driver may start processes of its own, which end with it.
            start_new_session=True,
            text=True,
        )
        try:
            _, errors = process.communicate(task, timeout=self._seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            hint = "allow more time (CONTRACTS_TIMEOUT_SECONDS)"
            raise CouldNotCheck(what, f"it took longer than {self._seconds:g} s", hint) from None
        return process.returncode, errors

    def _ending(self, code: int, errors: str) -> str:
        """Why a child ended without an answer."""
        if code < 0:
            return f"the process was killed by signal {-code}; it may use {self._megabytes:,} MB"
        lines = errors.strip().splitlines()
        return f"the process ended with {code}" + (f": {lines[-1]}" if lines else "")


def _type(contract: Mapping[str, Json], server: str) -> str:
    servers = contract.get("servers") or []
    return str(next((s["type"] for s in servers if s["server"] == server), ""))
