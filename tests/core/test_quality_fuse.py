"""The fused scan says the same as one query per check, and as a slow evaluation in plain Python."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.files import DataFile, Footer, StoredColumn
from contracts_svc.model import Column, Contract, QualityRule, Table
from contracts_svc.quality import fuse, kinds_anomaly
from contracts_svc.quality.kinds import KIND_OF, KINDS, Origin
from contracts_svc.quality.layout import Layout, layout
from contracts_svc.quality.plan import plan
from contracts_svc.quality.references import resolver
from contracts_svc.runs import Check, Plan

TYPES = {"i": "BIGINT", "f": "DOUBLE", "s": "VARCHAR", "d": "DECIMAL(9,2)"}
Row = tuple[Any, ...]

FLOATS = st.sampled_from([0.0, -0.0, 0.1, 0.3, -2.5, 7.0, 1e300, math.nan, math.inf, -math.inf])
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-4, 4) | st.sampled_from([2**63 - 1, -(2**63)]),
        st.none() | FLOATS,
        st.none() | st.text(alphabet="ab \né", max_size=3),
        st.none() | st.integers(-300, 300),
    ),
    max_size=12,
)
NUMBERS = st.sampled_from([-3, 0, 2, 0.5, -0.25, 1e300, 2**63 - 1])
STEPS = st.sampled_from([1, 2, 0.1, 0.5, 1.5, 3])
PATTERNS = st.sampled_from(["a", "^a", "b$", "^[ab]*$", "^$", r"\s", "é|b", ".{2}", r"^\S+$"])
LISTS = st.lists(st.sampled_from([None, "", "a", "b", "ab", 0, 1, 2.0, 0.5, True, -4]), max_size=4)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    def options(*names: str) -> dict[str, Any]:
        return {n: draw(NUMBERS) for n in names if draw(st.booleans())}

    def number(name: str, logical: str, position: int) -> Column:
        limits = options("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        step = {"multipleOf": draw(STEPS)} if draw(st.booleans()) else {}
        return Column(
            name=name,
            path=name,
            logical_type=logical,
            logical_type_options=limits | step,
            required=draw(st.booleans()),
            unique=draw(st.booleans()),
            primary_key=draw(st.booleans()),
            primary_key_position=position,
            quality=tuple(rules()),
        )

    def rules() -> list[QualityRule]:
        found = [
            QualityRule(metric="nullValues", operators={"mustBe": 0}),
            QualityRule(
                metric="missingValues", operators={"mustBe": 0}, arguments={"missingValues": draw(LISTS)}
            ),
            QualityRule(
                metric="invalidValues", operators={"mustBe": 0}, arguments={"validValues": draw(LISTS)}
            ),
            QualityRule(metric="duplicateValues", operators={"mustBe": 0}),
        ]
        return [r for r in found if draw(st.booleans())]

    text = Column(
        name="s",
        path="s",
        logical_type="string",
        logical_type_options={
            "minLength": draw(st.integers(0, 2)),
            "maxLength": 2,
            "pattern": draw(PATTERNS),
        },
        primary_key=draw(st.booleans()),
        quality=tuple(rules()),
    )
    columns = (number("i", "integer", 1), number("f", "number", 2), text, number("d", "number", 3))
    return Table(
        name="t", columns=columns, quality=(QualityRule(metric="rowCount", operators={"mustBe": 0}),)
    )


def test_fused_is_alone_is_plain_python() -> None:
    with duckdb.connect() as connection:
        kinds = ", ".join(f"{n} {t}" for n, t in TYPES.items())
        connection.execute(f"CREATE TABLE t ({kinds})")

        @settings(max_examples=150, deadline=None)
        @given(tables(), ROWS)
        def compare(table: Table, rows: list[Row]) -> None:
            rows = [(i, f, s, None if d is None else d / 100) for i, f, s, d in rows]
            connection.execute("DELETE FROM t")
            if rows:
                connection.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
            planned, found = planned_for(table, len(rows))
            able = [c for c in planned.checks if KIND_OF[c.kind].origin is not Origin.FOOTER]
            assert not fuse.skipped(planned, found)
            fused = figures(fuse.fuse(planned, found), planned, connection)
            alone = [s for c in able for s in (fuse.scan([c], found), fuse.own_query(c, found)) if s]
            assert figures(alone, planned, connection) == fused
            for check in able:
                expected = slowly(check, rows)
                assert {k: fused[check.id][k] for k in expected} == expected, check

        compare()


NESTED = {
    "tags": "VARCHAR[]",
    "fl": "DOUBLE[]",
    "st": "STRUCT(a BIGINT, f DOUBLE)",
    "ls": "STRUCT(p BIGINT, q VARCHAR[])[]",
    "m": "MAP(VARCHAR, BIGINT)",
}
NESTED_SCHEMA = pa.schema(
    {
        "tags": pa.list_(pa.string()),
        "fl": pa.list_(pa.float64()),
        "st": pa.struct({"a": pa.int64(), "f": pa.float64()}),
        "ls": pa.list_(pa.struct({"p": pa.int64(), "q": pa.list_(pa.string())})),
        "m": pa.map_(pa.string(), pa.int64()),
    }
)
TEXTS = st.none() | st.text(alphabet="ab \né", max_size=3)
SMALL = st.none() | st.integers(-4, 4)


def lists(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | st.lists(of, max_size=4)


NESTED_ROWS = st.lists(
    st.tuples(
        lists(TEXTS),
        lists(st.none() | FLOATS),
        st.none() | st.fixed_dictionaries({"a": SMALL, "f": st.none() | FLOATS}),
        lists(st.none() | st.fixed_dictionaries({"p": SMALL, "q": lists(TEXTS)})),
        st.none() | st.dictionaries(st.sampled_from(["a", "b", "é b"]), SMALL, max_size=3),
    ),
    max_size=8,
)


@st.composite
def nested_tables(draw: st.DrawFn) -> Table:
    def some(**options: Any) -> dict[str, Any]:
        return {n: v for n, v in options.items() if draw(st.booleans())}

    def text(name: str, path: str) -> Column:
        options = some(minLength=1, maxLength=2, pattern=draw(PATTERNS))
        enum = tuple(draw(LISTS)) if draw(st.booleans()) else ()
        rules = (
            QualityRule(metric="nullValues", operators={"mustBe": 0}),
            QualityRule(
                metric="missingValues", operators={"mustBe": 0}, arguments={"missingValues": draw(LISTS)}
            ),
        )
        return Column(
            name=name,
            path=path,
            logical_type="string",
            logical_type_options=options,
            required=draw(st.booleans()),
            enum=enum,
            quality=rules,
        )

    def number(name: str, path: str, logical: str) -> Column:
        limits = some(
            minimum=draw(NUMBERS),
            exclusiveMaximum=draw(NUMBERS),
            multipleOf=draw(STEPS),
            maximum=draw(NUMBERS),
        )
        return Column(
            name=name,
            path=path,
            logical_type=logical,
            logical_type_options=limits,
            required=draw(st.booleans()),
        )

    def array(name: str, path: str, items: Column) -> Column:
        options = some(minItems=draw(st.integers(0, 2)), maxItems=2, uniqueItems=draw(st.booleans()))
        return Column(name=name, path=path, logical_type="array", logical_type_options=options, items=items)

    def record(name: str, path: str, *columns: Column) -> Column:
        options = some(minProperties=draw(st.integers(0, 2)), maxProperties=1, required=[columns[0].name])
        return Column(
            name=name, path=path, logical_type="object", logical_type_options=options, columns=columns
        )

    inner = record(
        "items", "ls[]", number("p", "ls[].p", "integer"), array("q", "ls[].q", text("items", "ls[].q[]"))
    )
    columns = (
        array("tags", "tags", text("items", "tags[]")),
        array("fl", "fl", number("items", "fl[]", "number")),
        record("st", "st", number("a", "st.a", "integer"), number("f", "st.f", "number")),
        array("ls", "ls", inner),
        Column(
            name="m",
            path="m",
            logical_type="map",
            logical_type_options=some(minProperties=1, maxProperties=2),
            map_key=text("key", "m{key}"),
            map_value=number("value", "m{value}", "integer"),
        ),
    )
    return Table(name="t", columns=columns)


def test_nested_fused_is_alone_is_plain_python() -> None:
    seen: Counter[str] = Counter()
    with duckdb.connect() as connection:
        kinds = ", ".join(f"{n} {t}" for n, t in NESTED.items())
        connection.execute(f"CREATE TABLE t ({kinds})")

        @settings(max_examples=40, deadline=None)
        @given(nested_tables(), NESTED_ROWS)
        def compare(table: Table, rows: list[Row]) -> None:
            connection.execute("DELETE FROM t")
            # Through Arrow: given as a parameter, a NaN in a list would become NULL.
            whole = [dict(zip(NESTED, row, strict=True)) for row in rows]
            whole = [{**r, "m": None if r["m"] is None else list(r["m"].items())} for r in whole]
            connection.register("given", pa.Table.from_pylist(whole, schema=NESTED_SCHEMA))
            connection.execute("INSERT INTO t SELECT * FROM given")
            planned, found = planned_for(table, len(rows), NESTED)
            able = [c for c in planned.checks if KIND_OF[c.kind].origin is not Origin.FOOTER]
            assert not fuse.skipped(planned, found)
            fused = figures(fuse.fuse(planned, found), planned, connection)
            alone = [s for c in able for s in (fuse.scan([c], found),) if s]
            assert figures(alone, planned, connection) == fused
            for check in able:
                seen[check.kind] += 1
                expected = sum(nested_fails(check, table, row) for row in rows)
                assert fused[check.id] == {"failing": expected, "rows": len(rows)}, check

        compare()
    # Every kind was asked of nested values, and of enough tables to mean it.
    assert set(seen) >= FAILS.keys() - {"invalid-values", "dimensions", "exclusive-minimum"}
    assert min(seen.values()) > 5


def nested_fails(check: Check, table: Table, row: Row) -> bool:
    """Whether any value of the check's column in the row breaks it."""
    (path,) = check.columns
    top = next(
        c for c in table.columns if path.startswith(c.path) and path[len(c.path) :][:1] in ("", *".[{")
    )
    values = gather(top, row[list(NESTED).index(top.name)], path)
    return any(FAILS[check.kind](v, check.arguments) for v in values)


