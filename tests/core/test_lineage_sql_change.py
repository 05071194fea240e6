"""What a changed statement does: the cases of another project, and a table of our own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql_change import ColumnFate, Effect, SqlChange, changes_of
from contracts_svc.lineage.sql_rows import RowKind
from tests.support import DATA, case_rows

Row = dict[str, Any]

OWN = yaml.safe_load((DATA / "lineage" / "sql_changes.yaml").read_text(encoding="utf-8"))
SCHEMAS = {"a": dict.fromkeys(("id", "x", "y", "s"), ""), "b": dict.fromkeys(("id", "x", "z"), "")}


def changed(
    old: str, new: str, schemas: Mapping[str, Mapping[str, str]] = SCHEMAS, dialect: str = "duckdb"
) -> tuple[SqlChange, ...]:
    return changes_of(
        old,
        new,
        dialect=dialect,
        schemas=schemas,
        name_of=lambda name: DatasetId("", name),
        origin="sql:q.sql",
        target="t",
    )


@pytest.mark.parametrize("case", [pytest.param(c, id=c["name"]) for c in OWN])
def test_changes(case: Row) -> None:
    found = changed(case["old"], case["new"])
    columns = {
        c.name: f"renamed to {c.new_name}" if c.new_name else c.fate.value for s in found for c in s.columns
    }
    assert columns == case.get("columns", {})
    assert Counter(r.kind.value for s in found for r in s.rows) == Counter(case.get("rows", []))
    assert len([u for s in found for u in s.unknown]) == case.get("unknown", 0)


def test_a_change_says_what_was_and_where() -> None:
    (change,) = changed("SELECT x,\n  y AS v\nFROM a", "SELECT x,\n  y + 1 AS v\nFROM a\nWHERE x > 1")
    (column,) = change.columns
    assert (column.before, column.after) == ('"a"."y"', '"a"."y" + 1')
    assert str(column.at) == "q.sql:2:3"
    assert [(r.before, r.after) for r in change.rows] == [("", "x > 1")]
    assert change.effect is Effect.BREAKING


def test_every_dataset_of_a_text_is_compared() -> None:
    old = "CREATE TABLE p AS SELECT x FROM a; CREATE TABLE q AS SELECT x, s FROM a; CREATE TABLE r AS SELECT * FROM p"
    new = "CREATE TABLE p AS SELECT x, y FROM a; CREATE TABLE q AS SELECT x FROM a; CREATE TABLE r AS SELECT * FROM p"
    found = {s.dataset.name: {c.name: c.fate.value for c in s.columns} for s in changed(old, new)}
    assert found == {"p": {"y": "added"}, "q": {"s": "removed"}, "r": {"y": "added"}}


# --- another project's cases ------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """Why rows of a kind differ, and how to tell that a row is of that kind."""

    why: str
    holds: Callable[[Row, tuple[SqlChange, ...]], bool]


def _only_distinct_of_a_union(row: Row, found: tuple[SqlChange, ...]) -> bool:
    kinds = {r.kind for s in found for r in s.rows}
    text = row["new_sql"].lower()
    return kinds == {RowKind.DISTINCT} and "union" in text and "distinct" not in text


def _only_an_alias(row: Row, found: tuple[SqlChange, ...]) -> bool:
    words = [Counter(row[side].lower().split()) for side in ("old_sql", "new_sql")]
    one, other = words[0] - words[1], words[1] - words[0]
    return not found and one.total() == other.total() == 1 and row["new_sql"].split()[-1].lower() in other


def _empty_schema(row: Row, found: tuple[SqlChange, ...]) -> bool:
    return any(not columns for columns in row["schema"].values()) and bool(found)


RULES = {
    "union": Rule("a UNION that drops repeats depends on every column, as DISTINCT does", _only_distinct_of_a_union),
    "alias": Rule("what a subquery is called is no part of any value", _only_an_alias),
    "single source": Rule("a column of the only table in FROM is that table's, schema or not", _empty_schema),
}  # fmt: skip

_THEIRS = {ColumnFate.REDEFINED: "modified"}


def judged(found: tuple[SqlChange, ...]) -> tuple[str, dict[str, str]]:
    effects = [s.effect for s in found]
    columns: dict[str, str] = {}
    for change in (c for s in found for c in s.columns):
        if change.fate is ColumnFate.RENAMED:
            columns |= {change.name: "removed", change.new_name: "added"}
        else:
            columns[change.name] = _THEIRS.get(change.fate, change.fate.value)
    return min(effects, key=list(Effect).index, default=Effect.NONE).value, columns


def agrees(row: Row, found: tuple[SqlChange, ...]) -> bool:
    effect, columns = judged(found)
    told = row["expected"]["changed_columns"]
    return effect == row["expected"]["outcome"] and told in (None, columns)


@pytest.fixture(scope="module")
def rows() -> list[tuple[Row, tuple[SqlChange, ...]]]:
    return [
        (row, changed(row["old_sql"], row["new_sql"], row["schema"], row["dialect"] or ""))
        for row in case_rows("sql_change_recce")
    ]


def test_the_cases(rows: list[tuple[Row, tuple[SqlChange, ...]]]) -> None:
    agree, differ = 0, Counter[str]()
    unexplained: list[str] = []
    for row, found in rows:
        if agrees(row, found):
            agree += 1
            continue
        rule = next((name for name, r in RULES.items() if r.holds(row, found)), "")
        differ[rule] += 1
        if not rule:
            unexplained.append(f"{row['id']}: {judged(found)} for {row['expected']}")
    commonest = Counter(row["expected"]["outcome"] for row, _ in rows).most_common(1)
    print(f"{agree} of {len(rows)} agree, differ: {dict(differ)}; always saying {commonest} is the base")
    assert unexplained == []
    assert agree >= 54


def test_every_rule_holds_for_all_rows_of_its_kind(rows: list[tuple[Row, tuple[SqlChange, ...]]]) -> None:
    for name, rule in RULES.items():
        of_kind = [row for row, found in rows if rule.holds(row, found)]
        assert of_kind, f"no row is of the kind {name}"
        assert not [r["id"] for r, found in rows if rule.holds(r, found) and agrees(r, found)], name
