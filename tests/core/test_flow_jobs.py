"""Changed SQL files of a pull request, against the contracts of what they read and make."""

from __future__ import annotations

import pytest

from contracts_svc.flows.jobs import job_findings
from contracts_svc.model import Column
from tests.core.demo_downstream import column, contract

SOURCE = contract("a", [column("x", "INTEGER"), Column(name="n", path="n", logical_type="integer")])
MADE = contract("t", [column("v", "INTEGER")])
CONTRACTS = (SOURCE[0], MADE[0])


def rules(old: str, new: str | None, path: str = "sql/t.sql") -> list[tuple[str, str]]:
    head = {} if new is None else {path: new.encode()}
    found = job_findings({path: old.encode()}, head, CONTRACTS)
    assert {f.at.file for f in found} <= {path}
    return [(f.rule, f.contract) for f in found]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("SELECT x AS v FROM a", "SELECT x AS v FROM a", []),
        ("SELECT x AS v FROM a", "select  x as v\nfrom a -- the same", []),
        ("SELECT x AS v FROM a", "SELECT avg(x) AS v FROM a", ["RETYPED", "REDEFINED", "ROWS"]),
        ("SELECT n AS v FROM a", "SELECT CAST(n AS BIGINT) AS v FROM a", ["REDEFINED"]),
        ("SELECT x AS v FROM a", "SELECT n AS w FROM a", ["REMOVED", "ADDED"]),
        ("SELECT x AS v FROM a", None, ["NOT_COMPARED"]),
        ("SELECT x AS v FROM a", "SELECT x AS v FROM", ["NOT_COMPARED"]),
    ],
)
def test_a_changed_file(old: str, new: str | None, expected: list[str]) -> None:
    names = {"ROWS": "SQL_ROWS_CHANGED", "NOT_COMPARED": "SQL_NOT_COMPARED"}
    wanted = {(names.get(e, f"SQL_COLUMN_{e}"), "t") for e in expected}
    assert set(rules(old, new)) == wanted


def test_what_no_contract_describes_is_judged_too() -> None:
    assert rules("CREATE TABLE q AS SELECT x FROM a", "CREATE TABLE q AS SELECT n FROM a") == [
        ("SQL_COLUMN_REMOVED", ""),
        ("SQL_COLUMN_ADDED", ""),
    ]


def test_a_new_file_takes_nothing_from_anybody() -> None:
    assert job_findings({}, {"sql/t.sql": b"SELECT x AS v FROM a"}, CONTRACTS) == ()


def test_text_that_is_no_utf_8_is_answered() -> None:
    found = job_findings(
        {"t.sql": b"SELECT x AS v FROM a"}, {"t.sql": b"SELECT x AS v FROM a\xff"}, CONTRACTS
    )
    assert {f.rule for f in found} <= {"SQL_NOT_COMPARED", "SQL_COLUMN_REDEFINED", "SQL_ROWS_CHANGED"}


def test_a_file_that_is_gone_is_told_and_one_that_moved_is_the_same() -> None:
    old = {"sql/t.sql": b"SELECT x AS v FROM a"}
    (gone,) = job_findings(old, {}, CONTRACTS)
    assert "nothing in this file makes t any more" in gone.message
    assert job_findings(old, {"models/t.sql": b"SELECT x AS v FROM a"}, CONTRACTS) == ()
    moved = job_findings(old, {"models/t.sql": b"SELECT n AS v FROM a"}, CONTRACTS)
    assert [f.rule for f in moved] == ["SQL_COLUMN_REDEFINED"]
    two = {"one/t.sql": b"SELECT x AS v FROM a", "two/t.sql": b"SELECT x AS v FROM a"}
    assert [f.rule for f in job_findings(old, two, CONTRACTS)] == ["SQL_NOT_COMPARED"]
