"""What an effect does at the far end of one edge: one function per kind of effect.

Each says how bad it is for the reader there, in one sentence, and which effect travels on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from contracts_svc.impact_effects import (
    BOUNDS,
    Effect,
    Gone,
    Late,
    Loosened,
    Noted,
    Retyped,
    Shaken,
    Stale,
    Unclear,
    values_of,
    within,
)
from contracts_svc.impact_sla import adds_up, amount_of, own_sla, sla_holds
from contracts_svc.impact_types import compare_alike, family, never_null, same_type
from contracts_svc.impact_walk import Level, Step, Walk, made, relation, used
from contracts_svc.lineage.graph import ColumnRef, Edge, EdgeKind, EdgeType
from contracts_svc.model import Column, Contract, SlaProperty, Table


def judge(walk: Walk, edge: Edge, effect: Effect, first: bool) -> Step:
    """What the effect, standing at the edge's source, does to its target."""
    return _JUDGES[type(effect)](walk, edge, effect, first)


def _gone(walk: Walk, edge: Edge, effect: Gone, first: bool) -> Step:
    onward: Effect = Stale() if edge.target.column is None else Gone("can no longer be made")
    source = edge.source.column or edge.source.dataset.name
    if not first:
        reason = f"{relation(edge)}, which can no longer be made"
    elif edge.kind is EdgeKind.DIRECT and edge.expression and edge.type is not EdgeType.IDENTITY:
        reason = f"{made(edge)}, and {edge.source} {effect.how}"
    elif edge.source.column is None:
        reason = f"{edge.target.dataset.name} reads {source}, which {effect.how}"
    else:
        reason = f"{relation(edge)}, which {effect.how}"
    return Step(level=Level.BREAKS, reason=reason, onward=onward)


def _stale(walk: Walk, edge: Edge, effect: Stale, first: bool) -> Step:
    reason = f"{edge.source.dataset.name} cannot be rebuilt, so what is read from it is stale"
    return Step(level=Level.MAY_BREAK, reason=reason, onward=effect)


def _unclear(walk: Walk, edge: Edge, effect: Unclear, first: bool) -> Step:
    reason = f"it reads {edge.source}, and it is not known whether that is affected"
    return Step(level=Level.UNKNOWN, reason=reason, onward=effect)


def _shaken(walk: Walk, edge: Edge, effect: Shaken, first: bool) -> Step:
    reason = f"it reads {edge.source}, which may come out different"
    return Step(level=Level.NOTIFY, reason=reason, onward=effect)


def _noted(walk: Walk, edge: Edge, effect: Noted, first: bool) -> Step:
    if not effect.may_break:
        return Step(level=Level.NOTIFY, reason=f"{relation(edge)}: {effect.how}")
    return Step(level=Level.MAY_BREAK, reason=f"{relation(edge)}: {effect.how}", onward=Shaken())


def _retyped(walk: Walk, edge: Edge, effect: Retyped, first: bool) -> Step:
    if edge.kind is EdgeKind.INDIRECT:
        return _compared(edge, effect)
    if edge.type is EdgeType.IDENTITY:
        new = effect
    else:
        new = Retyped(_result(walk, edge, "before"), _result(walk, edge, "after"))
    if new.before is None or new.after is None:
        return _untyped(edge, new, known=effect.after is not None)
    if same_type(new.before, new.after, edge.dialect):
        return Step(absorbed=f"{made(edge)}: {new.after} before and after")
    level, against = _type_promise(walk, edge, new.before, new.after)
    reason = f"{made(edge)}: it becomes {new.after}, {against}"
    return Step(level=level, reason=reason, onward=new)


def _result(walk: Walk, edge: Edge, when: str) -> str | None:
    """The target's type before or after, by all that is known so far to have changed."""

    def type_of(ref: ColumnRef) -> str | None:
        changed = walk.retyped.get(ref)
        if changed is None:
            return walk.world.type_of(ref)
        return changed.before if when == "before" else changed.after

    return walk.world.result_of(edge, type_of)


def _untyped(edge: Edge, new: Retyped, known: bool) -> Step:
    if not known or edge.type is EdgeType.IDENTITY:
        why = f"what becomes of the type of {edge.source} is not known"
    elif edge.expression:
        why = "the expression is not understood, so its type may change"
    else:
        why = "by an expression that is not known, so its type may change"
    joint = " " if why.startswith("by") else ": "
    return Step(level=Level.MAY_BREAK, reason=f"{made(edge)}{joint}{why}", onward=Retyped(None, None))


