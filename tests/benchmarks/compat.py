"""How long it takes to compare contracts: beside ``datacontract breaking``, and as they grow."""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from contracts_svc.cli.workspace import read_text
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.flows.history import Earlier, judge_change
from contracts_svc.ports import FileVersion

TYPES = (
    ("string", "VARCHAR({})", 40, 80),
    ("integer", "INT", 0, 0),
    ("number", "DECIMAL({}, 2)", 12, 18),
    ("timestamp", "TIMESTAMP", 0, 0),
    ("number", "DOUBLE", 0, 0),
    ("boolean", "BOOLEAN", 0, 0),
)
HISTORY_COLUMNS = 30


def contract(columns: int, version: str, *, changed_every: int = 0) -> str:
    """A table of that many columns, each with ten keys and a quality rule.

    Every ``changed_every``-th column differs from the contract without changes, in one of five ways.
    """
    lines = [
        "apiVersion: v3.1.0\nkind: DataContract\nid: wide\nname: wide",
        f"version: {version}\nstatus: active\nschema:\n  - name: wide\n    properties:",
    ]
    for i in range(columns):
        way = i // changed_every % 5 if changed_every and i % changed_every == 0 else None
        if way != 0:
            lines.append(_column(i, way))
    return "\n".join(lines) + "\n"


def _column(i: int, way: int | None) -> str:
    logical, physical, size, larger = TYPES[i % len(TYPES)]
    # A length of its own for every column, so that no two types are parsed as one.
    physical = "BIGINT" if way == 1 else physical.format((larger if way == 2 else size) + i % 20)
    required = (i % 3 == 0) is not (way == 3)
    return (
        f"      - name: column_{i}\n        businessName: Column {i}\n        description: What column {i} holds\n"
        f"        logicalType: {logical}\n        physicalType: {physical}\n"
        f"        required: {str(required).lower()}\n        unique: false\n        classification: internal\n"
        f"        criticalDataElement: false\n        tags: [wide, generated]\n        quality:\n"
        f"          - {{metric: nullValues, mustBeLessThan: {9 if way == 4 else 5}, unit: percent}}"
    )


def main(arguments: list[str]) -> None:
    """Compare contracts of 500 columns beside datacontract-cli, and growing ones."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks compat", description=main.__doc__)
    parser.add_argument("--columns", type=int, default=500, help="of the two files that are compared")
    parser.add_argument("--repeat", type=int, default=7, help="runs of each, alternating; the median counts")
    parser.add_argument("--sizes", type=_sizes, default=[1250, 2500, 5000, 10_000], help="columns, growing")
    parser.add_argument("--versions", type=_sizes, default=[125, 250, 500, 1000], help="versions, growing")
    run(parser.parse_args(arguments))


def _sizes(text: str) -> list[int]:
    return [int(n) for n in text.split(",")]


def run(options: argparse.Namespace) -> None:
    """Measure everything and print it."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{side}.odcs.yaml" for side in ("old", "new")]
        files[0].write_text(contract(options.columns, "1.0.0"))
        files[1].write_text(contract(options.columns, "2.0.0", changed_every=5))
        processes(files, options.columns, options.repeat)
        cold(files, options.columns, options.repeat)
    growth("columns", options.sizes, columns_once)
    growth(f"versions of {HISTORY_COLUMNS} columns", options.versions, versions_once)


