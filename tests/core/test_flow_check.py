"""The flow of a check: scopes, partitions, what cannot be checked, masking, counts of queries."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from contracts_svc.adapters.engines.duckdb import DuckDBEngine
from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.errors import CouldNotCheck, ExitCode, UserMistake
from contracts_svc.files import ALL, PARQUET, DataFile, Footer, Partitions, Reading
from contracts_svc.flows.check_progress import Step
from contracts_svc.ports import Session, Source
from contracts_svc.runs import Breakdown, Outcome, Run
from tests.core.quality import FixedClock, contract, results, run, write

T = {
    "name": "t",
    "quality": [{"id": "enough", "metric": "rowCount", "mustBeGreaterThan": 4}],
    "properties": [
        {"name": "month", "logicalType": "integer", "physicalType": "INTEGER", "partitioned": True},
        {"name": "id", "logicalType": "integer", "primaryKey": True},
        {"name": "x", "logicalType": "integer", "required": True, "logicalTypeOptions": {"maximum": 9}},
    ],
}


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A table in three partitions: month=2 has one bad row, month=10 has two."""
    write(tmp_path / "t/month=1/a.parquet", {"id": ["INTEGER", 1, 2], "x": ["INTEGER", 1, 2]})
    write(tmp_path / "t/month=2/a.parquet", {"id": ["INTEGER", 3, 4], "x": ["INTEGER", None, 2]})
    write(tmp_path / "t/month=10/a.parquet", {"id": ["INTEGER", 5, 6], "x": ["INTEGER", None, None]})
    return tmp_path


@dataclass
class SpyEngine:
    """DuckDB, with every query written down; queries for which ``fails`` is true do not get there."""

    fails: Any = None
    queries: list[str] = field(default_factory=list)

    @contextmanager
    def open(self, sources: Sequence[Source]) -> Iterator[Session]:
        with DuckDBEngine().open(sources) as session:
            yield SpySession(self, session)


@dataclass
class SpySession:
    engine: SpyEngine
    session: Session

    def rows(self, query: exp.Query) -> list[dict[str, Any]]:
        text = query.sql("duckdb")
        self.engine.queries.append(text)
        if self.engine.fails and self.engine.fails(text):
            raise CouldNotCheck("t", "the bucket burns", "call somebody", retryable=False)
        return self.session.rows(query)

    def write(self, query: exp.Query, sink: Any, batch: int) -> None:
        self.session.write(query, sink, batch)

    def add(self, source: Source) -> None:
        self.session.add(source)

    def forget(self, name: str) -> None:
        self.session.forget(name)


def outcomes(found: Run) -> dict[str, str]:
    return {r.check.id: r.outcome.value for r in found.results}


def test_whole_table(lake: Path) -> None:
    found = run(contract(lake, T))
    assert (found.scope, found.files, found.rows, found.exit_code) == ("whole table", 3, 6, ExitCode.BROKEN)
    assert found.bytes == sum(p.stat().st_size for p in lake.rglob("*.parquet"))
    bad = {r.check.id: r for r in found.results if r.outcome is not Outcome.PASSED}
    assert list(bad) == ["t.x.required"]
    required = bad["t.x.required"]
    assert required.breakdown == (
        Breakdown(where="month=10", failing=2),
        Breakdown(where="month=2", failing=1),
    )
    assert [s["id"] for s in required.samples] == [5, 6, 3]
    assert required.samples[0] == {"id": 5, "x": None, "month": 10}


def test_partition(lake: Path) -> None:
    found = run(contract(lake, T), partition={"month": "10"})
    assert (found.scope, found.files, found.rows) == ("month=10", 1, 2)
    said = results(found)
    assert said["t.x.required"].found == "2 of 2 rows (100.00 %)"
    assert said["t.enough"].outcome is Outcome.SKIPPED
    assert said["t.enough"].reason == "it is about the whole table, and only month=10 was checked"


