"""The route file: what it says, and every mistake in it with its place and the way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.errors import UserMistake
from contracts_svc.routes.durations import duration
from contracts_svc.routes.matchers import Matcher, MatcherError, Op, parse, parse_one
from contracts_svc.routes.options import Option, seconds, url
from contracts_svc.routes.read import read
from contracts_svc.routes.tree import RouteFile

KINDS = {
    "slack": (Option(name="channel", purpose="where to"), Option(name="token", purpose="t", secret=True)),
    "webhook": (
        Option(name="url", purpose="where it is", required=True, wrong=url),
        Option(name="timeout", purpose="s", wrong=seconds),
    ),
}

FILE = """\
route:
  receiver: contract
  group_by: [squad, dataset]
  routes:
    - matchers: ['severity="error"', 'squad=~"menu|finance"']
      receiver: on-call
      group_wait: 0s
      continue: true
    - matchers: [audience="stakeholder"]
      receiver: business
      active_time_intervals: [office hours]
      mute_time_intervals: [holidays]
      repeat_interval: 1d
receivers:
  - name: on-call
    type: webhook
    url: https://example.com/hook
    escalate: {after: 30m, to: head}
  - {name: head, type: slack, channel: "#head-of-data"}
  - {name: business, type: slack, channel: "#business"}
time_intervals:
  - name: office hours
    time_intervals:
      - {weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}], location: Europe/Berlin}
  - name: holidays
    time_intervals: [{months: [december], days_of_month: ['24:26']}]
inhibit_rules:
  - {source_matchers: [severity="error"], target_matchers: [severity="warning"], equal: [dataset]}
