"""Incidents: what opens, keeps, clears and resolves them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.findings import Severity
from contracts_svc.incidents import advance, covers, fingerprint, natural, step
from contracts_svc.runs import WHOLE_TABLE, Breakdown, Check, Operator, Outcome, Result, Run, Threshold

START = datetime(2024, 1, 1, 6, tzinfo=UTC)
CHECK = Check(id="dep_delay.range", kind="range", table="flights", columns=("dep_delay",))
BAD = {"failed": Outcome.FAILED, "warned": Outcome.WARNED}


def result(outcome: str, *parts: str, failing: int | None = None, check: Check = CHECK) -> Result:
    breakdown = tuple(Breakdown(where=p, failing=10) for p in parts)
    if failing is None and outcome in BAD and parts:
        failing = 10 * len(parts)
    return Result(check=check, outcome=Outcome(outcome), failing=failing, breakdown=breakdown)


def some(outcome: str, *parts: str) -> Result:
    """Of a promise that allows 15 failing rows."""
    limit = (Threshold(Operator.LESS_OR_EQUAL, 15),)
    return result(outcome, *parts, check=replace(CHECK, thresholds=limit))


def run(minute: int, scope: str, *results: Result, table: str = "flights", lasts: int = 1) -> Run:
    started = START + timedelta(minutes=minute)
    return Run(
        contract="urn:flights",
        version="1.0.0",
        table=table,
        server="lake",
        scope=scope,
        started=started,
        finished=started + timedelta(minutes=lasts),
        results=results,
    )


def follow(*runs: Run) -> tuple[list[Incident], list[str]]:
    """The incidents that are open after these runs, and every transition as ``before>after``."""
    kept: dict[str, Incident] = {}
    told: list[str] = []
    for one in runs:
        moved = step(tuple(kept.values()), one, one.finished)
        assert moved.transitions == advance(tuple(kept.values()), one, one.finished)
        kept |= {i.fingerprint: i for i in moved.incidents}
        told += [f"{t.before or 'new'}>{t.incident.state}" for t in moved.transitions]
        kept = {k: i for k, i in kept.items() if i.state is not IncidentState.RESOLVED}
    return [i for i in kept.values() if i.state is not IncidentState.PENDING], told


Steps = Sequence[tuple[str, Result]]

OPENED, KEPT, RESOLVED = ["new>open"], ["new>open"], ["new>open", "open>resolved"]

LIVES: list[tuple[str, Steps, list[str]]] = [
    ("a pass alone opens nothing", [(WHOLE_TABLE, result("passed"))], []),
    ("an error opens nothing", [(WHOLE_TABLE, result("errored"))], []),
    ("a skip opens nothing", [(WHOLE_TABLE, result("skipped"))], []),
    ("a failure opens", [(WHOLE_TABLE, result("failed", "month=12"))], OPENED),
    ("a warning opens", [(WHOLE_TABLE, result("warned"))], OPENED),
    (
        "the same failure again is nothing new",
        [("month=12", result("failed", "month=12")), ("month=12", result("failed", "month=12"))],
        KEPT,
    ),
    (
        "a pass over the same scope resolves",
        [("month=12", result("failed", "month=12")), ("month=12", result("passed"))],
        RESOLVED,
    ),
    (
        "a pass over a wider scope resolves",
        [("month=12", result("failed", "month=12")), (WHOLE_TABLE, result("passed"))],
        RESOLVED,
    ),
    (
        "a pass over another partition does not",
        [("month=12", result("failed", "month=12")), ("month=1", result("passed"))],
        KEPT,
    ),
    (
        "month=1 is not month=12, nor the other way round",
        [("month=1", result("failed", "month=1")), ("month=12", result("passed"))],
        KEPT,
    ),
    (
        "what a whole run found in one partition, that partition's pass resolves",
        [(WHOLE_TABLE, result("failed", "month=12")), ("month=12", result("passed"))],
        RESOLVED,
    ),
    (
        "with two bad partitions, the pass of one is not enough",
        [(WHOLE_TABLE, result("failed", "month=11", "month=12")), ("month=12", result("passed"))],
        KEPT,
    ),
    (
        "the passes of both, one after the other, are",
        [
            (WHOLE_TABLE, result("failed", "month=11", "month=12")),
            ("month=12", result("passed")),
            ("month=11", result("passed")),
        ],
        RESOLVED,
    ),
    (
        "a partition that turns bad later must pass too",
        [
            ("month=12", result("failed", "month=12")),
            ("month=11", result("failed", "month=11")),
            ("month=12", result("passed")),
        ],
        KEPT,
    ),
    (
        "a failing whole run forgets partitions that are fine by now",
        [
            (WHOLE_TABLE, result("failed", "month=11", "month=12")),
            (WHOLE_TABLE, result("failed", "month=11")),
            ("month=11", result("passed")),
        ],
        RESOLVED,
    ),
    (
        "rows that no partition accounts for need a whole run",
        [(WHOLE_TABLE, result("failed", "month=12", failing=25)), ("month=12", result("passed"))],
        KEPT,
    ),
    (
        "a failure without a breakdown belongs to the scope",
        [(WHOLE_TABLE, result("failed")), ("month=12", result("passed"))],
        KEPT,
    ),
    (
        "where some failing rows are allowed, the passes of all partitions do not make a good table",
        [
            (WHOLE_TABLE, some("failed", "month=11", "month=12")),
            ("month=11", some("passed")),
            ("month=12", some("passed")),
        ],
        KEPT,
    ),
    (
        "where some failing rows are allowed, the whole table's pass resolves",
        [(WHOLE_TABLE, some("failed", "month=11", "month=12")), (WHOLE_TABLE, some("passed"))],
        RESOLVED,
    ),
    (
        "where some failing rows are allowed, the same partition's pass resolves",
        [("month=12", some("failed", "month=12")), ("month=12", some("passed"))],
        RESOLVED,
    ),
    (
        "a file is cleared by its partition",
        [
            (WHOLE_TABLE, result("failed", "s3://lake/flights/month=12/a.parquet")),
            ("month=12", result("passed")),
        ],
        RESOLVED,
    ),
    (
        "an error clears nothing",
        [("month=12", result("failed", "month=12")), (WHOLE_TABLE, result("errored"))],
        KEPT,
    ),
    (
        "a skip clears nothing",
        [("month=12", result("failed", "month=12")), (WHOLE_TABLE, result("skipped"))],
        KEPT,
    ),
    (
        "an error that became a warning is told",
        [("month=12", result("failed", "month=12")), ("month=12", result("warned", "month=12"))],
        ["new>open", "open>open"],
    ),
    (
        "a warning elsewhere does not soften an error that is still there",
        [("month=12", result("failed", "month=12")), ("month=11", result("warned", "month=11"))],
        KEPT,
    ),
    (
        "after it was resolved, a failure opens anew",
        [
            ("month=12", result("failed", "month=12")),
            ("month=12", result("passed")),
            ("month=12", result("failed", "month=12")),
        ],
        ["new>open", "open>resolved", "new>open"],
    ),
]


@pytest.mark.parametrize(("steps", "expected"), [pytest.param(s, e, id=n) for n, s, e in LIVES])
def test_life_of_an_incident(steps: Steps, expected: list[str]) -> None:
    runs = [run(10 * n, scope, found) for n, (scope, found) in enumerate(steps)]

    still_open, told = follow(*runs)

    assert told == expected
    assert bool(still_open) == (bool(told) and not told[-1].endswith("resolved"))


def test_an_opened_incident_says_what_where_and_since_when() -> None:
    found = result("failed", "month=12", "month=2", failing=20)
    one = run(0, WHOLE_TABLE, found)

    (opened,) = advance((), one, START + timedelta(hours=1))

    incident = opened.incident
    assert incident.fingerprint == fingerprint("urn:flights", "flights", "dep_delay.range")
    assert (incident.contract, incident.table) == ("urn:flights", "flights")
    assert incident.columns == ("dep_delay",)
    assert incident.severity is Severity.ERROR
    assert incident.since == "month=2"
    assert incident.opened == incident.seen == one.finished
    assert opened.at == START + timedelta(hours=1)
    assert opened.reason == "failed on whole table"


def test_without_a_breakdown_it_is_there_since_the_scope_of_the_run() -> None:
    (opened,) = advance((), run(0, "month=12", result("failed")), START)
    assert opened.incident.since == "month=12"


def test_a_warning_opens_with_severity_warning_whatever_the_check_says() -> None:
    (opened,) = advance((), run(0, WHOLE_TABLE, result("warned")), START)
    assert opened.incident.severity is Severity.WARNING


def test_the_same_run_taken_in_twice_gives_the_same_incident() -> None:
    one = run(0, "month=12", result("failed", "month=12"))
    first = step((), one, START)
    assert step(first.incidents, one, START + timedelta(hours=1)).incidents == ()


def test_an_incident_that_stays_bad_has_the_newer_evidence() -> None:
    first = step((), run(0, "month=12", result("failed", "month=12")), START)
    worse = replace(result("failed", "month=11"), found="20 rows")

    again = step(first.incidents, run(10, "month=11", worse), START)

    (incident,) = again.incidents
    assert again.transitions == ()
    assert incident.opened == first.incidents[0].opened
    assert incident.seen == START + timedelta(minutes=11)
    assert incident.since == "month=11"
    assert incident.evidence.found == "20 rows"
    assert [p.where for p in incident.evidence.breakdown] == ["month=11", "month=12"]


def test_a_resolved_incident_keeps_its_evidence_and_says_when() -> None:
    first = step((), run(0, "month=12", result("failed", "month=12")), START)
    end = START + timedelta(hours=3)

    (over,) = advance(first.incidents, run(60, "month=12", result("passed")), end)

    assert over.incident.resolved == over.at == end
    assert over.incident.evidence == first.incidents[0].evidence
    assert over.reason == "passed on month=12"


def test_an_acknowledged_incident_stays_so_until_it_passes() -> None:
    first = step((), run(0, "month=12", result("failed", "month=12")), START)
    known = [replace(first.incidents[0], state=IncidentState.ACKNOWLEDGED, owner="amelia")]

    again = step(known, run(10, "month=12", result("failed", "month=12")), START)
    over = advance(again.incidents, run(20, "month=12", result("passed")), START)

    assert again.transitions == ()
    assert again.incidents[0].owner == "amelia"
    assert [(t.before, t.incident.state) for t in over] == [
        (IncidentState.ACKNOWLEDGED, IncidentState.RESOLVED)
    ]


def test_a_run_that_began_before_the_failure_was_seen_resolves_nothing() -> None:
    slow_pass = run(0, WHOLE_TABLE, result("passed"), lasts=30)
    failure = run(5, "month=12", result("failed", "month=12"))
    still_open, told = follow(failure, slow_pass)
    assert told == ["new>open"]
    assert still_open


def test_other_tables_are_left_alone() -> None:
    first = step((), run(0, WHOLE_TABLE, result("failed")), START)
    assert (
        step(first.incidents, run(10, WHOLE_TABLE, result("passed"), table="planes"), START).incidents == ()
    )


def test_checks_of_one_run_live_apart() -> None:
    other = replace(CHECK, id="carrier.required", columns=("carrier",))
    first = run(0, "month=12", result("failed", "month=12"), result("failed", "month=12", check=other))
    second = run(10, "month=12", result("passed"), result("failed", "month=12", check=other))
    still_open, told = follow(first, second)
    assert told == ["new>open", "new>open", "open>resolved"]
    assert [i.check for i in still_open] == ["carrier.required"]


@pytest.mark.parametrize(
    ("scope", "where", "expected"),
    [
        (WHOLE_TABLE, "month=12", True),
        (WHOLE_TABLE, WHOLE_TABLE, True),
        ("month=12", WHOLE_TABLE, False),
        ("month=12", "month=12", True),
        ("month=1", "month=12", False),
        ("month=12", "month=1", False),
        ("month=1", "month=01", True),
        ("month=1", "s3://lake/flights/month=01/a.parquet", True),
        ("year=2013, month=12", "year=2013, month=12, day=24", True),
        ("month=11, month=12", "month=12", True),
        ("month=11,month=12", "month=12", True),
        ("month=12", "month=11, month=12", False),
        ("month=11, month=12", "month=12, month=11", True),
        ("year=2013", "year=2013/month=12", True),
        ("month=12", "year=2013/month=12", True),
        ("year=2013/month=12", "year=2013", False),
        ("year=2013/month=12", "month=12", False),
        ("year=2013, month=12", "year=2013/month=12", True),
        ("year=2013, month=12", "year=2013/month=11", False),
        ("month=12", "year=2013, month=12", True),
        ("month=12", "year=2013, month=11, month=12", False),
        ("year=2013/month=12, year=2014/month=1", "year=2014/month=1", True),
        ("year=2013/month=12, year=2014/month=1", "year=2014/month=12", False),
        ("month=12", "s3://lake/flights/month=12/a.parquet", True),
        ("month=12", "s3://lake/flights/month=12/a, b.parquet", True),
        ("month=12", "s3://lake/flights/a.parquet", False),
        ("s3://lake/flights/month=12/a.parquet", "month=12", False),
        ("a.parquet, b.parquet", "b.parquet", True),
        ("a.parquet, b.parquet", "c.parquet", False),
    ],
)
def test_what_a_scope_covers(scope: str, where: str, expected: bool) -> None:
    assert covers(scope, where) is expected


def test_partitions_are_sorted_as_people_count_and_the_whole_table_is_last() -> None:
    places = [WHOLE_TABLE, "month=12", "month=2", "day=2013-12-02", "month=1"]
    assert sorted(places, key=natural) == [
        "day=2013-12-02",
        "month=1",
        "month=2",
        "month=12",
        WHOLE_TABLE,
    ]


MONTHS = st.integers(1, 4)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), MONTHS, st.booleans()),
        st.tuples(st.just("look"), st.none() | MONTHS, st.just(True)),
    ),
    max_size=30,
)


@given(EVENTS)
def test_an_incident_is_open_exactly_while_a_partition_last_seen_bad_is_not_seen_fine(
    events: list[tuple[str, int | None, bool]],
) -> None:
    """Months turn bad and fine; runs look at one or all. The model remembers what each look saw."""
    broken = dict.fromkeys(range(1, 5), False)
    believed = dict(broken)
    incidents: tuple[Incident, ...] = ()
    for minute, (what, month, bad) in enumerate(events):
        if what == "set":
            broken[month or 1] = bad
            continue
        looked = [month] if month else list(broken)
        scope = f"month={month}" if month else WHOLE_TABLE
        parts = [f"month={m}" for m in looked if broken[m]]
        found = result("failed", *parts) if parts else result("passed")
        believed |= {m: broken[m] for m in looked}
        moved = step(incidents, run(10 * minute, scope, found), START)
        incidents = tuple(i for i in moved.incidents or incidents if i.state is not IncidentState.RESOLVED)
        assert bool(incidents) == any(believed.values())
        for incident in incidents:
            assert {p.where for p in incident.evidence.breakdown} == {
                f"month={m}" for m, is_bad in believed.items() if is_bad
            }
