"""Verdicts on pairs of JSON Schemas, against suites that others wrote.

A row counts as agreeing when our BACKWARD verdict on the two schemas as contracts is the suite's. Where
it is not, the row must be of a kind that tests/data/suites/json_schema.yaml lists.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import yaml

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.findings import Finding, Severity
from contracts_svc.flows.compatibility import pattern_answers
from tests.suites.forms import ANYTHING, Form, NotExpressible
from tests.suites.json_schema import beside, contract, forms
from tests.support import DATA, case_rows

Row = dict[str, Any]
Pair = tuple[Form, Form]

LISTED = yaml.safe_load((DATA / "suites" / "json_schema.yaml").read_text(encoding="utf-8"))
NOT_EXPRESSIBLE: dict[str, str] = LISTED["not_expressible"]


def objects(pair: Pair) -> list[Pair]:
    return [(old, new) for old, new in beside(*pair) if old.type == new.type == "object"]


KINDS: dict[str, Callable[[Row, Pair], bool]] = {
    "schema registry's verdict on true": lambda row, pair: (
        row["suite"] == "karapace"
        and pair[1] == ANYTHING
        and bool(pair[0].union or pair[0].type not in (None, "object"))
    ),
    "property removed from a closed object": lambda row, pair: any(
        new.closed and old.properties.keys() - new.properties.keys() for old, new in objects(pair)
    ),
    "typed property added to an open object": lambda row, pair: any(
        not old.closed and any(new.properties[n] != ANYTHING for n in new.properties.keys() - old.properties)
        for old, new in objects(pair)
    ),
    "numbers in whole steps become integers": lambda row, pair: any(
        old.type == "number"
        and new.type == "integer"
        and float(old.limits.get("multipleOf", 0.5)).is_integer()
        for old, new in beside(*pair)
    ),
    "a step that is a binary fraction": lambda row, pair: any(
        not float(new.limits.get("multipleOf", 1)).is_integer() and "multipleOf" in old.limits
        for old, new in beside(*pair)
    ),
}


@dataclass(frozen=True)
class Outcome:
    """What became of a row. ``pair`` None: not expressible, for the reason ``kind``."""

    row: Row
    pair: Pair | None
    kind: str = ""
    found: tuple[Finding, ...] = ()

    @property
    def theirs(self) -> bool:
        return bool(self.row["expected"]["backward"])

    @property
    def ours(self) -> bool:
        return all(f.severity is not Severity.ERROR for f in self.found)

    def differs_by(self, listed: dict[str, Any]) -> bool:
        """Whether the row is of that kind, and the rule named there, alone, makes our verdict."""
        if self.pair is None or not KINDS[listed["kind"]](self.row, self.pair):
            return False
        errors = {f.rule for f in self.found if f.severity is Severity.ERROR}
        return listed["rule"] in {f.rule for f in self.found} and errors <= {listed["rule"]}


@cache
def outcomes() -> tuple[Outcome, ...]:
    found = []
    with PatternProcess() as inclusion:
        for row in case_rows("compat_json_schema"):
            try:
                pair = forms(row["old"], row["new"])
                old, new = (contract(f) for f in pair)
            except NotExpressible as error:
                found.append(Outcome(row, None, error.kind))
                continue
            changes = diff(old, new)
            known = pattern_answers(changes, old, new, inclusion)
            verdict = judge(changes, old, new, Mode.BACKWARD, patterns=known)
            found.append(Outcome(row, pair, found=verdict))
    return tuple(found)


def test_json_schemas_agree_or_differ_for_a_listed_reason(capsys: pytest.CaptureFixture[str]) -> None:
    counts: Counter[tuple[str, str]] = Counter()
    unexplained: list[tuple[object, ...]] = []
    for outcome in outcomes():
        if outcome.pair is None:
            counts["not expressible", outcome.kind] += 1
            if outcome.kind not in NOT_EXPRESSIBLE:
                unexplained.append((outcome.row["id"], outcome.kind))
            continue
        if outcome.ours == outcome.theirs:
            counts["agree", ""] += 1
            continue
        why = next((d["rule"] for d in LISTED["on_purpose"] if outcome.differs_by(d)), None)
        counts["differ on purpose", str(why)] += 1
        if why is None:
            unexplained.append((outcome.row["id"], outcome.row["old"], outcome.row["new"], outcome.theirs))
    report(counts, capsys)
    assert unexplained == []
    # A verdict that is always the commonest one agrees with 0.55 of all rows.
    expressible = sum(n for (outcome, _), n in counts.items() if outcome != "not expressible")
    assert expressible > 0.6 * sum(counts.values())
    assert counts["agree", ""] > 0.8 * expressible


@pytest.mark.parametrize("listed", LISTED["on_purpose"], ids=lambda d: str(d["rule"]))
def test_a_listed_difference_holds_for_every_row_of_its_kind(listed: dict[str, Any]) -> None:
    of_kind = [o for o in outcomes() if o.differs_by(listed)]
    assert of_kind, "no row is of this kind any more: remove it from the list"
    assert {o.theirs for o in of_kind} == {listed["theirs"]}
    assert {o.ours for o in of_kind} == {not listed["theirs"]}


def test_every_kind_has_its_predicate_and_its_reason() -> None:
    assert {d["kind"] for d in LISTED["on_purpose"]} == set(KINDS)
    assert all(len(d["why"].split()) > 8 for d in LISTED["on_purpose"])


def report(counts: Counter[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    """Printed past pytest's capture where CONTRACTS_SHOW_COUNTS=1 asks for it."""
    total = sum(counts.values())
    reasons = NOT_EXPRESSIBLE | {d["rule"]: " ".join(d["why"].split()) for d in LISTED["on_purpose"]}
    lines = [f"compat_json_schema: {total} rows"]
    for (outcome, kind), n in sorted(counts.items()):
        lines.append(
            f"  {outcome:<18} {n:>4} {n / total:>6.1%}  {kind}: {reasons.get(kind, '')}".rstrip(": ")
        )
    if os.environ.get("CONTRACTS_SHOW_COUNTS") == "1":
        with capsys.disabled():
            print("\n" + "\n".join(lines))
    else:
        print("\n".join(lines))
