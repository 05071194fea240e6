"""What findings and impacts come to, under a policy and with waivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts_svc.errors import ExitCode, Location
from contracts_svc.findings import ChangeKind, Finding, Severity
from contracts_svc.lineage.graph import Edge, EdgeType
from contracts_svc.verdict import Outcome, Policy, Verdict, Waiver, decide
from tests.core.demo_downstream import (
    DEMO_EDGES,
    DEMO_FINDINGS,
    DEP_DELAY,
    DEST,
    GATE,
    NOW,
    TAILNUM,
    assessed,
    column,
    edge,
    finding,
)


def decided(
    findings: Sequence[Finding] = DEMO_FINDINGS, edges: Sequence[Edge] = DEMO_EDGES, **more: object
) -> Verdict:
    return decide(findings, assessed(findings, edges), now=NOW, **more)  # type: ignore[arg-type]


def waiver(of: Finding, days: int = 7) -> Waiver:
    return Waiver(
        fingerprint=of.fingerprint,
        approver="lead@finance",
        reason="we move next week",
        expires=NOW + timedelta(days=days),
    )


def test_the_demo_blocks_until_finance_agrees() -> None:
    verdict = decided()
    assert verdict.outcome is Outcome.BLOCK
    assert verdict.exit_code == ExitCode.BROKEN
    assert verdict.must_agree == ("finance",)
    assert verdict.headline == "BLOCK: 2 changes break 1 consumer; finance must agree"
    assert verdict.reasons == (
        "2 changes break 1 consumer",
        "1 change may break 1 consumer",
        "1 breaking change affects nobody the lineage knows",
    )


def test_what_breaks_somebody_comes_first_whatever_its_severity() -> None:
    mild = replace(DEST, severity=Severity.WARNING)
    assert decided((GATE, TAILNUM, mild, DEP_DELAY)).findings == (DEP_DELAY, mild, TAILNUM, GATE)


NOT_READ = [edge("flights", "report", reason="a spreadsheet")]


@pytest.mark.parametrize(
    ("findings", "edges", "outcome", "exit_code", "headline"),
    [
        pytest.param((), (), Outcome.PASS, 0, "PASS: no changes", id="nothing"),
        pytest.param((GATE,), DEMO_EDGES, Outcome.PASS, 0, "PASS: 1 change, nobody is affected", id="added"),
        pytest.param(
            (TAILNUM,),
            DEMO_EDGES,
            Outcome.WARN,
            0,
            "WARN: 1 breaking change affects nobody the lineage knows",
            id="an error that nobody reads",
        ),
        pytest.param(
            (TAILNUM,),
            NOT_READ,
            Outcome.WARN,
            0,
            "WARN: it is not known whether report is affected",
            id="unknown",
        ),
        pytest.param(
            (finding(ChangeKind.CHANGED, "flights.carrier", field="required", old=True, new=False),),
            [edge("flights.carrier", "On-time performance", EdgeType.JOIN)],
            Outcome.WARN,
            0,
            "WARN: 1 change may break 1 consumer",
            id="may break",
        ),
        pytest.param(
            (DEST,),
            DEMO_EDGES,
            Outcome.BLOCK,
            1,
            "BLOCK: 1 change breaks 1 consumer; finance must agree",
            id="breaks",
        ),
    ],
)
def test_outcomes(
    findings: Sequence[Finding], edges: Sequence[Edge], outcome: Outcome, exit_code: int, headline: str
) -> None:
    verdict = decided(findings, edges)
    assert (verdict.outcome, verdict.exit_code, verdict.headline) == (outcome, exit_code, headline)


@pytest.mark.parametrize(
    ("policy", "findings", "outcome"),
    [
        (Policy(breaks=Outcome.WARN), (DEST,), Outcome.WARN),
        (Policy(may_break=Outcome.BLOCK, breaks=Outcome.PASS), (DEP_DELAY,), Outcome.BLOCK),
        (Policy(error_alone=Outcome.BLOCK), (TAILNUM,), Outcome.BLOCK),
        (Policy(error_alone=Outcome.PASS), (TAILNUM,), Outcome.PASS),
    ],
)
def test_the_policy_decides(policy: Policy, findings: Sequence[Finding], outcome: Outcome) -> None:
    verdict = decided(findings, policy=policy)
    assert (verdict.outcome, verdict.policy) == (outcome, policy)


def test_unknown_can_be_made_to_block() -> None:
    assert decided((TAILNUM,), NOT_READ, policy=Policy(unknown=Outcome.BLOCK)).outcome is Outcome.BLOCK


def test_a_waiver_counts_for_its_change_alone() -> None:
    verdict = decided((DEST, DEP_DELAY), waivers=[waiver(DEST)])
    assert verdict.outcome is Outcome.BLOCK
    assert verdict.waived == ((waiver(DEST), DEST),)
    assert verdict.waiver_of(DEST) == waiver(DEST)
    assert verdict.waiver_of(DEP_DELAY) is None
    assert "1 change is waived" in verdict.reasons


def test_when_all_is_waived_it_passes_and_the_impacts_are_still_shown() -> None:
    verdict = decided((DEST,), waivers=[waiver(DEST)])
    assert (verdict.outcome, verdict.must_agree) == (Outcome.PASS, ())
    assert verdict.headline == "PASS: 1 change is waived"
    assert [i.consumer.name for i in verdict.impacts_of(DEST)] == ["carrier_scorecard"]


def test_a_waived_error_that_nobody_reads_needs_no_warning() -> None:
    assert decided((TAILNUM,), waivers=[waiver(TAILNUM)]).outcome is Outcome.PASS


@pytest.mark.parametrize(("days", "outcome"), [(1, Outcome.PASS), (0, Outcome.BLOCK), (-1, Outcome.BLOCK)])
def test_a_waiver_ends(days: int, outcome: Outcome) -> None:
    verdict = decided((DEST,), waivers=[waiver(DEST, days)])
    assert verdict.outcome is outcome
    expired = [r for r in verdict.reasons if "expired" in r]
    assert bool(expired) == (outcome is Outcome.BLOCK)


def test_an_expired_waiver_is_named_unless_it_was_renewed() -> None:
    verdict = decided((DEST,), waivers=[waiver(DEST, -1)])
    assert verdict.reasons[-1] == "the waiver of lead@finance for flights.dest expired on 2026-03-01"
    renewed = decided((DEST,), waivers=[waiver(DEST, -1), waiver(DEST, 1)])
    assert not [r for r in renewed.reasons if "expired" in r]
    assert renewed.outcome is Outcome.PASS


def test_a_waiver_survives_moved_lines_and_not_a_changed_change() -> None:
    moved = replace(DEP_DELAY, at=Location("contracts/flights.odcs.yaml", 99, 1))
    assert DEP_DELAY.change is not None
    other = replace(DEP_DELAY, change=replace(DEP_DELAY.change, new="TINYINT"))
    assert decided((moved,), waivers=[waiver(DEP_DELAY)]).outcome is Outcome.PASS
    assert decided((other,), waivers=[waiver(DEP_DELAY)]).outcome is Outcome.BLOCK


def test_what_could_not_be_checked_is_neither_passed_nor_broken() -> None:
    verdict = decided((DEST,), could_not_check=["lineage: the service did not answer"])
    assert verdict.outcome is Outcome.COULD_NOT_CHECK
    assert verdict.exit_code == ExitCode.COULD_NOT_CHECK
    assert verdict.headline.startswith("COULD_NOT_CHECK: 1 thing could not be checked")
    assert "1 change breaks 1 consumer" in verdict.reasons


def test_each_team_is_asked_once() -> None:
    removed = finding(ChangeKind.REMOVED, "flights.carrier", old=column("carrier"))
    verdict = decided((DEST, removed, DEP_DELAY))
    assert sorted(verdict.must_agree) == ["executive-reporting", "finance"]
    assert verdict.headline.startswith("BLOCK: 3 changes break 2 consumers; ")
