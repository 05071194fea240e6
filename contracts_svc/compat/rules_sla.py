"""Rules for service levels."""

from __future__ import annotations

from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    parts,
    shown,
    tightens,
)
from contracts_svc.compat.sameness import same
from contracts_svc.compat.service_levels import known_as, moved
from contracts_svc.compat.thresholds import Strictness
from contracts_svc.findings import Change
from contracts_svc.model import Json, SlaProperty

_WEAKER = {
    "latency": "data arrives later than readers plan for, and so does all that they make of it",
    "frequency": "data is renewed less often than readers plan for",
    "retention": "data that readers still look back at is deleted",
    "availability": "the data is out of reach for longer than readers allow for",
    "throughput": "reading takes longer than readers allow for",
    "errorrate": "more of what readers get is wrong",
    "endofsupport": "help ends before readers have planned to move",
    "endoflife": "the data ends before readers have planned to move",
    "generalavailability": "the data is ready for use later than readers plan for",
    "timeofavailability": "the data of the day is there later than readers plan for",
    "timetodetect": "problems stay undetected for longer than readers allow for",
    "timetonotify": "readers hear of problems later than they allow for",
    "timetorepair": "problems last longer than readers allow for",
}


def sla_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"service level {_named(change.new)} is promised: {_level(change.new)}",
        why="readers can rely on more; data published before has not been held to it",
        fix="measure the level before promising it",
    )


def sla_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"service level {_named(change.old)} is no longer promised, before {_level(change.old)}",
        why=_WEAKER.get(known_as(change.old.property), "readers lose a promise that they may plan with"),
        fix="keep the promise, or loosen it with notice and have readers agree",
    )


def sla_loosened(change: Change, scope: Scope) -> Draft | None:
    if moved(change.old, change.new) is not Strictness.LOOSENED:
        return None
    return Draft(
        values=_promises(change),
        message=_message(change, "loosened"),
        why=_WEAKER.get(known_as(change.new.property), "readers get less than they were promised"),
        fix="keep the level until the readers that plan with it have agreed",
    )


def sla_tightened(change: Change, scope: Scope) -> Draft | None:
    if moved(change.old, change.new) is not Strictness.TIGHTENED:
        return None
    return Draft(
        values=_promises(change),
        message=_message(change, "tightened"),
        why="readers are promised more; what was published before need not keep it",
        fix="measure the level before promising it",
    )


def sla_changed(change: Change, scope: Scope) -> Draft | None:
    same_elements = _elements(change.old) == _elements(change.new)
    if moved(change.old, change.new) is not Strictness.CHANGED and same_elements:
        return None
    elements = "" if same_elements else f", on {shown(change.old.element)} -> {shown(change.new.element)}"
    return Draft(
        values=_promises(change),
        message=_message(change, "changed") + elements,
        why="whether more or less is promised than before cannot be told",
        fix="state value and unit as a number with a unit, or have readers agree",
    )


def sla_words_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = change.old, change.new
    names = ("id", "driver", "schedule", "extra")
    texts = [n for n in names if not same(getattr(old, n), getattr(new, n))]
    same_level = moved(old, new) is Strictness.SAME and _elements(old) == _elements(new)
    if not texts and (not same_level or same(_written(old), _written(new))):
        return None
    return Draft(
        message=f"service level {_named(new)} is described otherwise: {_level(old)} -> {_level(new)}"
        + (f" ({', '.join(texts)})" if texts else ""),
        why="the same is promised as before" if same_level else "this part of it promises nothing",
        fix="nothing to do",
        values=parts(change, (*names, *_PROMISED) if same_level else names),
    )


_PROMISED = ("property", "value", "value_ext", "unit", "element")


def _written(sla: SlaProperty) -> tuple[object, ...]:
    return (sla.property, sla.value, sla.unit, sla.element)


def _promises(change: Change) -> tuple[Json, Json]:
    return parts(change, _PROMISED)


def _message(change: Change, what: str) -> str:
    return f"service level {_named(change.new)}: {_level(change.old)} -> {_level(change.new)} ({what})"


def _named(sla: SlaProperty) -> str:
    return sla.property + (f" of {sla.element}" if sla.element else "")


def _level(sla: SlaProperty) -> str:
    extra = f" ({shown(sla.value_ext)})" if sla.value_ext is not None else ""
    return shown(sla.value) + (f" {sla.unit}" if sla.unit else "") + extra


def _elements(sla: SlaProperty) -> frozenset[str]:
    return frozenset(e.strip() for e in (sla.element or "").split(",") if e.strip())


RULES = (
    Rule(
        id="sla-added",
        purpose="Checks that a service level promised for the first time can be kept.",
        on=("sla.added",),
        severities=tightens(WARNING),
        handler=sla_added,
        mirror="sla-removed",
    ),
    Rule(
        id="sla-removed",
        purpose="Checks that a promised service level stays promised.",
        on=("sla.removed",),
        severities=loosens(ERROR),
        handler=sla_removed,
        mirror="sla-added",
    ),
    Rule(
        id="sla-loosened",
        purpose="Checks that no less is promised of a service level than before.",
        on=("sla.changed",),
        severities=loosens(ERROR),
        handler=sla_loosened,
        mirror="sla-tightened",
    ),
    Rule(
        id="sla-tightened",
        purpose="Checks that more is promised of a service level only when it can be kept.",
        on=("sla.changed",),
        severities=tightens(WARNING),
        handler=sla_tightened,
        mirror="sla-loosened",
    ),
    Rule(
        id="sla-changed",
        purpose="Checks that a changed service level can be compared with the old one.",
        on=("sla.changed",),
        severities=both_ways(WARNING),
        handler=sla_changed,
        mirror="the opposite is the same change the other way round",
    ),
    Rule(
        id="sla-words-changed",
        purpose="Checks that a service level described otherwise still promises the same.",
        on=("sla.changed",),
        severities=both_ways(INFO),
        handler=sla_words_changed,
        mirror="the opposite is the same change the other way round",
    ),
)
