"""The three renderings of a Verdict: what they say, and that nothing in a contract can steer them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from contracts_svc.findings import ChangeKind
from contracts_svc.render import path_text
from contracts_svc.render.json import finding_json, verdict_json
from contracts_svc.render.markdown import escape, verdict_markdown
from contracts_svc.render.text import verdict_text
from contracts_svc.verdict import Waiver
from tests.core.demo_downstream import (
    DEMO_FINDINGS,
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

DEST_WAIVER = Waiver(
    fingerprint=DEST.fingerprint,
    approver="lead@finance",
    reason="we move next week",
    expires=NOW + timedelta(days=7),
)

# --- text ----------------------------------------------------------------------------------------


def test_text_of_the_demo() -> None:
    narrowed = replace(DEP_DELAY, why="Values are cut.", fix="Keep DOUBLE.")
    findings = (narrowed, *(f for f in DEMO_FINDINGS if f != DEP_DELAY))
    assert (
        verdict_text(decided(findings, waivers=[DEST_WAIVER]), width=100)
        == f"""\
BLOCK: 1 change breaks 1 consumer; finance must agree
  also: 1 change may break 1 consumer
  also: 1 breaking change affects nobody the lineage knows
  also: 1 change is waived

error TYPE_NARROWED: flights.dep_delay changed
  at contracts/flights.odcs.yaml:12:5, fingerprint {DEP_DELAY.fingerprint}
  why: Values are cut.
  fix: Keep DOUBLE.
  must agree: finance
  BREAKS contract carrier_scorecard (finance): worst_dep_delay
      worst_dep_delay is MAX(dep_delay): it becomes SMALLINT, but carrier_scorecard promises DOUBLE
      flights.dep_delay -> carrier_scorecard.worst_dep_delay
  MAY_BREAK dashboard On-time performance (executive-reporting): worst_delay, a knock-on
      worst_delay is carrier_scorecard.worst_dep_delay: it becomes SMALLINT, where it was DOUBLE,
        and no contract says what On-time performance can take
      flights.dep_delay -> carrier_scorecard.worst_dep_delay -> On-time performance.worst_delay
  absorbed by daily_delays: mean_dep_delay is AVG(dep_delay): DOUBLE before and after
  absorbed by daily_delays: daily_delays.share_delayed decides by flights.dep_delay: SMALLINT
    compares as DOUBLE did

error COLUMN_RENAMED: flights.dest renamed
  at contracts/flights.odcs.yaml:30:5, fingerprint {DEST.fingerprint}
  waived by lead@finance until 2026-03-09 12:00 UTC: we move next week
  BREAKS contract carrier_scorecard (finance): destinations
      destinations is COUNT(DISTINCT dest), and flights.dest is renamed to destination
      flights.dest -> carrier_scorecard.destinations

error COLUMN_REMOVED: flights.tailnum removed
  at contracts/flights.odcs.yaml:20:5, fingerprint {TAILNUM.fingerprint}
  nobody reads it, as far as the lineage knows

info COLUMN_ADDED: flights.gate added
  at contracts/flights.odcs.yaml:40:5, fingerprint {GATE.fingerprint}
  affects nobody

coverage: 5 datasets and 5 consumers in the lineage, columns known of 3 of 3 readers of what changed
judged by the default policy