def test_a_rule_that_counts_bad_rows_holds_for_a_part_too(lake: Path) -> None:
    rules = [
        {
            "id": "counts",
            "type": "sql",
            "query": "SELECT COUNT(*) FROM {object} WHERE x IS NULL",
            "mustBe": 0,
        },
        {"id": "enough", "type": "sql", "query": "SELECT COUNT(*) FROM {object}", "mustBeGreaterThan": 3},
        {
            "id": "share",
            "type": "sql",
            "query": "SELECT COUNT(x) / COUNT(*) FROM {object}",
            "mustBeLessThan": 1,
        },
        {
            "id": "inner",
            "type": "sql",
            "query": "SELECT COUNT(*) FROM t WHERE id NOT IN (SELECT id FROM t WHERE month = 1)",
            "mustBe": 0,
        },
    ]
    found = run(contract(lake, T | {"quality": rules}), partition={"month": "10"})
    said = outcomes(found)
    assert said["t.counts"] == "failed"
    assert {said["t.enough"], said["t.share"], said["t.inner"]} == {"skipped"}


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"mnth": "1"}, "t has no partition key mnth", "month"),
        ({"month": "13"}, "t has no partition month=13", "there are: month=1, month=2, month=10"),
    ],
)
def test_a_partition_that_is_not_there(lake: Path, given: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(UserMistake) as raised:
        run(contract(lake, T), partition=given)
    (problem,) = raised.value.problems
    assert problem.message == message
    assert hint in problem.hint


def test_a_partition_with_leading_zeros_is_found(tmp_path: Path) -> None:
    write(tmp_path / "t/month=01/a.parquet", {"id": ["INTEGER", 1], "x": ["INTEGER", 1]})
    assert run(contract(tmp_path, T), partition={"month": "1"}).files == 1


def test_partition_values_of_another_type_are_found_and_do_not_stop_the_rest(lake: Path) -> None:
    write(lake / "t/month=May/a.parquet", {"id": ["INTEGER", 7], "x": ["INTEGER", None]})
    said = results(run(contract(lake, T)))
    assert said["t.month.logical-type"].found == "May in 1 of 4 files, first month=May"
    assert said["t.x.required"].failing == 4


def test_no_files_is_a_failure_of_the_table(tmp_path: Path) -> None:
    found = run(contract(tmp_path, T))
    present, *others = found.results
    assert (present.outcome, present.found) == (Outcome.FAILED, f"no file at {tmp_path}/t/**/*.parquet")
    assert {(r.outcome, r.reason) for r in others} == {(Outcome.SKIPPED, "there are no files")}
    assert (found.files, found.rows, found.exit_code) == (0, 0, ExitCode.BROKEN)


class Unreachable(ArrowStorage):
    def files(self, location: str, partitions: Partitions = ALL) -> tuple[DataFile, ...]:
        raise CouldNotCheck(location, "access denied", "check the key", retryable=False)


def test_a_bucket_that_cannot_be_read_is_no_verdict(lake: Path) -> None:
    found = run(contract(lake, T), storage=Unreachable())
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}
    assert {r.reason for r in found.results} == {f"{lake}/t/**/*.parquet: access denied (check the key)"}
    assert found.exit_code is ExitCode.COULD_NOT_CHECK
    assert found.rows is None


def test_a_damaged_file_is_no_verdict(lake: Path) -> None:
    (lake / "t/month=3").mkdir()
    (lake / "t/month=3/a.parquet").write_bytes(b"PAR1 and nothing more")
    found = run(contract(lake, T))
    assert {r.outcome for r in found.results} == {Outcome.ERRORED}


def test_a_scan_that_fails_takes_nothing_else_with_it(lake: Path) -> None:
    engine = SpyEngine(fails=lambda sql: "> 9" in sql)
    found = run(contract(lake, T), engine=engine, footers=False)
    said = results(found)
    assert said["t.x.maximum"].outcome is Outcome.ERRORED
    assert said["t.x.maximum"].reason == "t: the bucket burns (call somebody)"
    assert said["t.x.required"].outcome is Outcome.FAILED
    assert said["t.primary-key"].outcome is Outcome.PASSED
    assert found.exit_code is ExitCode.COULD_NOT_CHECK
    assert found.scans == len(engine.queries)


def test_details_that_cannot_be_had_leave_the_verdict(lake: Path) -> None:
    write(lake / "t/month=11/a.parquet", {"id": ["INTEGER", 6], "x": ["INTEGER", None]})
    engine = SpyEngine(fails=lambda sql: "LIMIT" in sql or " IN (" in sql)
    said = results(run(contract(lake, T), engine=engine))
    assert (said["t.x.required"].outcome, said["t.x.required"].samples) == (Outcome.FAILED, ())
    # Counted file by file, it says by itself where the failing rows are.
    assert [b.failing for b in said["t.x.required"].breakdown] == [2, 1, 1]
    assert said["t.primary-key"].outcome is Outcome.FAILED
    assert (said["t.primary-key"].samples, said["t.primary-key"].breakdown) == ((), ())


