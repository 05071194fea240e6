"""When who is told what: grouping, waiting, repeats, quiet times, silences, inhibition, escalation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.alerts import Audience, Notification, OnIt
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.routes import retry
from contracts_svc.routes.dispatch import acknowledged, receive
from contracts_svc.routes.flush import World, asked_again, failed, flush, given_up, sent
from contracts_svc.routes.groups import Group
from contracts_svc.routes.intervals import TimeInterval, any_contains, next_change
from contracts_svc.routes.intervals import zone as time_zone
from contracts_svc.routes.read import read
from contracts_svc.routes.silences import LONGEST, Silence, silence
from contracts_svc.routes.tree import RouteFile
from tests.alerts_world import NOON
from tests.telling import Telling, note

FILE = """
route:
  receiver: contract
  group_by: [dataset]
  routes:
    - matchers: ['severity="error"', 'audience="owner"']
      receiver: pager
      continue: true
      repeat_interval: 1h
    - matchers: ['squad="office"']
      active_time_intervals: [office]
receivers:
  - {name: pager, type: pagerduty, escalate: {after: 30m, to: boss}}
  - {name: boss, type: pagerduty, escalate: {after: 1h, to: board}}
  - {name: board, type: pagerduty}
inhibit_rules:
  - {source_matchers: ['severity="error"'], target_matchers: ['severity="warning"'], equal: [dataset]}
time_intervals:
  - name: office
    time_intervals: [{times: [{start_time: '13:00', end_time: '17:00'}], weekdays: ['monday:friday']}]
