"""What people do about what was told: who is told of it, when, and in which words."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts_svc.adapters.receivers import RECEIVERS
from contracts_svc.alerts import Notification, OnIt, Update, UpdateKind
from contracts_svc.routes.dispatch import acknowledged
from contracts_svc.routes.flush import failed, flush, given_up, sent
from contracts_svc.routes.groups import NEXT_UPDATE, WHO_IS_ON_IT, Group
from contracts_svc.routes.read import read
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.updates import SHOWN_BY, updated
from tests.alerts_world import NOON
from tests.telling import Telling, note

UNTIL = NOON + timedelta(hours=3)
ADA = OnIt(who="ada", until=UNTIL)


def telling(kind: str = "slack", *incidents: str) -> Telling:
    """Finance was told at 12:00:30 of some incidents, by a receiver of this kind."""
    found = Telling()
    found.hear(replace(note(*(incidents or ("a",))), receiver=kind))
    found.after(minutes=1)
    assert len(found.sent) == 1
    found.sent.clear()
    return found


def takes(found: Telling, *incidents: str, by: OnIt = ADA) -> None:
    update = Update(kind=UpdateKind.ACKNOWLEDGED, by=by, at=found.now)
    found._keep([updated(acknowledged(g, incidents, by), update) for g in found.groups.values()])


def lines(notification: Notification, heading: str) -> tuple[str, ...]:
    return next(s.lines for s in notification.sections if s.heading == heading)


@pytest.mark.parametrize("kind", sorted({*RECEIVERS, "email", "teams"}))
def test_only_who_can_change_what_was_said_is_told(kind: str) -> None:
    found = telling(kind)
    takes(found, "a")
    found.after(hours=2)
    assert len(found.sent) == (UpdateKind.ACKNOWLEDGED in SHOWN_BY.get(kind, ()))


def test_every_kind_that_shows_updates_is_a_receiver() -> None:
    assert SHOWN_BY.keys() <= RECEIVERS.keys()


def test_an_update_comes_at_once_and_changes_neither_the_interval_nor_the_repeat() -> None:
    found = telling("slack", "a", "b")
    takes(found, "a")
    found.after(seconds=1)
    ((at, message),) = found.sent
    said = message.notification
    assert (at, said.update) == (NOON + timedelta(minutes=1), "ada is on it until 2024-01-01 15:00 UTC")
    assert (said.labels["state"], said.incidents, said.on_it) == ("open", ("a", "b"), {"a": ADA})
    assert lines(said, WHO_IS_ON_IT) == ("ada, until 2024-01-01 15:00 UTC",)
    assert lines(said, NEXT_UPDATE) == ("By 2024-01-01 16:00 UTC, or earlier when something changes",)
    found.after(hours=4)
    assert [t for t, _, _ in found.told()[1:]] == [4 * 3600 + 30], "the repeat of what nobody is on"


def test_what_somebody_is_on_is_told_when_something_changes() -> None:
    found = telling()
    takes(found, "a")
    found.after(seconds=1)
    said = found.sent[-1][1].notification
    assert said.labels["state"] == "acknowledged"
    assert lines(said, NEXT_UPDATE) == ("When something changes, and when it is over",)
    takes(found, "a", by=OnIt(who="bob"))
    found.after(hours=9)
    assert [m.notification.update for _, m in found.sent[1:]] == ["bob is on it"]


def test_several_updates_are_one_message_in_their_order() -> None:
    found = telling()
    takes(found, "a")
    takes(found, "a", by=OnIt(who="bob"))
    found.after(seconds=1)
    ((_, message),) = found.sent
    assert message.notification.update == "ada is on it until 2024-01-01 15:00 UTC; bob is on it"


def test_news_show_who_is_on_it_and_the_head_shows_all() -> None:
    found = telling()
    found.groups = {k: replace(g, thread="C1:1") for k, g in found.groups.items()}
    takes(found, "a")
    found.hear(note("b", version="2"))
    found.after(minutes=10)
    news = found.sent[-1][1].notification
    assert (news.update, news.incidents, news.on_it) == ("", ("b",), {"a": ADA})
    assert news.head is not None
    assert news.head.title == "flights is wrong: a (and 1 more)"
    assert lines(news, NEXT_UPDATE)[0].startswith("By ")


def test_before_it_was_told_there_is_nothing_to_change() -> None:
    found = Telling()
    found.hear(note("a"))
    takes(found, "a")
    found.after(minutes=1)
    ((_, message),) = found.sent
    assert (message.notification.update, message.notification.labels["state"]) == ("", "acknowledged")


def test_quiet_times_keep_no_update_back() -> None:
    routes = read(
        b"route: {receiver: contract, group_by: [dataset], mute_time_intervals: [night]}\n"
        b"time_intervals: [{name: night, time_intervals: [{times: [{start_time: '13:00', end_time: '20:00'}]}]}]",
        "routes.yaml",
        {},
    )
    found = Telling(routes)
    found.hear(note("a"))
    found.after(hours=2)
    takes(found, "a")
    found.after(seconds=1)
    assert [m.notification.update for _, m in found.sent] == ["", "ada is on it until 2024-01-01 15:00 UTC"]


def due(found: Telling) -> Group:
    (group,) = found.groups.values()
    flushed = flush(group, found.world(), found.now)
    assert flushed.message is not None
    return flushed.group


def test_an_update_that_is_not_taken_is_tried_again_and_may_be_given_up() -> None:
    found = telling()
    takes(found, "a")
    pending = due(found)
    again = found.now + timedelta(minutes=5)
    later = failed(pending, again, found.now, tried=True)
    assert (later.due, later.attempts, len(later.updates)) == (again, 1, 1)
    assert later.told_at == pending.told_at
    once_more = flush(later, found.world(), again)
    assert once_more.message is not None
    assert once_more.message.key == pending.pending, "the same message"
    done = sent(once_more.group, again, "C1:9", DEFAULT_ROUTES)
    assert (done.updates, done.attempts, done.thread) == ((), 0, "C1:9")
    assert given_up(once_more.group, again).updates == ()


def test_what_comes_while_an_update_is_on_its_way_is_told_after_it() -> None:
    found = telling()
    takes(found, "a")
    pending = due(found)
    bob = Update(kind=UpdateKind.ACKNOWLEDGED, by=OnIt(who="bob"), at=found.now)
    done = sent(updated(pending, bob), found.now)
    assert [u.by.who for u in done.updates] == ["bob"]
    assert done.due == found.now


def test_a_message_of_several_keeps_the_labels_of_each() -> None:
    routes = read(b"route: {receiver: contract, labels: {team: x}}", "routes.yaml", {})
    found = Telling(routes)
    found.hear(note("a"), note("b", dataset="weather"))
    found.after(minutes=1)
    ((_, message),) = found.sent
    said = message.notification
    (other,) = said.labels_of.values()
    assert {said.labels["dataset"], other["dataset"]} == {"flights", "weather"}
    assert other["team"] == "x"
