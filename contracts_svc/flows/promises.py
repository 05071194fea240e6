"""What a table promises, how each promise was kept last, and its figures over time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts_svc.model import Contract, Table
from contracts_svc.quality.plan import plan
from contracts_svc.quality.references import resolver
from contracts_svc.runs import WHOLE_TABLE, Check, Outcome, Result, Run, Unsupported

RUNS_LOOKED_AT = 30
"""Of a table, the latest, for how promises were kept and for figures over time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A check, and its last result where there is one."""

    check: Check
    last: Result | None = None
    run: Run | None = None
    """The run that found it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promised:
    """All that a table promises; ``unsupported`` is what no check can show."""

    promises: tuple[Promise, ...]
    unsupported: tuple[Unsupported, ...]


class Figure(StrEnum):
    """What a figure over time counts."""

    ROWS = "rows"
    SHARE = "share of the rows"
    VALUE = "value"


@dataclass(frozen=True, slots=True)
class Found:
    """A figure as one run found it."""

    at: datetime
    value: float
    bad: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """A figure over time, oldest first."""

    title: str
    figure: Figure
    found: tuple[Found, ...]


def promised(contract: Contract, table: Table, runs: Sequence[Run], others: Iterable[Contract]) -> Promised:
    """What the contract promises of a table. ``runs`` are its latest, newest first; ``others`` are the
    contracts that relationships may name."""
    by_file: Mapping[str, Contract] = {c.at.file: c for c in others}
    planned = plan(contract, table, target_of=resolver(contract, by_file))
    last: dict[str, tuple[Result, Run]] = {}
    for run in runs:
        for result in run.results:
            if result.outcome is not Outcome.SKIPPED:
                last.setdefault(result.check.id, (result, run))
    return Promised(
        promises=tuple(
            Promise(check=c, last=last[c.id][0], run=last[c.id][1]) if c.id in last else Promise(check=c)
            for c in planned.checks
        ),
        unsupported=planned.unsupported,
    )


def trends(runs: Sequence[Run], most: int) -> tuple[Trend, ...]:
    """Figures over time that these runs found (newest first), at most so many: rows first, then what was
    bad most often. Runs of the whole table and of parts of it are not mixed: those there are more of."""
    whole = [r for r in runs if r.scope == WHOLE_TABLE]
    parts = [r for r in runs if r.scope != WHOLE_TABLE]
    oldest = (whole if len(whole) >= len(parts) else parts)[::-1]
    rows = tuple(Found(r.finished, float(r.rows), False) for r in oldest if r.rows is not None)
    found = [Trend(title="Rows", figure=Figure.ROWS, found=rows)]
    checks = {result.check.id: result.check for run in oldest for result in run.results}
    made = [_trend(check, oldest) for check in checks.values()]
    made.sort(key=lambda t: -sum(f.bad for f in t.found))
    return tuple(t for t in (*found, *made) if len(t.found) > 1)[:most]


def _trend(check: Check, oldest: Sequence[Run]) -> Trend:
    results = [(run, r) for run in oldest for r in run.results if r.check.id == check.id]
    shares = [(run, r, _share(r)) for run, r in results]
    figure = Figure.SHARE if any(s is not None for _, _, s in shares) else Figure.VALUE
    values = shares if figure is Figure.SHARE else [(run, r, _value(r)) for run, r in results]
    found = tuple(Found(run.finished, v, r.bad) for run, r, v in values if v is not None)
    return Trend(title=check.title or check.id, figure=figure, found=found)


def _share(result: Result) -> float | None:
    """How much of the rows does not keep the promise, from 0 to 1."""
    return result.failing / result.rows if result.failing is not None and result.rows else None


def _value(result: Result) -> float | None:
    value = result.values.get("value")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
