"""Effects on nested columns: what a change of an object does to its parts, and of a part to the whole.

``address`` is the whole, ``address.city`` a part of it.
"""

from __future__ import annotations

from dataclasses import replace

from contracts_svc.impact_effects import Effect, Gone, Loosened, Noted, Retyped
from contracts_svc.impact_types import field_type
from contracts_svc.lineage.graph import ColumnRef, Edge, EdgeKind, EdgeType


def part_effect(effect: Effect, whole: ColumnRef, part: ColumnRef, dialect: str) -> Effect | None:
    """What an effect on the whole is to one who reads the part; None when it does not concern it."""
    if isinstance(effect, Retyped):
        return _retyped_part(effect, whole, part, dialect)
    if isinstance(effect, Loosened) and effect.guarantee != "required":
        # A limit of an object or array as such (its size, that it is unique) says nothing of a part.
        return None
    return effect


def _retyped_part(effect: Retyped, whole: ColumnRef, part: ColumnRef, dialect: str) -> Effect | None:
    path = (part.column or "").removeprefix(whole.column or "")
    before, after = (field_type(t, path, dialect) for t in (effect.before, effect.after))
    if before is not None and after == "":
        return Gone(f"is not in {whole} any more")
    return Retyped(before or None, after or None)


def copied_part(edge: Edge, part: ColumnRef) -> Edge | None:
    """The edge of the part, where the edge copies the whole; None where it does something else."""
    if edge.type is not EdgeType.IDENTITY or edge.target.column is None:
        return None
    rest = (part.column or "").removeprefix(edge.source.column or "")
    return replace(edge, source=part, target=ColumnRef(edge.target.dataset, edge.target.column + rest))


def whole_effect(effect: Effect, part: ColumnRef, edge: Edge) -> Effect | None:
    """What an effect on a part is to one who uses the whole otherwise than as a copy."""
    match effect:
        case Gone(how):
            return Noted(f"{part} in it {how}", may_break=True)
        case Retyped(_, after):
            return Noted(f"{part} in it becomes {after or 'another type'}", may_break=True)
        case Loosened(_, _, how):
            # What an expression makes of the whole is its own affair; what decides rows may rely on it.
            return None if edge.kind is EdgeKind.DIRECT else Noted(f"{part} in it {how}", may_break=True)
    return effect