def gather(column: Column, value: Any, path: str) -> Iterator[Any]:
    """The values at a path inside a value of a column; nothing is inside NULL."""
    if column.path == path:
        yield value
        return
    if value is None:
        return
    child = next(
        c for c in column.children() if c.path == path or path.startswith((f"{c.path}.", f"{c.path}["))
    )
    if child is column.items:
        inside = list(value)
    elif child is column.map_key or child is column.map_value:
        inside = list(value.keys() if child is column.map_key else value.values())
    else:
        inside = [value[child.name]]
    for each in inside:
        yield from gather(child, each, path)


def repeats(value: Any, arguments: Any) -> bool:
    return bool(
        arguments["value"]
        and value is not None
        and len({written(v) if isinstance(v, dict | list) else same(v) for v in value}) < len(value)
    )


def written(value: Any) -> str:
    """A record or list as text, the fields of a record in one order: they have none."""
    return str(sorted(value.items()) if isinstance(value, dict) else value)


def size(value: Any) -> int:
    """The fields of a record that are there, the entries of a map, the elements of a list."""
    if isinstance(value, dict) and value.keys() in ({"a", "f"}, {"p", "q"}):
        return sum(v is not None for v in value.values())
    return len(value)


def planned_for(table: Table, rows: int, types: Mapping[str, str] = TYPES) -> tuple[Plan, Layout]:
    given_contract = Contract(api_version="v3.1.0", id="c", version="1", tables=(table,))
    file = DataFile(path="t.parquet", size=1)
    columns = tuple(StoredColumn(name=n, type=t) for n, t in types.items())
    planned = plan(given_contract, table, target_of=resolver(given_contract, {}))
    return planned, layout(table, [Footer(file=file, rows=rows, columns=columns)])