class Shifting(ArrowStorage):
    """Storage whose files are replaced after the footers are read."""

    def footers(
        self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
    ) -> tuple[Footer, ...]:
        found = super().footers(files, reading, columns)
        path = Path(files[0].path)
        write(path, {"id": ["INTEGER", 1], "x": ["INTEGER", 1]})
        return found


def test_files_that_change_while_being_read_are_no_verdict(lake: Path) -> None:
    said = results(run(contract(lake, T), storage=Shifting()))
    assert said["t.x.required"].outcome is Outcome.ERRORED
    assert said["t.x.required"].reason.startswith("month=1: changed while being read")
    assert said["t.x.logical-type"].outcome is Outcome.PASSED


def test_new_files_while_reading_do_not_matter(lake: Path) -> None:
    class Growing(ArrowStorage):
        def footers(
            self, files: Sequence[DataFile], reading: Reading = PARQUET, columns: Collection[str] = ()
        ) -> tuple[Footer, ...]:
            shutil.copy(files[0].path, files[0].path.replace("a.parquet", "b.parquet"))
            return super().footers(files, reading, columns)

    assert results(run(contract(lake, T), storage=Growing()))["t.x.required"].outcome is Outcome.FAILED


def test_one_scan_for_all_then_one_per_grouping_then_the_details(lake: Path) -> None:
    engine = SpyEngine()
    found = run(contract(lake, T), engine=engine, footers=False)
    # All aggregates, file by file, which says where the failing rows are; the key's duplicates; some rows.
    assert (len(engine.queries), found.scans) == (3, 3)
    assert (found.files_read, found.bytes_read) == (found.files, found.bytes)


def test_what_footers_prove_is_not_scanned(lake: Path) -> None:
    engine = SpyEngine()
    found = run(contract(lake, T), engine=engine, samples=0)
    # Only the key's duplicates.
    assert len(engine.queries) == found.scans == 1
    given = contract(lake, {**T, "properties": [{**p, "primaryKey": False} for p in T["properties"]]})
    silent = SpyEngine()
    assert run(given, engine=silent, samples=0).files_read == len(silent.queries) == 0


def test_progress_says_what_of_the_data_was_read(lake: Path) -> None:
    told: list[Step] = []
    found = run(contract(lake, T), progress=told.append, footers=False)
    last = [s for s in told if s.phase == "scans"][-1]
    assert (last.done, last.files, last.all_files) == (last.total, 3, 3)
    assert (last.bytes, last.all_bytes) == (found.bytes, found.bytes)
    assert (last.rows, last.all_rows) == (6, 6)
    assert told[0].rows == 0


def test_progress_is_told_and_ends(lake: Path) -> None:
    told: list[tuple[str, int, int]] = []
    run(contract(lake, T), progress=lambda step: told.append((step.phase, step.done, step.total)))
    assert list(dict.fromkeys(phase for phase, _, _ in told)) == ["footers", "scans", "samples"]
    last = {phase: (done, total) for phase, done, total in told}
    assert all(done == total for done, total in last.values())


def test_samples_are_as_many_as_wanted(lake: Path) -> None:
    assert [len(results(run(contract(lake, T), samples=n))["t.x.required"].samples) for n in (0, 1, 5)] == [
        0,
        1,
        3,
    ]


def test_type_drift_names_how_many_files_and_since_when(lake: Path) -> None:
    write(lake / "t/month=11/a.parquet", {"id": ["INTEGER", 7], "x": ["VARCHAR", "7"]})
    write(lake / "t/month=12/a.parquet", {"id": ["BIGINT", 8], "x": ["VARCHAR", "many"]})
    table = T | {
        "properties": [*T["properties"][:1], {"name": "id", "physicalType": "INTEGER"}, T["properties"][2]]
    }
    said = results(run(contract(lake, table)))
    assert said["t.x.logical-type"].found == "VARCHAR in 2 of 5 files, first month=11"
    assert said["t.x.logical-type"].breakdown == (
        Breakdown(where="month=11", failing=1),
        Breakdown(where="month=12", failing=1),
    )
    assert said["t.x.maximum"].outcome is Outcome.SKIPPED
    assert said["t.x.maximum"].reason == "stored as VARCHAR in 2 of 5 files, where integer is promised"
    assert said["t.x.required"].failing == 3
    assert said["t.id.physical-type"].found == "BIGINT in 1 of 5 files, first month=12"


