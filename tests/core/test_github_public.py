"""In a public repository nothing is told of consumers elsewhere but how many there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts_svc.errors import CouldNotCheck
from contracts_svc.findings import ChangeKind
from contracts_svc.github.check_run import CheckReport, Conclusion, check_of_error, check_of_verdict
from contracts_svc.github.comment import MARKER, comment_body
from contracts_svc.github.public import public_cause, public_check, public_comment
from contracts_svc.github.signoff import Opinion, People, Stance, asked, sign_off
from contracts_svc.lineage.graph import Consumer
from contracts_svc.policy import Policy
from contracts_svc.verdict import decide
from tests.core.demo_downstream import DEMO_EDGES, DEMO_FINDINGS, NOW, assessed, edge, finding
from tests.core.test_github_check_run import as_output, output_schema
from tests.core.test_render_verdict import DEST_WAIVER, PARSER, decided

ELSEWHERE = (
    "carrier_scorecard",
    "worst_dep_delay",
    "destinations",
    "On-time",
    "finance",
    "executive",
    "daily_delays",
    "punctuality",
    "mean_dep_delay",
)


def nobody(consumer: Consumer) -> bool:
    return False


def scorecard(consumer: Consumer) -> bool:
    return consumer.name == "carrier_scorecard"


def everything(report: CheckReport, comment: str) -> str:
    notes = [f"{a.title} {a.message} {a.path}" for a in report.annotations]
    return "\n".join([report.title, report.summary, report.text, comment, *notes])


def with_secrets() -> Any:
    """Whatever can carry a name of what lies elsewhere carries one."""
    removed = finding(ChangeKind.REMOVED, "flights.dest", rule="COLUMN_REMOVED")
    edges = [
        edge(
            "flights.dest", "secretdata.secretcolumn", expression='MAX("flights"."dest") + secretexpression'
        ),
        edge("secretdata.secretcolumn", "secretfurther.secretpart"),
        *DEMO_EDGES,
    ]
    return decide(
        [removed, *DEMO_FINDINGS], assessed([removed, *DEMO_FINDINGS], edges), now=NOW,
        waivers=[replace(DEST_WAIVER, approver="secretapprover", reason="secretreason")],
        policy=Policy(must_agree=("consumers", "secretteam")), could_not_check=["secretsource: secretcause"],
    )  # fmt: skip


@pytest.mark.parametrize(
    "verdict", [decided(), decided(waivers=[DEST_WAIVER]), with_secrets()], ids=["demo", "waived", "secrets"]
)
def test_nothing_of_what_lies_elsewhere_is_told(verdict: Any) -> None:
    people = People(logins={"finance": frozenset({"ada"}), "secretteam": frozenset({"bob"})})
    opinions = [
        Opinion(user=u, stance=Stance.APPROVED, number=1, seen=asked(verdict)) for u in ("ada", "bob")
    ]
    full = everything(check_of_verdict(verdict), comment_body(verdict))
    assert any(word in full for word in ELSEWHERE)
    for signed in (None, sign_off(verdict, opinions[:1], people), sign_off(verdict, opinions, people)):
        report = public_check(verdict, nobody, signed=signed)
        told = everything(report, public_comment(verdict, nobody, signed, "https://contracts.example/1"))
        assert [word for word in (*ELSEWHERE, "secret") if word in told] == []
        assert list(output_schema().iter_errors(as_output(report))) == []


def test_what_may_be_named_is() -> None:
    comment = public_comment(decided(), scorecard)
    assert comment.startswith(f"{MARKER}\n**BLOCK: 2 changes break 1 consumer**")
    assert "- carrier_scorecard breaks: flights.dest" in comment
    assert "- 1 consumer elsewhere" in comment
    assert "Must agree:\n\n- finance" in comment
    report = public_check(decided(), scorecard)
    assert report.conclusion is Conclusion.ACTION_REQUIRED
    assert any("breaks: carrier_scorecard" in a.message for a in report.annotations)
    assert any("and 1 consumer elsewhere" in a.message for a in report.annotations)
    assert "On-time" not in everything(report, comment)


def test_owners_elsewhere_are_counted() -> None:
    assert "Must agree:\n\n- 1 owner elsewhere" in public_comment(decided(), nobody)


def test_the_conclusion_is_the_same_as_in_a_private_repository() -> None:
    for verdict in (decided(), decided(()), decided(could_not_check=["x"]), decided(waivers=[DEST_WAIVER])):
        assert public_check(verdict, nobody).conclusion is check_of_verdict(verdict).conclusion


def test_names_that_may_be_shown_form_no_markup() -> None:
    verdict = decided(
        [finding(ChangeKind.REMOVED, "flights.x")], [edge("flights.x", "<b>[a](http://evil)*.y")]
    )
    comment = public_comment(verdict, lambda c: True)
    assert "<b>" not in PARSER.render(comment.removeprefix(MARKER))
    assert "href" not in PARSER.render(comment)


def test_why_something_could_not_be_checked_is_not_told() -> None:
    report = check_of_error(public_cause(CouldNotCheck("secretsource", "secretcause", "secrethint")))
    assert report.conclusion is Conclusion.FAILURE
    assert "secret" not in everything(report, "")