"""


def file(text: str = FILE) -> RouteFile:
    return read(text.encode(), "routes.yaml", KINDS)


def receivers(**labels: str) -> list[str]:
    return [r.receiver for r in file().routes(labels)]


def test_an_alert_takes_every_route_up_to_the_first_without_continue() -> None:
    assert receivers(severity="error", squad="menu", audience="stakeholder") == ["on-call", "business"]
    assert receivers(severity="error", squad="menu", audience="owner") == ["on-call"]
    assert receivers(severity="error", squad="fleet", audience="owner") == ["contract"]
    assert receivers() == ["contract"]


def test_a_route_inherits_what_it_does_not_say() -> None:
    on_call, business = file().root.routes
    assert on_call.group_by == ("dataset", "squad")
    assert (on_call.group_wait, business.group_wait) == (timedelta(), timedelta(seconds=30))
    assert business.repeat_interval == timedelta(days=1)


def test_time_intervals_keep_a_route_quiet_by_the_clock_of_their_place() -> None:
    routes = file()
    business = routes.root.routes[1]
    monday = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)  # 09:30 in Berlin
    assert routes.quiet(business, monday) == ""
    assert routes.quiet(business, monday - timedelta(hours=1)) == "outside office hours"
    assert routes.quiet(business, monday.replace(month=12, day=24)) == "holidays"
    assert routes.quiet(routes.root, monday - timedelta(hours=1)) == ""


def test_daylight_saving_moves_office_hours_with_the_clock_on_the_wall() -> None:
    routes = file()
    business = routes.root.routes[1]
    assert routes.quiet(business, datetime(2026, 7, 20, 7, 30, tzinfo=UTC)) == ""  # 09:30 in summer
    assert routes.quiet(business, datetime(2026, 11, 23, 7, 30, tzinfo=UTC)) == "outside office hours"


def test_a_warning_is_kept_back_while_an_error_of_the_same_dataset_fires() -> None:
    firing = [{"severity": "error", "dataset": "flights"}]
    assert file().inhibited({"severity": "warning", "dataset": "flights"}, firing)
    assert not file().inhibited({"severity": "warning", "dataset": "planes"}, firing)
    assert not file().inhibited({"severity": "error", "dataset": "flights"}, firing)


def test_groups_share_the_labels_that_the_route_names() -> None:
    root = file().root
    assert root.group_of({"squad": "menu", "dataset": "d", "check": "c"}) == (
        ("dataset", "d"),
        ("squad", "menu"),
    )
    assert root.group_of({"check": "c"}) == ()


MISTAKES = [
    ("receivers: []", "routes.yaml:1:1", "needs a 'route'"),
    ("route: {receiver: nobody}", "routes.yaml:1:19", "no receiver is called 'nobody'"),
    ("route: {receiver: contracts}", "routes.yaml:1:19", "did you mean 'contract'?"),
    ("route: {}", "routes.yaml:1:8", "the root route needs a receiver"),
    ("route: {receiver: contract, matchers: [a=b]}", "routes.yaml:1:39", "takes every alert"),
    ("route: {receiver: contract, continue: true}", "routes.yaml:1:39", "takes every alert"),
    ("route: {receiver: contract, continue: maybe}", "routes.yaml:1:39", "must be true or false"),
    ("route: {receiver: contract, group_wayt: 5m}", "routes.yaml:1:29", "did you mean 'group_wait'?"),
    ("route: {receiver: contract, group_wait: 5 minutes}", "routes.yaml:1:41", "'5 minutes' is no duration"),
    ("route: {receiver: contract, group_interval: 0s}", "routes.yaml:1:45", "cannot be zero"),
    ("route: {receiver: contract, group_by: [a, ...]}", "routes.yaml:1:39", "stands alone"),
    ("route: {receiver: contract, group_by: [a, a]}", "routes.yaml:1:39", "twice"),
    ("route: {receiver: contract, group_by: a}", "routes.yaml:1:39", "must be a list"),
    (
        "route: {receiver: contract, routes: [{matchers: ['a=~\"[\"']}]}",
        "routes.yaml:1:49",
        "error parsing regexp",
    ),
    ("route: {receiver: contract, routes: [{matchers: ['a b']}]}", "routes.yaml:1:49", "bad matcher format"),
    ("route: {receiver: contract, mute_time_intervals: [nights]}", "routes.yaml:1:50", "no time interval"),
    ("route: {receiver: contract}\nreceivers: [{name: a, type: pager}]", "routes.yaml:2:29", "'pager'"),
    (
        "route: {receiver: contract}\nreceivers: [{name: a}, {name: a}]",
        "routes.yaml:2:31",
        "a second receiver",
    ),
    ("route: {receiver: contract}\nreceivers: [{type: slack}]", "routes.yaml:2:13", "'name' is missing"),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, escalate: {after: 1h, to: b}}]",
        "routes.yaml:2:49",
        "'b'",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, escalate: {to: contract}}]",
        "routes.yaml:2:33",
        "'after'",
    ),
    (
        "route: {receiver: contract}\nreceivers:\n- {name: a, escalate: {after: 1h, to: b}}\n- {name: b, escalate: {after: 1h, to: a}}",
        "routes.yaml:3:39",
        "escalate in a loop: a -> b -> a",
    ),
    (
        "route: {receiver: contract}\ntime_intervals: [{name: n, time_intervals: [{weekdays: [friday:monday]}]}]",
        "routes.yaml:2:56",
        "start day",
    ),
    (
        "route: {receiver: contract}\ntime_intervals: [{name: n, time_intervals: [{location: Mars/Base}]}]",
        "routes.yaml:2:56",
        "no time zone",
    ),
    (
        "route: {receiver: contract}\ntime_intervals: [{name: n, time_intervals: [{times: [{start_time: '9', end_time: '10:00'}]}]}]",
        "routes.yaml:2:67",
        "couldn't parse timestamp 9",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: slack, chanel: x}]",
        "routes.yaml:2:36",
        "did you mean 'channel'?",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: slack, token: xoxb-1}]",
        "routes.yaml:2:43",
        "does not belong into this file",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: slack, token: 'env:a b'}]",
        "routes.yaml:2:43",
        "does not belong into this file",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: webhook}]",
        "routes.yaml:2:13",
        "'url' is missing: where it is",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: webhook, url: 'file:///etc'}]",
        "routes.yaml:2:43",
        "begins with http",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: webhook, url: 'http://u:p@h'}]",
        "routes.yaml:2:43",
        "no user and password",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: webhook, url: 'http://h:99999'}]",
        "routes.yaml:2:43",
        "no address",
    ),
    (
        "route: {receiver: contract}\nreceivers: [{name: a, type: webhook, url: 'http://h', timeout: 61}]",
        "routes.yaml:2:64",
        "1 to 60",
    ),
    ("route: [", "routes.yaml:2:1", ""),
    ("route: {receiver: [a]}", "routes.yaml:1:19", "must be text"),
    ("route: contract", "routes.yaml:1:8", "must be a mapping, not a single value"),
]


@pytest.mark.parametrize(("text", "at", "message"), MISTAKES)
def test_a_mistake_is_told_with_its_place_and_the_way_out(text: str, at: str, message: str) -> None:
    with pytest.raises(UserMistake) as caught:
        file(text)
    problem = next(p for p in caught.value.problems if message in p.message)
    assert str(problem.at) == at
    assert problem.hint


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UserMistake) as caught:
        file(
            "route: {receiver: a, group_wait: x}\nreceivers: [{name: b, type: c}]\ninhibit_rules: [{sauce: 1}]"
        )
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("4h", 14400),
        ("2d", 172800),
        ("1w", 604800),
        ("250ms", 0.25),
        ("0s", 0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    found = duration(text)
    assert found is not None
    assert found.total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "m", "5 m", "-5m", "1m1h", "5min", "9999999999w", "999999999w", "522w", "٣s"]
)
def test_what_is_no_duration(text: str) -> None:
    assert duration(text) is None


def test_a_regular_expression_matches_the_whole_value_in_linear_time() -> None:
    assert parse_one('squad=~"a|b"').matches({"squad": "b"})
    assert not parse_one('squad=~"a|b"').matches({"squad": "bb"})
    bomb = parse_one('squad=~"(a+)+$"')
    assert not bomb.matches({"squad": "a" * 5_000 + "!"})


def test_a_very_long_text_is_refused() -> None:
    with pytest.raises(MatcherError, match="more than"):
        parse("a=b," * 2_000)


NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,10}", fullmatch=True)


@given(
    NAMES,
    st.sampled_from([Op.EQUAL, Op.NOT_EQUAL]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
def test_a_matcher_is_read_as_it_is_written(name: str, op: Op, value: str) -> None:
    matcher = Matcher(name, op, value)
    assert parse(str(matcher)) == (matcher,)


@given(st.text(max_size=40))
def test_any_text_gives_matchers_or_a_clear_error(text: str) -> None:
    try:
        found = parse(text)
    except MatcherError as error:
        assert str(error)
    else:
        assert all(m.name for m in found)


def test_a_route_that_nothing_reaches_is_a_warning_with_its_line() -> None:
    found = read(b"route: {receiver: contract, routes: [{}, {matchers: [a=b]}]}", "routes.yaml", {})
    (warning,) = found.warnings
    assert str(warning.at).startswith("routes.yaml:1:42")
    assert "nothing reaches this route" in warning.message
