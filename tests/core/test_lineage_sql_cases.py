"""SQL statements of other projects' test suites: what they expect and what we say.

A row agrees, or it differs by a rule that is named here and holds for every row of its kind. The
counts are floors: what was measured. Suites count a column that a CASE, a window or a pivot decides
by as a source like any other, so edges are compared without their types.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from contracts_svc.lineage.graph import DatasetId, Edge, EdgeType
from contracts_svc.lineage.sql import SqlLineage, lineage_of
from tests.support import case_rows

Row = dict[str, Any]
Pair = tuple[str, str, str, str]
"""Source table, source column, target table, target column; "*" for a whole table."""

RESULT = "#result"


def run(row: Row) -> SqlLineage:
    schemas = {
        table: dict(columns) if isinstance(columns, dict) else dict.fromkeys(columns, "")
        for table, columns in (row["schema"] or {}).items()
    }
    views = "".join(f"CREATE VIEW {name} AS {sql};" for name, sql in (row.get("sources") or {}).items())
    return lineage_of(
        views + row["sql"],
        dialect=row["dialect"] or "",
        schemas=schemas,
        name_of=lambda name: DatasetId("", name),
        origin="sql:case",
        seen=None,
        target=RESULT,
    )


def plain(name: str | None) -> str:
    """Suites differ in quotes, in case and in what they call the result of a SELECT."""
    if name is None:
        return RESULT
    return re.sub(r'["`\[\]]|<default>\.', "", name.lower())


def pairs(row: Row, edges: list[Edge]) -> set[Pair]:
    found: set[Pair] = set()
    for edge in edges:
        source, target = edge.source, edge.target
        if target.column is None and source.column is not None:
            continue  # An effect on all rows: these suites do not count it.
        if target.column is not None and source.column is None:
            continue  # Rows that are counted.
        table = plain(source.dataset.name)
        if row["suite"] == "recce":
            table = table.rpartition(".")[2]
        columns = plain(source.column or "*"), plain(target.column or "*")
        found.add((table, columns[0], plain(target.dataset.name), columns[1]))
    return {p for p in found if asserted(row, p[3])}


def asserted(row: Row, column: str) -> bool:
    """Some rows are about some of the columns only."""
    if row.get("column") is not None:
        return column in (plain(row["column"]), "*")
    typed = row["expected"].get("column_types")
    return not typed or column == "*" or column in {plain(c) for c in typed}


def wanted(row: Row) -> set[Pair]:
    def pair(edge: dict[str, Any]) -> Pair:
        (table, column), (to, named) = edge["from"], edge["to"]
        return plain(table), plain(column), plain(to), plain(named)

    return {pair(e) for e in row["expected"]["column_edges"]}


def columns_only(found: set[Pair]) -> set[Pair]:
    return {p for p in found if p[1] != "*"}


def contracted(found: set[Pair]) -> set[Pair]:
    """Without the tables that the text itself makes and reads: some suites look through them."""
    between = {p[2] for p in found} & {p[0] for p in found}
    fed = {p[2:] for p in found}
    between = {t for t in between if all(p[:2] in fed for p in found if p[0] == t)}
    done = set(found)
    for _ in between:
        done = {
            (*maker[:2], *p[2:]) if p[0] in between else p
            for p in done
            for maker in ([m for m in found if m[2:] == p[:2]] if p[0] in between else [p])
        }
    return {p for p in done if p[2] not in between}


def agrees(row: Row, found: SqlLineage) -> bool:
    if row["level"] == "table":
        return tables_agree(row, found)
    got, want = pairs(row, list(found.edges)), wanted(row)
    if any(p[1] == "*" for p in want):
        return got == want
    # What we add in table-level edges is about columns that the suite leaves out.
    return want in (columns_only(got), contracted(columns_only(got)))


def tables_agree(row: Row, found: SqlLineage) -> bool:
    reads = {plain(d.name) for d in found.reads}
    writes = {plain(d.name) for d in found.writes} - {RESULT}
    both = reads & writes
    want = tuple({plain(t) for t in row["expected"][key]} for key in ("in_tables", "out_tables"))
    return want in ((reads, writes), (reads - both, writes - both))


@dataclass(frozen=True)
class Rule:
    """Why rows of a kind differ, and how to tell that a row is of that kind."""

    why: str
    holds: Callable[[Row, SqlLineage], bool]


def _only_names_differ(row: Row, found: SqlLineage) -> bool:
    if row["level"] == "table":
        return False
    got, want = columns_only(pairs(row, list(found.edges))), wanted(row)
    made_up = [bool(re.search(r"\W|^_\d+$", p[3])) for p in want - got]
    return bool(made_up) and all(made_up) and {p[:3] for p in got} == {p[:3] for p in want}


def _is_finer_than_a_star(row: Row, found: SqlLineage) -> bool:
    want = wanted(row) if row["level"] == "column" else set()
    got = pairs(row, list(found.edges))
    return want != got and any(p[1] == "*" for p in want) and {p[::2] for p in got} == {p[::2] for p in want}


def _pivot_decides(row: Row, found: SqlLineage) -> bool:
    if row["level"] == "table":
        return False
    direct = [e for e in found.edges if e.type is not EdgeType.CONDITIONAL]
    decided = [e for e in found.edges if e.type is EdgeType.CONDITIONAL]
    listed = {p[2:] for p in wanted(row)}
    if not any(p[2:] in listed for p in columns_only(pairs(row, decided))):
        return False  # of the columns that it makes, the suite lists none
    pivoted = re.search(r"\bpivot\s*\(", row["sql"], re.IGNORECASE)
    return bool(pivoted) and columns_only(pairs(row, direct)) == wanted(row)


RULES = {
    "unnamed": Rule("what an output without a name is called, no standard says", _only_names_differ),
    "finer": Rule("a name out of a star over a table is that table's column", _is_finer_than_a_star),
    "pivot": Rule("the FOR column of a PIVOT decides about the columns it makes", _pivot_decides),
    "pivots": Rule(
        "several sources with an (UN)PIVOT each are resolved",
        lambda row, found: row["sql"].lower().count("unpivot(") > 1 and not wanted(row),
    ),
    "emptied": Rule(
        "a table that is dropped, emptied or deleted from is written to",
        lambda row, found: (
            row["suite"] == "sqllineage" and bool(re.search(r"\b(drop|truncate|delete)\b", row["sql"].lower()))
        ),
    ),
    "moved": Rule(
        "a table that is renamed, swapped or cached under a name takes its columns along",
        lambda row, found: bool(
            re.match(r"\s*(rename table|cache table|alter table \S+ swap)\b", row["sql"].lower())
        ),
    ),
}  # fmt: skip

# suite and level -> rows that agree
AGREE = {
    ("openlineage-sql", "column"): 12,
    ("openlineage-sql", "table"): 33,
    ("recce", "column"): 25,
    ("sqlglot", "column"): 32,
    ("sqllineage", "column"): 91,
    ("sqllineage", "table"): 140,
}


@pytest.fixture(scope="module")
def rows() -> list[tuple[Row, SqlLineage]]:
    all_rows = list(case_rows("lineage_sql"))
    told = [r for r in all_rows if r["level"] == "table" or r["expected"]["column_edges"] is not None]
    return [(row, run(row)) for row in told]


def test_the_cases(rows: list[tuple[Row, SqlLineage]]) -> None:
    agree: Counter[tuple[str, str]] = Counter()
    differ: Counter[str] = Counter()
    unexplained: list[str] = []
    for row, found in rows:
        if agrees(row, found):
            agree[row["suite"], row["level"]] += 1
            continue
        rule = next((name for name, r in RULES.items() if r.holds(row, found)), None)
        differ[rule or ""] += 1
        if rule is None:
            unexplained.append(f"{row['id']} {row['suite']} {row['dialect']}: {row['sql'].strip()}")
    print(f"{agree.total()} of {len(rows)} agree: {dict(agree)}; differ: {dict(differ)}")
    assert not unexplained, "\n".join(unexplained)
    assert {k: n for k, n in AGREE.items() if agree[k] < n} == {}, dict(agree)
    assert agree.total() >= 0.9 * len(rows)


def test_every_rule_explains_something(rows: list[tuple[Row, SqlLineage]]) -> None:
    used = {
        name
        for row, found in rows
        if not agrees(row, found)
        for name, rule in RULES.items()
        if rule.holds(row, found)
    }
    assert used == set(RULES)


def test_every_rule_holds_for_all_rows_of_its_kind(rows: list[tuple[Row, SqlLineage]]) -> None:
    for name, rule in RULES.items():
        assert [row["id"] for row, found in rows if rule.holds(row, found) and agrees(row, found)] == [], name


def test_columns_that_decide_about_all_rows() -> None:
    """Recce also says which columns filter, join, group and sort. A pivot groups by what it lets
    through, for us; by what it turns, for Recce."""
    agree, differ = 0, []
    for row in case_rows("lineage_sql"):
        want = row["expected"].get("model_columns")
        if want is None:
            continue
        found = run(row)
        got = {
            (plain(e.source.dataset.name).rpartition(".")[2], plain(e.source.column))
            for e in found.edges
            if e.target.column is None and e.source.column is not None
        }
        if got == {(plain(t).rpartition(".")[2], plain(c)) for t, c in want}:
            agree += 1
        elif "pivot" not in row["sql"].lower():
            differ.append(row["sql"])
    assert differ == []
    assert agree >= 12
