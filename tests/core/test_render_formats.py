"""Every form of a verdict: what it says, that its standard takes it, and that no text can steer it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.cli.main import ReportFormat
from contracts_svc.errors import CouldNotCheck, Location, Problem, UserMistake
from contracts_svc.findings import ChangeKind, Finding, Severity, Suggestion
from contracts_svc.lineage.graph import EdgeType
from contracts_svc.policy import Outcome, Policy
from contracts_svc.render.approve import waivers_yaml
from contracts_svc.render.formats import FORMATS, About
from contracts_svc.render.github import github_text
from contracts_svc.render.json_text import json_text
from contracts_svc.render.junit import junit_text
from contracts_svc.render.markdown import LIMIT, verdict_markdown
from contracts_svc.render.places import as_uri
from contracts_svc.render.report import report_of_error, report_of_findings
from contracts_svc.render.sarif import sarif_text
from contracts_svc.verdict import Verdict, Waiver
from contracts_svc.waivers import read_waivers
from tests.core.demo_downstream import DEMO_FINDINGS, DEP_DELAY, DEST, NOW, TAILNUM, edge, finding
from tests.core.test_render_verdict import DEST_WAIVER, decided
from tests.support import DATA, ROOT, shared

HOSTILE: list[str] = json.loads((DATA / "render" / "hostile.json").read_text())
JSON_FORMS = ("json", "sarif", "gitlab-codequality")
ABOUT = About(
    line="1 changed contract",
    json={"base": "a" * 40, "head": "b" * 40, "mode": "FORWARD", "changed": [], "against": {}},
    link="https://ci.example/run/1",
)


def shown(form: str, verdict: Verdict) -> str:
    return FORMATS[form].verdict(verdict, ABOUT)


def waived() -> Verdict:
    return decided(waivers=[DEST_WAIVER], could_not_check=["lineage: timeout"])


def test_the_command_line_has_every_form() -> None:
    assert [f.value for f in ReportFormat] == list(FORMATS)


# --- what each form says -------------------------------------------------------------------------


@cache
def sarif_schema() -> Any:
    text = shared("schemas/sarif/sarif-schema-2.1.0.json").read_text()
    return jsonschema_rs.validator_for(json.loads(text))


@cache
def our_schema() -> Any:
    text = (ROOT / "contracts_svc" / "render" / "verdict.schema.json").read_text()
    return jsonschema_rs.validator_for(json.loads(text))


def sarif(verdict: Verdict) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shown("sarif", verdict))
    assert [str(e) for e in sarif_schema().iter_errors(found)] == []
    return found


def test_sarif_of_the_demo() -> None:
    (run,) = sarif(decided(waivers=[DEST_WAIVER]))["runs"]
    assert run["invocations"][0]["executionSuccessful"] is True
    rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
    found = [(rules[r["ruleIndex"]], r["level"], len(r.get("suppressions", ()))) for r in run["results"]]
    assert found == [
        ("TYPE_NARROWED", "error", 0),
        ("COLUMN_RENAMED", "note", 1),
        ("COLUMN_REMOVED", "warning", 0),
        ("COLUMN_ADDED", "note", 0),
    ]
    first = run["results"][0]
    assert first["partialFingerprints"] == {"contractChange/v1": DEP_DELAY.fingerprint}
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "contracts/flights.odcs.yaml"},
        "region": {"startLine": 12, "startColumn": 5},
    }
    assert run["results"][1]["suppressions"][0]["justification"] == "lead@finance: we move next week"


def test_sarif_of_what_could_not_be_checked() -> None:
    (run,) = sarif(waived())["runs"]
    assert run["invocations"][0] == {
        "executionSuccessful": False,
        "toolExecutionNotifications": [
            {"level": "error", "message": {"text": "could not check: lineage: timeout"}}
        ],
    }


def test_junit_of_the_demo() -> None:
    root = ET.fromstring(shown("junit", waived()))
    assert root.attrib == {
        "name": "contracts",
        "tests": "5",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    cases = {c.get("name", ""): [k.tag for k in c] for c in root.iter("testcase")}
    assert cases == {
        "TYPE_NARROWED: flights.dep_delay.physicalType": ["failure"],
        "COLUMN_RENAMED: flights.dest": ["skipped"],
        "COLUMN_REMOVED: flights.tailnum": ["system-out"],
        "COLUMN_ADDED: flights.gate": ["system-out"],
        "could not check": ["error"],
    }


def test_junit_of_nothing_has_one_test_that_passed() -> None:
    root = ET.fromstring(shown("junit", decided((), ())))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    assert [c.get("name") for c in root.iter("testcase")] == ["PASS: no changes"]


def test_github_of_the_demo() -> None:
    lines = shown("github", waived()).splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        "::error", "::warning", "::notice", "::notice", "::error", "::notice",
    ]  # fmt: skip
    assert lines[0].startswith(
        "::error file=contracts/flights.odcs.yaml,line=12,col=5,"
        "title=TYPE_NARROWED%3A flights.dep_delay.physicalType::flights.dep_delay changed%0ABREAKS"
    )
    assert lines[2].startswith(
        "::notice file=contracts/flights.odcs.yaml,line=30,col=5,"
        "title=COLUMN_RENAMED%3A flights.dest (waived)::"
    )
    assert lines[4] == "::error title=could not check::lineage: timeout"
    assert (
        lines[5]
        == "::notice title=contracts::COULD_NOT_CHECK: 1 thing could not be checked; finance must agree"
    )


def test_gitlab_of_the_demo() -> None:
    issues = json.loads(shown("gitlab-codequality", waived()))
    assert [(i["check_name"], i["severity"], i["location"]["lines"]["begin"]) for i in issues] == [
        ("TYPE_NARROWED", "critical", 12),
        ("COLUMN_RENAMED", "info", 30),
        ("COLUMN_REMOVED", "minor", 20),
        ("COLUMN_ADDED", "info", 40),
        ("could-not-check", "blocker", 1),
    ]
    assert len({i["fingerprint"] for i in issues}) == len(issues)
    assert issues[1]["description"].startswith("waived: ")


def variants() -> Iterator[Verdict]:
    yield decided((), ())
    yield waived()
    yield decided(policy=Policy(deprecation_days=30, breaks=Outcome.WARN))
    graded = Policy(severities={"COLUMN_REMOVED": Severity.WARNING}).graded(TAILNUM)
    yield decided((graded, replace(DEST, at=Location("", 0, 0))), on_base=(DEP_DELAY,))
    yield decided((finding(ChangeKind.REMOVED, "flights.x"),), [edge("flights", "b", reason="a script")])


def test_json_keeps_to_its_schema() -> None:
    for verdict in variants():
        found = json.loads(shown("json", verdict))
        assert [f"{e.instance_path}: {e}" for e in our_schema().iter_errors(found)] == []


def test_the_schema_of_json_lets_nothing_else_pass() -> None:
    found = json.loads(shown("json", waived()))
    found["verdict"]["findings"][0]["impacts"][0]["more"] = 1
    del found["verdict"]["coverage"]["stale"]
    assert len(list(our_schema().iter_errors(found))) == 2


def test_every_variant_is_sarif() -> None:
    for verdict in variants():
        sarif(verdict)


def test_a_finding_without_a_place_is_shown_without_one() -> None:
    verdict = decided((replace(DEST, at=Location("", 0, 0)),))
    assert "locations" not in sarif(verdict)["runs"][0]["results"][0]
    assert shown("github", verdict).startswith("::error title=COLUMN_RENAMED")
    assert json.loads(shown("gitlab-codequality", verdict))[0]["location"]["path"] == "."


def test_findings_without_a_verdict_go_by_their_severity() -> None:
    report = report_of_findings(DEMO_FINDINGS, "4 changes")
    assert [n.outcome for n in report.notes] == [Outcome.BLOCK] * 3 + [Outcome.PASS]


def test_mistakes_are_shown_at_their_places() -> None:
    problems = [Problem(Location("x.yaml", 3, 4), "no such key", "write 'y'"), Problem(None, "no base")]
    lines = github_text(report_of_error(UserMistake(reversed(problems)))).splitlines()
    assert lines[0] == "::error title=mistake%3A mistake::no base"
    assert lines[1].startswith("::error file=x.yaml,line=3,col=4,title=mistake%3A x.yaml::no such key%0Afix")
    assert lines[2:] == ["::notice title=contracts::2 mistakes in what was given"]


def test_a_run_that_could_not_check_is_no_empty_one() -> None:
    report = report_of_error(CouldNotCheck("the git repository", "an object is\nmissing"))
    found = json.loads(sarif_text(report))["runs"][0]["invocations"][0]
    assert found["executionSuccessful"] is False
    assert ET.fromstring(junit_text(report)).get("errors") == "1"
    assert "the git repository: an object is missing" in github_text(report)


# --- how to approve ------------------------------------------------------------------------------


def approvals(verdict: Verdict, reason: str = "agreed") -> tuple[Waiver, ...]:
    """What somebody gets who pastes the lines and writes the reasons."""
    text = "\n".join(line.replace("  reason:", f"  reason: {reason}") for line in waivers_yaml(verdict))
    return read_waivers(text.encode(), "w.yaml", now=NOW, most_days=90)


def test_what_is_pasted_approves() -> None:
    blocked = decided((DEST, DEP_DELAY))
    given = approvals(blocked)
    assert {w.approver for w in given} == {"finance"}
    assert {w.expires for w in given} == {NOW + timedelta(days=30)}
    after = decided((DEST, DEP_DELAY), waivers=given)
    assert after.must_agree == ()
    assert after.outcome is Outcome.PASS
    assert waivers_yaml(after) == ()


def test_every_form_for_people_has_the_lines_to_paste() -> None:
    blocked = decided((DEST,))
    for line in waivers_yaml(blocked):
        assert line in shown("text", blocked)
        assert line in shown("markdown", blocked)


def test_without_an_owner_anybody_may_approve() -> None:
    verdict = decided((TAILNUM,), policy=Policy(error_alone=Outcome.BLOCK))
    assert [w.approver for w in approvals(verdict)] == ["your name"]


def test_of_many_only_ten_are_written_out() -> None:
    many = [finding(ChangeKind.REMOVED, f"flights.c{n}") for n in range(14)]
    lines = waivers_yaml(decided(many, [edge(f"flights.c{n}", "b.y") for n in range(14)]))
    assert lines[-1] == "# and 4 more"
    assert sum(line.startswith("- fingerprint") for line in lines) == 10


# --- hostile texts -------------------------------------------------------------------------------


def poisoned(text: str) -> Verdict:
    """A verdict that says ``text`` wherever a contract, the lineage, a waiver or a policy can say something."""
    plain = text.replace(".", "_") or "x"
    removed = finding(ChangeKind.REMOVED, f"flights.{plain}", rule="column-removed")
    place = Location(text or "x", 3, 4)
    bad = replace(removed, message=text or "x", why=text, fix=text, contract=text, at=place)
    other = replace(DEST, message=text, severity=Severity.INFO, default_severity=Severity.ERROR)
    waiver = Waiver(
        fingerprint=other.fingerprint, approver=text, reason=text, expires=NOW + timedelta(days=1)
    )
    return decided(
        (bad, other, TAILNUM),
        [
            edge(f"flights.{plain}", f"b.{plain}"),
            edge("flights.dest", f"{plain}.y", EdgeType.JOIN),
            edge("flights", "c", reason=text),
        ],
        waivers=[waiver],
        policy=Policy(version=text, must_agree=(text or "x", "consumers")),
        could_not_check=[text],
    )


def unsafe(text: str) -> set[str]:
    """Characters that could steer a terminal, turn the direction of writing, or break the encoding."""
    return {
        c
        for c in text
        if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and c not in "\n\u2060"
    }


def disagreements(text: str) -> Iterator[str]:
    verdict = poisoned(text)
    forms = {form: shown(form, verdict) for form in FORMATS}
    for form, written in forms.items():
        written.encode()
        if found := unsafe(written):
            yield f"{form}: {text!r} leaves {found}"
        commands = [line for line in written.splitlines() if line.lstrip().startswith("::")]
        if form != "github" and (commands or re.search(r"##(?:\[|vso)", written)):
            yield f"{form}: {text!r} forms a command of a CI system"
    for form in JSON_FORMS:
        json.loads(forms[form])
    if errors := [str(e) for e in sarif_schema().iter_errors(json.loads(forms["sarif"]))]:
        yield f"sarif: {text!r}: {errors}"
    if errors := [str(e) for e in our_schema().iter_errors(json.loads(forms["json"]))]:
        yield f"json: {text!r}: {errors}"
    root = ET.fromstring(forms["junit"])
    if {e.tag for e in root.iter()} - {
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "error",
        "skipped",
        "system-out",
    }:
        yield f"junit: {text!r} forms an element"
    if len(list(root.iter("testcase"))) != 4:
        yield f"junit: {text!r} forms a test"
    for line in forms["github"].splitlines():
        if not re.fullmatch(r"::(?:error|warning|notice) [^:]*::[^\r\n]*", line):
            yield f"github: {text!r} forms {line[:80]}"
    if len(forms["github"].splitlines()) != 5:
        yield f"github: {text!r} forms a line"
    if len(forms["markdown"].encode()) > LIMIT or forms["markdown"].count("```") != 4:
        yield f"markdown: {text!r} is too long, or ends a block of code"


def test_no_text_steers_any_form() -> None:
    assert [told for text in HOSTILE for told in disagreements(text)] == []


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet=st.characters(codec=None), max_size=80))
def test_nor_does_any_other(text: str) -> None:
    assert list(disagreements(text)) == []


def test_the_names_that_must_agree_read_back_from_what_is_pasted() -> None:
    for text in HOSTILE:
        name = text.strip()
        if not name or unsafe(name) & set(map(chr, range(0xD800, 0xE000))):
            continue
        verdict = decided((DEST,), policy=Policy(must_agree=(name,)))
        found = yaml.safe_load("\n".join(waivers_yaml(verdict)))
        assert [w["approver"] for w in found] == [name], name


def test_json_keeps_every_text() -> None:
    for text in HOSTILE:
        assert json.loads(json_text({"x": text})) == {"x": text}


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("contracts/a.yaml", "contracts/a.yaml"),
        ("./a.yaml", "a.yaml"),
        ("a b/c#d?e%.yaml", "a%20b/c%23d%3Fe%25.yaml"),
        ("C:\\x\\y.yaml", "C%3A/x/y.yaml"),
        ("/abs/é.yaml", "file:///abs/%C3%A9.yaml"),
        ("http://evil.example", "http%3A//evil.example"),
        ("", "."),
    ],
)
def test_file_names_as_uris(file: str, uri: str) -> None:
    assert as_uri(file) == uri
    assert unquote(uri).removeprefix("file://") == (file.replace("\\", "/").removeprefix("./") or ".")


# --- size ----------------------------------------------------------------------------------------


def many(number: int, text: str = "long") -> Verdict:
    edges = [edge("flights.x", f"consumer_{n}.{text * 30}") for n in range(number)]
    return decided((finding(ChangeKind.REMOVED, "flights.x"),), edges)


@pytest.mark.parametrize("text", ["long", "漢字", "|*_`", "🙂"])
def test_markdown_is_cut_with_a_count_and_a_link(text: str) -> None:
    written = verdict_markdown(many(600, text), "https://ci.example/run/1?a=(b) c")
    assert len(written.encode()) <= LIMIT
    shown_consumers = written.count("### consumer")
    assert 0 < shown_consumers < 600
    last = written.rstrip().splitlines()[-1]
    assert last.startswith(f"Too long to show here: {600 - shown_consumers} more consumers that are affected")
    assert last.endswith("[The whole report](https://ci.example/run/1?a=%28b%29%20c).")
    assert "### Affected paths" in written
    assert "### Coverage" in written
    assert "### To approve" in written


def test_markdown_that_is_whole_says_nothing_of_being_cut() -> None:
    assert "Too long" not in verdict_markdown(many(3), "https://ci.example")


def test_markdown_within_its_limit_whatever_is_long() -> None:
    could_not = ["x" * 3000] * 100
    findings: list[Finding] = [
        replace(finding(ChangeKind.REMOVED, f"flights.c{n}"), message="@|" * 400, fix="`" * 900)
        for n in range(200)
    ]
    for verdict in (decided((), (), could_not_check=could_not), decided(findings, could_not_check=could_not)):
        written = verdict_markdown(verdict, "https://ci.example/" + "x" * 500)
        assert len(written.encode()) <= LIMIT
        assert written.startswith("## COULD")


def test_other_forms_grow_with_the_findings_alone() -> None:
    written = shown("github", many(2000))
    assert len(written.splitlines()[0]) < 12_000


def test_what_to_write_instead_ends_no_block_and_steers_nothing() -> None:
    for text in HOSTILE:
        suggestion = Suggestion(file=text, first=3, last=4, text=f"- name: x\n  {text}\n```\n````\n# {text}")
        verdict = decided((replace(DEST, suggestion=suggestion),))
        markdown = verdict_markdown(verdict)
        (block,) = re.findall(r"^(`{3,})suggestion\n(.*?)^\1$", markdown, re.MULTILINE | re.DOTALL)
        assert "# " in block[1], text
        assert len(block[0]) == 1 + max(len(run) for run in re.findall("`+", block[1]))
        plain = shown("text", verdict)
        assert not unsafe(plain.replace("\n", "")), text
        assert (
            json.loads(shown("json", verdict))["verdict"]["findings"][0]["suggestion"]["text"]
            == suggestion.text
        )
        sarif_schema().validate(json.loads(shown("sarif", verdict)))
