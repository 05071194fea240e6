"""From a figure and its past to what is usual: the measurements of the kinds that compare with history."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from contracts_svc.anomaly import Point, Usual, usual
from contracts_svc.files import DataFile
from contracts_svc.model import Json
from contracts_svc.quality.kind import Values, is_number
from contracts_svc.quality.kinds_anomaly import AGE, ANOMALIES, DISTINCT, NULLS, SENSITIVITY, VOLUME
from contracts_svc.runs import WHOLE_TABLE, Check, Measurement

NO_HISTORY = "it compares with earlier runs, and there is no history of them here"


@dataclass(frozen=True, slots=True)
class PastFigure:
    """A figure that a run over some scope found."""

    at: datetime
    scope: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What is known of a table from before."""

    figures: Mapping[str, tuple[PastFigure, ...]] = field(default_factory=dict)
    """Check id -> what may be learned from, oldest first: nothing of failed or silenced runs."""
    newest: float | None = None
    """Seconds since 1970: the last change of a file that a run over the whole table saw before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """What is looked at now: when, where its clock hangs, which scope, and its files."""

    at: datetime
    zone: tzinfo
    scope: str
    files: Sequence[DataFile]


def against_history(
    measured: Iterable[Measurement], checks: Mapping[str, Check], past: Past | None, now: Now
) -> Iterator[Measurement]:
    """The same measurements; those of kinds that compare with history say what would be usual.

    ``checks`` is by id. Without enough of a past they are skipped, and keep their figure: later runs
    learn from it. ``past`` None: nothing keeps one.
    """
    for each in measured:
        check = checks[each.check]
        if check.kind not in ANOMALIES or each.error is not None or each.skipped is not None:
            yield each
        elif past is None:
            yield Measurement(check=each.check, skipped=NO_HISTORY)
        else:
            yield _judged(check, each.values, past, now)


def _judged(check: Check, values: Values, past: Past, now: Now) -> Measurement:
    value = _figure(check, values, past, now)
    if not is_number(value):
        why = str(value)
        return Measurement(check=check.id, values=_plain(values), skipped=why)
    known = {**_plain(values), "value": value}
    same = list(alike(past.figures.get(check.id, ()), now.scope))
    points = [Point(p.at, p.value) for p in same]
    found = usual(points, now.at, SENSITIVITY[check.kind], now.zone)
    if found is None:
        least = SENSITIVITY[check.kind].least_points
        why = f"its history is too short: {len(points)} of {least} runs to learn from"
        return Measurement(check=check.id, values=known, skipped=why)
    return Measurement(check=check.id, values={**known, **_range(check, found)})


def _plain(values: Values) -> dict[str, Json]:
    return {k: v for k, v in values.items() if v is not None}


def _range(check: Check, found: Usual) -> dict[str, Json]:
    bounds: dict[str, Json] = {"high": found.high, "median": found.median, "runs": found.points}
    if found.low != -math.inf:
        bounds["low"] = found.low
    return {**bounds, "usual": _told(check, found)}


def _told(check: Check, found: Usual) -> str:
    scale = {VOLUME: 1e-6, AGE: 1 / 3600, NULLS: 100, DISTINCT: 100}.get(check.kind, 1)
    unit = {VOLUME: " MB", AGE: " hours", NULLS: " %", DISTINCT: " %"}.get(check.kind, "")
    shown = replace(
        found,
        # No figure of ours is negative.
        low=found.low if found.low == -math.inf else max(0.0, found.low) * scale,
        high=found.high * scale,
        median=found.median * scale,
    )
    return shown.told(unit)


def _figure(check: Check, values: Values, past: Past, now: Now) -> Json:
    """The figure that is compared, or a text that says why there is none."""
    if check.kind in (VOLUME, AGE) and values.get("newest") is None:
        return "it is not known when its files were changed"
    if check.kind == AGE:
        return now.at.timestamp() - float(values["newest"])
    if check.kind == VOLUME:
        if past.newest is None:
            return "no earlier run tells which files are new"
        last = past.newest
        return float(sum(f.size for f in now.files if f.published and f.published.timestamp() > last))
    if "of" in values:
        return values["part"] / values["of"] if values["of"] else "there are no rows"
    return values.get("value")


def alike(figures: Iterable[PastFigure], scope: str) -> Iterator[PastFigure]:
    """The figures that one of this scope compares with: of the whole table, or of such partitions.

    Of a partition that was checked more than once only the last counts; of the one that is checked now
    none, since it is no second opinion on itself.
    """
    if scope == WHOLE_TABLE:
        yield from (f for f in figures if f.scope == scope)
        return
    keys = _keys(scope)
    if keys is None:
        return
    last = {f.scope: f for f in figures if f.scope != scope and _keys(f.scope) == keys}
    yield from sorted(last.values(), key=lambda f: f.at)


def comparable(scope: str) -> bool:
    """Whether a run over this scope can be compared with others: not one of what changed since a moment."""
    return scope == WHOLE_TABLE or _keys(scope) is not None


def _keys(scope: str) -> tuple[str, ...] | None:
    """``month=12, day=1`` -> its keys; None where the scope is no partition."""
    parts = scope.split(", ")
    if scope == WHOLE_TABLE or any("=" not in p or p.startswith("since ") for p in parts):
        return None
    return tuple(p.partition("=")[0] for p in parts)
