"""How our verdicts are held against a suite that others wrote.

A row agrees, or is of a kind that a contract cannot express, or differs on purpose: a rule of ours decides
otherwise wherever it is for the same thing. The kinds and their reasons stand in
``tests/data/compat_suites/<suite>.yaml``; what is of a kind is decided here and in the tests, by predicates
over the row and never by its id.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from contracts_svc.findings import Finding, Severity
from tests.support import DATA

Row = dict[str, Any]


@dataclass(frozen=True)
class Kinds:
    """The listed kinds of one suite."""

    not_expressible: dict[str, str]
    on_purpose: dict[str, Difference]


@dataclass(frozen=True)
class Difference:
    """``rule`` decides otherwise than the suite, whose verdict for rows of this kind is ``theirs``."""

    rule: str
    theirs: bool
    why: str


def kinds_of(suite: str) -> Kinds:
    """What is listed for this suite."""
    text = (DATA / "compat_suites" / f"{suite}.yaml").read_text(encoding="utf-8")
    listed = yaml.safe_load(text)
    differences = {name: Difference(**of) for name, of in listed.get("on_purpose", {}).items()}
    return Kinds(listed.get("not_expressible", {}), differences)


def errors(found: Iterable[Finding]) -> list[Finding]:
    """The findings for which a change is called incompatible."""
    return [f for f in found if f.severity is Severity.ERROR]


@dataclass
class Score:
    """What became of the rows of a suite."""

    suite: str
    kinds: Kinds
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    unexplained: list[Any] = field(default_factory=list)
    broken: list[Any] = field(default_factory=list)
    """Rows of a listed kind whose verdict is not what the list says of the kind."""

    def add(
        self,
        row: Any,
        ours: bool,
        theirs: bool,
        *,
        inexpressible: str | None,
        differences: Iterable[str],
    ) -> None:
        """Count a row. ``differences``: the listed kinds it is of, whatever the verdicts."""
        if inexpressible:
            self.counts["not expressible", inexpressible] += 1
            return
        listed = list(differences)
        # Of a listed kind every row has their verdict as listed, and ours is the other one.
        self.broken += [
            (kind, row)
            for kind in listed
            if self.kinds.on_purpose[kind].theirs is not theirs or ours is theirs
        ]
        if ours is theirs:
            self.counts["agree", ""] += 1
        elif listed:
            self.counts["differ on purpose", listed[0]] += 1
        else:
            self.unexplained.append(row)

    def check(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Nothing unexplained, nothing listed that no longer occurs; the counts are reported."""
        report(self.suite, self.counts, self.reasons(), capsys)
        assert self.unexplained == []
        assert self.broken == []
        met = {kind for outcome, kind in self.counts if outcome != "agree"}
        assert met == self.kinds.not_expressible.keys() | self.kinds.on_purpose.keys()

    def reasons(self) -> dict[str, str]:
        """Why, by kind."""
        return self.kinds.not_expressible | {
            kind: f"{of.rule}: {of.why}" for kind, of in self.kinds.on_purpose.items()
        }


Predicate = Callable[[Row], bool]


def kind_of(row: Row, predicates: dict[str, Predicate]) -> str | None:
    """The first kind that the row is of."""
    return next((kind for kind, holds in predicates.items() if holds(row)), None)


def report(
    suite: str,
    counts: Counter[tuple[str, str]],
    reasons: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Printed past pytest's capture where CONTRACTS_SHOW_COUNTS=1 asks for it."""
    total = sum(counts.values())
    lines = [f"{suite}: {total} rows"]
    for (outcome, kind), n in sorted(counts.items()):
        why = reasons.get(kind, "")
        lines.append(f"  {outcome:<18} {n:>4} {n / total:>6.1%}  {kind}{': ' if why else ''}{why}")
    if os.environ.get("CONTRACTS_SHOW_COUNTS") == "1":
        with capsys.disabled():
            print("\n" + "\n".join(lines))
    else:
        print("\n".join(lines))
