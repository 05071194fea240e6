"""May a pipeline read a dataset now? What is wrong with it, when it was checked last, how that ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts_svc.alerts import Incident, IncidentState
from contracts_svc.findings import Severity
from contracts_svc.runs import Outcome, Run

_WRONG = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """Whether a dataset may be read now, and why (not).

    ``open`` is False too when nobody can tell (``unknown``): it was never checked, could not be checked,
    or not lately. ``reasons`` are sentences, of what closes the gate first.
    """

    contract: str
    tables: tuple[str, ...]
    open: bool
    unknown: bool
    reasons: tuple[str, ...]
    incidents: Mapping[Severity, int] = field(default_factory=dict)
    """Open and acknowledged ones, by severity."""
    checked: datetime | None = None
    """When the last check of the table that was not checked for longest ended."""


def gate(
    contract: str,
    last: Mapping[str, Run | None],
    incidents: Iterable[Incident],
    *,
    now: datetime,
    closes: Severity = Severity.ERROR,
    max_age: timedelta | None = None,
) -> Gate:
    """Judge the tables that are the keys of ``last``, by the last run of each.

    An incident that is not resolved closes the gate when it is at least as severe as ``closes``: who has
    acknowledged it has not mended the data. A run older than ``max_age`` tells nothing any more.
    """
    wrong = [i for i in incidents if i.contract == contract and i.table in last and i.state in _WRONG]
    shut = [i for i in wrong if i.severity.rank <= closes.rank]
    told = [_told(i) for i in sorted(shut, key=lambda i: (i.severity.rank, i.opened, i.fingerprint))]
    doubts = [said for table, run in sorted(last.items()) if (said := _doubt(table, run, now, max_age))]
    ends = [run.finished for run in last.values() if run is not None]
    fine = [f"{_listed(sorted(last))} {'is' if len(last) == 1 else 'are'} as promised"]
    return Gate(
        contract=contract,
        tables=tuple(sorted(last)),
        open=not told and not doubts,
        unknown=bool(doubts) and not told,
        reasons=tuple([*told, *doubts] or fine),
        incidents={s: sum(i.severity is s for i in wrong) for s in Severity},
        checked=min(ends) if ends and len(ends) == len(last) else None,
    )


def _told(incident: Incident) -> str:
    columns = f" ({', '.join(incident.columns)})" if incident.columns else ""
    found = incident.evidence.found or incident.evidence.check.title or incident.check
    return (
        f"{incident.severity.value}: {incident.table}{columns}: {found}, since "
        f"{incident.opened:%Y-%m-%dT%H:%MZ}"
    )


def _doubt(table: str, run: Run | None, now: datetime, max_age: timedelta | None) -> str:
    """Why nobody can tell how a table is; empty: one can."""
    if run is None:
        return f"{table} was never checked"
    if max_age is not None and now - run.finished > max_age:
        return f"{table} was last checked on {run.finished:%Y-%m-%dT%H:%MZ}, which is too long ago"
    results = [r for r in run.results if r.outcome is not Outcome.SKIPPED]
    errored = [r for r in results if r.outcome is Outcome.ERRORED]
    if errored and len(errored) == len(results):
        return f"{table} could not be checked: {errored[0].reason}"
    return ""


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