"""


def routes(text: str = FILE) -> RouteFile:
    return read(text.encode(), "routes.yaml", {"pagerduty": ()})


def muting(*matchers: str, minutes: float = 60, now: datetime = NOON) -> Silence:
    return silence(
        matchers, author="ada", reason="known", begins=now, ends=now + timedelta(minutes=minutes), now=now
    )


# --- timing ---------------------------------------------------------------------------------------


def test_a_new_group_waits_for_more_and_tells_it_together() -> None:
    telling = Telling()
    telling.hear(note("a"))
    telling.after(seconds=20)
    telling.hear(note("b"))
    telling.after(minutes=10)
    assert telling.told() == [(30, "finance", "flights is wrong: a (and 1 more)")]
    assert telling.sent[0][1].notification.incidents == ("a", "b")


def test_news_waits_for_the_interval_and_tells_only_what_is_new() -> None:
    telling = Telling()
    telling.hear(note("a"))
    telling.after(minutes=1)
    telling.hear(note("b"))
    telling.after(minutes=1)
    assert len(telling.sent) == 1
    telling.after(minutes=10)
    assert telling.told()[1:] == [(330, "finance", "flights is wrong: b")]


def test_what_does_not_change_is_told_again_after_the_repeat_interval() -> None:
    telling = Telling()
    telling.hear(note("a"))
    telling.after(hours=9)
    assert [at for at, _, _ in telling.told()] == [30, 30 + 4 * 3600, 30 + 8 * 3600]
    assert len({m.key for _, m in telling.sent}) == 3, "a repeat is another message"


def test_the_same_notification_again_is_no_news() -> None:
    telling = Telling()
    for _ in range(5):
        telling.hear(note("a"))
        telling.after(minutes=10)
    assert len(telling.sent) == 1


def test_a_changed_text_is_news() -> None:
    telling = Telling()
    telling.hear(note("a", severity=Severity.WARNING))
    telling.after(minutes=10)
    telling.hear(note("a", version="worse"))
    telling.after(minutes=10)
    assert [at for at, _, _ in telling.told()] == [30, 630]


def test_the_end_is_told_once_and_the_group_is_forgotten() -> None:
    telling = Telling()
    telling.hear(note("a"))
    telling.after(minutes=10)
    telling.hear(note("a", over=True), over={"a"})
    telling.after(hours=12)
    assert [(at, title) for at, _, title in telling.told()] == [
        (30, "flights is wrong: a"),
        (630, "flights is right again: a"),
    ]
    assert telling.groups == {}
    assert telling.next() is None


def test_what_opens_and_is_over_while_the_group_waits_is_not_told() -> None:
    telling = Telling()
    telling.hear(note("a"))
    telling.after(seconds=10)
    telling.hear(note("a", over=True), over={"a"})
    telling.after(hours=12)
    assert telling.sent == []
    assert telling.groups == {}


def test_who_is_not_reached_any_more_still_hears_the_end() -> None:
    telling = Telling()
    telling.hear(note("a"), note("a", team="punctuality"))
    telling.after(minutes=10)
    telling.hear(note("a", over=True), over={"a"})
    telling.after(minutes=10)
    assert {(team, title) for at, team, title in telling.told() if at > 60} == {
        ("finance", "flights is right again: a"),
        ("punctuality", "It is over: flights is wrong: a"),
    }


def test_what_is_explained_before_it_was_told_is_not_told() -> None:
    telling = Telling()
    telling.hear(note("symptom", dataset="scorecard"))
    telling.after(seconds=5)
    telling.hear(note("cause"), explained={"symptom": "cause"})
    telling.after(minutes=10)
    telling.hear(note("symptom", dataset="scorecard", over=True), over={"symptom"})
    telling.after(minutes=10)
    assert [title for _, _, title in telling.told()] == ["flights is wrong: cause"]


def test_a_cause_that_is_over_before_it_was_told_leaves_nobody_in_the_dark() -> None:
    telling = Telling()
    telling.hear(note("symptom", dataset="scorecard"))
    telling.after(seconds=20)
    telling.hear(note("cause"), explained={"symptom": "cause"})
    telling.after(seconds=20)
    telling.hear(note("cause", over=True), over={"cause"})
    telling.after(minutes=10)
    assert telling.told() == [(40, "finance", "scorecard is wrong: symptom")]


def test_what_was_told_before_it_was_explained_hears_its_end() -> None:
    telling = Telling()
    telling.hear(note("symptom", dataset="scorecard"))
    telling.after(minutes=5)
    telling.hear(note("cause"), explained={"symptom": "cause"})
    telling.after(hours=9)
    titles = [title for _, _, title in telling.told()]
    assert titles.count("scorecard is wrong: symptom") == 1, "only the cause is repeated"
    assert titles.count("flights is wrong: cause") == 3
    telling.hear(note("symptom", dataset="scorecard", over=True), over={"symptom"})
    telling.after(minutes=10)
    assert "scorecard is right again: symptom" in [title for _, _, title in telling.told()]


# --- routes ---------------------------------------------------------------------------------------


def owner(*incidents: str, over: bool = False, severity: Severity = Severity.ERROR) -> Notification:
    return note(*incidents, over=over, audience=Audience.OWNER, team="flight-ops", severity=severity)


def test_nobody_acknowledges_and_it_goes_up_step_by_step() -> None:
    telling = Telling(routes())
    telling.hear(owner("a"))
    telling.after(minutes=100)
    assert [(at, who) for at, who, _ in telling.told()] == [
        (30, "pager"),
        (30 + 1800, "boss"),
        (30 + 3600, "pager"),
        (30 + 1800 + 3600, "boss"),
        (30 + 1800 + 3600, "board"),
    ]
    telling.hear(owner("a", over=True), over={"a"})
    telling.after(minutes=10)
    assert {who for at, who, title in telling.told() if "right again" in title} == {"pager", "boss", "board"}


def test_what_is_acknowledged_neither_escalates_nor_repeats() -> None:
    telling = Telling(routes())
    telling.hear(owner("a"))
    telling.after(minutes=20)
    telling._keep([acknowledged(g, {"a"}, OnIt(who="ada"), telling.routes) for g in telling.groups.values()])
    telling.after(hours=5)
    assert [who for _, who, _ in telling.told()] == ["pager"]
    telling._keep([acknowledged(g, {"a"}, None, telling.routes) for g in telling.groups.values()])
    telling.after(minutes=1)
    assert [who for _, who, _ in telling.told()][1:] == ["pager", "boss"]


def test_a_severity_that_changes_the_route_tells_the_end_on_both() -> None:
    telling = Telling(routes())
    telling.hear(owner("a", severity=Severity.WARNING))
    telling.after(minutes=10)
    telling.hear(owner("a"))
    telling.after(minutes=10)
    assert [who for _, who, _ in telling.told()] == ["flight-ops", "pager"]
    telling.hear(owner("a", over=True), over={"a"})
    telling.after(minutes=10)
    assert sorted(who for _, who, title in telling.told() if "right again" in title) == [
        "flight-ops",
        "pager",
    ]


def test_a_quiet_time_holds_and_loses_nothing() -> None:
    telling = Telling(routes())
    telling.hear(note("a", team="office"), note("b", team="office", dataset="weather"))
    telling.after(minutes=30)
    telling.hear(note("b", team="office", dataset="weather", over=True), over={"b"})
    assert telling.sent == []
    telling.after(minutes=40)
    assert sorted(telling.told()) == [
        (3600, "office", "flights is wrong: a"),
        (3600, "office", "weather is right again: b"),
    ]


def test_what_was_silenced_all_along_is_not_told_when_the_quiet_time_ends() -> None:
    telling = Telling(routes())
    telling.silences = (muting("dataset=flights", minutes=120),)
    telling.hear(note("a", team="office"))
    telling.after(minutes=30)
    telling.hear(note("a", team="office", over=True), over={"a"})
    telling.after(hours=4)
    assert telling.sent == []
    assert telling.groups == {}


def test_the_end_comes_after_the_quiet_time_too() -> None:
    telling = Telling(routes())
    telling.now = NOON + timedelta(hours=2)
    telling.hear(note("a", team="office"))
    telling.until(NOON + timedelta(hours=6))
    telling.hear(note("a", team="office", over=True), over={"a"})
    telling.until(NOON + timedelta(hours=30))
    assert [at for at, _, _ in telling.told()] == [7230, 90000]


def test_a_warning_waits_while_an_error_is_told_to_the_same_team_only() -> None:
    telling = Telling(routes())
    warning = replace(note("w", severity=Severity.WARNING), key="w")
    telling.hear(note("e"), warning, replace(note("w", severity=Severity.WARNING, team="other"), key="w2"))
    telling.after(minutes=20)
    assert {
        (who, m.notification.incidents)
        for (_, who, _), (_, m) in zip(telling.told(), telling.sent, strict=True)
    } == {
        ("finance", ("e",)),
        ("other", ("w",)),
    }
    telling.hear(note("e", over=True), over={"e"})
    telling.after(minutes=20)
    assert "w" in telling.sent[-1][1].notification.incidents


# --- silences -------------------------------------------------------------------------------------


def test_a_silence_keeps_openings_back_and_what_is_still_wrong_afterwards_is_told() -> None:
    telling = Telling()
    telling.silences = (muting("dataset=flights"),)
    telling.hear(note("a"), note("b", dataset="weather"))
    telling.after(minutes=59)
    assert [title for _, _, title in telling.told()] == ["weather is wrong: b"]
    telling.after(minutes=6)
    assert [title for _, _, title in telling.told()][1:] == ["flights is wrong: a"]


def test_what_was_told_before_the_silence_hears_its_end_within_it() -> None:
    telling = Telling()
    telling.hear(note("a"))
    telling.after(minutes=1)
    telling.silences = (muting("dataset=flights", minutes=600),)
    telling.after(hours=5)
    assert len(telling.sent) == 1, "no repeat while it is silenced"
    telling.hear(note("a", over=True), over={"a"})
    telling.after(minutes=10)
    assert [title for _, _, title in telling.told()][1:] == ["flights is right again: a"]


SILENCE_MISTAKES = [
    (["x"], {}, "is no matcher"),
    ([], {}, "silence every alert"),
    (['dataset=~".*"'], {}, "silence every alert"),
    (['dataset!="a"'], {}, "silence every alert"),
    (["squad=menu"], {"author": " "}, "nobody is named"),
    (["squad=menu"], {"reason": ""}, "needs a reason"),
    (["squad=menu"], {"ends": NOON}, "over before it begins"),
    (["squad=menu"], {"ends": NOON + LONGEST + timedelta(seconds=1)}, "at most 90 days"),
]


@pytest.mark.parametrize(("matchers", "changed", "message"), SILENCE_MISTAKES)
def test_a_silence_that_cannot_be_meant(
    matchers: list[str], changed: dict[str, object], message: str
) -> None:
    given_: dict[str, object] = {
        "author": "ada",
        "reason": "r",
        "begins": NOON,
        "ends": NOON + timedelta(hours=1),
    }
    with pytest.raises(UserMistake, match=message):
        silence(matchers, now=NOON, **(given_ | changed))  # type: ignore[arg-type]


def test_a_silence_that_is_ended_is_over_now() -> None:
    later = replace(muting("squad=menu"), begins=NOON + timedelta(minutes=30))
    assert not later.ended(NOON).active(NOON + timedelta(minutes=40))
    assert later.ended(NOON + timedelta(hours=2)) == later


# --- receivers that are down ----------------------------------------------------------------------


def due_group(*incidents: str) -> Group:
    (group,) = receive([], [note(*incidents)], now=NOON)
    return group


def test_a_retry_says_what_is_so_then_with_the_same_key_if_nothing_changed() -> None:
    at = NOON + timedelta(seconds=30)
    first = flush(due_group("a"), World(), at)
    assert first.message is not None
    again = failed(first.group, at + timedelta(minutes=1), at, tried=True)
    second = flush(again, World(), at + timedelta(minutes=1))
    assert second.message is not None
    assert second.message.key == first.message.key
    assert second.message.attempts == 1
    (changed,) = receive([again], [note("b")], now=at)
    third = flush(changed, World(), at + timedelta(minutes=1))
    assert third.message is not None
    assert third.message.key != first.message.key
    assert third.message.notification.incidents == ("a", "b")


def test_what_was_over_before_the_receiver_came_back_is_told_in_one_message() -> None:
    at = NOON + timedelta(seconds=30)
    first = flush(due_group("a"), World(), at)
    waiting = failed(first.group, at + timedelta(minutes=30), at, tried=True)
    (over,) = receive([waiting], [note("a", over=True)], now=at, over={"a"})
    last = flush(over, World(), at + timedelta(minutes=30))
    assert last.message is not None
    assert last.message.notification.title == "flights is right again: a"
    assert sent(last.group, at + timedelta(minutes=30)).entries == ()


def test_a_dead_letter_does_not_end_the_group_and_its_end_is_not_told_to_who_heard_nothing() -> None:
    at = NOON + timedelta(seconds=30)
    dead = given_up(flush(due_group("a"), World(), at).group, at)
    assert dead.due == at + timedelta(hours=4), "as a repeat it is tried again"
    assert flush(asked_again(dead, at), World(), at).message is not None
    (over,) = receive([dead], [note("a", over=True)], now=at, over={"a"})
    assert flush(over, World(), at + timedelta(hours=4)).group.entries == ()


@given(st.integers(1, 200), st.floats(0, 10_000), st.floats(0, 1))
def test_pauses_are_bounded_and_obey_the_receiver(attempts: int, retry_after: float, share: float) -> None:
    wait = retry.pause(attempts, retry_after, share)
    assert wait >= retry.FIRST_PAUSE / 2
    assert wait >= timedelta(seconds=min(retry_after, 3600))
    assert wait <= max(retry.LONGEST_PAUSE, timedelta(seconds=min(retry_after, 3600)) * 1.11)


def test_a_breaker_opens_after_some_failures_or_when_the_receiver_asks() -> None:
    breaker = retry.Breaker()
    for _ in range(retry.FAILURES_TO_OPEN - 1):
        breaker = breaker.failed(NOON, 0, 0)
        assert not breaker.blocked(NOON)
    breaker = breaker.failed(NOON, 0, 0)
    assert breaker.blocked(NOON)
    assert breaker.until is not None
    assert not breaker.blocked(breaker.until)
    assert not breaker.succeeded().blocked(NOON)
    asked = retry.Breaker().failed(NOON, 90, 0)
    assert asked.blocked(NOON + timedelta(seconds=89))
    assert not asked.blocked(NOON + timedelta(seconds=90))


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1439), st.integers(1, 1440), ZONES, st.integers(0, 366 * 1440))
def test_no_change_of_a_quiet_time_is_missed(begin: int, end: int, zone: str, minutes: int) -> None:
    interval = TimeInterval(times=((begin, max(end, begin + 1)),), weekdays=((1, 5),), location=zone)
    now = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    found = next_change([interval], now)
    assert now < found <= now + timedelta(hours=1)
    state = any_contains([interval], now)
    between = now + timedelta(minutes=1)
    while between < found:
        # Clocks that are put forward jump over the time at which it would begin: told within the hour.
        jump = between.astimezone(time_zone(zone)).utcoffset() != now.astimezone(time_zone(zone)).utcoffset()
        assert jump or any_contains([interval], between) == state
        between += timedelta(minutes=1)


# --- any history ----------------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["open", "over", "wait"]),
        st.sampled_from("abcd"),
        st.sampled_from(["x", "y"]),
        st.integers(1, 4000),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_each_open_is_told_in_time_has_its_end_and_nothing_is_told_twice(
    steps: list[tuple[str, str, str, int]],
) -> None:
    telling = Telling()
    open_since: dict[str, datetime] = {}
    history: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for round_, (what, incident, dataset, seconds) in enumerate(steps):
        name = f"{dataset}{incident}"
        if what == "open" and name not in open_since:
            open_since[name] = telling.now
            telling.hear(note(name, dataset=dataset, version=str(round_)))
        elif what == "over" and name in open_since:
            history[name].append((open_since.pop(name), telling.now))
            telling.hear(note(name, dataset=dataset, over=True, version=str(round_)), over={name})
        else:
            telling.after(seconds=seconds)
    for name in tuple(open_since):
        telling.after(seconds=400)
        history[name].append((open_since.pop(name), telling.now))
        telling.hear(note(name, dataset=name[0], over=True), over={name})
    telling.after(hours=1)

    told: dict[str, list[tuple[datetime, bool]]] = defaultdict(list)
    for at, message in telling.sent:
        for incident in message.notification.incidents:
            told[incident].append((at, incident not in message.notification.resolved))
    route = telling.routes.root
    wait = max(route.group_wait, route.group_interval)
    for name, lives in history.items():
        for began, ended in lives:
            heard = [at for at, firing in told.get(name, ()) if firing and began <= at <= ended]
            if ended - began > wait:
                assert heard, f"{name} was wrong for {ended - began} and nobody heard"
                assert heard[0] - began <= wait
            assert all(b - a >= route.repeat_interval for a, b in pairwise(heard))
    for name, messages in told.items():
        assert not messages[-1][1], f"{name} is over and nobody heard"
        assert messages[0][1], f"{name}: the end came before the beginning"
        ends = [n for n, (_, firing) in enumerate(messages) if not firing]
        assert all(messages[n - 1][1] for n in ends), "an end follows a beginning"
    assert telling.groups == {}