def figures(
    scans: Sequence[fuse.Scan], planned: Plan, connection: duckdb.DuckDBPyConnection
) -> dict[str, dict[str, Any]]:
    measured = []
    for scan in scans:
        cursor = connection.execute(scan.query.sql(dialect="duckdb"))
        names = [d[0] for d in cursor.description or ()]
        answer = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        measured += fuse.read(scan, answer, planned)
    return {m.check: dict(m.values) for m in fuse.combine(measured)}


def slowly(check: Check, rows: list[Row]) -> dict[str, Any]:
    """The figures of a check, counted row by row."""
    places = ["ifsd".index(c) for c in check.columns]
    keys = [tuple(row[p] for p in places) for row in rows]
    if check.kind == "row-count":
        return {"value": len(rows)}
    if check.kind in ("unique", "duplicate-values", "primary-key"):
        whole = Counter(tuple(map(same, k)) for k in keys if None not in k)
        nulls = {"nulls": sum(None in k for k in keys)} if check.kind == "primary-key" else {}
        return {"duplicates": sum(n - 1 for n in whole.values()), "rows": len(rows), **nulls}
    fails = FAILS[check.kind]
    return {"failing": sum(fails(k[0], check.arguments) for k in keys), "rows": len(rows)}


def same(value: Any) -> Any:
    """A key under which NaN equals NaN and 0.0 equals -0.0."""
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def listed(value: Any, values: Sequence[Any]) -> bool:
    if isinstance(value, str):
        texts = [str(v).lower() if isinstance(v, bool) else str(v) for v in values if v is not None]
        return value in texts
    return any(v == value for v in values if isinstance(v, int | float) and not isinstance(v, bool))


