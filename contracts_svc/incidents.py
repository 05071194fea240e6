"""From the results of a run to what is wrong now: incidents open, change and resolve here.

An incident is known by (contract, table, check). Which *parts* of the table (partitions or files) are
known to be bad is kept in the breakdown of its evidence, and the rule for resolving follows from it:

- A run that fails replaces what was known about the parts that it looked at and adds to the rest.
- A run that passes clears the parts that it looked at. When none is left the incident is resolved: a
  good January says nothing about a bad December, a good whole table says that both are fine.
- What no part accounts for belongs to the run's whole scope, and only a run over that scope or a wider
  one clears it: a row count, a breakdown cut short, and a promise that allows some failing rows (each
  partition may stay within the limit that all of them together exceed).
- ERRORED and SKIPPED say nothing about the data: they neither open nor clear anything. Several runs in
  a row that could not check open an incident of a kind of its own.
- A run that began before the incident was last seen may have read older data, and clears nothing.

What comes back soon is the same incident again, reopened. What comes and goes is damped: it stays open,
and is told once as such, until it has been good for some runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from contracts_svc.alerts import Incident, IncidentState, Transition
from contracts_svc.findings import Severity
from contracts_svc.incidents_impact import Raise
from contracts_svc.incidents_parts import covers, merged, natural, parts_of, since
from contracts_svc.runs import Outcome, Result, Run

__all__ = [
    "COULD_NOT_CHECK",
    "USUAL",
    "Advance",
    "Handling",
    "advance",
    "covers",
    "fingerprint",
    "natural",
    "step",
]

COULD_NOT_CHECK = "could-not-check"
"""The check of an incident that tells that a table could not be checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handling:
    """When an incident comes back, flaps, is told that it cannot be checked, or gets worse with time."""

    reopen_within: timedelta = timedelta(hours=24)
    """What comes back this soon after it was resolved is the same incident."""
    flapping_changes: int = 4
    """So many changes between good and bad …"""
    flapping_runs: int = 10
    """… in so many runs are flapping."""
    errored_runs: int = 3
    """So many runs in a row that could not check are an incident."""
    warning_becomes_error: timedelta | None = None
    """A warning that is open for so long is an error; None: never."""
    raises: tuple[Raise, ...] = ()
    """Who makes an incident worse by being reached."""


