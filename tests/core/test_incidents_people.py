"""What people, time and other incidents do to an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.incidents import Handling, step
from contracts_svc.incidents_cause import causes
from contracts_svc.incidents_people import acknowledge, raise_severity, resolve, tick
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType, Graph
from tests.alerts_world import CARRIER, NOON, fails, passes, run

HOUR = timedelta(hours=1)


def incident(name: str = "a", opened: datetime = NOON, severity: Severity = Severity.ERROR) -> Incident:
    (found,) = step((), run(NOON, "month=12", fails(CARRIER)), NOON).incidents
    return replace(found, fingerprint=name, opened=opened, severity=severity)


def test_somebody_acknowledges_it_until_a_time_and_it_opens_again() -> None:
    moved = acknowledge(incident(), "amelia", NOON + HOUR, NOON)
    assert moved.incident.state is IncidentState.ACKNOWLEDGED
    assert moved.incident.owner == "amelia"
    assert tick([moved.incident], NOON + HOUR / 2, Handling()) == ()
    (opened,) = tick([moved.incident], NOON + HOUR, Handling())
    assert opened.before is IncidentState.ACKNOWLEDGED
    assert opened.incident.state is IncidentState.OPEN
    assert "acknowledged by amelia until 2024-01-01 13:00 UTC" in opened.reason


def test_acknowledged_it_stays_so_while_it_is_bad_and_ends_when_it_is_good() -> None:
    (found,) = step((), run(NOON, "month=12", fails(CARRIER)), NOON).incidents
    known = acknowledge(found, "amelia", None, NOON + HOUR).incident
    worse = step([known], run(NOON + 2 * HOUR, "month=12", fails(CARRIER, failing=9_000)), NOON + 2 * HOUR)
    assert worse.transitions == ()
    assert worse.incidents[0].state is IncidentState.ACKNOWLEDGED
    (over,) = step(
        worse.incidents, run(NOON + 3 * HOUR, "month=12", passes(CARRIER)), NOON + 3 * HOUR
    ).transitions
    assert over.incident.state is IncidentState.RESOLVED
    assert over.incident.owner is None


def test_somebody_resolves_it_with_a_reason_and_the_next_failure_opens_it_again() -> None:
    (found,) = step((), run(NOON, "month=12", fails(CARRIER)), NOON).incidents
    moved = resolve(found, "amelia", "a test file, deleted", NOON + HOUR)
    assert moved.incident.resolution == "resolved by amelia: a test file, deleted"
    (again,) = step(
        [moved.incident], run(NOON + 2 * HOUR, "month=12", fails(CARRIER)), NOON + 2 * HOUR
    ).transitions
    assert again.before is IncidentState.RESOLVED


def test_a_run_that_read_the_data_before_it_was_mended_opens_nothing() -> None:
    (found,) = step((), run(NOON, "month=12", fails(CARRIER)), NOON).incidents
    mended = resolve(found, "amelia", "published again", NOON + HOUR).incident
    assert step([mended], run(NOON + HOUR / 2, "month=12", fails(CARRIER)), NOON + 2 * HOUR).incidents == ()


@pytest.mark.parametrize("by", ["", "  "])
def test_nobody_can_do_nothing(by: str) -> None:
    with pytest.raises(UserMistake):
        acknowledge(incident(), by, None, NOON)
    with pytest.raises(UserMistake):
        resolve(incident(), by, "reason", NOON)
    with pytest.raises(UserMistake):
        resolve(incident(), "amelia", by, NOON)


def test_what_is_over_cannot_be_acknowledged_and_not_until_yesterday() -> None:
    over = replace(incident(), state=IncidentState.RESOLVED)
    with pytest.raises(UserMistake, match="is resolved"):
        acknowledge(over, "amelia", None, NOON)
    with pytest.raises(UserMistake, match="past"):
        acknowledge(incident(), "amelia", NOON, NOON)


def test_a_warning_that_lasts_becomes_an_error_and_stays_one() -> None:
    handling = Handling(warning_becomes_error=timedelta(days=2))
    (found,) = step((), run(NOON, "month=12", fails(CARRIER)), NOON).incidents
    warning = replace(found, severity=Severity.WARNING)
    assert tick([warning], NOON + timedelta(days=1), handling) == ()
    (raised,) = tick([warning], NOON + timedelta(days=2, hours=1), handling)
    assert raised.incident.severity is Severity.ERROR
    assert tick([raised.incident], NOON + timedelta(days=3), handling) == ()


def test_whom_it_reaches_can_raise_it_and_a_run_does_not_lower_it() -> None:
    milder = replace(CARRIER, severity=Severity.WARNING)
    (found,) = step((), run(NOON, "month=12", fails(milder)), NOON).incidents
    raised = raise_severity(found, Severity.ERROR, "the board's dashboard", NOON)
    assert raised is not None
    (still,) = step([raised.incident], run(NOON + HOUR, "month=12", fails(milder)), NOON + HOUR).incidents
    assert still.severity is Severity.ERROR
    assert raise_severity(still, Severity.ERROR, "again", NOON) is None


# --- causes ---------------------------------------------------------------------------------------

TABLES = [DatasetId("lake", name) for name in "abcde"]
EDGES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12)


def graph_of(edges: list[tuple[int, int]]) -> Graph:
    return Graph.of(
        Edge(
            source=ColumnRef(TABLES[one], "x"),
            target=ColumnRef(TABLES[other], "x"),
            kind=EdgeKind.DIRECT,
            type=EdgeType.IDENTITY,
            origin="test",
        )
        for one, other in edges
        if one != other
    )


def reaches(edges: list[tuple[int, int]], start: int) -> set[int]:
    found, todo = set(), [start]
    while todo:
        here = todo.pop()
        for one, other in edges:
            if one == here and one != other and other not in found:
                found.add(other)
                todo.append(other)
    return found


@given(EDGES, st.lists(st.integers(0, 4), unique=True, min_size=1), st.permutations(range(5)))
def test_a_cause_is_upstream_has_none_itself_and_every_symptom_has_one(
    edges: list[tuple[int, int]], failing: list[int], order: list[int]
) -> None:
    incidents = [replace(incident(str(n), NOON + order[n] * HOUR), columns=("x",)) for n in failing]
    found = causes(incidents, lambda i: (TABLES[int(i.fingerprint)], ("x",)), graph_of(edges))
    for symptom, cause in found.items():
        assert int(symptom) in reaches(edges, int(cause))
        assert cause not in found
    for n in failing:
        upstream = {m for m in failing if m != n and n in reaches(edges, m)}
        round_again = {m for m in upstream if m in reaches(edges, n)}
        first = all(order[n] < order[m] for m in round_again)
        assert (str(n) in found) is bool(upstream - round_again or not first)
