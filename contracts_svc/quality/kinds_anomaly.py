"""Check kinds without thresholds: a figure against its own history.

A contract asks for them with the custom property ``anomalies`` (``off``, ``warn`` or ``fail``), at the
contract, a table or a column: what stands nearest holds. Without it there are none, since what is unusual
is not for that broken, and the shares of each column have to be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType

from sqlglot import exp

from contracts_svc.anomaly import Sensitivity
from contracts_svc.findings import Severity
from contracts_svc.model import Column, CustomProperty, Json
from contracts_svc.quality import texts
from contracts_svc.quality.kind import (
    CheckKind,
    Merge,
    Origin,
    Promises,
    Reads,
    Values,
    count_where,
    is_number,
)
from contracts_svc.quality.layout import Layout
from contracts_svc.runs import Check, Unsupported

PROPERTY = "anomalies"
LEVELS: Mapping[str, Severity | None] = MappingProxyType(
    {"off": None, "warn": Severity.WARNING, "fail": Severity.ERROR}
)
"""What the custom property may say."""

ROWS, VOLUME, AGE, NULLS, DISTINCT = (
    "unusual-row-count", "unusual-volume", "unusual-age", "unusual-nulls", "unusual-distinct",
)  # fmt: skip

SENSITIVITY: Mapping[str, Sensitivity] = MappingProxyType(
    {
        ROWS: Sensitivity(),
        VOLUME: Sensitivity(least_share=0.25),
        AGE: Sensitivity(least_share=0.25, least_amount=900, only_above=True),
        NULLS: Sensitivity(least_amount=0.01),
        DISTINCT: Sensitivity(least_share=0.25),
    }
)
"""Kind -> how unusual a figure must be."""

_NESTED = ("array", "object", "map", "vector")


def _nearest(*places: tuple[CustomProperty, ...]) -> CustomProperty | None:
    return next((c for custom in places for c in custom if c.property == PROPERTY), None)


def _level(stated: CustomProperty | None) -> Severity | str | None:
    """The severity that is asked for; None: off. A text says why it cannot be told."""
    if stated is None or stated.value is False:
        return None  # YAML reads a bare ``off`` as false
    written = str(stated.value).strip().lower()
    return LEVELS[written] if written in LEVELS else f"{written} is none of {', '.join(LEVELS)}"


def _stated(
    stated: CustomProperty | None, place: str, check: Callable[[Severity, CustomProperty], Check]
) -> Iterator[Check | Unsupported]:
    level = _level(stated)
    if stated is None or level is None:
        return
    if isinstance(level, Severity):
        yield check(level, stated)
    else:
        yield Unsupported(what=f"{place}: customProperties {PROPERTY}", reason=level, at=stated.at)


def _of_table(promises: Promises, *, kind: str, title: str) -> Iterator[Check | Unsupported]:
    table = promises.table

    def check(severity: Severity, stated: CustomProperty) -> Check:
        return Check(
            id=f"{table.name}.{kind}",
            kind=kind,
            table=table.name,
            severity=severity,
            title=title.format(table=table.name),
            at=stated.at,
        )

    found = _stated(_nearest(table.custom, promises.contract.custom), table.name, check)
    # One sentence about a value that cannot be read, not one for each kind.
    yield from (f for f in found if isinstance(f, Check) or kind == ROWS)


def _of_columns(promises: Promises, *, kind: str, title: str) -> Iterator[Check | Unsupported]:
    table = promises.table
    for column in table.columns:
        if kind == DISTINCT and (column.logical_type or "").lower() in _NESTED:
            continue

        def check(severity: Severity, stated: CustomProperty, column: Column = column) -> Check:
            return Check(
                id=f"{table.name}.{column.path}.{kind}",
                kind=kind,
                table=table.name,
                columns=(column.path,),
                severity=severity,
                title=title.format(column=column.path),
                at=stated.at,
            )

        stated = _nearest(column.custom, table.custom, promises.contract.custom)
        own = stated in column.custom and kind == NULLS
        found = _stated(stated, f"{table.name}.{column.path}", check)
        yield from (f for f in found if isinstance(f, Check) or own)


def _newest(check: Check, layout: Layout) -> Values:
    times = [f.published.timestamp() for f in layout.files if f.published is not None]
    return {"newest": max(times, default=None)}


def _count(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"value": exp.Count(this=exp.Star())}


def _nulls(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"part": count_where(reads.is_null), "of": exp.Count(this=exp.Star())}


def _distinct(reads: Reads) -> Mapping[str, exp.Expr]:
    return {"part": exp.ApproxDistinct(this=reads.value), "of": exp.Count(this=exp.Star())}


def _outside(check: Check, values: Values, now: datetime) -> Json:
    """1 when the figure is not usual, else 0."""
    value, high = values.get("value"), values.get("high")
    if value is None or high is None:
        return None
    return int(not values.get("low", value) <= value <= high)


def _found(check: Check, values: Values, now: datetime) -> str:
    return f"{shown(check.kind, values.get('value'))}; usually {values.get('usual', '')}".strip()


def shown(kind: str, value: Json) -> str:
    """A figure of a kind, for a person: ``1,234 rows``, ``2.5 MB``, ``3 hours``, ``2.26 %``."""
    if not is_number(value):
        return "nothing"
    if kind == ROWS:
        return f"{texts.figure(int(value))} rows"
    if kind == VOLUME:
        return f"{value / 1e6:,.3f} MB in new files"
    if kind == AGE:
        return f"{texts.duration(timedelta(seconds=max(0.0, value)))} since the newest file"
    return f"{100 * value:.2f} %"


def _usual(check: Check, what: str) -> str:
    return f"{what} as usual, by its own history"


def _kind(
    *,
    key: str,
    purpose: str,
    what: str,
    title: str,
    aggregates: Callable[[Reads], Mapping[str, exp.Expr]] | None = None,
    measure: Callable[[Check, Layout], Values] | None = None,
    merge: Mapping[str, Merge],
    columns: bool = False,
    whole: bool = False,
    footer: str = "",
) -> CheckKind:
    promised = _of_columns if columns else _of_table
    return CheckKind(
        key=key,
        purpose=purpose,
        source=f"customProperties {PROPERTY} ({', '.join(LEVELS)})",
        origin=Origin.SCAN if aggregates is not None else Origin.FOOTER,
        promised=partial(promised, kind=key, title=title),
        subject=partial(_usual, what=what),
        aggregates=aggregates,
        measure=measure,
        expected=partial(_usual, what=what),
        found=_found,
        figure=_outside,
        merge=merge,
        footer=footer,
        inside=False,
        whole_table=lambda check: whole,
    )


KINDS: tuple[CheckKind, ...] = (
    _kind(
        key=ROWS,
        purpose="Checks that there are about as many rows as there usually are.",
        what="as many rows",
        title="{table} has as many rows as usual",
        aggregates=_count,
        merge={"value": Merge.SUM},
        footer="always",
    ),
    _kind(
        key=VOLUME,
        purpose="Checks that about as much came in with new files since the last run as usually does.",
        what="as much in new files",
        title="as much came into {table} as usual",
        measure=_newest,
        merge={"newest": Merge.MAX},
        whole=True,
    ),
    _kind(
        key=AGE,
        purpose="Checks that the newest file is not older than it usually is.",
        what="as fresh",
        title="{table} is as fresh as usual",
        measure=_newest,
        merge={"newest": Merge.MAX},
        whole=True,
    ),
    _kind(
        key=NULLS,
        purpose="Checks that about as large a share of a column is NULL as usually is.",
        what="as large a share of NULLs",
        title="{column} is NULL as often as usual",
        aggregates=_nulls,
        merge={"part": Merge.SUM, "of": Merge.SUM},
        columns=True,
        footer="always, where the statistics count NULLs",
    ),
    _kind(
        key=DISTINCT,
        purpose="Checks that a column has about as many different values per row as it usually has.",
        what="as many different values per row",
        title="{column} has as many different values as usual",
        aggregates=_distinct,
        merge={"part": Merge.NEVER, "of": Merge.SUM},
        columns=True,
    ),
)
ANOMALIES = frozenset(k.key for k in KINDS)