def _compared(edge: Edge, effect: Retyped) -> Step:
    before, after = effect.before, effect.after
    if before is None or after is None:
        reason = f"{used(edge)}, and what becomes of its type is not known"
        return Step(level=Level.MAY_BREAK, reason=reason, onward=Shaken())
    if not compare_alike(before, after, edge.dialect):
        reason = f"{used(edge)}, and {after} does not compare as {before} did"
        return Step(level=Level.MAY_BREAK, reason=reason, onward=Shaken())
    if edge.type in (EdgeType.JOIN, EdgeType.UNKNOWN) and not same_type(before, after):
        reason = f"{used(edge)}: it goes on working, but {after} may match other rows than {before}"
        return Step(level=Level.NOTIFY, reason=reason)
    return Step(absorbed=f"{used(edge)}: {after} compares as {before} did")


def _type_promise(walk: Walk, edge: Edge, before: str, after: str) -> tuple[Level, str]:
    """The level, and how the new type stands to what the target's contract promises."""
    name = edge.target.dataset.name
    if walk.world.contract(edge.target.dataset) is None:
        return Level.MAY_BREAK, f"where it was {before}, and no contract says what {name} can take"
    column = walk.world.column(edge.target)
    promised = (column.physical_type or column.logical_type) if column else None
    if column is None or promised is None:
        return Level.MAY_BREAK, f"where it was {before}, and {name} promises no type for it"
    if _as_promised(column, after, edge.dialect):
        return Level.NOTIFY, f"as {name} promises"
    if not _as_promised(column, before, edge.dialect):
        # The promise was not met before either, or the type worked out is not the real one.
        return Level.MAY_BREAK, f"where it was {before}, and {name} promises {promised}"
    return Level.BREAKS, f"but {name} promises {promised}"


def _as_promised(column: Column, type_: str, dialect: str) -> bool:
    if column.physical_type:
        return same_type(type_, column.physical_type, dialect)
    kind = family(type_, dialect).removesuffix(" with time zone")
    return column.logical_type in (kind, "number" if kind == "integer" else kind)


def _loosened(walk: Walk, edge: Edge, effect: Loosened, first: bool) -> Step:
    if edge.kind is EdgeKind.INDIRECT:
        return _relied_on(edge, effect)
    copies = edge.type in (EdgeType.IDENTITY, EdgeType.UNKNOWN)
    # NULL in gives NULL out of most expressions; any other guarantee is the expression's own affair.
    if not copies and (edge.type is EdgeType.AGGREGATION or effect.guarantee != "required"):
        return Step(absorbed=f"{made(edge)}, which is no copy: {edge.source} {effect.how}")
    if not copies and never_null(edge.expression, edge.dialect):
        return Step(absorbed=f"{made(edge)}, which is never NULL: {edge.source} {effect.how}")
    onward = effect if copies else None
    name = edge.target.dataset.name
    if walk.world.contract(edge.target.dataset) is None:
        if not copies:
            return Step(absorbed=f"{made(edge)}, which is no copy: {edge.source} {effect.how}")
        return Step(level=Level.NOTIFY, reason=f"{made(edge)}, which {effect.how}", onward=onward)
    column = walk.world.column(edge.target)
    kept, level = _same_promise(column, effect) if column else (None, Level.UNAFFECTED)
    if kept is not False:
        # The values go on to whoever copies them from here, whatever is promised here.
        ends = not copies or not walk.world.graph.readers(edge.target)
        promise = "it still keeps what {} promises" if kept else "{} promises nothing of the kind for it"
        ending = f"{made(edge)}, and {promise.format(name)}"
        return Step(absorbed=ending if ends else "", onward=onward)
    if edge.type is not EdgeType.IDENTITY:
        level = Level.MAY_BREAK
    reason = f"{made(edge)}, which {effect.how}, but {name} promises {_promised(effect)}"
    return Step(level=level, reason=reason, onward=onward)


def _promised(effect: Loosened) -> str:
    words = {"required": "that it is never NULL", "unique": "that it is unique", "enum": "its values"}
    return words.get(effect.guarantee, effect.guarantee.removeprefix("quality:"))


def _same_promise(column: Column, effect: Loosened) -> tuple[bool | None, Level]:
    """Whether what the column's contract promises of the same kind is kept (None: it promises
    nothing of the kind), and the level when it is not."""
    metrics = {q.metric for q in column.quality if q.metric}
    match effect.guarantee:
        case "required":
            never = column.required or column.primary_key or metrics & {"nullValues", "missingValues"}
            return (False if never else None), Level.BREAKS
        case "unique":
            once = column.unique or "duplicateValues" in metrics
            return (False if once else None), Level.BREAKS
        case "enum":
            allowed = list(column.enum) or [v for q in column.quality for v in values_of(q)]
            kept = effect.now is not None and within("enum", effect.now, allowed)
            return (kept if allowed else None), Level.BREAKS
        case option if option in BOUNDS:
            bound = column.logical_type_options.get(option)
            kept = effect.now is not None and within(option, effect.now, bound)
            # Of patterns and formats it is not decided here which one lets more through.
            ordered = isinstance(bound, int | float) and option != "multipleOf"
            level = Level.BREAKS if ordered else Level.MAY_BREAK
            return (None if bound is None else kept), level
        case rule:
            stated = rule.removeprefix("quality:") in metrics
            return (False if stated else None), Level.MAY_BREAK


