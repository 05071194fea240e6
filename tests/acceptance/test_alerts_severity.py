"""How bad an incident is: by its rule, by whom it reaches, and by how long it lasts."""

from __future__ import annotations

from dataclasses import replace

from contracts_svc.alerts import IncidentState
from contracts_svc.findings import Severity
from contracts_svc.flows.notify import acted
from contracts_svc.incidents_people import tick
from contracts_svc.runs import Check, Outcome
from tests.acceptance.test_alerts_outbox import Lake
from tests.alerts_world import CARRIER, DEP_DELAY, DEST, TAILNUM, fails, passes

BOARD = """
route: {receiver: contract, group_by: [dataset]}
incidents:
  warning_becomes_error: 24h
  raise:
    - {reached: ['kind="dashboard"', 'squad="executive-reporting"'], to: error}
"""


def warns(lake: Lake, check: Check) -> None:
    mild = replace(check, severity=Severity.WARNING)
    lake.checks("month=12", replace(fails(mild), outcome=Outcome.WARNED))


def severity(lake: Lake, check: Check) -> Severity:
    (found,) = (i for i in lake.store.incidents() if i.check == check.id)
    return found.severity


def test_a_warning_that_reaches_the_boards_dashboard_is_an_error() -> None:
    lake = Lake(BOARD)
    lake.at(seconds=0)
    warns(lake, DEP_DELAY)
    lake.at(seconds=30)
    assert {n.severity for _, _, n in lake.told} == {Severity.ERROR}
    assert severity(lake, DEP_DELAY) is Severity.ERROR
    (incident,) = lake.store.incidents()
    (first,) = lake.store.transitions(incident.fingerprint)
    assert first.reason == "warned on month=12; is error now: it reaches On-time performance"


def test_one_that_reaches_others_only_stays_a_warning() -> None:
    lake = Lake(BOARD)
    lake.at(seconds=0)
    warns(lake, DEST)
    lake.at(seconds=30)
    assert severity(lake, DEST) is Severity.WARNING
    assert {n.severity for _, _, n in lake.told} == {Severity.WARNING}


def test_it_stays_an_error_when_the_dashboard_reads_it_no_more() -> None:
    lake = Lake(BOARD)
    lake.at(seconds=0)
    warns(lake, DEP_DELAY)
    lake.around["consumers"] = ()
    lake.at(minutes=10)
    warns(lake, DEP_DELAY)
    assert severity(lake, DEP_DELAY) is Severity.ERROR


def test_one_that_the_dashboard_begins_to_read_is_an_error_from_its_next_run_on() -> None:
    lake = Lake(BOARD)
    everybody, lake.around["consumers"] = lake.around["consumers"], ()
    lake.at(seconds=0)
    warns(lake, DEP_DELAY)
    lake.at(minutes=10)
    assert severity(lake, DEP_DELAY) is Severity.WARNING
    lake.around["consumers"] = everybody
    warns(lake, DEP_DELAY)
    assert severity(lake, DEP_DELAY) is Severity.ERROR
    lake.heard()
    lake.at(minutes=20)
    assert lake.heard()["#executive-reporting"] == 1


def test_a_warning_that_nobody_mends_for_a_day_is_an_error_and_is_told_again() -> None:
    lake = Lake(BOARD)
    lake.at(seconds=0)
    warns(lake, TAILNUM)
    lake.at(hours=24, seconds=6)
    lake.heard()
    for moved in tick(lake.store.incidents(), lake.time, lake.routes.handling):
        acted(moved, store=lake.store, outbox=lake.store, **lake.around)  # type: ignore[arg-type]
    lake.at(hours=24, minutes=6)
    assert [(name, n.severity) for _, name, n in lake.told] == [("#flight-ops", Severity.ERROR)]
    assert tick(lake.store.incidents(), lake.time, lake.routes.handling) == ()


def test_how_incidents_are_handled_is_what_the_route_file_says() -> None:
    lake = Lake("""
route: {receiver: contract}
incidents: {reopen_within: 1h, errored_runs: 1, flapping_changes: 2, flapping_runs: 3}
""")
    could_not = replace(passes(CARRIER), outcome=Outcome.ERRORED, reason="the bucket burns")
    lake.at(seconds=0).checks("whole table", could_not)
    lake.at(minutes=1)
    assert lake.heard() == {"#flight-ops": 1}, "once is enough here, and readers need not know"
    lake.at(minutes=2).december_fails(DEST)
    lake.at(minutes=3).december_passes(DEST)
    lake.at(hours=2).december_fails(DEST)
    (found,) = (i for i in lake.store.incidents() if i.check == DEST.id)
    assert (found.state, found.reopened) == (IncidentState.OPEN, 0), "an hour later it is a new one"
