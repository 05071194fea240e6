"""How long it takes to check a table, beside datacontract-cli, Soda and one query written by hand.

Each runs as a process of its own, peers from a venv of their own, one after the other in one call, on local
files and over the S3 protocol. Wall and CPU time and the largest memory are the process's, as the system
counts them. Verdicts are compared: the checks that fail must be the same ones.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from contracts_svc.demo.lake import Lake
from contracts_svc.ports import S3Access
from tests.benchmarks import checks_data as data
from tests.fixtures_s3 import put

DUCKDB = version("duckdb")
"""All use the same one."""
PEERS = {
    "datacontract-cli": [
        "datacontract-cli[duckdb]==1.2.8",
        f"duckdb=={DUCKDB}",
        f"duckdb-extension-httpfs=={DUCKDB}",
        f"duckdb-extension-aws=={DUCKDB}",
    ],
    "soda": ["soda-duckdb==4.28.0", f"duckdb=={DUCKDB}"],
}
BUCKET = "bench"
AIMS = (
    ("ours", "soda", "wall", 0.5),
    ("ours", "datacontract-cli", "wall", 0.2),
    ("ours", "by hand", "wall", None),
    ("ours, one new partition", "ours", "wall", 0.1),
    ("ours, 200 checks", "ours", "wall", 2.0),
    ("ours, 200 checks", "ours", "cpu", 2.0),
)
"""What is compared with what, and how many times as much it may be."""
MOST_MEMORY = 512


@dataclass(frozen=True, slots=True)
class Measured:
    """One process: seconds of wall and CPU time, the largest memory in MB, and the checks that failed."""

    wall: float
    cpu: float
    memory: float
    failed: frozenset[str]
    load: float
    """How many processes wanted a core when it began, on the average of a minute."""
    told: float | None = None
    """Seconds that it says itself it took: without the start of the process."""


def main(arguments: list[str]) -> None:
    """Check a table of 12 million rows, beside peers."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks checks", description=main.__doc__)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="1: 12 million rows, 234 MB; 0.1, 10: as it says"
    )
    parser.add_argument(
        "--place", choices=("local", "s3"), action="append", help="where the files are; by default both"
    )
    parser.add_argument(
        "--directory", type=Path, default=None, help="keeps the table and the peers' venvs here"
    )
    parser.add_argument("--only", action="append", default=[], help="run only this one; may be repeated")
    parser.add_argument("--repeat", type=int, default=3, help="times each; the one of least CPU time counts")
    parser.add_argument("--json", type=Path, default=None, help="also write the figures to this file")
    run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> None:
    """Measure, and print tables with ratios."""
    base = (options.directory or Path(tempfile.mkdtemp(prefix="contracts-bench-"))).absolute()
    base.mkdir(parents=True, exist_ok=True)
    rows = int(data.ROWS * options.scale)
    table = base / f"rows-{rows}" / "lake" / "data" / BUCKET / data.TABLE
    if not table.exists():
        print(f"writing {rows:,} rows …", flush=True)
        apart(data.write, table, rows)
    size = sum(f.stat().st_size for f in table.rglob("*.parquet"))
    shown = f"{rows:,} rows, {len(data.COLUMNS)} columns, {data.PARTITIONS} files, {size / 1e6:.0f} MB"
    print(f"{shown}; {os.cpu_count()} cores, DuckDB {DUCKDB}")
    found: dict[str, dict[str, Measured]] = {}
    for place in options.place or ("local", "s3"):
        print(f"\n{place}")
        found[place] = {}
        with _lake(table.parents[2].parent, place == "s3") as access:
            bench = Bench(base, table, access, rows)
            for name, measure in bench.contestants():
                if not options.only or name in options.only:
                    best = min((measure() for _ in range(options.repeat)), key=lambda m: m.cpu)
                    found[place][name] = best
                    bench.show(name, best)
        _show_ratios(found[place])
    if options.json is not None:
        told = {"table": shown, "cores": os.cpu_count(), "duckdb": DUCKDB, "wrong": sorted(data.wrong(rows))}
        places = {p: {n: _as_json(m) for n, m in each.items()} for p, each in found.items()}
        options.json.write_text(json.dumps({**told, "places": places}, indent=2) + "\n")


