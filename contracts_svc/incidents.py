"""From the results of a run to what is wrong now: incidents open, change and resolve here.

An incident is known by (contract, table, check). Which *parts* of the table (partitions or files) are
known to be bad is kept in the breakdown of its evidence, and the rule for resolving follows from it:

- A run that fails replaces what was known about the parts that it looked at and adds to the rest.
- A run that passes clears the parts that it looked at. When none is left the incident is resolved: a
  good January says nothing about a bad December, a good whole table says that both are fine.
- What no part accounts for belongs to the run's whole scope, and only a run over that scope or a wider
  one clears it: a row count, a breakdown cut short, and a promise that allows some failing rows (each
  partition may stay within the limit that all of them together exceed).
- ERRORED and SKIPPED say nothing about the data: they neither open nor clear anything.
- A run that began before the incident was last seen may have read older data, and clears nothing.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts_svc import files
from contracts_svc.alerts import Incident, IncidentState, Transition
from contracts_svc.findings import Severity
from contracts_svc.runs import WHOLE_TABLE, Breakdown, Check, Operator, Outcome, Result, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What a run did to the incidents of its table."""

    incidents: tuple[Incident, ...] = ()
    """Every incident that is new or differs from before, resolved ones included: to be stored."""
    transitions: tuple[Transition, ...] = ()
    """Those that were opened or resolved, or whose severity changed: to be told."""


def fingerprint(contract: str, table: str, check: str) -> str:
    """The stable name of what can be wrong: SHA-256 of the three, in hexadecimal."""
    return hashlib.sha256("\x1f".join((contract, table, check)).encode()).hexdigest()


def advance(open_incidents: Sequence[Incident], run: Run, now: datetime) -> tuple[Transition, ...]:
    """The incidents that this run opens or resolves, and those whose severity it changes.

    ``open_incidents`` may hold those of other tables; they stay as they are. An incident that only
    stays bad is no transition: see :func:`step` for its renewed evidence.
    """
    return step(open_incidents, run, now).transitions


def step(open_incidents: Sequence[Incident], run: Run, now: datetime) -> Advance:
    """As :func:`advance`, with every incident that has to be stored."""
    known = {i.fingerprint: i for i in open_incidents if i.state is not IncidentState.RESOLVED}
    incidents: list[Incident] = []
    transitions: list[Transition] = []
    for result in run.results:
        name = fingerprint(run.contract, run.table, result.check.id)
        before = known.get(name)
        after = _after(before, result, run, now)
        if after is None or after == before:
            continue
        known[name] = after
        incidents.append(after)
        if before is None or after.state is not before.state or after.severity is not before.severity:
            transitions.append(_transition(before, after, run, now))
    return Advance(incidents=tuple(incidents), transitions=tuple(transitions))


def _after(before: Incident | None, result: Result, run: Run, now: datetime) -> Incident | None:
    if result.bad:
        return _opened(result, run) if before is None else _still_bad(before, result, run)
    if result.outcome is Outcome.PASSED and before is not None and run.started >= before.seen:
        return _cleared(before, run, now)
    return before


def _opened(result: Result, run: Run) -> Incident:
    # Times come from the run, so that the same run taken in twice gives the same incident.
    parts = _parts(result, run.scope)
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
        since=_since(parts),
        evidence=replace(result, breakdown=parts),
    )


def _still_bad(before: Incident, result: Result, run: Run) -> Incident:
    elsewhere = tuple(p for p in before.evidence.breakdown if not covers(run.scope, p.where))
    parts = _merged(elsewhere, _parts(result, run.scope))
    severity = _severity(result)
    if elsewhere:
        # The parts that this run did not look at are as bad as they were.
        severity = min(severity, before.severity, key=lambda s: s.rank)
    return replace(
        before,
        columns=result.check.columns,
        severity=severity,
        seen=max(before.seen, run.finished),
        since=_since(parts),
        evidence=replace(result, breakdown=parts),
    )


def _cleared(before: Incident, run: Run, now: datetime) -> Incident:
    parts = before.evidence.breakdown
    left = tuple(p for p in parts if not covers(run.scope, p.where))
    if not left and (parts or covers(run.scope, before.since)):
        # The evidence stays as it was: "it is over" has to say what was wrong.
        return replace(before, state=IncidentState.RESOLVED, resolved=now)
    if not left or left == parts:
        return before
    return replace(before, since=_since(left), evidence=replace(before.evidence, breakdown=left))


