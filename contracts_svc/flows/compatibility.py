"""Judging two versions of a contract, with what the rules need from outside."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from contracts_svc.compat.patterns import Answers
from contracts_svc.compat.rules_patterns import open_pairs
from contracts_svc.findings import Change
from contracts_svc.model import Contract

if TYPE_CHECKING:
    # The ports know the types of many libraries, which a quick command need not load.
    from contracts_svc.ports import PatternInclusion


def pattern_answers(
    changes: Iterable[Change], old: Contract, new: Contract, inclusion: PatternInclusion | None
) -> Answers:
    """How the patterns compare that these changes between two versions turn on; without the port,
    nothing is known."""
    if inclusion is None:
        return {}
    return {pair: inclusion.compare(*pair) for pair in open_pairs(changes, old, new)}
