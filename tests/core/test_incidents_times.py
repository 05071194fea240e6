"""How long incidents took, from the times of what happened, and what the contract promises of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import CollectorRegistry

from contracts_svc.alerts import Audience, Incident
from contracts_svc.app_alerts_metrics import AlertMetrics, CountedMoves
from contracts_svc.incidents import step
from contracts_svc.incidents_people import resolve
from contracts_svc.incidents_times import Times, judged, times
from contracts_svc.model import SlaProperty
from contracts_svc.runs import Check
from tests.alerts_world import CARRIER, CONTRACTS, DEP_DELAY, DEST, NOON, TAILNUM, fails, passes, run
from tests.fixtures_store import memory_store

MINUTE = timedelta(minutes=1)
SEEN = NOON + timedelta(seconds=5)


def opened(published: datetime | None) -> Incident:
    (incident,) = step(
        (), run(NOON, "month=12", replace(fails(DEP_DELAY), published=published)), NOON
    ).incidents
    return incident


def promising(**levels: tuple[object, str]) -> object:
    found = tuple(SlaProperty(property=n, value=v, unit=u) for n, (v, u) in levels.items())
    return replace(CONTRACTS["urn:flights"], sla=found)


def test_each_step_is_counted_from_the_one_before() -> None:
    incident = opened(NOON - 20 * MINUTE)
    assert times(incident, {}) == Times(detect=timedelta(minutes=20, seconds=5))
    told = {Audience.OWNER: SEEN + MINUTE, Audience.STAKEHOLDER: SEEN + 2 * MINUTE}
    assert times(incident, told).notify == 2 * MINUTE
    assert times(incident, {Audience.OWNER: SEEN + MINUTE}).notify == MINUTE
    over = resolve(incident, "ada", "restored", SEEN + 60 * MINUTE).incident
    assert times(over, told) == Times(
        detect=timedelta(minutes=20, seconds=5), notify=2 * MINUTE, repair=60 * MINUTE
    )


def test_what_is_not_known_is_not_made_up_and_no_time_is_negative() -> None:
    assert times(opened(None), {}).detect is None
    ahead = opened(NOON + 5 * MINUTE)  # by a clock that is ahead
    assert times(ahead, {Audience.OWNER: NOON}) == Times(detect=timedelta(), notify=timedelta())


def test_what_comes_back_is_as_old_as_when_it_first_came() -> None:
    first = opened(NOON - 20 * MINUTE)
    over = step((first,), run(NOON + MINUTE, "month=12", passes(DEP_DELAY)), NOON + MINUTE).incidents
    again = run(NOON + 2 * MINUTE, "month=12", replace(fails(DEP_DELAY), published=NOON + MINUTE))
    (back,) = step(over, again, NOON + 2 * MINUTE).incidents
    assert back.reopened == 1
    assert times(back, {}).detect == timedelta(minutes=20, seconds=5)


def test_promised_times_are_kept_broken_or_still_running() -> None:
    contract = promising(timeToDetect=(15, "m"), tn=(1, "m"), timeToRepair=(4, "h"), td=("PT30M", ""))
    incident = replace(opened(NOON - 20 * MINUTE), announced=True)
    taken = times(incident, {})
    soon = {(s.name, s.promised): s.kept for s in judged(incident, taken, contract, SEEN)}  # type: ignore[arg-type]
    assert soon == {
        ("timeToDetect", 15 * MINUTE): False,
        ("timeToDetect", 30 * MINUTE): True,
        ("timeToNotify", MINUTE): None,
        ("timeToRepair", 240 * MINUTE): None,
    }
    later = judged(incident, taken, contract, SEEN + 5 * timedelta(hours=1))  # type: ignore[arg-type]
    assert {s.name: s.kept for s in later if s.name != "timeToDetect"} == {
        "timeToNotify": False,
        "timeToRepair": False,
    }
    over = resolve(incident, "ada", "restored", SEEN + 60 * MINUTE).incident
    taken = times(over, {Audience.OWNER: SEEN})
    kept = {s.name: s.kept for s in judged(over, taken, contract, SEEN + 900 * MINUTE)}  # type: ignore[arg-type]
    assert (kept["timeToNotify"], kept["timeToRepair"]) == (True, True)


def test_what_is_told_with_its_cause_has_no_time_to_be_told_in() -> None:
    contract = promising(timeToNotify=(1, "m"))
    incident = replace(opened(None), cause="another")
    assert judged(incident, times(incident, {}), contract, SEEN + 60 * MINUTE) == ()  # type: ignore[arg-type]


def test_figures_count_each_incident_once() -> None:
    registry = CollectorRegistry()
    metrics = AlertMetrics(registry)
    bad = run(NOON, "month=12", replace(fails(DEP_DELAY), published=NOON - MINUTE))
    moved = step((), bad, NOON)
    metrics.moved(moved.transitions)
    metrics.heard([MINUTE, 2 * MINUTE])
    again = step(moved.incidents, bad, NOON)
    metrics.moved(again.transitions)
    good = step(moved.incidents, run(NOON + MINUTE, "month=12", passes(DEP_DELAY)), NOON + MINUTE)
    metrics.moved(good.transitions)
    named = {
        "contracts_incidents_opened_total": 1,
        "contracts_incident_detect_seconds_count": 1,
        "contracts_incident_notify_seconds_count": 2,
        "contracts_incident_repair_seconds_count": 1,
        "contracts_incident_repair_seconds_sum": 55,
    }
    for name, value in named.items():
        labels = {"severity": "error"} if "opened" in name else {}
        assert registry.get_sample_value(name, labels) == value, name


def test_each_move_is_counted_once_from_when_this_process_counts() -> None:
    registry, store = CollectorRegistry(), memory_store()
    time = [NOON]
    counted = CountedMoves(store, AlertMetrics(registry), lambda: time[0])

    def opens(check: Check) -> None:
        moved = step((), run(NOON, "month=12", fails(check)), NOON)
        store.put_incidents(moved.incidents, moved.transitions)

    opens(CARRIER)
    assert counted.step() == 0, "what was before is not of this process"
    opens(DEP_DELAY)
    assert (counted.step(), counted.step()) == (1, 0)
    opens(DEST)
    time[0] += 60 * MINUTE
    assert counted.step() == 0, "another process did this for a while"
    opens(TAILNUM)
    assert counted.step() == 1
    assert registry.get_sample_value("contracts_incidents_opened_total", {"severity": "error"}) == 2
