"""A module imports only from floors below its own, or from its own floor without a cycle."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGE = ROOT / "contracts_svc"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Floor -> what stands on it: modules, or packages with a trailing dot.
FLOORS = (
    ("errors", "model", "files", "findings", "runs", "alerts", ""),
    (
        "references",
        "impact",
        "policy",
        "waivers",
        "ruling",
        "verdict",
        "anomaly",
        "drift",
        "onboard",
        "versions",
        "incidents",
        "routing",
        "responders",
        "schedule",
        "schedules",
        "gate",
        "links",
        "publish",
        "odcs.",
        "compat.",
        "lineage.",
        "quality.",
        "render.",
        "routes.",
        "github.",
    ),
    ("ports", "flows."),
    ("adapters.",),
    (
        "settings",
        "app",
        "check_metrics",
        "scheduler",
        "loops",
        "tracing",
        "watched",
        "api.",
        "web.",
        "cli.",
        "demo.",
    ),
)
ONE_ADAPTER = (
    "adapters.store.",
    "adapters.github.",
    "adapters.storage.",
    "adapters.engines.duckdb.",
    "adapters.pandera_",
    "adapters.receivers.slack",
)
# Know no vendor: what several receivers send by, and what child processes are given.
SHARED_BY_ADAPTERS = {"adapters.receivers.http", "adapters.children", "adapters.tables_failures"}
# What floors 0 and 1 must not touch: clocks, networks, environments, files, logs.
FORBIDDEN_BELOW_2 = {
    "asyncio", "datetime.datetime.now", "duckdb", "fastapi", "httpx", "logging", "os", "pathlib.Path", "pyarrow",
    "requests", "socket", "sqlalchemy", "subprocess", "tempfile", "threading", "time", "urllib.request",
}  # fmt: skip


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


def is_on(name: str, row: str) -> bool:
    if row == "":
        return name == ""
    if row.endswith("."):
        return name == row[:-1] or name.startswith(row)
    return name == row or name.startswith((f"{row}_", f"{row}."))


def floor_of(name: str) -> int:
    for number, rows in enumerate(FLOORS):
        if any(is_on(name, row) for row in rows):
            return number
    raise AssertionError(f"contracts_svc.{name} stands on no floor; add it to FLOORS")


def imports(path: Path) -> Iterator[str]:
    """Every imported module, in functions too, with ``from x import y`` as both x and x.y."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def ours(path: Path) -> set[str]:
    known = {name_of(p) for p in MODULES}
    found = {
        i.removeprefix("contracts_svc").lstrip(".") for i in imports(path) if i.startswith("contracts_svc")
    }
    return {f for f in found if f in known and f != ""} - {name_of(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: name_of(p) or "contracts_svc")
def test_imports_go_down(path: Path) -> None:
    here = floor_of(name_of(path))
    above = {i for i in ours(path) if floor_of(i) > here}
    assert not above, f"floor {here} imports from above: {above}"


@pytest.mark.parametrize("path", [p for p in MODULES if floor_of(name_of(p)) < 2], ids=name_of)
def test_the_core_does_no_io(path: Path) -> None:
    touched = {i for i in imports(path) if any(f"{i}.".startswith(f"{f}.") for f in FORBIDDEN_BELOW_2)}
    assert not touched, f"floors 0 and 1 do no I/O, but this imports {touched}"
    text = path.read_text(encoding="utf-8")
    assert "datetime.now(" not in text, "`now` is an argument"
    called = {
        n.func.id
        for n in ast.walk(ast.parse(text))
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not called & {"open", "print", "input"}, "floors 0 and 1 read and write nothing"


def test_adapters_import_no_other_adapter() -> None:
    for path in MODULES:
        name = name_of(path)
        if not name.startswith("adapters."):
            continue
        # A process and the child that it starts are one adapter.
        family = {name, name.rpartition(".")[0], "adapters", name.replace("_process", "_child")}
        others = {i for i in ours(path) if i.startswith("adapters.")} - family - SHARED_BY_ADAPTERS
        for one in ONE_ADAPTER:
            # The modules of such a package are one adapter together.
            others = {i for i in others if not (name.startswith(one) and i.startswith(one))}
        # A package may look up its own members in its table.
        others = {i for i in others if not i.startswith(f"{name}.")}
        assert not others, f"{name} imports {others}"


def test_no_cycle_within_a_floor() -> None:
    graph = {name_of(p): ours(p) for p in MODULES}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name in done:
            return
        for other in sorted(graph[name]):
            # A package's __init__ is the same unit as its modules: re-exports are no cycle.
            if not name.startswith(f"{other}."):
                visit(other, (*trail, name))
        done.add(name)

    for name in sorted(graph):
        visit(name, ())
