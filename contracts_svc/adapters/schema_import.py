"""Reads schema sources of a pull request in a child process, bounded in time and memory.

What is read was written by anybody: the importers (datacontract-cli) run where there are no credentials, no
network, no other program and nothing to write to.

Run as a program, this module is the child: a task as JSON on standard input, the answer on standard output.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts_svc.adapters.children import bare_environment
from contracts_svc.drift import SchemaSource, SourceFormat
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.model import Json

MODULE = "contracts_svc.adapters.schema_import"
MOST_BYTES = 2_000_000
_ALSO_HIDDEN = ("GITHUB_", "OTEL_")
"""Beginnings of names of variables that the child does not get either."""
_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "ctypes.dlopen")
_SUFFIX = {
    SourceFormat.AVRO: ".avsc",
    SourceFormat.PROTOBUF: ".proto",
    SourceFormat.JSON_SCHEMA: ".json",
    SourceFormat.SQL: ".sql",
}


class SchemaImport:
    """Implements :data:`contracts_svc.flows.drift.Derive`: a process for each, of so many ``seconds``."""

    def __init__(self, *, seconds: float = 20, megabytes: int = 1_000) -> None:
        self._seconds = seconds
        self._megabytes = megabytes

    def __call__(self, source: SchemaSource, text: bytes) -> bytes:
        """An ODCS document of what a source says. Raises UserMistake for a text that is none of its format,
        CouldNotCheck when it takes too long, or too much."""
        if len(text) > MOST_BYTES:
            raise UserMistake.of(f"{source.path} has more than {MOST_BYTES:,} bytes", "name a smaller file")
        with tempfile.TemporaryDirectory(prefix="contracts-schema-") as folder:
            file = Path(folder) / f"schema{_SUFFIX.get(source.format, '.yaml')}"
            file.write_bytes(text)
            task = {"file": str(file), "format": source.format.value, "dialect": source.dialect}
            return self._answer(source, task, folder)

    def _answer(self, source: SchemaSource, task: Mapping[str, Json], folder: str) -> bytes:
        try:
            done = subprocess.run(
                [sys.executable, "-P", "-m", MODULE, str(self._megabytes)],
                input=json.dumps(task).encode(),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=bare_environment(*_ALSO_HIDDEN) | {"HOME": folder, "TMPDIR": folder},
                timeout=self._seconds,
            )
        except subprocess.TimeoutExpired:
            cause = f"it takes longer than {self._seconds:.3g} s to be read"
            raise CouldNotCheck(source.path, cause, retryable=False) from None
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            cause = f"reading it takes more than {self._megabytes:,} MB, or ends the process that does"
            raise CouldNotCheck(source.path, cause, retryable=False) from None
        if "error" in answer:
            # The copy that was read is gone: what people know is the path in their repository.
            why = str(answer["error"]).replace(str(task["file"]), source.path)
            raise UserMistake.of(f"{source.path} cannot be read as {source.format}: {why}")
        return json.dumps(answer["contract"]).encode("utf-8")


# --- the child ------------------------------------------------------------------------------------


def main(megabytes: int) -> None:
    """Read one source, and answer."""
    import resource

    task = json.loads(sys.stdin.buffer.read())
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20,) * 2)
    answered = os.dup(1)
    # Whatever a library prints is no answer.
    os.dup2(2, 1)
    try:
        answer: dict[str, Any] = {"contract": _read(task)}
    except Exception as error:
        # Of any library: which kinds they raise for a bad text is theirs.
        answer = {"error": _said(error)}
    with os.fdopen(answered, "wb") as out:
        out.write(json.dumps(answer, default=str).encode())


def _said(error: Exception) -> str:
    said = str(getattr(error, "reason", "") or error) or type(error).__name__
    cause = getattr(error, "original_exception", None)
    return " ".join((f"{said}: {cause}" if cause else said).split())[:300]


def _read(task: Mapping[str, Any]) -> Mapping[str, Json]:
    form, file = SourceFormat(task["format"]), Path(task["file"])
    if form is SourceFormat.DBT:
        from contracts_svc.drift_dbt import contract_of

        return contract_of(file.read_bytes())
    from datacontract.data_contract import DataContract
    from datacontract.imports.importer_factory import importer_factory

    importer_factory.create(form.value)  # loads what it needs, which cannot be done any more once locked
    given: dict[str, Any] = {"dialect": task["dialect"] or "postgres"} if form is SourceFormat.SQL else {}
    _lock(file.parent)
    found = DataContract.import_from_source(form.value, str(file), **given)
    read: dict[str, Json] = json.loads(found.model_dump_json(by_alias=True, exclude_none=True))
    # Where the data is cannot be known from its schema; the importer of SQL makes up half a server.
    read.pop("servers", None)
    return read


def _lock(folder: Path) -> None:
    """From here on: no network, no other program, and no file but those of Python and of ``folder``."""
    own = {str(Path(p).resolve()) for p in (*sys.path, sys.prefix, sys.base_prefix, str(folder)) if p}
    readable = (*own, "/usr/", "/dev/", "/etc/localtime")

    def check(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN):
            raise PermissionError(f"{event} is not for a schema source")
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, mode = os.path.realpath(os.fsdecode(arguments[0])), arguments[1] or "r"
            if any(c in mode for c in "wax+") or not path.startswith(
                (*readable, "/usr/", "/dev/", "/etc/localtime")
            ):
                raise PermissionError("a schema source may read itself alone")

    sys.addaudithook(check)


if __name__ == "__main__":
    main(int(sys.argv[1]))