def no_multiple(value: Any, arguments: Any) -> bool:
    if value is None:
        return False
    step = arguments["value"]
    if isinstance(value, int):
        return value * 10 % round(step * 10) != 0
    if not math.isfinite(value):
        return True
    ratio = value / step
    return abs(ratio - round(ratio)) > 1e-15 * max(1, abs(ratio))


def matches(value: str, pattern: str) -> bool:
    return re.search(pattern.replace("$", r"\Z"), value) is not None


Fails = Callable[[Any, Any], bool]
FAILS: dict[str, Fails] = {
    "required": lambda v, a: v is None,
    "null-values": lambda v, a: v is None,
    "missing-values": lambda v, a: (None in a["values"]) if v is None else listed(v, a["values"]),
    "invalid-values": lambda v, a: v is not None and not listed(v, a["values"]),
    "minimum": lambda v, a: v is not None and not v >= a["value"],
    "maximum": lambda v, a: v is not None and not v <= a["value"],
    "exclusive-minimum": lambda v, a: v is not None and not v > a["value"],
    "exclusive-maximum": lambda v, a: v is not None and not v < a["value"],
    "multiple-of": no_multiple,
    "min-length": lambda v, a: v is not None and len(v) < a["value"],
    "max-length": lambda v, a: v is not None and len(v) > a["value"],
    "pattern": lambda v, a: v is not None and not matches(v, a["value"]),
    "enum": lambda v, a: v is not None and not listed(v, a["values"]),
    "min-items": lambda v, a: v is not None and size(v) < a["value"],
    "max-items": lambda v, a: v is not None and size(v) > a["value"],
    "dimensions": lambda v, a: v is not None and size(v) != a["value"],
    "unique-items": repeats,
    "min-properties": lambda v, a: v is not None and size(v) < a["value"],
    "max-properties": lambda v, a: v is not None and size(v) > a["value"],
}


def test_the_slow_evaluation_knows_every_kind_that_scans() -> None:
    scanned = {k.key for k in KINDS if k.origin is Origin.SCAN}
    # These have test modules of their own: text files, service levels, formats.
    elsewhere = {
        "readable-documents",
        "value-type",
        "freshness",
        "retention",
        "time-of-availability",
        "format",
        *(k.key for k in kinds_anomaly.KINDS if k.origin is Origin.SCAN),
    }
    assert scanned - FAILS.keys() == {"row-count"} | elsewhere


@pytest.mark.parametrize("count", [1, 40, 200])
def test_one_scan_however_many_checks(count: int) -> None:
    columns = tuple(
        Column(
            name=f"c{n}",
            path=f"c{n}",
            logical_type="integer",
            required=True,
            logical_type_options={"minimum": n, "maximum": n + 1},
        )
        for n in range(count)
    )
    table = Table(name="t", columns=columns)
    given_contract = Contract(api_version="v3.1.0", id="c", version="1", tables=(table,))
    stored = tuple(StoredColumn(name=c.name, type="BIGINT") for c in columns)
    found = layout(table, [Footer(file=DataFile(path="p", size=1), rows=1, columns=stored)])
    planned = plan(given_contract, table, target_of=resolver(given_contract, {}))
    (scan,) = fuse.fuse(planned, found)
    assert len(scan.checks) == 3 * count
    # COUNT(*) is asked for once, whoever needs it.
    assert len(scan.query.expressions) == 3 * count + 1


def test_a_shared_expression_serves_every_check_that_needs_it() -> None:
    column = Column(
        name="i",
        path="i",
        required=True,
        quality=(QualityRule(metric="nullValues", operators={"mustBe": 0}),),
    )
    table = Table(name="t", columns=(column,))
    planned, found = planned_for(table, 1)
    (scan,) = fuse.fuse(planned, found)
    assert sorted(scan.outputs.values()) == [
        (("t.i.required", "failing"), ("t.i.null-values", "failing")),
        (("t.i.required", "rows"), ("t.i.null-values", "rows")),
    ]