USUAL = Handling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What a run did to the incidents of its table."""

    incidents: tuple[Incident, ...] = ()
    """Every incident that is new or differs from before, resolved ones included: to be stored."""
    transitions: tuple[Transition, ...] = ()
    """Those that opened, resolved, began to flap or lost their cause, or whose severity changed."""


def fingerprint(contract: str, table: str, check: str) -> str:
    """The stable name of what can be wrong: SHA-256 of the three, in hexadecimal."""
    return hashlib.sha256("\x1f".join((contract, table, check)).encode("utf-8", "surrogatepass")).hexdigest()


def advance(known: Sequence[Incident], run: Run, now: datetime) -> tuple[Transition, ...]:
    """The incidents that this run opens or resolves, and those whose severity it changes.

    An incident that only stays bad is no transition: see :func:`step` for its renewed evidence.
    """
    return step(known, run, now).transitions


def step(known: Sequence[Incident], run: Run, now: datetime, handling: Handling = USUAL) -> Advance:
    """As :func:`advance`, with every incident that has to be stored.

    ``known`` are the open incidents, and those resolved within ``handling.reopen_within`` (without them
    nothing is reopened); they may be of all tables: one is open as long as its cause is among them.
    """
    by_name = {i.fingerprint: i for i in known}
    open_now = {i.fingerprint for i in known if i.state is not IncidentState.RESOLVED}
    incidents: list[Incident] = []
    transitions: list[Transition] = []
    for name, before, after in _moves(by_name, run, now, handling):
        if after is None:
            continue
        if after.cause and after.cause not in open_now and after.seen == run.finished:
            after = replace(after, cause="")
        if after == before:
            continue
        by_name[name] = after
        incidents.append(after)
        if _tells(before, after):
            transitions.append(_transition(before, after, run, now))
    return Advance(incidents=tuple(incidents), transitions=tuple(transitions))


_Move = tuple[str, Incident | None, Incident | None]
"""Name, the incident before, and after."""


def _moves(known: dict[str, Incident], run: Run, now: datetime, handling: Handling) -> Iterable[_Move]:
    for result in run.results:
        name = fingerprint(run.contract, run.table, result.check.id)
        before = known.get(name)
        yield name, before, _after(before, result, run, now, handling)
    name = fingerprint(run.contract, run.table, COULD_NOT_CHECK)
    before = known.get(name)
    yield name, before, _could_not_check(before, run, now, handling)


def _tells(before: Incident | None, after: Incident) -> bool:
    """Whether the difference is one that people may have to hear of."""
    if after.state is IncidentState.PENDING:
        return False
    if before is None or before.state is IncidentState.PENDING:
        return after.state is not IncidentState.RESOLVED
    return (
        after.state is not before.state
        or after.severity is not before.severity
        or (after.flapping and not before.flapping)
        or (after.cause == "" and before.cause != "")
    )


def _after(
    before: Incident | None, result: Result, run: Run, now: datetime, handling: Handling
) -> Incident | None:
    if result.bad:
        return _bad(before, result, run, handling)
    if result.outcome is not Outcome.PASSED or before is None or before.state is IncidentState.RESOLVED:
        return before
    return _cleared(before, run, now, handling) if run.started >= before.seen else before


def _bad(before: Incident | None, result: Result, run: Run, handling: Handling) -> Incident:
    if before is None:
        return _opened(result, run)
    if before.state is not IncidentState.RESOLVED:
        after = _still_bad(before, result, run)
        # The same run taken in again, or an older one, is no further outcome.
        return _counted(after, True, handling) if run.finished > before.seen else after
    if before.resolved is None or run.started < before.resolved:
        return before  # it read data from before it was mended
    if run.finished - before.resolved > handling.reopen_within:
        return _opened(result, run)
    fresh = replace(
        _opened(result, run),
        opened=before.opened,
        published=before.published,
        reopened=before.reopened + 1,
        outcomes=before.outcomes,
        raised_to=before.raised_to,
    )
    return _counted(replace(fresh, severity=_at_least(fresh, fresh.severity)), True, handling)


def _opened(result: Result, run: Run) -> Incident:
    # Times come from the run, so that the same run taken in twice gives the same incident.
    parts = parts_of(result, run.scope)
    return Incident(
        fingerprint=fingerprint(run.contract, run.table, result.check.id),
        contract=run.contract,
        table=run.table,
        check=result.check.id,
        columns=result.check.columns,
        severity=_severity(result),
        state=IncidentState.OPEN,
        opened=run.finished,
        seen=run.finished,
        since=since(parts),
        evidence=replace(result, breakdown=parts),
        outcomes=(True,),
        published=result.published,
    )


def _still_bad(before: Incident, result: Result, run: Run) -> Incident:
    elsewhere = tuple(p for p in before.evidence.breakdown if not covers(run.scope, p.where))
    parts = merged(elsewhere, parts_of(result, run.scope))
    severity = _severity(result)
    if elsewhere:
        # The parts that this run did not look at are as bad as they were.
        severity = min(severity, before.severity, key=lambda s: s.rank)
    return replace(
        before,
        columns=result.check.columns,
        severity=_at_least(before, severity),
        seen=max(before.seen, run.finished),
        since=since(parts),
        evidence=replace(result, breakdown=parts),
    )


def _cleared(before: Incident, run: Run, now: datetime, handling: Handling) -> Incident:
    parts = before.evidence.breakdown
    left = tuple(p for p in parts if not covers(run.scope, p.where))
    if not left and (parts or covers(run.scope, before.since)):
        after = _counted(before, False, handling)
        if after.flapping:
            return after
        # The evidence stays as it was: "it is over" has to say what was wrong.
        return replace(
            after,
            state=IncidentState.RESOLVED,
            resolved=now,
            resolution=f"passed on {run.scope}",
            owner=None,
            acknowledged_until=None,
        )
    if not left or left == parts:
        return before
    return replace(before, since=since(left), evidence=replace(before.evidence, breakdown=left))


def _counted(incident: Incident, bad: bool, handling: Handling) -> Incident:
    """With one more outcome, and whether it flaps now: it stops when all the last ones are alike."""
    outcomes = (*incident.outcomes, bad)[-handling.flapping_runs :]
    changes = sum(one is not other for one, other in pairwise(outcomes))
    quiet = outcomes[-handling.flapping_changes :]
    settled = len(set(quiet)) == 1 and len(quiet) == handling.flapping_changes
    flapping = not settled and (incident.flapping or changes >= handling.flapping_changes)
    return replace(incident, outcomes=outcomes, flapping=flapping)


def _could_not_check(before: Incident | None, run: Run, now: datetime, handling: Handling) -> Incident | None:
    """The incident of a table that cannot be checked; its evidence is the worst of what was not."""
    errored = sorted(
        (r for r in run.results if r.outcome is Outcome.ERRORED), key=lambda r: r.check.severity.rank
    )
    there = before is not None and before.state is not IncidentState.RESOLVED
    if not errored:
        if before is None or not there or not run.results:
            return before
        return replace(
            before, state=IncidentState.RESOLVED, resolved=now, resolution="checked again", errored=0
        )
    if before is not None and there and run.finished <= before.seen:
        return before  # the same run again, or an older one
    count = before.errored + 1 if before is not None and there else 1
    told = count >= handling.errored_runs
    incident = _opened(min(errored, key=lambda r: r.check.severity.rank), run)
    name = fingerprint(run.contract, run.table, COULD_NOT_CHECK)
    state = IncidentState.OPEN if told else IncidentState.PENDING
    fresh = replace(
        incident, fingerprint=name, check=COULD_NOT_CHECK, columns=(), state=state, errored=count, outcomes=()
    )
    if before is None or not there:
        return fresh
    kept = before.state if before.state is not IncidentState.PENDING else state
    return replace(before, state=kept, seen=run.finished, evidence=fresh.evidence, errored=count)


def _at_least(incident: Incident, severity: Severity) -> Severity:
    raised = incident.raised_to
    return severity if raised is None else min(severity, raised, key=lambda s: s.rank)


def _severity(result: Result) -> Severity:
    return Severity.WARNING if result.outcome is Outcome.WARNED else result.check.severity


def _transition(before: Incident | None, after: Incident, run: Run, now: datetime) -> Transition:
    state = before.state if before is not None and before.state is not IncidentState.PENDING else None
    return Transition(incident=after, before=state, at=now, reason=_reason(before, after, run))


def _reason(before: Incident | None, after: Incident, run: Run) -> str:
    if after.check == COULD_NOT_CHECK and after.state is not IncidentState.RESOLVED:
        return f"could not be checked {after.errored} times in a row"
    if before is None or before.state is IncidentState.PENDING:
        return f"{after.evidence.outcome.value} on {run.scope}"
    if after.state is IncidentState.RESOLVED:
        return after.resolution
    if before.state is IncidentState.RESOLVED:
        return f"{after.evidence.outcome.value} on {run.scope} again"
    if after.flapping and not before.flapping:
        changes = sum(one is not other for one, other in pairwise(after.outcomes))
        return f"comes and goes: {changes} changes in {len(after.outcomes)} runs"
    if before.cause and not after.cause:
        return f"{after.evidence.outcome.value} on {run.scope} although its cause is mended"
    return f"was {before.severity.value}, is {after.severity.value} since the run on {run.scope}"
