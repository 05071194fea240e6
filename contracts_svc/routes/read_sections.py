"""The sections of a route file that Alertmanager does not have: how incidents are handled, and digests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from contracts_svc.findings import Severity
from contracts_svc.incidents import USUAL, Handling
from contracts_svc.incidents_impact import Raise
from contracts_svc.odcs.fields import Fields
from contracts_svc.routes.digests import DEFAULT_PLAN, Every, Plan
from contracts_svc.routes.durations import duration
from contracts_svc.routes.intervals import WEEKDAYS, IntervalError, zone
from contracts_svc.routes.matchers import Matcher, MatcherError
from contracts_svc.routes.matchers import parse as parse_matchers

_HANDLING_KEYS = (
    "reopen_within", "flapping_changes", "flapping_runs", "errored_runs", "warning_becomes_error", "raise",
)  # fmt: skip
_RAISED = {"error": Severity.ERROR, "warning": Severity.WARNING}
_DIGEST_KEYS = ("every", "on", "at", "location", "squads")
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
MOST_RUNS = 1_000


def read_handling(entry: Fields | None) -> Handling:
    """The section ``incidents``; mistakes are added to its problems."""
    if entry is None:
        return USUAL
    entry.only(_HANDLING_KEYS)
    changes = _count(entry, "flapping_changes", USUAL.flapping_changes, least=2)
    runs = _count(entry, "flapping_runs", USUAL.flapping_runs, least=3)
    if changes >= runs:
        entry.problem(
            "flapping_changes",
            f"there cannot be {changes} changes in {runs} runs",
            "make flapping_runs greater than flapping_changes",
        )
    return Handling(
        reopen_within=_span(entry, "reopen_within") or USUAL.reopen_within,
        flapping_changes=changes,
        flapping_runs=runs,
        errored_runs=_count(entry, "errored_runs", USUAL.errored_runs, least=1),
        warning_becomes_error=_span(entry, "warning_becomes_error"),
        raises=tuple(_raises(entry)),
    )


def _raises(entry: Fields) -> Iterator[Raise]:
    for each in entry.mappings("raise"):
        each.only(("reached", "to"))
        found: list[Matcher] = []
        for text in each.texts("reached"):
            with each.problems_at("reached", MatcherError, "write for instance 'kind=\"dashboard\"'"):
                found += parse_matchers(text)
        to = each.text("to", required=True)
        if to and to not in _RAISED:
            each.problem("to", f"{to!r} is no severity to raise to", f"write one of: {', '.join(_RAISED)}")
        if "reached" not in each:
            each.problem(None, "'reached' is missing", "write for instance reached: ['kind=\"dashboard\"']")
        yield Raise(reached=tuple(found), to=_RAISED.get(to, Severity.ERROR))


def read_digest(entry: Fields | None) -> Plan:
    """The section ``digest``; mistakes are added to its problems."""
    if entry is None:
        return DEFAULT_PLAN
    entry.only(_DIGEST_KEYS)
    on = entry.text("on") or WEEKDAYS[DEFAULT_PLAN.weekday]
    if on not in WEEKDAYS:
        entry.problem("on", f"{on!r} is no day of the week", f"write one of: {', '.join(WEEKDAYS)}")
    at = entry.text("at") or "08:00"
    clock = _CLOCK.fullmatch(at)
    if clock is None:
        entry.problem("at", f"{at!r} is no time of the day", "write for instance '08:30'")
    location = entry.text("location") or "UTC"
    with entry.problems_at("location", IntervalError, "write for instance 'Europe/Berlin'"):
        zone(location)
    squads = entry.mapping("squads")
    return Plan(
        every=_every(entry, "every") or DEFAULT_PLAN.every,
        weekday=WEEKDAYS.index(on) if on in WEEKDAYS else DEFAULT_PLAN.weekday,
        hour=int(clock[1]) if clock else 0,
        minute=int(clock[2]) if clock else 0,
        location=location,
        squads={s: found for s in squads if (found := _every(squads, s))} if squads else {},
    )


def _every(entry: Fields, key: str) -> Every | None:
    text = entry.text(key)
    if not text:
        return None
    if text not in tuple(Every):
        entry.problem(key, f"{text!r} is none of {', '.join(Every)}", "write for instance 'daily'")
        return None
    return Every(text)


def _span(entry: Fields, key: str) -> timedelta | None:
    text = entry.text(key)
    if not text:
        return None
    found = duration(text)
    if found is None:
        entry.problem(key, f"{text!r} is no duration", "write for instance 30s, 5m, 1h30m, 4h or 2d")
    return found


def _count(entry: Fields, key: str, default: int, *, least: int) -> int:
    text = entry.text(key)
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and least <= int(text) <= MOST_RUNS):
        entry.problem(key, f"{text!r} is not a whole number from {least} to {MOST_RUNS:,}", "write a number")
        return default
    return int(text)