def _show_ratios(found: Mapping[str, Measured]) -> None:
    for one, other, what, aim in AIMS:
        if one in found and other in found:
            ratio = getattr(found[one], what) / getattr(found[other], what)
            aimed = "" if aim is None else f"   aim: {aim:g}, {'reached' if ratio <= aim else 'missed'}"
            print(f"{one} / {other:<18} {what:<5} {ratio:6.2f}{aimed}")
    most = max((m.memory for n, m in found.items() if n.startswith("ours")), default=0)
    print(
        f"ours, most memory: {most:.0f} MB   aim: {MOST_MEMORY}, {'reached' if most <= MOST_MEMORY else 'missed'}"
    )


def _as_json(measured: Measured) -> dict[str, Any]:
    return {**asdict(measured), "failed": sorted(measured.failed)}


@contextmanager
def _lake(folder: Path, wanted: bool) -> Iterator[S3Access | None]:
    if not wanted:
        yield None
        return
    with Lake.start(folder / "lake") as lake:
        put(lake, BUCKET, "ready", b"")
        (lake.directory / BUCKET / "ready").unlink()
        yield lake.access


class Bench:
    """The table, where it is read from, and everyone who checks it."""

    def __init__(self, base: Path, table: Path, access: S3Access | None, rows: int) -> None:
        self._base = base
        self._table = table
        self._access = access
        self._rows = rows
        self._work = base / "work"
        self._work.mkdir(exist_ok=True)

    @property
    def location(self) -> str:
        """Where the files are, as a glob."""
        root = f"s3://{BUCKET}/{data.TABLE}" if self._access else str(self._table)
        return f"{root}/*/*.parquet"

    def contestants(self) -> list[tuple[str, Any]]:
        """Name and what measures it, in the order that they are shown. Soda reads local files only."""
        soda = [] if self._access else [("soda", self.soda)]
        return [
            ("ours", lambda: self.ours("fresh")),
            ("ours, again", lambda: self.ours("kept")),
            ("ours, one new partition", self.ours_with_news),
            ("ours, 200 checks", lambda: self.ours("wide", scale=5)),
            ("by hand", self.by_hand),
            *soda,
            ("datacontract-cli", self.datacontract),
        ]

    def show(self, name: str, measured: Measured) -> None:
        """One line of figures."""
        same = (
            "same verdict"
            if measured.failed == data.wrong(self._rows)
            else f"FAILED {sorted(measured.failed)}"
        )
        told = "" if measured.told is None else f"   the run itself {measured.told:5.2f} s"
        print(
            f"{name:<24} {measured.wall:7.2f} s wall {measured.cpu:7.2f} s CPU {measured.memory:7.0f} MB   "
            f"load {measured.load:4.1f}   {same}{told}",
            flush=True,
        )

    # --- ours -----------------------------------------------------------------------------------

    def ours(self, kept: str, scale: int = 1) -> Measured:
        """``contracts check``; ``kept`` is with what the run before it kept, the others begin anew."""
        folder = self._work / ("ours-wide" if kept == "wide" else "ours")
        if kept != "kept":
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
        contract = folder / "orders.odcs.yaml"
        contract.write_text(data.odcs(self.location, "s3" if self._access else "local", scale=scale))
        argv = [program(), "check", str(contract), "--samples", "0", "--format", "json"]
        settings = self._settings() | bytecode(self._base)
        if not (self._base / "bytecode").exists():
            measured([*argv, "--full"], folder, settings, _failed_of_ours)
        if kept != "kept":
            shutil.rmtree(folder / ".contracts", ignore_errors=True)
        return measured(argv, folder, settings, _failed_of_ours, _seconds_of_ours)

    def ours_with_news(self) -> Measured:
        """As again, after one more partition was published."""
        target = self._table / f"day={data.PARTITIONS + 1:02}"
        apart(data.write, self._table, self._rows, 1, data.PARTITIONS)
        try:
            return self.ours("kept")
        finally:
            shutil.rmtree(target)

    def _settings(self) -> dict[str, str]:
        a = self._access
        if a is None:
            return {}
        return {
            "CONTRACTS_S3_ENDPOINT": a.endpoint,
            "CONTRACTS_S3_ACCESS_KEY": a.access_key,
            "CONTRACTS_S3_SECRET_KEY": a.secret_key,
            "CONTRACTS_S3_REGION": a.region,
        }

    # --- others ---------------------------------------------------------------------------------

    def by_hand(self) -> Measured:
        """One query that somebody wrote for exactly this table."""
        script = self._work / "by_hand.py"
        source = f"read_parquet('{self.location}', hive_partitioning = true)"
        script.write_text(
            "import json, duckdb\nc = duckdb.connect()\nc.execute('SET threads = 2')\n"
            + self._duckdb_access()
            + f"r = c.execute({data.fused(source)!r})\n"
            "row = dict(zip([d[0] for d in r.description], r.fetchone()))\nprint(json.dumps(row))\n"
        )
        return measured([sys.executable, str(script)], self._work, {}, _failed_by_hand)

    def soda(self) -> Measured:
        """``soda contract verify`` on a view over the files."""
        python = _venv(self._base, "soda")
        database = self._work / "soda.duckdb"
        database.unlink(missing_ok=True)
        view = f"CREATE VIEW {data.TABLE} AS SELECT * FROM read_parquet('{self.location}', hive_partitioning = true)"
        subprocess.run(
            [python, "-c", f"import duckdb; duckdb.connect({str(database)!r}).execute({view!r})"], check=True
        )
        source, contract = self._work / "soda-source.yml", self._work / "soda-contract.yml"
        source.write_text(f"type: duckdb\nname: bench\nconnection:\n  database: {database}\n")
        contract.write_text(data.soda())
        argv = [str(python.parent / "soda"), "contract", "verify", "-c", str(contract), "-ds", str(source)]
        return measured(argv, self._work, {"SODA_CORE_TELEMETRY_ENABLED": "false"}, _failed_of_soda)

    def datacontract(self) -> Measured:
        """``datacontract test`` on the same contract."""
        python = _venv(self._base, "datacontract-cli")
        contract, result = self._work / "datacontract.odcs.yaml", self._work / "datacontract.json"
        endpoint = self._access.endpoint if self._access else ""
        contract.write_text(data.odcs(self.location, "s3" if self._access else "local", endpoint))
        settings = {"HOME": str(_home_with_extensions(self._base, python))}
        if self._access:
            settings |= {
                "DATACONTRACT_S3_ACCESS_KEY_ID": self._access.access_key,
                "DATACONTRACT_S3_SECRET_ACCESS_KEY": self._access.secret_key,
                "DATACONTRACT_S3_REGION": self._access.region,
            }
        program = str(python.parent / "datacontract")
        argv = [
            program,
            "test",
            "--server",
            "lake",
            str(contract),
            "--output",
            str(result),
            "--output-format",
            "json",
        ]
        result.unlink(missing_ok=True)
        return measured(argv, self._work, settings, lambda _: _failed_of_datacontract(result))

    def _duckdb_access(self) -> str:
        a = self._access
        if a is None:
            return ""
        secret = (
            f"CREATE SECRET (TYPE s3, KEY_ID '{a.access_key}', SECRET '{a.secret_key}', REGION '{a.region}', "
            f"ENDPOINT '{a.endpoint.removeprefix('http://')}', URL_STYLE 'path', USE_SSL false)"
        )
        return (
            "import duckdb_extension_httpfs, pathlib\n"
            "p = next(pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob('*.duckdb_extension'))\n"
            f"c.execute(f\"LOAD '{{p}}'\")\nc.execute({secret!r})\n"
        )


