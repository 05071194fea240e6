"""From a plan to the queries that measure it: one scan for all aggregates of the table.

What needs a grouping or a join, and what a user wrote, has a query of its own. An expression that
several checks need (``COUNT(*)``) is in the scan once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from contracts_svc.model import Json
from contracts_svc.quality.kind import CheckKind, Merge, Origin, Reads, count_where, table_named
from contracts_svc.quality.kinds import KIND_OF
from contracts_svc.quality.kinds_sql import WrongAnswer
from contracts_svc.quality.layout import Layout
from contracts_svc.quality.literals import NotComparable
from contracts_svc.quality.reach import any_element
from contracts_svc.runs import Check, Measurement, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One query, and what its answer says of which checks."""

    query: exp.Query
    sources: tuple[str, ...]
    """Names of the tables that it reads; the table that is checked comes first where it is read."""
    checks: tuple[str, ...]
    """Ids of the checks that it serves."""
    outputs: Mapping[str, tuple[tuple[str, str], ...]]
    """Column of the answer -> (check id, name of the figure), of each check that shares it. Empty for a
    query of a check's own, whose rows its kind reads."""


def fuse(
    plan: Plan, layout: Layout, *, done: Collection[exp.Expr] = (), asked: Collection[str] = ()
) -> tuple[Scan, ...]:
    """The queries that measure the plan on these files: the shared scan first, if there is one.

    Checks that cannot be measured on these files (see ``skipped``) are left out, and so are the
    aggregates that are ``done`` and the own queries of the checks that were ``asked`` otherwise.
    """
    able = [c for c in plan.checks if why_not(c, layout) is None]
    shared = scan(able, layout, done)
    own = (own_query(c, layout) for c in able if c.id not in asked)
    return tuple(s for s in (shared, *own) if s is not None)


def skipped(plan: Plan, layout: Layout) -> tuple[Measurement, ...]:
    """The checks of the plan that cannot be measured on these files, each with the reason."""
    found = ((c, why_not(c, layout)) for c in plan.checks)
    return tuple(Measurement(check=c.id, skipped=reason) for c, reason in found if reason is not None)


def footers(plan: Plan, layout: Layout) -> tuple[Measurement, ...]:
    """What the footers alone say."""
    return tuple(
        Measurement(check=c.id, values=measure(c, layout))
        for c in plan.checks
        if (measure := KIND_OF[c.kind].measure) is not None and why_not(c, layout) is None
    )


def why_not(check: Check, layout: Layout) -> str | None:
    """Why a check cannot be measured on these files, or None when it can."""
    kind = KIND_OF[check.kind]
    if kind.origin is Origin.HISTORY:
        return kind.judged
    if check.kind == "table-present":
        return None
    if not layout.files:
        return "there are no files"
    if check.kind == "missing-column":
        return None
    if kind.origin is Origin.FOOTER:
        absent = [c for c in check.columns if not layout.columns[c].variants]
        return "the column is missing" if absent else None
    if check.kind == "sql":
        return None
    for path in check.columns:
        reason = layout.why_not(path, typed=kind.typed)
        if reason is not None:
            return reason if len(check.columns) == 1 else f"{path}: {reason}"
    try:
        aggregates(check, layout)
        own_query(check, layout)
    except NotComparable as error:
        return str(error)
    return None


def reads(check: Check, layout: Layout) -> Reads:
    """What the check's kind may use to write its expressions."""
    return Reads(check=check, columns=tuple(layout.columns[p] for p in check.columns), layout=layout)


def aggregates(check: Check, layout: Layout) -> Mapping[str, exp.Expr]:
    """The figures of a check that the shared scan measures. Raises NotComparable."""
    kind = KIND_OF[check.kind]
    if kind.aggregates is not None:
        return kind.aggregates(reads(check, layout))
    if kind.origin is Origin.SCAN and kind.failing is not None:
        test = failing(check, layout)
        assert test is not None
        return {"failing": count_where(test), "rows": exp.Count(this=exp.Star())}
    return {}


