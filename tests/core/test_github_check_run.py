"""A verdict as a check run and as the comment: within GitHub's limits, and nothing in a contract steers it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest

from contracts_svc.errors import CouldNotCheck, Location, Problem, UserMistake
from contracts_svc.findings import ChangeKind, Finding, Severity
from contracts_svc.github.check_run import (
    ANNOTATIONS_PER_REQUEST,
    LONGEST_TEXT,
    MOST_ANNOTATIONS,
    CheckReport,
    Conclusion,
    Level,
    check_of_error,
    check_of_verdict,
    concluded,
    superseded,
)
from contracts_svc.github.comment import LONGEST_COMMENT, MARKER, brief, comment_body, mistake_body
from contracts_svc.github.signoff import Opinion, Override, People, Stance, asked, sign_off
from contracts_svc.policy import Outcome
from tests.core.demo_downstream import DEMO_FINDINGS, DEP_DELAY, edge, finding
from tests.core.test_render_formats import HOSTILE
from tests.core.test_render_verdict import DEST_WAIVER, NASTY, PARSER, decided, markup
from tests.support import shared

CORPUS = list(dict.fromkeys([*HOSTILE, *NASTY]))


def output_schema() -> Any:
    """What GitHub takes as the output of a check run."""
    paths = json.loads(shared("cases/github/openapi_subset.json").read_text())["paths"]
    body = paths["/repos/{owner}/{repo}/check-runs"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    return jsonschema_rs.validator_for(body["properties"]["output"])


def as_output(report: CheckReport, batch: int = 0) -> dict[str, Any]:
    batches = list(report.batches()) or [()]
    return {
        "title": report.title,
        "summary": report.summary,
        "text": report.text,
        "annotations": [
            {
                "path": a.path,
                "start_line": a.line,
                "end_line": a.line,
                "start_column": a.column,
                "end_column": a.column,
                "annotation_level": a.level.value,
                "message": a.message,
                "title": a.title,
            }
            for a in batches[batch]
        ],
    }


@pytest.mark.parametrize(
    ("verdict", "conclusion"),
    [
        (decided(), Conclusion.ACTION_REQUIRED),
        (decided(()), Conclusion.SUCCESS),
        (decided([f for f in DEMO_FINDINGS if f.column == "tailnum"]), Conclusion.NEUTRAL),
        (replace(decided(), must_agree=()), Conclusion.FAILURE),
        (decided(could_not_check=["lineage: timeout"]), Conclusion.FAILURE),
    ],
)
def test_conclusions(verdict: Any, conclusion: Conclusion) -> None:
    assert concluded(verdict) is conclusion
    assert check_of_verdict(verdict).conclusion is conclusion


def test_what_could_not_be_checked_may_be_neutral_by_policy() -> None:
    verdict = decided(could_not_check=["lineage: timeout"])
    assert verdict.outcome is Outcome.COULD_NOT_CHECK
    assert concluded(verdict, could_not_check=Conclusion.NEUTRAL) is Conclusion.NEUTRAL
    error = CouldNotCheck("the lineage", "timeout", "try again")
    assert check_of_error(error).conclusion is Conclusion.FAILURE
    told = check_of_error(error, could_not_check=Conclusion.NEUTRAL)
    assert (told.conclusion, told.title) == (Conclusion.NEUTRAL, r"COULD_NOT_CHECK: the lineage: timeout")
    assert "timeout" in told.summary
    assert "try again" in told.text


def test_the_demo_as_annotations() -> None:
    report = check_of_verdict(decided(waivers=[DEST_WAIVER]), link="https://ci.example/1")
    said = [(a.level, a.title, a.path, a.line, a.column) for a in report.annotations]
    worst = (
        Level.FAILURE,
        "TYPE_NARROWED: flights.dep_delay.physicalType",
        "contracts/flights.odcs.yaml",
        12,
        5,
    )
    assert said[0] == worst
    assert len(said) == len(DEMO_FINDINGS)
    assert any("(waived)" in title and level is Level.NOTICE for level, title, *_ in said)
    assert list(output_schema().iter_errors(as_output(report))) == []


def test_mistakes_are_annotated_at_their_place() -> None:
    problems = [
        Problem(Location("a.odcs.yaml", 3, 7), "unknown key 'x'", "remove it"),
        Problem(None, "no base"),
    ]
    report = check_of_error(UserMistake(problems))
    (note,) = report.annotations
    assert (note.path, note.line, note.column, note.level) == ("a.odcs.yaml", 3, 7, Level.FAILURE)
    assert note.message == "unknown key 'x'\nfix: remove it"
    assert (report.conclusion, "no base" in report.text) == (Conclusion.FAILURE, True)


def many(count: int) -> list[Finding]:
    return [finding(ChangeKind.REMOVED, f"flights.c{n}", line=n + 1) for n in range(count)]


def test_all_annotations_come_in_batches_that_github_takes() -> None:
    report = check_of_verdict(decided(many(321)))
    sizes = [len(b) for b in report.batches()]
    assert (sizes, sum(sizes)) == ([50] * 6 + [21], 321)
    assert [len(b) for b in report.batches(already=300)] == [21]
    for batch in range(len(sizes)):
        assert list(output_schema().iter_errors(as_output(report, batch))) == []
    assert output_schema_limit() == ANNOTATIONS_PER_REQUEST


def output_schema_limit() -> int:
    paths = json.loads(shared("cases/github/openapi_subset.json").read_text())["paths"]
    body = paths["/repos/{owner}/{repo}/check-runs"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    limit: int = body["properties"]["output"]["properties"]["annotations"]["maxItems"]
    return limit


def test_of_very_many_the_rest_is_counted() -> None:
    report = check_of_error(
        UserMistake(Problem(Location("a.yaml", n + 1, 1), "x" * 50) for n in range(MOST_ANNOTATIONS + 7))
    )
    assert len(report.annotations) == MOST_ANNOTATIONS
    assert "7 more are in the report" in report.summary
    assert len(report.text.encode()) <= LONGEST_TEXT
    assert "more" in report.text.splitlines()[-1]


def test_long_texts_are_cut_with_a_count_and_a_link() -> None:
    edges = [edge("flights.c0", f"reader{n}{'é' * 200}.x") for n in range(900)]
    verdict = decided(many(1), edges)
    report = check_of_verdict(verdict, summary=brief(verdict), link="https://ci.example/1")
    assert len(report.text.encode()) <= LONGEST_TEXT
    assert len(report.summary) <= LONGEST_TEXT
    assert "more consumers" in report.text
    assert "[The whole report](https://ci.example/1)" in report.text
    assert "and 880 more" in report.summary
    assert len(comment_body(verdict, link="https://ci.example/1")) <= LONGEST_COMMENT


def test_the_comment_of_the_demo() -> None:
    verdict = decided(waivers=[DEST_WAIVER])
    text = comment_body(verdict, link="https://ci.example/1")
    assert text.startswith(f"{MARKER}\n**BLOCK: 1 change breaks 1 consumer; finance must agree**")
    assert "- carrier_scorecard (finance) breaks: flights.dep_delay" in text
    assert "flights.dest breaks" not in text
    assert "Must agree:\n\n- finance" in text
    assert "Waived:\n\n- lead@\u2060finance: flights.dest" in text
    assert text.endswith("[The whole report](https://ci.example/1)")
    assert mistake_body(["x: y"]).startswith(MARKER)


def test_the_comment_tells_how_the_sign_off_stands() -> None:
    verdict = decided()
    people = People(logins={"finance": frozenset({"ada", "bob"})}, administrators=frozenset({"root"}))
    seen = asked(verdict)

    def told(*opinions: Opinion, overrides: tuple[Override, ...] = ()) -> str:
        return brief(verdict, sign_off(verdict, opinions, people, overrides=overrides))

    assert "Must agree:\n\n- finance" in told()
    assert "Agreed:\n\n- finance (ada): flights.d" in told(
        Opinion(user="ada", stance=Stance.APPROVED, number=1, seen=seen)
    )
    objected = Opinion(user="bob", stance=Stance.CHANGES_REQUESTED, number=1, seen=seen)
    assert "Asks for a change:\n\n- finance (bob)" in told(objected)
    loud = told(overrides=(Override(user="root", reason="outage", seen=seen),))
    assert (
        "Overridden by an administrator:\n\n- flights.dep_delay.physicalType: override by root: outage"
        in loud
    )
    stranger = brief(verdict, sign_off(verdict, (), People()))
    assert "finance: no person or team of GitHub is configured" in stranger


def hostile_verdict(text: str) -> Any:
    said = finding(
        ChangeKind.REMOVED, "flights.dest", severity=Severity.ERROR, rule="COLUMN_REMOVED",
    )  # fmt: skip
    said = replace(said, message=text, fix=text, why=text, contract=text)
    waived = replace(DEST_WAIVER, fingerprint=DEP_DELAY.fingerprint, approver=text, reason=text)
    edges = [edge("flights.dest", f"x{text}.{text}"), edge("flights.dep_delay", f"b{text}.y")]
    return decided([said, DEP_DELAY], edges, waivers=[waived], could_not_check=[text])


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 40


@pytest.mark.parametrize("text", CORPUS, ids=lambda t: ascii(t)[:30])
def test_no_text_of_a_contract_steers_a_check_run_or_a_comment(text: str) -> None:
    verdict, harmless = hostile_verdict(text), hostile_verdict("plain")
    people = People(logins={text: frozenset({text})})
    opinion = Opinion(user=text, stance=Stance.APPROVED, number=1, seen=asked(verdict))
    override = Override(user="root", reason=text or "x", seen=frozenset())
    signed = sign_off(verdict, [opinion], people, overrides=[override])
    report = check_of_verdict(verdict, summary=brief(verdict, signed))
    body = comment_body(verdict, signed, link="https://ci.example/1")
    for markdown, model in (
        (report.summary, brief(harmless)),
        (report.text, check_of_verdict(harmless).text),
        (body, comment_body(harmless, link="https://ci.example/1")),
    ):
        assert markup(markdown) <= markup(model) | {"text", "softbreak"}
        links = [
            t.attrs.get("href")
            for tokens in PARSER.parse(markdown)
            for t in tokens.children or []
            if t.type == "link_open"
        ]
        assert set(links) <= {"https://ci.example/1"}
        assert "<script" not in PARSER.render(markdown)
    assert body.count(MARKER) == 1
    for note in report.annotations:
        assert note.message.isprintable() or "\n" in note.message
        assert not any(c in note.message + note.title for c in "\r\x1b\u202e\u2066\x00")
    json.dumps(as_output(report)).encode("utf-8")


@pytest.mark.parametrize(
    "path", ["../x.yaml", "/etc/passwd", "a/../b.yaml", "..", "", "a//b", "./../x", "C:/../x"]
)
def test_a_place_outside_of_the_repository_is_not_annotated(path: str) -> None:
    problem = Problem(Location(path, 1, 1), "wrong")
    assert check_of_error(UserMistake([problem])).annotations == ()


def test_a_superseded_run_says_by_what() -> None:
    report = superseded("c" * 40)
    assert (report.conclusion, report.title) == (Conclusion.CANCELLED, "superseded by cccccccccccc")
