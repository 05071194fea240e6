"""The digest: one message to each squad, of what it was not woken for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.findings import Severity
from contracts_svc.incidents import advance
from contracts_svc.incidents_people import acknowledge
from contracts_svc.routing_digest import MOST_LINES, digests
from tests.alerts_world import CARRIER, CONTRACTS, DEP_DELAY, DEST, NOON, TAILNUM, WORST, fails, run

DAY = timedelta(days=1)
NOW = NOON + DAY


def opened(*checks: object, table: str = "flights") -> list[Incident]:
    found = run(NOON, "whole table", *(fails(c) for c in checks), table=table)  # type: ignore[arg-type]
    return [t.incident for t in advance((), found, NOON)]


def lines(incidents: list[Incident], **more: object) -> dict[str, list[tuple[str, int]]]:
    found = digests(incidents, contracts=CONTRACTS, since=NOON, now=NOW, **more)  # type: ignore[arg-type]
    return {n.team: [(s.heading, len(s.lines)) for s in n.sections] for n in found}


def test_each_squad_gets_what_is_its_own_in_order_of_what_matters() -> None:
    error, warning, known, stale = opened(DEP_DELAY, CARRIER, DEST, TAILNUM)
    (other,) = opened(WORST, table="carrier_scorecard")
    warning = replace(warning, severity=Severity.WARNING)
    known = acknowledge(known, "ada", NOW + DAY, NOON).incident
    stale = replace(stale, opened=NOON - 7 * DAY)
    over = replace(
        error, fingerprint="x", state=IncidentState.RESOLVED, resolved=NOW, resolution="passed on month=12"
    )
    assert lines([stale, over, known, warning, error, other]) == {
        "finance": [("Open, and nobody has acknowledged it", 1)],
        "flight-ops": [
            ("Open, and nobody has acknowledged it", 1),
            ("Warnings", 1),
            ("Somebody is on it", 1),
            ("Open for more than 7 days", 1),
            ("Over", 1),
        ],
    }


def test_what_is_said_of_an_incident() -> None:
    (incident,) = opened(DEST)
    known = acknowledge(incident, "ada", NOW + DAY, NOON).incident
    over = replace(incident, state=IncidentState.RESOLVED, resolved=NOW, resolution="passed on whole table")
    (message,) = digests([known, replace(over, fingerprint="x")], contracts=CONTRACTS, since=NOON, now=NOW)
    assert message.title == "flight-ops: your data from 2024-01-01 to 2024-01-02"
    assert (message.receiver, message.channel, message.labels["state"]) == ("slack", "#flight-ops", "digest")
    assert [s.lines for s in message.sections] == [
        (
            "flights: dest is one of the airports (since 2024-01-01 12:00 UTC); ada until 2024-01-03 12:00 UTC",
        ),
        ("flights: dest is one of the airports (passed on whole table, not told)",),
    ]


def test_nothing_to_say_is_not_said() -> None:
    (incident,) = opened(DEST)
    old = replace(incident, state=IncidentState.RESOLVED, resolved=NOON)
    pending = replace(incident, state=IncidentState.PENDING)
    assert lines([old, pending]) == {}
    assert lines([]) == {}


def test_notes_on_contracts_and_long_lists() -> None:
    notes = {"urn:flights": ["column carrier is deprecated from 2024-03-01"], "urn:nowhere": ["is gone"]}
    (incident,) = opened(DEST)
    many = [replace(incident, fingerprint=str(n)) for n in range(30)]
    assert lines(many, notes=notes) == {
        "flight-ops": [("Open, and nobody has acknowledged it", MOST_LINES + 1), ("Contracts", 1)],
        "owner of urn:nowhere": [("Contracts", 1)],
    }


def test_the_same_period_is_the_same_message() -> None:
    one, two = (digests(opened(DEST), contracts=CONTRACTS, since=NOON, now=NOW) for _ in range(2))
    assert one == two
    (later,) = digests(opened(DEST), contracts=CONTRACTS, since=NOW, now=NOW + DAY)
    assert later.key != one[0].key