def test_an_optional_column_may_be_missing_from_older_files(lake: Path) -> None:
    write(lake / "t/month=3/a.parquet", {"id": ["INTEGER", 7], "x": ["INTEGER", 7], "new": ["INTEGER", 99]})
    columns = [
        *T["properties"],
        {"name": "new", "logicalType": "integer", "logicalTypeOptions": {"maximum": 9}},
    ]
    said = results(run(contract(lake, T | {"properties": columns})))
    assert said["t.new.missing-column"].outcome is Outcome.PASSED
    assert said["t.new.missing-column"].found == "present in 1 of 4 files"
    assert (said["t.new.maximum"].failing, said["t.new.maximum"].rows) == (1, 7)


def test_a_required_column_that_is_missing_from_some_files_is_null_there(lake: Path) -> None:
    write(lake / "t/month=3/a.parquet", {"id": ["INTEGER", 7, 8]})
    said = results(run(contract(lake, T)))
    assert said["t.x.missing-column"].outcome is Outcome.FAILED
    assert said["t.x.missing-column"].found == "missing from 1 of 4 files, first month=3"
    assert said["t.x.required"].failing == 5


SECRETS = {
    "name": "t",
    "properties": [
        {"name": "id", "logicalType": "integer", "primaryKey": True},
        {"name": "mail", "logicalType": "string", "classification": "PII", "required": True},
        {
            "name": "who",
            "logicalType": "string",
            "classification": "Confidential - internal",
            "relationships": [{"to": "p.k"}],
        },
        {
            "name": "s",
            "logicalType": "object",
            "properties": [
                {"name": "open", "logicalType": "integer", "logicalTypeOptions": {"maximum": 1}},
                {
                    "name": "secret",
                    "logicalType": "string",
                    "classification": "restricted",
                    "logicalTypeOptions": {"maxLength": 1},
                },
            ],
        },
        {
            "name": "x",
            "logicalType": "integer",
            "classification": "public",
            "logicalTypeOptions": {"maximum": 1},
        },
    ],
}


def test_classified_columns_are_masked_everywhere(tmp_path: Path) -> None:
    write(
        tmp_path / "t/a.parquet",
        {
            "id": ["INTEGER", 1, 2],
            "mail": ["VARCHAR", "ann@example.org", None],
            "who": ["VARCHAR", "Ann", "Bob"],
            "s": ["STRUCT(open INTEGER, secret VARCHAR)", "{'open': 5, 'secret': 'hush'}", None],
            "x": ["INTEGER", 7, 7],
        },
    )
    write(tmp_path / "p/a.parquet", {"k": ["VARCHAR", "Zoe"]})
    people = {"name": "p", "properties": [{"name": "k", "logicalType": "string"}]}
    found = run(contract(tmp_path, SECRETS, people))
    said = results(found)
    bad = [r for r in found.results if r.bad]
    assert len(bad) == 5
    assert all(r.samples for r in bad)
    shown = repr(found)
    for secret in ("ann@example.org", "Ann", "Bob", "hush"):
        assert secret not in shown
    assert said["t.relationship.who->p.k"].found == "2 of 2 rows (100.00 %), 2 values: ***, ***"
    assert said["t.mail.required"].samples[0]["mail"] is None
    assert said["t.x.maximum"].samples[0] == {
        "id": 1,
        "x": 7,
        "mail": "***",
        "who": "***",
        "s": {"open": 5, "secret": "***"},
    }
    assert said["t.s.secret.max-length"].samples[0]["s.secret"] == "***"


def test_a_target_that_cannot_be_read_stops_only_its_relationship(tmp_path: Path) -> None:
    write(tmp_path / "t/a.parquet", {"k": ["VARCHAR", "a", None]})
    columns = [{"name": "k", "logicalType": "string", "required": True, "relationships": [{"to": "gone.k"}]}]
    other = {"name": "gone", "properties": [{"name": "k", "logicalType": "string"}]}
    said = results(run(contract(tmp_path, {"name": "t", "properties": columns}, other)))
    assert said["t.relationship.k->gone.k"].outcome is Outcome.ERRORED
    assert "there are no files" in said["t.relationship.k->gone.k"].reason
    assert said["t.k.required"].outcome is Outcome.FAILED


