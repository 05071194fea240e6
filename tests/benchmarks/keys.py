"""How much memory it takes to see that very many keys are unique, or which are not."""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from pathlib import Path

import duckdb
import yaml

from tests.benchmarks.checks import MOST_MEMORY, apart, bytecode, measured, program

KINDS = {
    "dense numbers": ("integer", "n::BIGINT"),
    "random numbers": ("integer", "(hash(n)::HUGEINT - 9223372036854775808)::BIGINT"),
    "random texts": ("string", "md5(n::VARCHAR)"),
}
FILES = 10
REPEATED = 1_000
"""Of the keys, as many are there a second time in the tables with duplicates."""


def main(arguments: list[str]) -> None:
    """Check that keys are unique: 100 million numbers, dense and random, and texts."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks keys", description=main.__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--directory", type=Path, default=None, help="keeps the tables here")
    options = parser.parse_args(arguments)
    base = (options.directory or Path(tempfile.mkdtemp(prefix="contracts-bench-"))).absolute()
    for kind, (logical, key) in KINDS.items():
        for repeated in (0, REPEATED):
            folder = base / f"keys-{options.rows}" / kind.replace(" ", "-") / str(repeated)
            apart(_write, folder / "t", key, options.rows, repeated)
            _show(f"{kind}, {repeated:,} twice" if repeated else kind, base, folder, logical, repeated)


def _write(folder: Path, key: str, rows: int, repeated: int) -> None:
    if folder.exists():
        return
    folder.mkdir(parents=True)
    each = rows // FILES
    with duckdb.connect() as connection:
        for number in range(FILES):
            # The last ones come again as the first ones, in another file.
            numbers = f"SELECT CASE WHEN i >= {rows - repeated} THEN i - {rows - repeated} ELSE i END AS n"
            source = f"({numbers} FROM range({number * each}, {(number + 1) * each}) AS r(i))"
            target = folder / f"part-{number}.parquet"
            connection.execute(f"COPY (SELECT {key} AS k FROM {source}) TO '{target}' (FORMAT parquet)")


def _show(name: str, base: Path, folder: Path, logical: str, repeated: int) -> None:
    contract = folder / "t.odcs.yaml"
    column = {"name": "k", "logicalType": logical, "unique": True}
    server = {"server": "lake", "type": "local", "path": f"{folder}/t/*.parquet", "format": "parquet"}
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "t",
        "version": "1.0.0",
        "status": "active",
    }
    tables = [{"name": "t", "properties": [column]}]
    contract.write_text(yaml.safe_dump({**document, "servers": [server], "schema": tables}))
    spill = folder / "spill"
    settings = bytecode(base) | {"CONTRACTS_TEMP_DIRECTORY": str(spill), "CONTRACTS_STATES_FILE": ""}
    argv = [program(), "check", str(contract), "--format", "json"]
    with _Watch(spill) as watch:
        found = measured(argv, folder, settings, lambda said: ["unique"] if '"failed": 1' in said else [])
    right = "right" if bool(found.failed) is bool(repeated) else "WRONG"
    reached = "reached" if found.memory <= MOST_MEMORY else "missed"
    print(
        f"{name:<28} {found.wall:7.2f} s wall {found.cpu:7.2f} s CPU {found.memory:5.0f} MB"
        f" (aim: {MOST_MEMORY}, {reached})   spilled {watch.most / 1e6:5.0f} MB, left {watch.left()} files"
        f"   load {found.load:4.1f}   verdict {right}",
        flush=True,
    )


class _Watch:
    """Looks at how much is in a folder, until it is told to stop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.most = 0

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def left(self) -> int:
        """How many files and folders are there now."""
        return sum(1 for _ in self._folder.rglob("*"))

    def _look(self) -> None:
        while not self._end.wait(0.2):
            sizes = 0
            for folder, _, names in os.walk(self._folder):
                for name in names:
                    try:
                        sizes += os.path.getsize(os.path.join(folder, name))
                    except OSError:
                        continue
            self.most = max(self.most, sizes)
