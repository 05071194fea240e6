"""What footers prove is what a scan finds, whoever wrote the files and whatever their statistics say."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.files import Bounds
from contracts_svc.quality import proofs, split
from contracts_svc.quality.kinds import KIND_OF, KINDS
from contracts_svc.quality.layout import layout
from contracts_svc.quality.plan import plan
from contracts_svc.quality.proofs import prover
from contracts_svc.quality.references import resolver
from tests.core.quality import contract, results, run

MOMENTS = [
    datetime(2026, 1, 1),
    datetime(2026, 1, 1, 0, 0, 0, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999_999),
]
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i": (pa.int64(), [0, 1, -1, 5, 2**63 - 1, -(2**63)]),
    "small": (pa.int8(), [0, 1, -128, 127]),
    "u": (pa.uint64(), [0, 1, 2**63, 2**64 - 1]),
    "f": (pa.float64(), [0.0, -0.0, 1.0, 5.0, float("nan"), float("inf"), float("-inf")]),
    "d": (pa.decimal128(9, 2), [Decimal("0.00"), Decimal("0.01"), Decimal("-0.01"), Decimal("5.00")]),
    "big": (pa.decimal128(38, 2), [Decimal("0.00"), Decimal("5.01"), Decimal(f"-{'9' * 36}.99")]),
    "day": (pa.date32(), [date(2026, 1, 1), date(2025, 12, 31), date(1, 1, 1), date(9999, 12, 31)]),
    "at": (pa.timestamp("us"), [*MOMENTS, datetime(9999, 12, 31, 23, 59, 59)]),
    "ms": (pa.timestamp("ms"), [datetime(2026, 1, 1), datetime(2026, 1, 2)]),
    "ns": (pa.timestamp("ns"), MOMENTS),
    "tz": (pa.timestamp("us", "UTC"), [m.replace(tzinfo=UTC) for m in MOMENTS]),
    "s": (pa.string(), ["", "a", "b", "x" * 100, "é"]),
    "b": (pa.bool_(), [True, False]),
}
LIMITS: dict[str, list[Any]] = {
    "i": [0, 1, -5, 5.5, 2**63 - 1, 1e300],
    "small": [0, 127, 127.5],
    "u": [0, 2**63],
    "f": [0, -1, 5],
    "d": [0, 0.01, 0.005, 5],
    "big": [0, 5.01],
    "day": ["2026-01-01", "2025-12-31T12:00:00"],
    "at": ["2026-01-01T00:00:00", "2026-01-01"],
    "ms": ["2026-01-01T00:00:00"],
    "ns": ["2026-01-01T00:00:00"],
    "tz": ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"],
}  # fmt: skip
LOGICAL = {"i": "integer", "small": "integer", "u": "integer", "f": "number", "d": "number", "big": "number",
           "day": "date", "at": "timestamp", "ms": "timestamp", "ns": "timestamp", "tz": "timestamp",
           "s": "string", "b": "boolean"}  # fmt: skip
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
LISTED: dict[str, list[Any]] = {
    "i": [0, 1, 5],
    "d": [0.01, 0],
    "s": ["a", "b"],
    "b": [True],
    "day": ["2026-01-01"],
}

Write = Callable[[pa.Table, Path], None]


def by_duckdb(table: pa.Table, path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", table)
        connection.execute(f"COPY (SELECT * FROM given) TO '{path}' (FORMAT parquet)")


def by_polars(table: pa.Table, path: Path) -> None:
    import polars

    polars.from_arrow(table).write_parquet(path)  # type: ignore[union-attr]


def by_pyarrow(**options: Any) -> Write:
    def write(table: pa.Table, path: Path) -> None:
        pq.write_table(table, path, **options)

    return write


WRITERS: dict[str, Write] = {
    "duckdb": by_duckdb,
    "pyarrow": by_pyarrow(),
    "small row groups": by_pyarrow(row_group_size=2),
    "stripped": by_pyarrow(write_statistics=False),
    "stripped in part": by_pyarrow(write_statistics=["i", "day"]),
    "int96": by_pyarrow(use_deprecated_int96_timestamps=True),
    "decimals as integers": by_pyarrow(store_decimal_as_integer=True),
    "version 1": by_pyarrow(version="1.0"),
}
if importlib.util.find_spec("polars"):
    WRITERS["polars"] = by_polars


@st.composite
def columns(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(0, 5))
    return {
        name: draw(st.lists(st.none() | st.sampled_from(values), min_size=rows, max_size=rows))
        for name, (_, values) in COLUMNS.items()
    }


@st.composite
def promises(draw: st.DrawFn) -> dict[str, Any]:
    properties = []
    for name in COLUMNS:
        limits = LIMITS.get(name, [])
        options = {b: draw(st.sampled_from(limits)) for b in BOUNDS if limits and draw(st.booleans())}
        if name == "i":
            options["format"] = draw(st.sampled_from(["i8", "i64", "u32"]))
        quality: list[dict[str, Any]] = [{"metric": "nullValues", "mustBe": 0}]
        listed = LISTED.get(name)
        if listed:
            missing = {"missingValues": [None, *listed[:1]]}
            quality.append({"metric": "missingValues", "mustBe": 0, "arguments": missing})
            quality.append({"metric": "invalidValues", "mustBe": 0, "arguments": {"validValues": listed}})
        column = {
            "name": name,
            "logicalType": LOGICAL[name],
            "required": draw(st.booleans()),
            "quality": quality,
        }
        if name == "d" and draw(st.booleans()):
            column["enum"] = [{"value": 0}, {"value": 0.01}, {"value": 5}]
        column["unique"] = name in ("i", "s", "day") and draw(st.booleans())
        properties.append({**column, **({"logicalTypeOptions": options} if options else {})})
    properties[0]["primaryKey"] = True
    sql = [
        "SELECT count(*) FROM t WHERE i < 0 OR i > 5",
        "SELECT COUNT(*) FROM {object} x WHERE NOT (x.d BETWEEN 0 AND 5.00) AND x.day IS NOT NULL",
        "SELECT count(*) FROM t WHERE at < TIMESTAMP '2026-01-01 00:00:00' OR length(s) > 3",
        "SELECT count(*) FROM t",
    ]
    rules = [{"type": "sql", "query": q, "mustBe": 0, "id": f"sql{n}"} for n, q in enumerate(sql)]
    rules.append({"metric": "rowCount", "mustBeGreaterThan": 3})
    return {"name": "t", "properties": properties, "quality": rules}


LEVELS = [
    {"property": "latency", "value": 1, "unit": "d", "element": "t.at"},
    {"property": "retention", "value": 1, "unit": "d", "element": "t.day"},
    {"property": "timeOfAvailability", "value": "06:00", "element": "t.tz"},
]


FIGURES = ("latest", "oldest", "value", "part")
"""Of kinds that judge something else than failing rows."""
UNUSUAL = {"customProperties": [{"property": "anomalies", "value": "warn"}]}


def test_with_and_without_footers(tmp_path: Path) -> None:
    proved: Counter[str] = Counter()
    scanned: Counter[str] = Counter()

    @settings(max_examples=25, deadline=None)
    @given(
        promises(), st.lists(st.tuples(columns(), st.sampled_from(sorted(WRITERS))), min_size=1, max_size=3)
    )
    def compare(table: dict[str, Any], files: list[tuple[dict[str, list[Any]], str]]) -> None:
        for old in tmp_path.rglob("*.parquet"):
            old.unlink()
        (tmp_path / "t").mkdir(exist_ok=True)
        for number, (values, writer) in enumerate(files):
            arrays = {n: pa.array(values[n], kind) for n, (kind, _) in COLUMNS.items()}
            WRITERS[writer](pa.table(arrays), tmp_path / f"t/{number}.parquet")
        promised = contract(tmp_path, table, version="v3.2.0", slaProperties=LEVELS, **UNUSUAL)
        with_, without = (results(run(promised, footers=f, samples=0)) for f in (True, False))
        assert with_ == without
        count(promised, tmp_path, proved, scanned)

    told = {k.key for k in KINDS if k.footer and not k.footer.startswith("never")}
    # Some proofs are rare among random files.
    for _ in range(5):
        compare()
        if {k for k in proved if proved[k]} == told:
            break
    assert {k for k in proved if proved[k]} == told
    # Where a kind is proved it is not always: both ways were compared.
    assert told - {"row-count", "unusual-row-count"} <= set(scanned)


def count(promised: Any, folder: Path, proved: Counter[str], scanned: Counter[str]) -> None:
    """How often a footer told the failing rows or the figure of each kind, and how often not."""
    storage, table = ArrowStorage(), promised.tables[0]
    footers = storage.footers(storage.files(str(folder / "t")), columns=list(COLUMNS))
    found = layout(table, footers)
    planned = plan(promised, table, target_of=resolver(promised, {}))
    figures = split.figures(planned, found)
    provers = [(f.key, prover(f.expression)) for f in figures]
    known = {(f.path, key) for f in found.files for key, _ in split.proofs(provers, f, found)}
    kinds = {c.id: c.kind for c in planned.checks}
    for figure in figures:
        for check, name in figure.users:
            for file in found.files:
                if (name != "rows" and KIND_OF[kinds[check]].figure is None) or name in FIGURES:
                    (proved if (file.path, figure.key) in known else scanned)[kinds[check]] += 1


def bounds(path: Path, *names: str) -> list[Bounds]:
    storage = ArrowStorage()
    (footer,) = storage.footers(storage.files(str(path)), columns=names)
    return [footer.bounds[n] for n in names]


def test_statistics_that_prove_nothing(tmp_path: Path) -> None:
    """Floats, unsigned and long decimals have no bounds; of texts there are limits."""
    path = tmp_path / "a.parquet"
    arrays = {n: pa.array((values * 7)[:7], kind) for n, (kind, values) in COLUMNS.items()}
    pq.write_table(pa.table(arrays), path)
    found = dict(zip(COLUMNS, bounds(path, *COLUMNS), strict=True))
    assert {n for n, b in found.items() if b.least is None} == {"u", "f", "d", "big", "ns", "s", "b"}
    assert all(b.nulls == 0 for b in found.values())
    assert found["s"].within == (b"", "é".encode())
    assert (found["i"].least, found["i"].most) == (-(2**63), 2**63 - 1)
    assert found["tz"].most == datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def test_only_columns_that_were_asked_for_and_are_flat(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = [{"a": 1, "A": 2, "b": 3, "st": {"x": 1}, "ls": [1], "st.x": 5}]
    pq.write_table(pa.Table.from_pylist(rows), path)
    storage = ArrowStorage()
    files = storage.files(str(path))
    (footer,) = storage.footers(files, columns=("a", "B", "st", "ls", "x"))
    # Of names that differ in case only, none is told; inside structs and lists, nothing is.
    assert dict(footer.bounds) == {"b": Bounds(nulls=0, least=3, most=3)}
    assert storage.footers(files)[0].bounds == {}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("n IS NULL", 2),
        ("n IS NOT NULL", 3),
        ("n < 1", 0),
        ("n <= 4", 3),
        ("NOT n < 1", 3),
        ("n < 2", None),
        ("n IN (7, 8)", 0),
        ("n IN (1, NULL)", None),
        ("n NOT IN (7, 8)", 3),
        ("c = 5", 5),
        ("c IN (1, 5)", 5),
        ("c <> 5 OR n IS NULL", None),
        ("c <> 5 AND unknown = 1", 0),
        ("n BETWEEN 1 AND 4", 3),
        ("n BETWEEN 5 AND 4", 0),
        ("n < 1e0", None),
        ("n < '1'", None),
        ("n + 1 < 0", None),
        ("unknown IS NULL", None),
        ("at < DATE '2026-01-02'", 5),
        ("at < TIMESTAMP '2026-01-01 00:00:00'", 0),
        ("at < TIMESTAMPTZ '2026-01-01 00:00:00+00:00'", None),
    ],
)
def test_conditions(sql: str, expected: int | None) -> None:
    from sqlglot import exp, parse_one

    known = proofs.facts(
        5,
        {
            "N": Bounds(nulls=2, least=1, most=4),
            "c": Bounds(nulls=0, least=5, most=5),
            "at": Bounds(nulls=0, least=MOMENTS[0], most=MOMENTS[0] + timedelta(seconds=1)),
        },
    )
    count_if = exp.CountIf(this=parse_one(sql, dialect="duckdb"))
    aggregate = exp.Coalesce(this=count_if, expressions=[exp.Literal.number(0)])
    if expected is None:
        with pytest.raises(proofs.Unproved):
            proofs.prove(aggregate, known)
    else:
        assert proofs.prove(aggregate, known) == expected
