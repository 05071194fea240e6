"""What findings and impacts come to, under a policy and with waivers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from contracts_svc.errors import ExitCode, Location
from contracts_svc.findings import ChangeKind, Finding, Severity
from contracts_svc.lineage.graph import Edge, EdgeType
from contracts_svc.verdict import Outcome, Policy, Waiver
from tests.core.demo_downstream import (
    DEMO_EDGES,
    DEP_DELAY,
    DEST,
    GATE,
    NOW,
    TAILNUM,
    column,
    decided,
    edge,
    finding,
)


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


# --- who has agreed ------------------------------------------------------------------------------


def agreed(of: Finding, approver: str) -> Waiver:
    return replace(waiver(of), approver=approver)


REMOVED = finding(ChangeKind.REMOVED, "flights.carrier", old=column("carrier"))
BOTH = ("executive-reporting", "finance")
"""Whose consumers break when flights.carrier is removed."""


@pytest.mark.parametrize(
    ("approvers", "missing"),
    [
        ((), BOTH),
        (("finance",), ("executive-reporting",)),
        (("lead@finance",), ("executive-reporting",)),
        (("@Finance ", "Executive-Reporting"), ()),
        (("somebody else",), BOTH),
    ],
)
def test_the_owner_of_each_breaking_consumer_must_agree(
    approvers: Sequence[str], missing: Sequence[str]
) -> None:
    verdict = decided((REMOVED,), waivers=[agreed(REMOVED, a) for a in approvers])
    assert sorted(verdict.must_agree) == sorted(missing)
    assert verdict.outcome is (Outcome.BLOCK if missing else Outcome.PASS)
    assert bool(verdict.waived) is not bool(missing)


def test_an_agreement_that_is_not_enough_is_told() -> None:
    verdict = decided((REMOVED,), waivers=[agreed(REMOVED, "finance")])
    assert verdict.reasons[-1] == "finance agreed to flights.carrier, which executive-reporting must do too"


@pytest.mark.parametrize(
    ("names", "approvers", "missing"),
    [
        (("consumers", "data-office"), ("finance",), ("data-office",)),
        (("data-office",), ("data-office",), ()),
        ((), ("anybody",), ()),
        ((), (), ()),
    ],
)
def test_a_policy_names_who_must_agree(
    names: tuple[str, ...], approvers: Sequence[str], missing: Sequence[str]
) -> None:
    policy = Policy(must_agree=names)
    verdict = decided((DEST,), policy=policy, waivers=[agreed(DEST, a) for a in approvers])
    assert verdict.must_agree == tuple(missing)
    assert verdict.outcome is (Outcome.PASS if approvers and not missing else Outcome.BLOCK)


def test_nobody_must_agree_to_what_does_not_block() -> None:
    assert decided((DEST,), policy=Policy(breaks=Outcome.WARN)).must_agree == ()


# --- what a policy makes of a finding ------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "outcome"),
    [(Severity.INFO, Outcome.PASS), (Severity.WARNING, Outcome.WARN), (Severity.ERROR, Outcome.BLOCK)],
)
def test_a_severity_by_policy_is_the_most_that_impacts_lead_to(severity: Severity, outcome: Outcome) -> None:
    graded = Policy(severities={DEST.rule: severity}).graded(replace(DEST, severity=Severity.ERROR))
    verdict = decided((graded,))
    assert verdict.outcome is outcome
    assert [i.level.value for i in verdict.impacts] == ["BREAKS"]
    assert ("the policy makes less of 1 change" in verdict.reasons) == (outcome is not Outcome.BLOCK)


def test_a_severity_of_the_rule_itself_limits_nothing() -> None:
    assert decided((replace(DEST, severity=Severity.INFO),)).outcome is Outcome.BLOCK


def test_a_contract_has_its_own_policy() -> None:
    own = {"flights": Policy(breaks=Outcome.WARN)}
    assert decided((DEST,), policies=own).outcome is Outcome.WARN
    assert decided((replace(DEST, contract="planes"),), policies=own).outcome is Outcome.BLOCK


@pytest.mark.parametrize(("alive", "outcome"), [(["flights"], Outcome.WARN), (["planes"], Outcome.BLOCK)])
def test_a_major_version_beside_the_old_one(alive: Sequence[str], outcome: Outcome) -> None:
    policy = Policy(major_version_with_old_alive=Outcome.WARN)
    assert decided((DEST,), policy=policy, old_alive=alive).outcome is outcome
    assert decided((DEST,), old_alive=alive).outcome is Outcome.BLOCK


def test_a_removal_without_its_deprecation_period_blocks_until_it_is_waived() -> None:
    policy = Policy(deprecation_days=30)
    verdict = decided((TAILNUM,), policy=policy)
    assert verdict.outcome is Outcome.BLOCK
    assert "flights.tailnum is removed without 30 days of deprecation" in verdict.reasons[1]
    assert verdict.ruling_of(TAILNUM).early
    assert decided((TAILNUM,), policy=policy, waivers=[waiver(TAILNUM)]).outcome is Outcome.PASS


def test_what_is_on_the_base_branch_already_is_told_and_does_not_block() -> None:
    verdict = decided((), on_base=(DEST,))
    assert (verdict.outcome, verdict.headline) == (
        Outcome.PASS,
        "PASS: 1 change is on the base branch already",
    )


def test_what_is_not_known_is_not_called_safe() -> None:
    mild = replace(GATE, contract="elsewhere")
    blind = [edge("flights", "b", reason="a script")]
    assert decided((mild,), blind).headline == "PASS: 1 change, nobody is known to be affected"