def failing(check: Check, layout: Layout) -> exp.Expr | None:
    """True for the rows that break the check, or None where it is not about single rows."""
    kind = KIND_OF[check.kind]
    if kind.failing is None:
        return None
    given = reads(check, layout)
    elements = next((c.elements for c in given.columns if c.elements is not None), None)
    if elements is None:
        return kind.failing(given)
    # A join cannot be asked of the elements of a list.
    return any_element(elements, kind.failing(given)) if kind.origin is Origin.SCAN else None


def wanted(
    checks: Iterable[Check], layout: Layout
) -> Iterator[tuple[exp.Expr, Merge, tuple[tuple[str, str], ...]]]:
    """The aggregates that these checks need, each once: how it merges, and the check ids and names of
    figures that share it."""
    found: dict[str, tuple[exp.Expr, set[Merge], list[tuple[str, str]]]] = {}
    for check in checks:
        merges = KIND_OF[check.kind].merge
        for name, expression in aggregates(check, layout).items():
            text = expression.sql(dialect="duckdb")
            _, how, users = found.setdefault(text, (expression, set(), []))
            how.add(merges.get(name, Merge.NEVER))
            users.append((check.id, name))
    for expression, how, users in found.values():
        yield expression, how.pop() if len(how) == 1 else Merge.NEVER, tuple(users)


def scan(checks: Iterable[Check], layout: Layout, done: Collection[exp.Expr] = ()) -> Scan | None:
    """One query with every aggregate that these checks need and that is not done, or None when they
    need none."""
    rest = [(e, users) for e, _, users in wanted(checks, layout) if e not in done]
    if not rest:
        return None
    columns = {f"m{i}": pair for i, pair in enumerate(rest)}
    query = exp.select(*(exp.alias_(e, alias) for alias, (e, _) in columns.items()))
    return Scan(
        query=query.from_(table_named(layout.table.name)),
        sources=(layout.table.name,),
        checks=tuple(dict.fromkeys(check for _, users in rest for check, _ in users)),
        outputs={alias: users for alias, (_, users) in columns.items()},
    )


def own_query(check: Check, layout: Layout) -> Scan | None:
    """The query of a check's own, or None where it has none."""
    kind = KIND_OF[check.kind]
    if kind.own is None:
        return None
    own = kind.own(reads(check, layout))
    if own is None:
        return None
    return Scan(query=own.query, sources=own.sources, checks=(check.id,), outputs={})


def read(scan: Scan, rows: Sequence[Mapping[str, Json]], plan: Plan) -> tuple[Measurement, ...]:
    """What the answer of a scan says of the checks that it serves."""
    if scan.outputs:
        return tuple(_shared(scan, rows[0]))
    check = next(c for c in plan.checks if c.id in scan.checks)
    return (_own(check, KIND_OF[check.kind], rows),)


def _shared(scan: Scan, row: Mapping[str, Json]) -> Iterator[Measurement]:
    values: dict[str, dict[str, Json]] = {check: {} for check in scan.checks}
    for alias, users in scan.outputs.items():
        for check, name in users:
            values[check][name] = row[alias]
    for check, found in values.items():
        yield Measurement(check=check, values=found)


def _own(check: Check, kind: CheckKind, rows: Sequence[Mapping[str, Json]]) -> Measurement:
    assert kind.read is not None
    try:
        return Measurement(check=check.id, values=kind.read(check, rows))
    except WrongAnswer as error:
        return Measurement(check=check.id, error=str(error))


def combine(measurements: Iterable[Measurement]) -> tuple[Measurement, ...]:
    """One measurement per check, of all that measured a part of it; an error or a skip wins."""
    found: dict[str, Measurement] = {}
    for new in measurements:
        old = found.get(new.check)
        if old is None:
            found[new.check] = new
            continue
        found[new.check] = Measurement(
            check=new.check,
            values={**old.values, **new.values},
            error=old.error or new.error,
            skipped=old.skipped or new.skipped,
        )
    return tuple(found.values())
