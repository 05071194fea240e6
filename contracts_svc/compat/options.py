"""What the rules for options of logical types have in common."""

from __future__ import annotations

from collections.abc import Callable

from contracts_svc.compat.fields import OPTION
from contracts_svc.compat.rule import ERROR, Draft, Rule, Scope, loosens, tightens
from contracts_svc.findings import Change

BEYOND = "values may come that readers were promised never to see"
OLD_DATA = "data written before may hold values that the new contract forbids"
ITSELF = "the opposite is the same change the other way round"


def on(*names: str) -> tuple[str, ...]:
    """What a rule for these options is called for."""
    return tuple(f"column.{OPTION}{name}" for name in names)


def pair(
    loose: Callable[[Change, Scope], Draft | None],
    tight: Callable[[Change, Scope], Draft | None],
    on: tuple[str, ...],
    what: str,
) -> tuple[Rule, Rule]:
    """The two rules of a limit that old readers rely on and that old data must keep."""
    names = [h.__name__.replace("_", "-") for h in (loose, tight)]
    return (
        Rule(
            id=names[0],
            purpose=f"Checks that {what} is not loosened beyond what readers were promised.",
            on=on,
            severities=loosens(ERROR),
            handler=loose,
            mirror=names[1],
        ),
        Rule(
            id=names[1],
            purpose=f"Checks that {what} is tightened only when old data keeps it.",
            on=on,
            severities=tightens(ERROR),
            handler=tight,
            mirror=names[0],
        ),
    )