to approve, add to contracts-waivers.yaml on the base branch:
  # TYPE_NARROWED: flights.dep_delay.physicalType
  - fingerprint: "{DEP_DELAY.fingerprint}"
    approver: finance
    reason:
    expires: 2026-04-01T12:00:00Z"""
    )


@pytest.mark.parametrize("width", [60, 80, 120])
def test_text_keeps_to_the_width_but_for_words_that_are_longer(width: int) -> None:
    text = verdict_text(decided(DEMO_FINDINGS, waivers=[DEST_WAIVER]), width=width)
    too_long = [line for line in text.splitlines() if len(line) > width]
    assert [
        line for line in too_long if len(line.split()) > 1 and max(map(len, line.split())) < width - 10
    ] == []
    assert any(len(line) > width - 15 for line in text.splitlines())


def test_text_says_what_is_not_known_and_what_could_not_be_checked() -> None:
    verdict = decided(
        (DEST,), [edge("flights", "b", reason="a script")], could_not_check=["lineage: timeout"]
    )
    lines = verdict_text(verdict).splitlines()
    assert lines[0] == "COULD_NOT_CHECK: 1 thing could not be checked"
    assert "  could not check: lineage: timeout" in lines
    assert "  not known: b reads flights, but which columns is not known: a script" in lines
    assert "  UNKNOWN job b" in lines


def test_text_of_nothing() -> None:
    assert verdict_text(decided((), ())) == (
        "PASS: no changes\n\n"
        "coverage: 0 datasets and 5 consumers in the lineage\n"
        "  not known: what the dashboard On-time performance reads is not known\n"
        "judged by the default policy"
    )


def test_text_holds_no_control_characters_and_wraps() -> None:
    nasty = replace(DEST, message="\x1b[31mred\x07\r\n\u202eevil " + "word " * 60)
    text = verdict_text(decided((nasty,)))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    assert max(len(line) for line in text.splitlines()) <= 80
    wide = verdict_text(decided((nasty,)), 120)
    assert 80 < max(len(line) for line in wide.splitlines()) <= 120


def test_of_a_long_path_the_middle_is_counted() -> None:
    path = [edge(f"d{n}.x", f"d{n + 1}.x") for n in range(20)]
    text = path_text(path)
    assert text.startswith("d0.x -> d1.x -> ")
    assert text.endswith(" -> d19.x -> d20.x")
    assert " -> (9 more) -> " in text
    assert path_text(path[:11]).count("->") == 11


# --- JSON ----------------------------------------------------------------------------------------


def test_json_of_the_demo() -> None:
    found = verdict_json(decided(waivers=[DEST_WAIVER]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["outcome"], found["exit_code"], found["must_agree"]) == ("BLOCK", 1, ["finance"])
    by_column = {f["change"]["column"]: f for f in found["findings"]}
    assert by_column["tailnum"]["unread"] is True
    assert by_column["tailnum"]["impacts"] == []
    assert by_column["dest"]["waivers"][0]["expires"] == "2026-03-09T12:00:00+00:00"
    assert [(c, f["outcome"], f["waived"], f["must_agree"]) for c, f in by_column.items()] == [
        ("dep_delay", "BLOCK", False, ["finance"]),
        ("dest", "PASS", True, []),
        ("tailnum", "WARN", False, []),
        ("gate", "PASS", False, []),
    ]
    narrowed = by_column["dep_delay"]
    assert [(i["level"], i["consumer"]["name"], i["columns"], i["direct"]) for i in narrowed["impacts"]] == [
        ("BREAKS", "carrier_scorecard", ["worst_dep_delay"], True),
        ("MAY_BREAK", "On-time performance", ["worst_delay"], False),
    ]
    assert [a["at"]["column"] for a in narrowed["absorbed"]] == ["mean_dep_delay", "share_delayed"]
    assert narrowed["impacts"][0]["path"][0]["source"] == {
        "dataset": {"namespace": "s3://flight-lake", "name": "flights"},
        "column": "dep_delay",
    }
    assert by_column["gate"]["change"]["new"] == {"name": "gate", "path": "gate", "physical_type": "VARCHAR"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "nan"),
        (1.5, 1.5),
        (("a", 1), ["a", 1]),
        ({1: date(2026, 1, 2)}, {"1": "2026-01-02"}),
        (
            column("x", required=True, enum=("a",)),
            {"name": "x", "path": "x", "required": True, "enum": ["a"]},
        ),
    ],
)
def test_json_holds_any_value_of_a_contract(value: object, expected: object) -> None:
    changed = finding(ChangeKind.CHANGED, "flights.x", field="enum", old=value)
    (found,) = verdict_json(decided((changed,)))["findings"]
    assert found["change"]["old"] == expected
    json.dumps(found, allow_nan=False)


def _keys(value: object) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {k for v in value.values() for k in _keys(v)}
    if isinstance(value, list):
        return {k for v in value for k in _keys(v)}
    return set()


def test_json_keys_are_documented() -> None:
    text = f"{verdict_json.__doc__} {finding_json.__doc__}"
    found = verdict_json(decided(waivers=[DEST_WAIVER]))
    for item in found["findings"]:
        if item["change"]:
            item["change"]["old"] = item["change"]["new"] = None
    assert [k for k in sorted(_keys(found)) if f"``{k}``" not in text] == []
    assert all(re.fullmatch(r"[a-z_]+", k) for k in _keys(found))


# --- Markdown --------------------------------------------------------------------------------------

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> str:
    """What a reader sees, without the joiner that nobody sees."""
    text = [c.content for t in PARSER.parse(markdown) for c in t.children or [] if c.type == "text"]
    return "".join(text).replace("\u2060", "")


def markup(markdown: str) -> set[str]:
    tokens = PARSER.parse(markdown)
    return {t.type for t in tokens} | {c.type for t in tokens for c in t.children or []}


NASTY = [
    "a|b",
    "a\\|b",
    "`a`",
    "``a`",
    "*a* **b**",
    "_a_ __b__ a_b a__b _",
    "<script>alert(1)</script>",
    "<!-- a -->",
    "&lt;b&gt; &#60; &amp;",
    "[a](http://evil)",
    "![a](http://evil/x.png)",
    "[a]: http://evil",
    "<http://evil>",
    "http://evil https://evil www.evil.example mailto:a@b.example",
    "@finance @org/team a@b.example",
    "#12 GH-12 org/repo#12",
    "# heading",
    "## heading",
    "- item",
    "+ item",
    "* item",
    "1. item",
    "12) item",
    "> quote",
    "--- ",
    "===",
    "```mermaid",
    "~~~",
    "~~gone~~",
    "$x$ $$y$$",
    ":tada: :+1: a:100:5",
    "\\",
    "a\\",
    "\\* \\\\",
    "[^1] [x] [ ]",
    "| --- | --- |",
    "<details><summary>x</summary>",
    "a\"b'c",
    "{{ x }} ${{ secrets }} %{y}",
    "é ß 漢字 🙂",
    "!important",
    "<br/>",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("text", NASTY)
def test_markdown_shows_text_as_it_is(text: str) -> None:
    for before, after in (("- ", ""), ("## ", ""), ("|  |\n| --- |\n| ", " |")):
        line = f"{before}{escape(text)}{after}"
        assert shown(line) == text.strip()
        assert markup(line) <= markup(line.replace(escape(text), "plain")) | {"text"}


@given(text=st.text(max_size=60))
def test_markdown_of_any_text_forms_no_markup(text: str) -> None:
    line = f"| h |\n| --- |\n| {escape(text)} |"
    assert markup(line) <= markup("| h |\n| --- |\n| plain |")


@pytest.mark.parametrize(
    ("text", "shorthand"),
    [
        ("@finance", r"@\w"),
        ("#12", r"#\d"),
        ("gh-12", r"(?i)gh-\d"),
        (":100:5", r":\w+:"),
        ("see http://evil", r"http:"),
        ("www.evil.example", r"www\."),
    ],
)
def test_markdown_breaks_shorthands_that_are_found_after_escaping(text: str, shorthand: str) -> None:
    assert re.search(shorthand, text)
    assert not re.search(shorthand, escape(text).replace("\\", ""))


def test_markdown_of_the_demo() -> None:
    text = verdict_markdown(decided(waivers=[DEST_WAIVER]))
    headings = [line for line in text.splitlines() if re.match("#+ ", line) and "_NARROWED" not in line]
    assert headings == [
        "## BLOCK: 1 change breaks 1 consumer; finance must agree",
        "### carrier_scorecard (finance): BREAKS",
        "### On-time performance (executive-reporting): MAY BREAK",
        "### To approve",
        "### Affected paths",
        "### Changes",
        "### Where nothing breaks",
        "### Coverage",
    ]
    assert "- flights.tailnum: nobody reads it, as far as the lineage knows" in text
    assert "- flights.dest: waived by lead@\u2060finance, we move next week" in text


def test_markdown_draws_every_affected_path_by_its_level() -> None:
    graph = verdict_markdown(decided()).split("```mermaid")[1].split("```")[0]
    names = dict(re.findall(r'^  (n\d+)\["(.+)"\]$', graph, re.MULTILINE))
    arrows = {(names[a], names[b]) for a, b in re.findall(r"^  (n\d+) -->\S+ (n\d+)$", graph, re.MULTILINE)}
    levels = {names[n]: level for n, level in re.findall(r"^  class (n\d+) (\w+)$", graph, re.MULTILINE)}
    assert arrows == {
        ("flights.dep_delay", "carrier_scorecard.worst_dep_delay"),
        ("flights.dest", "carrier_scorecard.destinations"),
        ("carrier_scorecard.worst_dep_delay", "On-time performance.worst_delay"),
    }
    assert levels == {
        "carrier_scorecard.worst_dep_delay": "BREAKS",
        "carrier_scorecard.destinations": "BREAKS",
        "On-time performance.worst_delay": "MAY_BREAK",
    }


@pytest.mark.parametrize("name", ['x"]; click n0 "http://evil', "end", "a`b```c", "<b>|x|", "}{)(", "#quot;"])
def test_mermaid_labels_hold_nothing_but_codes(name: str) -> None:
    removed = finding(ChangeKind.REMOVED, "flights.x")
    text = verdict_markdown(decided((removed,), [edge("flights.x", f"b.{name}")]))
    graph = text.split("```mermaid")[1].split("```")[0]
    assert text.count("```") == 4
    assert set(re.findall(r'^  n\d+\[".*$', graph, re.MULTILINE)) == set(
        re.findall(r'^  n\d+\["(?:[\w .-]|#\d+;)*"\]$', graph, re.MULTILINE)
    )


def test_the_most_affected_consumer_comes_first() -> None:
    edges = [edge("flights.x", "one.a"), edge("flights.x", "two.a"), edge("flights.y", "two.b")]
    findings = [finding(ChangeKind.REMOVED, "flights.x"), finding(ChangeKind.REMOVED, "flights.y")]
    text = verdict_markdown(decided(findings, edges))
    assert text.index("### two") < text.index("### one")