_LOST_ROWS = {
    "required": "rows where it is NULL are dropped silently",
    "unique": "rows may be multiplied",
    "enum": "the new value may be dropped silently",
}


def _relied_on(edge: Edge, effect: Loosened) -> Step:
    if edge.type in (EdgeType.JOIN, EdgeType.FILTER, EdgeType.UNKNOWN):
        filtered = edge.type is EdgeType.FILTER and effect.guarantee == "unique"
        if not filtered:
            means = _LOST_ROWS.get(effect.guarantee, "other rows may be kept or dropped")
            reason = f"{used(edge)}, which {effect.how}: {means}"
            if edge.type is EdgeType.FILTER and effect.guarantee == "enum":
                reason = f"`{edge.source}` is filtered in {edge.target}, and {effect.how}: {means}"
            return Step(level=Level.MAY_BREAK, reason=reason, onward=Shaken())
    if edge.type is EdgeType.CONDITIONAL and effect.guarantee in ("required", "enum"):
        reason = f"{used(edge)}, which {effect.how}: no branch may be meant for it"
        return Step(level=Level.NOTIFY, reason=reason)
    return Step(absorbed=f"{used(edge)}, and does not rely on it: {edge.source} {effect.how}")


def _late(walk: Walk, edge: Edge, effect: Late, first: bool) -> Step:
    promise = walk.world.promises.get(edge.target.dataset)
    now = f"{effect.property} of {_amount(effect.now)}" if effect.now else f"no {effect.property}"
    source = edge.source.dataset.name
    start = f"it reads {source}, for which {now} is promised now"
    if not first:
        start = f"it reads {source}, which is reached by it: {now} is promised upstream now"
    if promise is None:
        return Step(level=Level.NOTIFY, reason=start, onward=replace(effect, complete=False))
    own = own_sla(promise, effect.property)
    if adds_up(effect.property):
        return _added_up(edge, effect, promise, own, start)
    if own is None:
        return Step(onward=effect)
    words = f"{edge.target.dataset.name} promises {_amount(own)}"
    holds = sla_holds(effect.now, own) if effect.now else None
    if holds:
        return Step(absorbed=f"{start}, and {words}, which it still allows")
    if holds is None:
        return Step(level=Level.MAY_BREAK, reason=f"{start}, and {words}", onward=effect)
    return Step(level=Level.BREAKS, reason=f"{start}, but {words}", onward=effect)


def _added_up(
    edge: Edge, effect: Late, promise: tuple[Contract, Table], own: SlaProperty | None, start: str
) -> Step:
    """A latency: what came upstream, and what the target takes on top until it runs again."""
    name = edge.target.dataset.name
    every = own_sla(promise, "frequency")
    wait = amount_of(every) if every else None
    passed = wait if wait is not None else (amount_of(own) if own else None)
    onward = replace(
        effect,
        least=effect.least.plus(wait or 0.0),
        most=effect.most.plus(passed or 0.0),
        hops=effect.hops if passed is None else (*effect.hops, f"{passed:g} h of {name}"),
        complete=effect.complete and passed is not None,
    )
    limit = amount_of(own) if own else None
    if own is None:
        return Step(onward=onward)
    least, most = effect.least.plus(wait or 0.0), effect.most.plus(wait or 0.0)
    words = f"{name} promises {_amount(own)}"
    if limit is None or most.after is None:
        return Step(level=Level.MAY_BREAK, reason=f"{start}, and {words}", onward=onward)
    hops = (*effect.hops, f"{wait:g} h until {name} runs again") if wait is not None else effect.hops
    total = f"{start}; with {' and '.join(hops)} that is {most.after:g} h" if hops else start
    if least.goes_beyond(limit) or most.goes_beyond(limit):
        return Step(level=Level.BREAKS, reason=f"{total}, but {words}", onward=onward)
    if most.after > limit:
        reason = f"{total}, and {words}, which it may have missed before"
        return Step(level=Level.MAY_BREAK, reason=reason, onward=onward)
    if wait is not None and effect.complete:
        return Step(absorbed=f"{total}, and {words}, which it still allows")
    reason = f"{start}, and {words}, and its own time comes on top"
    return Step(level=Level.MAY_BREAK, reason=reason, onward=onward)


def _amount(sla: SlaProperty) -> str:
    return f"{sla.value} {sla.unit}" if sla.unit else str(sla.value)


_JUDGES: dict[type[Any], Callable[[Walk, Edge, Any, bool], Step]] = {
    Gone: _gone,
    Stale: _stale,
    Retyped: _retyped,
    Loosened: _loosened,
    Late: _late,
    Noted: _noted,
    Shaken: _shaken,
    Unclear: _unclear,
}