def _severity(result: Result) -> Severity:
    return Severity.WARNING if result.outcome is Outcome.WARNED else result.check.severity


def _transition(before: Incident | None, after: Incident, run: Run, now: datetime) -> Transition:
    if before is None:
        reason = f"{after.evidence.outcome.value} on {run.scope}"
    elif after.state is IncidentState.RESOLVED:
        reason = f"passed on {run.scope}"
    else:
        reason = f"was {before.severity.value}, is {after.severity.value} since the run on {run.scope}"
    return Transition(incident=after, before=before.state if before else None, at=now, reason=reason)


# --- parts of a table ---------------------------------------------------------------------------


def _parts(result: Result, scope: str) -> tuple[Breakdown, ...]:
    """The breakdown, and what it leaves unaccounted for as a part of its own: the whole scope."""
    rest = (result.failing or 0) - sum(p.failing for p in result.breakdown)
    if result.breakdown and rest <= 0 and _each_row_counts(result.check):
        return _merged((), result.breakdown)
    return _merged(result.breakdown, (Breakdown(where=scope, failing=max(rest, 0)),))


def _each_row_counts(check: Check) -> bool:
    """Whether one failing row anywhere breaks the promise."""
    return any(
        t.operator in (Operator.MUST_BE, Operator.LESS_OR_EQUAL) and t.value == 0 for t in check.thresholds
    )


def _merged(old: Iterable[Breakdown], new: Iterable[Breakdown]) -> tuple[Breakdown, ...]:
    sums: defaultdict[str, int] = defaultdict(int)
    for part in (*old, *new):
        sums[part.where] += part.failing
    return tuple(Breakdown(where=w, failing=sums[w]) for w in sorted(sums, key=natural))


def _since(parts: Sequence[Breakdown]) -> str:
    return min((p.where for p in parts), key=natural)


def natural(where: str) -> tuple[bool, tuple[tuple[bool, int, str], ...], str]:
    """A key that sorts partitions and files as people do: ``month=2`` before ``month=12``.

    The whole table comes last: it is where bad rows stand that no partition accounts for.
    """
    return (where == WHOLE_TABLE, files.natural(where), where)


def covers(scope: str, where: str) -> bool:
    """Whether a run over ``scope`` has looked at all of ``where`` (a partition, a file or a scope).

    A scope is ``whole table``, or names of partitions or files with commas between them. ``month=11,
    month=12`` is either month, ``year=2013, month=12`` is the one month of that year, and a partition
    covers every partition and file inside it (``year=2013`` covers ``year=2013/month=12/a.parquet``).
    In doubt the answer is no, so that nothing is resolved that was not looked at.
    """
    if scope in (WHOLE_TABLE, where):
        return True
    if where == WHOLE_TABLE:
        return False
    looked_at = _partitions(scope)
    if looked_at is None:
        return where in scope.split(", ")
    wanted = _partitions(where) or (_conditions(where.split("/")),)
    return all(any(_inside(w, choice) for choice in looked_at) for w in wanted)


_Conditions = dict[str, set[str]]
"""Partition key -> the values that it may have."""


def _partitions(text: str) -> tuple[_Conditions, ...] | None:
    """A list of partitions as alternatives of conditions; None when it is the name of a file."""
    items = [item.strip() for item in text.split(",")]
    if not all("=" in segment for item in items for segment in item.split("/")):
        return None
    if any("/" in item for item in items):
        return tuple(_conditions(item.split("/")) for item in items)
    return (_conditions(items),)


def _conditions(segments: Iterable[str]) -> _Conditions:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for key, equals, value in (s.partition("=") for s in segments):
        if equals:
            # Folders are named month=01 or month=1, whatever a run was asked for.
            number = value.isascii() and value.isdecimal()
            found[key].add(str(int(value)) if number else value)
    return found


def _inside(inner: _Conditions, outer: _Conditions) -> bool:
    return all(inner.get(key) and inner[key] <= values for key, values in outer.items())