def apart(work: Callable[..., object], *given: object) -> None:
    """Do it in a process of its own: a child's largest memory is never told as less than its parent's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(work, *given).result()


def program() -> str:
    """The command line of this project."""
    return str(Path(sys.executable).parent / "contracts")


def bytecode(base: Path) -> dict[str, str]:
    """Keeps compiled modules, as an installation has them: the peers' are there too."""
    return {"PYTHONPYCACHEPREFIX": str(base / "bytecode")}


def measured(
    argv: Sequence[str], folder: Path, settings: Mapping[str, str], failed: Any, told: Any = None
) -> Measured:
    """Run a process to its end, and ask the system what it took."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONTRACTS_", "AWS_", "PYTHON"))}
    load = os.getloadavg()[0]
    began = time.perf_counter()
    with (folder / "out.txt").open("wb") as out, (folder / "err.txt").open("wb") as err:
        process = subprocess.Popen(argv, cwd=folder, env=kept | dict(settings), stdout=out, stderr=err)
        _, _, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = 0
    said = (folder / "out.txt").read_text(errors="replace")
    try:
        names = frozenset(failed(said))
    except (ValueError, KeyError, OSError) as error:
        print((folder / "err.txt").read_text(errors="replace")[-2_000:], said[-2_000:], file=sys.stderr)
        raise SystemExit(f"{argv[0]} gave no result: {error}") from error
    cpu = usage.ru_utime + usage.ru_stime
    return Measured(wall, cpu, usage.ru_maxrss / 1024, names, load, told(said) if told else None)


_OUR_KINDS = {"invalid-values": "enum"}


def _failed_of_ours(said: str) -> Iterator[str]:
    for run_ in json.loads(said)["runs"]:
        for result in run_["results"]:
            if result["outcome"] in ("failed", "errored"):
                yield f"{'.'.join(result['columns'])}.{_OUR_KINDS.get(result['kind'], result['kind'])}"


def _seconds_of_ours(said: str) -> float:
    (run_,) = json.loads(said)["runs"]
    return float(run_["seconds"])


def _failed_by_hand(said: str) -> Iterator[str]:
    row = json.loads(said)
    for name, count in row.items():
        if name not in ("rows", "score.nullShare") and count:
            yield name


def _failed_of_soda(said: str) -> Iterator[str]:
    if "Runtime Errors |  0" not in said:
        raise ValueError("it says that it had errors")
    for line in said.splitlines():
        if "FAILED" in line:
            yield line.split("|")[2].strip()


_DATACONTRACT_KINDS = {"field_regex": "pattern", "field_minimum": "minimum", "field_invalid_values": "enum"}


def _failed_of_datacontract(result: Path) -> Iterator[str]:
    for check in json.loads(result.read_text())["checks"]:
        if check["result"] in ("failed", "error"):
            yield f"{check['field']}.{_DATACONTRACT_KINDS.get(check['type'], check['type'])}"


def _venv(base: Path, name: str) -> Path:
    """The Python of a peer's own venv, made once."""
    folder = base / f"venv-{name}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        print(f"installing {name} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        done = subprocess.run([python, "-m", "pip", "install", *PEERS[name]], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name} cannot be installed: {done.stderr[-2_000:]}")
        (folder / "ready").touch()
    return python


def _home_with_extensions(base: Path, python: Path) -> Path:
    """A home where DuckDB finds the extensions that it would otherwise download."""
    home = base / "home"
    for name in ("httpfs", "aws"):
        said = f"import duckdb, duckdb_extension_{name} as e; print(duckdb.__version__, e.__file__)"
        done = subprocess.run([python, "-c", said], check=True, capture_output=True, text=True)
        version, _, module = done.stdout.strip().partition(" ")
        for extension in Path(module).parent.rglob("*.duckdb_extension"):
            target = home / ".duckdb" / "extensions" / f"v{version}" / "linux_amd64" / extension.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.exists():
                shutil.copy(extension, target)
    return home
