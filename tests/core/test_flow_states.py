"""Figures that are kept: a second run reads new and changed files only, and finds the same."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.adapters.engines.duckdb import connection
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.files import ALL, PARQUET, DataFile, Footer, Partitions, Reading
from contracts_svc.flows import check_measure, check_memory, check_sources
from contracts_svc.model import Json
from contracts_svc.quality import bitsets, split
from contracts_svc.runs import Outcome, Run
from tests.core.quality import NOW, contract, results, run, write

T: dict[str, Any] = {
    "name": "t",
    "properties": [
        {"name": "day", "logicalType": "integer", "partitioned": True},
        {"name": "id", "logicalType": "integer", "unique": True},
        {"name": "x", "logicalType": "string", "required": True, "logicalTypeOptions": {"pattern": "^a"}},
        {"name": "f", "logicalType": "number", "logicalTypeOptions": {"maximum": 2}},
    ],
}
PATTERN = "t.x.pattern"


@dataclass
class Kept:
    """A store in memory that writes down what it was asked for and given."""

    units: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    put: list[set[str]] = field(default_factory=list)

    def states(self, place: str, units: Collection[str]) -> Mapping[str, Mapping[str, Json]]:
        return {u: v for u, v in self.units.items() if u in units}

    def put_states(
        self, place: str, states: Mapping[str, Mapping[str, Json]], keep: Collection[str] | None = None
    ) -> None:
        self.put.append(set(states))
        self.units |= states
        if keep is not None:
            self.units = {u: v for u, v in self.units.items() if u in keep}


def day(folder: Path, number: int, *texts: str | None, first: int | None = None, age: int = 60) -> Path:
    """A partition, last changed so many seconds ago."""
    start = 10 * number if first is None else first
    path = folder / f"t/day={number}/a.parquet"
    numbers = [start + i for i in range(len(texts))]
    write(
        path, {"id": ["BIGINT", *numbers], "x": ["VARCHAR", *texts], "f": ["DOUBLE", *(1.0 for _ in texts)]}
    )
    moment = (NOW - timedelta(seconds=age)).timestamp()
    os.utime(path, (moment, moment))
    return path


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(split, "UNIT_ROWS", 0)
    for number in (1, 2, 3):
        day(tmp_path, number, "a", "b", None)
    return tmp_path


def same(found: Run, other: Run) -> bool:
    return [replace(r, samples=()) for r in found.results] == [replace(r, samples=()) for r in other.results]


def test_only_new_and_changed_files_are_read(lake: Path) -> None:
    kept, given = Kept(), contract(lake, T)

    def checked(**more: Any) -> Run:
        found = run(given, states=kept, samples=0, **more)
        assert same(found, run(given, samples=0, footers=False))
        return found

    assert checked().files_read == 3
    again = checked()
    assert (again.files_read, again.bytes_read, again.scans, again.files) == (0, 0, 0, 3)
    new = day(lake, 4, "b", "a")
    found = checked()
    assert (found.files_read, found.bytes_read) == (1, new.stat().st_size)
    day(lake, 2, "a", "a", "b", "b", age=59)
    assert checked().files_read == 1
    shutil.rmtree(lake / "t/day=1")
    assert checked().files_read == 0
    assert checked(full=True).files_read == 3
    # Removed and replaced files are forgotten.
    assert len(kept.units) == 3
    assert results(checked())[PATTERN].breakdown[0].where == "day=2"


def test_keys_of_a_new_file_are_compared_with_the_files_that_may_have_them(lake: Path) -> None:
    kept, given = Kept(), contract(lake, T)
    run(given, states=kept)
    day(lake, 4, "a", "a", first=21)
    found = run(given, states=kept, samples=0)
    said = results(found)["t.id.unique"]
    assert (said.outcome, said.failing) == (Outcome.FAILED, 2)
    assert same(found, run(given, samples=0, footers=False))


def test_figures_survive_another_plan(lake: Path) -> None:
    kept = Kept()
    run(contract(lake, T), states=kept, samples=0)
    *others, last = T["properties"]
    more = {**T, "properties": [*others, {**last, "logicalTypeOptions": {"maximum": 3}}]}
    found = run(contract(lake, more), states=kept, samples=0)
    assert found.files_read == 3
    assert found.scans == 1
    # A check that is new is measured, one that is there still is not.
    fewer = {**T, "properties": others}
    assert run(contract(lake, fewer), states=kept, samples=0).files_read == 0


def test_a_file_that_may_still_change_is_not_kept(lake: Path) -> None:
    kept, given = Kept(), contract(lake, T)
    day(lake, 3, "a", age=1)
    run(given, states=kept)
    assert run(given, states=kept, samples=0).files_read == 1


def test_a_part_of_the_table_forgets_nothing(lake: Path) -> None:
    kept, given = Kept(), contract(lake, T)
    run(given, states=kept)
    assert run(given, states=kept, samples=0, partition={"day": "2"}).files_read == 0
    assert run(given, states=kept, samples=0).files_read == 0


def test_files_that_change_while_being_read_are_not_kept(lake: Path) -> None:
    class Shifting(ArrowStorage):
        def footers(
            self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
        ) -> tuple[Footer, ...]:
            found = super().footers(files, reading, columns)
            day(lake, 1, "a", age=50)
            return found

    kept = Kept()
    said = results(run(contract(lake, T), states=kept, storage=Shifting()))
    assert said[PATTERN].outcome is Outcome.ERRORED
    assert said[PATTERN].reason == "day=1: changed while being read (check again when the publish is over)"
    # What of the other files is known is as true as before.
    again = run(contract(lake, T), states=kept, samples=0)
    assert (again.files_read, results(again)[PATTERN].outcome) == (1, Outcome.FAILED)


def test_a_store_that_is_gone_costs_time_and_no_verdict(lake: Path) -> None:
    class Gone(Kept):
        def states(self, place: str, units: Collection[str]) -> Mapping[str, Mapping[str, Json]]:
            raise CouldNotCheck("the store", "gone")

        def put_states(self, *given: Any) -> None:
            raise CouldNotCheck("the store", "gone")

    given = contract(lake, T)
    found = run(given, states=Gone(), samples=0)
    assert found.files_read == 3
    assert same(found, run(given, samples=0))


def test_what_could_not_be_measured_is_not_kept(lake: Path) -> None:
    """A file that is damaged inside is read again next time."""
    path = day(lake, 1, *("a" * 50 for _ in range(200)))
    raw = bytearray(path.read_bytes())
    raw[4:400] = b"\xff" * 396
    path.write_bytes(raw)
    moment = (NOW - timedelta(hours=1)).timestamp()
    os.utime(path, (moment, moment))
    kept, given = Kept(), contract(lake, T)
    errored = [
        {r.check.id for r in run(given, states=kept).results if r.outcome is Outcome.ERRORED} for _ in "12"
    ]
    assert errored[0] == errored[1] != set()


def test_new_files_only(lake: Path) -> None:
    kept, given = Kept(), contract(lake, T)
    first = run(given, states=kept, new_files=True)
    assert (first.files, first.scope) == (3, "new files")
    assert results(first)["t.id.unique"].outcome is Outcome.PASSED
    assert results(run(given, states=kept, new_files=True))[PATTERN].reason == (
        "no file is new or changed since the last run"
    )
    day(lake, 4, "b", "a")
    day(lake, 2, "b", "b", age=59)
    found = run(given, states=kept, new_files=True)
    assert (found.files, found.files_read, results(found)[PATTERN].failing) == (2, 2, 3)
    assert run(given, states=kept, new_files=True).files == 0
    # Nothing of the other files was forgotten.
    assert run(given, states=kept, samples=0).files_read == 0


@pytest.mark.parametrize("given", [{}, {"states": Kept(), "full": True}])
def test_new_files_are_known_by_what_was_kept(lake: Path, given: dict[str, Any]) -> None:
    with pytest.raises(UserMistake, match="which files are new is told by what earlier runs kept"):
        run(contract(lake, T), new_files=True, **given)


def test_a_table_without_files_has_no_new_ones_and_is_not_there(tmp_path: Path) -> None:
    found = run(contract(tmp_path, T), states=Kept(), new_files=True)
    assert found.results[0].outcome is Outcome.FAILED


OTHER = {"name": "o", "properties": [{"name": "id", "logicalType": "integer"}]}
RELATED = T | {"relationships": [{"type": "foreignKey", "from": "t.day", "to": "o.id"}]}


def test_another_table_that_changes_takes_only_the_checks_that_read_it(lake: Path) -> None:
    write(lake / "o/a.parquet", {"id": ["BIGINT", 1, 2, 3]})

    class Shifting(ArrowStorage):
        asked = 0

        def files(self, location: str, partitions: Partitions = ALL) -> tuple[DataFile, ...]:
            found = super().files(location, partitions)
            if "/o/" in location and not self.asked:
                self.asked += 1
                write(lake / "o/a.parquet", {"id": ["BIGINT", 1, 2]})
            return found

    said = results(run(contract(lake, RELATED, OTHER), storage=Shifting()))
    errored = {name: r.reason for name, r in said.items() if r.outcome is Outcome.ERRORED}
    assert len(errored) == 1
    assert next(iter(errored.values())).startswith("a file of another table: changed while being read")
    assert said[PATTERN].outcome is Outcome.FAILED


# --- text files ---------------------------------------------------------------------------------------

TEXT: dict[str, Any] = {
    "name": "t",
    "properties": [
        {"name": "day", "logicalType": "integer", "partitioned": True},
        {"name": "id", "logicalType": "integer", "unique": True},
        {"name": "x", "logicalType": "string", "required": True, "logicalTypeOptions": {"pattern": "^a"}},
        {"name": "f", "logicalType": "number", "logicalTypeOptions": {"maximum": 2}},
        {"name": "late", "logicalType": "date"},
    ],
    "quality": [{"type": "sql", "query": "SELECT COUNT(*) FROM t WHERE f > 1.5", "mustBe": 0}],
}


def text_server(folder: Path, kind: str, **more: Any) -> dict[str, Any]:
    place = {"server": "s", "type": "local", "path": f"{folder}/t/**/*.{kind}", "format": kind}
    return place | {"customProperties": [{"property": k, "value": v} for k, v in more.items()]}


def text_file(folder: Path, number: int, content: str, kind: str, age: int = 60) -> Path:
    path = folder / f"t/day={number}/a.{kind}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    moment = (NOW - timedelta(seconds=age)).timestamp()
    os.utime(path, (moment, moment))
    return path


CSV = (
    "id,x,f\n1,a,1\n2,b,oops\n3,,9\n4\n",
    "id,f,late\n9,1,2026-11-01\n10,1.7,never\n",
    'f,id,x\n1,5,a\n2,6,"a,b"\n7,8,a,more\n',
)
JSON = (
    '{"id": 1, "x": "a", "f": 1}\n{"id": 2, "x": 3, "f": "oops"}\n[4]\n',
    '{"id": 7, "x": "a", "late": "2026-13-01"}\n{"id": 8, "x": "a", "f": 3}\nno document\n',
    '[{"id": 5, "x": "b"}, {"id": 6, "x": null, "f": 1.7}]\n',
)


@pytest.mark.parametrize(("kind", "contents"), [("csv", CSV), ("json", JSON)])
def test_of_text_files_only_new_ones_are_read_too(tmp_path: Path, kind: str, contents: Sequence[str]) -> None:
    kept = Kept()
    given = contract(tmp_path, TEXT, servers=[text_server(tmp_path, kind)])

    def checked(table: dict[str, Any] = TEXT, **more: Any) -> Run:
        there = contract(tmp_path, table, servers=[text_server(tmp_path, kind)])
        found = run(there, states=kept, samples=0, **more)
        assert same(found, run(there, samples=0))
        assert found.rows == run(there, samples=0).rows
        return found

    for number, content in enumerate(contents[:2], 1):
        text_file(tmp_path, number, content, kind)
    assert checked().files_read == 2
    again = checked()
    assert (again.files_read, again.scans, again.files_spared, again.bytes_spared) == (0, 0, 2, again.bytes)
    path = text_file(tmp_path, 3, contents[2], kind)
    # The keys of text files have no bounds: to be compared, all of them are read.
    plain = {**TEXT, "properties": [p | {"unique": False} for p in TEXT["properties"]]}
    assert checked(plain).bytes_read == path.stat().st_size
    assert checked().files_read == 3
    assert checked().files_read == 0
    text_file(tmp_path, 2, contents[0].replace("1", "11"), kind, age=59)
    assert checked(plain).files_read == 1
    shutil.rmtree(tmp_path / "t/day=1")
    assert checked(plain).files_read == 0
    rule = {"type": "sql", "query": "SELECT COUNT(*) FROM t WHERE f > 1.6", "mustBe": 0}
    assert checked(plain | {"quality": [rule]}).files_read == 2
    assert {r.outcome for r in run(given).results} == {Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED}


def test_another_way_to_read_is_another_file(tmp_path: Path) -> None:
    kept = Kept()
    text_file(tmp_path, 1, "id,x;f\n1,a;2\n", "csv")
    for delimiter, name in ((",", "x;f"), (";", "id,x")):
        server = text_server(tmp_path, "csv", csvDelimiter=delimiter)
        found = run(contract(tmp_path, TEXT, servers=[server]), states=kept)
        assert found.files_read == 1
        assert name in results(found)["t.extra-column"].found


@pytest.mark.parametrize(
    ("since", "files"),
    [("day=2", 2), ("day=02", 2), ("day=3", 1), ("2026-11-24T11:58:30+00:00", 3), ("2026-11-24T11:59:10", 1)],
)
def test_since(lake: Path, since: str, files: int) -> None:
    day(lake, 3, "a", age=30)
    found = run(contract(lake, T), since=since)
    assert (found.files, found.scope) == (files, f"since {since}")


@pytest.mark.parametrize(
    ("since", "message", "hint"),
    [
        ("day=4", "t has no partition since day=4", "there are: day=1, day=2, day=3"),
        ("month=1", "t has no partition key month", "its keys at"),
        (
            "2027-01-01",
            "no file of t was changed since 2027-01-01",
            "the last change was at 2026-11-24T11:59:00",
        ),
        (
            "yesterday",
            "--since 'yesterday' is neither a partition nor a date or time",
            "--since day=2026-11-23",
        ),
    ],
)
def test_since_that_names_nothing(lake: Path, since: str, message: str, hint: str) -> None:
    with pytest.raises(UserMistake) as raised:
        run(contract(lake, T), since=since)
    (problem,) = raised.value.problems
    assert problem.message == message
    assert hint in (problem.hint or "")


def test_very_many_files_are_looked_at_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In batches: the states that are written and read, the files of a scan, those that keys are told of."""
    for number in range(7):
        day(tmp_path, number, *("a", "b", None)[: 1 + number % 3])
    given = contract(tmp_path, T)
    together = run(given, samples=0, footers=False)
    monkeypatch.setattr(check_memory, "_AT_ONCE", 2)
    monkeypatch.setattr(check_measure, "FILES_AT_ONCE", 2)
    monkeypatch.setattr(bitsets, "MOST_FILES", 2)
    monkeypatch.setattr(split, "UNIT_ROWS", 0)
    monkeypatch.setattr(connection, "MANY_FILES", 2)
    monkeypatch.setattr(check_sources, "MANY_FILES", 2)
    kept = Kept()
    for read, most in ((7, 2), (0, 0)):
        kept.put.clear()
        found = run(given, states=kept, samples=0)
        assert same(found, together)
        assert found.files_read == read
        assert max(map(len, kept.put)) == most
    assert len(kept.units) == 7
    # A scan of all files, and a look at all keys, became four each.
    assert run(given, samples=0, footers=False, full=True).scans == together.scans + 6