def test_a_target_in_another_contract(tmp_path: Path) -> None:
    write(tmp_path / "t/a.parquet", {"faa": ["VARCHAR", "ATL", "BQN", "BQN"]})
    write(tmp_path / "airports/a.parquet", {"faa": ["VARCHAR", "ATL"]})
    to = "airports.odcs.yaml#/schema/airports/properties/faa"
    mine = contract(tmp_path, {"name": "t", "properties": [{"name": "faa", "relationships": [{"to": to}]}]})
    other = contract(tmp_path, {"name": "airports", "properties": [{"name": "faa"}]}, id="airports")
    found = run(mine, others={"contracts/airports.odcs.yaml": other})
    orphans = results(found)["t.relationship.faa->airports.faa"]
    assert orphans.found == "2 of 3 rows (66.67 %), 1 value: BQN"
    # The column has the same name on both sides, and the samples still are the orphans.
    assert orphans.samples == ({"faa": "BQN"}, {"faa": "BQN"})


def test_a_relationship_to_nowhere_is_told(tmp_path: Path) -> None:
    write(tmp_path / "t/a.parquet", {"k": ["VARCHAR", "a"]})
    columns = [{"name": "k", "logicalType": "string", "relationships": [{"to": "nowhere.k"}]}]
    found = run(contract(tmp_path, {"name": "t", "properties": columns}))
    assert [u.reason for u in found.unsupported] == ["no contract has nowhere.k"]
    assert found.exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("kind", "latest", "outcome", "found"),
    [
        ("TIMESTAMPTZ", "2026-11-24 11:00:00+00", "passed", "2026-11-24T11:00:00+00:00, 1 hour ago"),
        ("TIMESTAMPTZ", "2026-11-23 11:59:59+00", "failed", "2026-11-23T11:59:59+00:00, 1 day ago"),
        ("TIMESTAMP", "2026-11-23 12:00:00", "passed", "2026-11-23T12:00:00+00:00, 1 day ago"),
        ("DATE", "2026-11-23", "failed", "2026-11-23T00:00:00+00:00, 1.5 days ago"),
        ("DATE", None, "failed", "no row that has one"),
    ],
)
def test_freshness(tmp_path: Path, kind: str, latest: str | None, outcome: str, found: str) -> None:
    write(tmp_path / "t/a.parquet", {"d": [kind, latest, None]})
    logical = "date" if kind == "DATE" else "timestamp"
    sla = [{"property": "Latency", "value": 24, "unit": "h", "element": "t.d"}]
    given = contract(
        tmp_path, {"name": "t", "properties": [{"name": "d", "logicalType": logical}]}, slaProperties=sla
    )
    fresh = results(run(given))["t.d.freshness"]
    assert (fresh.outcome.value, fresh.found) == (outcome, found)
    assert fresh.expected == "a latest d at most 1 day old"


def test_freshness_is_judged_by_the_clock_that_is_given(tmp_path: Path) -> None:
    write(tmp_path / "t/a.parquet", {"d": ["DATE", "2013-12-31"]})
    sla = [{"property": "ly", "value": 2, "unit": "d", "element": "d"}]
    given = contract(
        tmp_path, {"name": "t", "properties": [{"name": "d", "logicalType": "date"}]}, slaProperties=sla
    )
    then = FixedClock(datetime(2014, 1, 1, tzinfo=UTC))
    assert results(run(given, clock=then))["t.d.freshness"].outcome is Outcome.PASSED
    assert results(run(given))["t.d.freshness"].outcome is Outcome.FAILED


def test_a_server_that_does_not_say_where(lake: Path) -> None:
    given = contract(lake, T, servers=[{"server": "w", "type": "custom"}])
    with pytest.raises(UserMistake, match="does not say where the files are"):
        run(given)


def test_bad_data_tells_when_its_first_part_was_published(lake: Path) -> None:
    for day, month in enumerate((1, 10, 2)):
        moment = datetime(2026, 11, 20 + day, tzinfo=UTC).timestamp()
        os.utime(lake / f"t/month={month}/a.parquet", (moment, moment))
    rule = {"id": "many", "metric": "rowCount", "mustBeGreaterThan": 40}
    said = results(run(contract(lake, T | {"quality": [rule]})))
    assert said["t.x.required"].published == datetime(2026, 11, 21, tzinfo=UTC)
    assert said["t.many"].published == datetime(2026, 11, 22, tzinfo=UTC), "when the table last changed"
    assert said["t.x.maximum"].published is None, "nothing is bad"
