"""Routes, matchers, inhibition and time intervals against the cases of Alertmanager's own tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.odcs.fields import Fields
from contracts_svc.odcs.yaml_nodes import parse as parse_yaml
from contracts_svc.routes import matchers
from contracts_svc.routes.intervals import IntervalError, TimeInterval, clock_range
from contracts_svc.routes.matchers import Matcher, MatcherError, Op
from contracts_svc.routes.read import read, time_intervals
from contracts_svc.routes.tree import InhibitRule, Route, RouteFile
from tests.support import case_rows

Row = dict[str, Any]


def disagreements(
    name: str, answer: Callable[[Row], Any], expected: Callable[[Row], Any]
) -> tuple[int, list[str]]:
    """How many rows there are, and those whose answer is another."""
    rows = list(case_rows(name))
    wrong = [
        f"{row['source']['test']} {row.get('input', '')!r}: {got!r}, expected {wanted!r}"
        for row in rows
        if (got := answer(row)) != (wanted := expected(row))
    ]
    return len(rows), wrong


# --- matchers -----------------------------------------------------------------------------------

PARSERS = {
    "classic": matchers.parse_classic,
    "utf8": matchers.parse_utf8,
    "fallback": matchers.parse,
    # Rows that Alertmanager runs with either parser, or, where it skips one of them, with the other.
    "both": matchers.parse,
}
# Where the text of an error is RE2's own, or belongs to a parser that the row does not name.
SAID_DIFFERENTLY = ("error parsing regexp", "matcher value contains", "bad matcher format")


def parsed(row: Row) -> Any:
    if row["kind"] == "match":
        return Matcher("label", Op(row["op"]), row["pattern"]).matches({"label": row["value"]})
    parse = PARSERS[row["parser"]]
    try:
        found = parse(row["input"])
        if row["single"] and len(found) != 1:
            raise MatcherError(f"expected 1 matcher, found {len(found)}")
    except MatcherError as error:
        said = str(error)
        return next((part for part in SAID_DIFFERENTLY if said.startswith(part)), said)
    return [{"op": m.op.value, "name": m.name, "value": m.value} for m in found]


def expected_of_matchers(row: Row) -> Any:
    expected = row["expected"]
    if row["kind"] == "match":
        return expected["match"]
    if expected["error"]:
        return next(
            (part for part in SAID_DIFFERENTLY if expected["error"].startswith(part)), expected["error"]
        )
    return expected["matchers"]


def test_matchers_are_read_as_alertmanager_reads_them() -> None:
    count, wrong = disagreements("alert_matchers", parsed, expected_of_matchers)
    assert count == 116
    assert not wrong, "\n".join(wrong)


def test_errors_of_the_classic_parser_are_told_in_its_words() -> None:
    for row in case_rows("alert_matchers"):
        if row["kind"] == "parse" and row["parser"] == "classic" and row["expected"]["error"]:
            with pytest.raises(MatcherError) as caught:
                matchers.parse_classic(row["input"])
            if "regexp" not in row["expected"]["error"]:
                assert str(caught.value) == row["expected"]["error"]


# --- time intervals -----------------------------------------------------------------------------


def interval_of(written: Row) -> TimeInterval:
    ranges = {k.removesuffix("_minutes"): tuple(map(tuple, v)) for k, v in written.items() if k != "location"}
    return TimeInterval(**ranges, location=written.get("location", "UTC"))


def interval_answer(row: Row) -> Any:
    if row["kind"] == "contains":
        return {"contains": interval_of(row["interval"]).contains(datetime.fromisoformat(row["time"]))}
    if row["kind"] == "parse_time_range":
        written = parse_yaml(row["yaml"].encode(), "times.yaml").value
        assert isinstance(written, dict)
        try:
            return {
                "error": False,
                "minutes": list(clock_range(str(written["start_time"]), str(written["end_time"]))),
            }
        except IntervalError:
            return {"error": True, "minutes": None}
    fields = Fields(
        parse_yaml(b"time_intervals:\n" + row["yaml"].replace("---\n", "").encode(), "t.yaml"), "t.yaml"
    )
    found = time_intervals(fields)
    expected = row["expected"]
    if fields.problems:
        return {**expected, "error": True, "error_text": fields.problems[0].message, "intervals": None}
    return {
        "error": False,
        "error_text": None,
        "intervals": expected["intervals"]
        if found == tuple(map(interval_of, expected["intervals"] or []))
        else found,
        "contains": [
            t for t in expected["contains"] if any(i.contains(datetime.fromisoformat(t)) for i in found)
        ],
        "excludes": [
            t for t in expected["excludes"] if not any(i.contains(datetime.fromisoformat(t)) for i in found)
        ],
    }


def test_time_intervals_hold_when_alertmanager_says_they_do() -> None:
    count, wrong = disagreements("alert_time_intervals", interval_answer, lambda row: row["expected"])
    assert count == 20
    assert not wrong, "\n".join(wrong)


# --- inhibition ---------------------------------------------------------------------------------


def rule_of(written: Row) -> InhibitRule:
    def side(name: str) -> tuple[Matcher, ...]:
        old = [Matcher(k, Op.EQUAL, v) for k, v in written.get(f"{name}_match", {}).items()]
        new = [m for text in written.get(f"{name}_matchers", []) for m in matchers.parse(text)]
        return (*old, *new)

    return InhibitRule(source=side("source"), target=side("target"), equal=tuple(written["equal"]))


def firing_labels(alerts: list[Row]) -> list[dict[str, str]]:
    """Those that have not ended, by the last word on each set of labels."""
    last = {tuple(sorted(a["labels"].items())): a for a in alerts}
    return [a["labels"] for a in last.values() if a["ends_offset_s"] is None or a["ends_offset_s"] > 0]


def inhibition_answer(row: Row) -> Any:
    if row["kind"] == "has_equal":
        rule = InhibitRule(source=(), target=(), equal=tuple(row["equal"]))
        # With no matchers at all everything is source and target at once, which is not what is asked.
        rule = InhibitRule(source=rule.source, target=matchers.parse("a=~.+"), equal=rule.equal)
        return {"inhibited": rule.inhibits(row["target"], firing_labels(row["sources"]))}
    rules = [rule_of(r) for r in row["inhibit_rules"]]
    firing = firing_labels(row.get("active_alerts") or row["alerts_in_order"])
    return {"inhibited": any(rule.inhibits(row["target"], firing) for rule in rules)}


def test_alerts_are_inhibited_when_alertmanager_says_they_are() -> None:
    count, wrong = disagreements("alert_inhibition", inhibition_answer, lambda row: row["expected"])
    assert count == 12
    assert not wrong, "\n".join(wrong)


# --- routes -------------------------------------------------------------------------------------


def read_routes(row: Row) -> RouteFile:
    """The row's file; a bare tree of routes gets the receivers that it names."""
    if "config_yaml" in row:
        return read(row["config_yaml"].encode(), "routes.yaml", {})
    indented = row["route_yaml"].replace("\n", "\n  ")
    text = f"route:\n  {indented}\n"
    try:
        return read(text.encode(), "routes.yaml", {})
    except UserMistake as error:
        names = {p.message.split("'")[1] for p in error.problems}
    receivers = "".join(f"- name: {name}\n" for name in sorted(names))
    return read(f"{text}receivers:\n{receivers}".encode(), "routes.yaml", {})


def options(route: Route) -> Row:
    return {
        "receiver": route.receiver,
        "group_by": list(route.group_by),
        "group_by_all": route.group_by_all,
        "group_wait_s": route.group_wait.total_seconds(),
        "group_interval_s": route.group_interval.total_seconds(),
        "repeat_interval_s": route.repeat_interval.total_seconds(),
    }


def route_answer(row: Row) -> Any:
    file = read_routes(row)
    if row["kind"] == "tree":
        return {"walk_receivers": [r.receiver for r in file.root.walk()]}
    found = file.routes(row["labels"])
    answers = {
        "routes": [options(r) for r in found],
        "route_keys": [r.key for r in found],
        "receivers": [r.receiver for r in found],
        "route_labels": dict(found[0].labels),
    }
    return {key: answers[key] for key in row["expected"]}


def test_alerts_take_the_routes_that_alertmanager_gives_them() -> None:
    count, wrong = disagreements("alert_routing", route_answer, lambda row: row["expected"])
    assert count == 19
    assert not wrong, "\n".join(wrong)
