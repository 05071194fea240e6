"""What the runs of a table tell about an incident: when all was well last, and what the cause may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.alerts import Incident
from contracts_svc.incidents_parts import covers
from contracts_svc.runs import Outcome, Result, Run

MOST_CAUSES = 4

DRIFT = frozenset(
    {
        "table-present",
        "missing-column",
        "extra-column",
        "partition-layout",
        "logical-type",
        "physical-type",
        "readable-lines",
        "readable-documents",
        "value-type",
    }
)
"""Kinds of checks that fail when files are made in another way than before."""
LATE = frozenset({"freshness", "frequency", "time-of-availability"})
"""Kinds of checks that fail when data comes late."""
_FEWER, _MORE = 0.5, 2.0
"""Shares of the rows that there were: as few, or as many, is a cause to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastGood:
    """The last run in which a check passed."""

    at: datetime
    scope: str
    version: str
    """Of the contract."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What is known about an incident besides what its check found."""

    looked: int = 0
    """How many runs of its table were looked at; if none, nothing is said of them."""
    last_good: LastGood | None = None
    causes: tuple[str, ...] = ()
    """Sentences, the likeliest first."""


NOTHING = Background()


def background(incident: Incident, runs: Sequence[Run]) -> Background:
    """``runs`` are those of the incident's table, the latest first."""
    good = _last_good(incident, runs)
    current = next((r for r in runs if _bad_in(incident, r)), None)
    found = tuple(dict.fromkeys(_causes(incident, current, good))) if current is not None else ()
    last = LastGood(at=good.finished, scope=good.scope, version=good.version) if good is not None else None
    return Background(looked=len(runs), last_good=last, causes=found[:MOST_CAUSES])


def _last_good(incident: Incident, runs: Sequence[Run]) -> Run | None:
    """The latest that looked at what is bad now, else the latest of all."""
    passed = [r for r in runs if r.finished < incident.opened and _passed_in(incident, r)]
    same = (r for r in passed if covers(r.scope, incident.since) or r.scope == incident.since)
    return next(same, next(iter(passed), None))


def _passed_in(incident: Incident, run: Run) -> bool:
    return any(r.check.id == incident.check and r.outcome is Outcome.PASSED for r in run.results)


def _bad_in(incident: Incident, run: Run) -> bool:
    return any(r.check.id == incident.check and r.bad for r in run.results)


def _causes(incident: Incident, current: Run, good: Run | None) -> Iterator[str]:
    others = [r for r in current.results if r.bad and r.check.id != incident.check]
    for result in others:
        if result.check.kind in DRIFT:
            yield f"The files are made in another way: {_said(result)}"
    if good is not None and current.version != good.version:
        yield (
            f"The contract changed: it is version {current.version} now,"
            f" and {good.version} in the last good run"
        )
    for result in others:
        if result.check.kind in LATE:
            yield f"The data is late: {_said(result)}"
    if good is not None and good.scope == current.scope and good.rows and current.rows is not None:
        share = current.rows / good.rows
        if share <= _FEWER or share >= _MORE:
            word = "fewer" if share < 1 else "more"
            yield f"There are far {word} rows: {current.rows:,}, and {good.rows:,} in the last good run"
    for result in others:
        if result.check.kind.startswith("anomaly"):
            yield f"Something else is unusual: {_said(result)}"


def _said(result: Result) -> str:
    title = result.check.title or result.check.id
    return f"{title} ({result.found})" if result.found else title