def processes(files: Sequence[Path], columns: int, repeat: int) -> None:
    """Both programs of the same environment on the same files, one after the other, again and again."""
    programs = Path(sys.executable).parent
    commands = {
        "contracts diff": [str(programs / "contracts"), "diff", *map(str, files)],
        "datacontract breaking": [str(programs / "datacontract"), "breaking", *map(str, files)],
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeat):
        for name, command in commands.items():
            began = time.perf_counter(), _cpu_of_children()
            done = subprocess.run(
                command, capture_output=True, check=False, env={**os.environ, "COLUMNS": "120"}
            )
            seconds[name].append((time.perf_counter() - began[0], _cpu_of_children() - began[1]))
            # Both end with 1 when something breaks, as it does here.
            if done.returncode != 1:
                raise SystemExit(f"{name} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
    print(f"two files of {columns:,} columns, {repeat} runs each, alternating, medians of whole processes:")
    medians = []
    for name, times in seconds.items():
        wall, cpu = ([t[i] for t in times] for i in (0, 1))
        medians.append((statistics.median(wall), statistics.median(cpu)))
        spread = f"from {min(wall):.3f} to {max(wall):.3f}"
        print(f"  {name:<24} {medians[-1][0]:8.3f} s   ({spread}), {medians[-1][1]:.3f} s of CPU")
    (ours, our_cpu), (theirs, their_cpu) = medians
    print(f"  ratio                    {theirs / ours:8.1f}     of CPU {their_cpu / our_cpu:.1f}")


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


COLD = """
import sys, time
from pathlib import Path
from contracts_svc.cli.workspace import read_file
from contracts_svc.compat.diff import diff
from contracts_svc.compat.rules import judge
began = time.process_time()
old, new = (read_file(Path(p)) for p in sys.argv[1:])
print(time.process_time() - began)
for _ in range(2):
    began = time.process_time()
    judge(diff(old, new), old, new)
    print(time.process_time() - began)
"""


def cold(files: Sequence[Path], columns: int, repeat: int) -> None:
    """In a new process each time, so that nothing is remembered."""
    rows = []
    for _ in range(repeat):
        command = [sys.executable, "-c", COLD, *map(str, files)]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
        rows.append([float(line) for line in done.stdout.split()])
    print(f"\nin a process, {columns:,} columns, median CPU time of {repeat}:")
    names = ("read both files", "diff and rules, first", "diff and rules, again")
    for name, times in zip(names, zip(*rows, strict=True), strict=True):
        print(f"  {name:<24} {statistics.median(times) * 1000:8.1f} ms")


def growth(what: str, sizes: Sequence[int], once: Callable[[int], dict[str, float]]) -> None:
    """Times for each size, and how much each step takes for every one of what grows."""
    print(f"\n{what}, CPU time, each size once:")
    first: dict[str, float] = {}
    for size in sizes:
        for name, seconds in once(size).items():
            each = seconds / size
            factor = each / first.setdefault(name, each)
            print(f"  {size:>6,}  {name:<16} {seconds:8.3f} s   {each * 1e6:8.1f} µs each   x{factor:.2f}")


def columns_once(columns: int) -> dict[str, float]:
    """Read two contracts of that many columns and compare them."""
    texts = [contract(columns, "1.0.0"), contract(columns, "2.0.0", changed_every=5)]
    began = time.process_time()
    old, new = (read_text(t.encode(), "wide.odcs.yaml") for t in texts)
    read = time.process_time() - began
    judge(diff(old, new), old, new)
    return {"read both": read, "diff and rules": time.process_time() - began - read}


def versions_once(count: int) -> dict[str, float]:
    """Read a history of that many versions and judge a new one against all."""

    def newest_first(path: str) -> Iterator[FileVersion]:
        for number in reversed(range(count)):
            text = contract(HISTORY_COLUMNS, f"1.{number}.0", changed_every=2 + number % 7)
            yield FileVersion(commit="0" * 40, path=path, text=text.encode())

    old = read_text(next(newest_first("wide.odcs.yaml")).text, "wide.odcs.yaml")
    new = read_text(contract(HISTORY_COLUMNS, "2.0.0").encode(), "wide.odcs.yaml")
    earlier = Earlier(versions=newest_first, read=read_text)
    began = time.process_time()
    judged = judge_change(old, new, Mode.FULL_TRANSITIVE, earlier)
    assert len(judged.against) == count
    return {"read and judge": time.process_time() - began}
