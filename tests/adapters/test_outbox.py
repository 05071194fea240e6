"""The outbox: what has to be told is stored with what made it necessary, and sent until it is taken."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Audience, Notification
from contracts_svc.errors import UserMistake
from contracts_svc.flows.deliver import Report, Sender, post, resend
from contracts_svc.incidents import step
from contracts_svc.ports import Delivery
from contracts_svc.ports_outbox import MessageState
from contracts_svc.ports_store import SERVICE
from contracts_svc.routes.dispatch import receive, targets
from contracts_svc.routes.groups import Message
from contracts_svc.routes.read import read
from contracts_svc.routes.silences import silence
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from tests.alerts_world import DEP_DELAY, NOON, fails, run
from tests.fixtures_store import memory_store, read_contract
from tests.support import ROOT
from tests.telling import note


class Office:
    """A store, a clock, and one receiver that takes messages or answers as it is told to."""

    def __init__(self, store: DatabaseStore, routes: RouteFile = DEFAULT_ROUTES) -> None:
        self.store = store
        self.routes = routes
        self.time = NOON
        self.taken: list[tuple[datetime, Notification]] = []
        self.tries = 0
        self.answer: Callable[[Notification], Delivery] = lambda n: Delivery(sent=True)
        self.sender = self.new_sender()

    def new_sender(self) -> Sender:
        return Sender(self.store, self._find, self, routes=lambda: self.routes, chance=lambda: 0.5)

    def now(self) -> datetime:
        return self.time

    def _find(self, message: Message) -> Office | None:
        return None if message.notification.receiver == "unrouted" else self

    def send(self, notification: Notification) -> Delivery:
        self.tries += 1
        delivery = self.answer(notification)
        if delivery.sent:
            self.taken.append((self.time, notification))
        return delivery

    def hear(self, *notes: Notification, over: tuple[str, ...] = ()) -> None:
        def work() -> None:
            keys = {t.key for n in notes for t in targets(n, self.routes)}
            named = {i for n in notes for i in n.incidents}
            groups = self.store.groups(keys, named)
            changed = receive(groups, notes, now=self.time, routes=self.routes, over=over)
            self.store.put_groups(changed)

        self.store.atomically(work)

    def until(self, at: datetime) -> Report:
        """Work whenever there is something to do, up to that moment."""
        report = self.sender.step()
        while (due := self.store.outbox_due()) is not None and due <= at:
            self.time = max(self.time, due)
            report += self.sender.step()
        self.time = at
        return report

    def after(self, **passed: float) -> Report:
        return self.until(self.time + timedelta(**passed))

    def states(self) -> dict[str, int]:
        return {s.value: n for s, n in self.store.outbox_counts().items() if n}


@pytest.fixture
def office(store: DatabaseStore) -> Office:
    return Office(store)


@pytest.fixture
def quick() -> Iterator[Office]:
    store = memory_store()
    yield Office(store)
    store.close()


DOWN = Delivery(sent=False, retry=True, reason="connection refused")


# --- on both databases ----------------------------------------------------------------------------


def test_what_is_told_goes_out_once_and_is_written_down(office: Office) -> None:
    office.hear(note("a"), note("b", team="punctuality"))
    assert office.after(seconds=29) == Report()
    assert office.after(seconds=10) == Report(made=2, sent=2)
    assert office.states() == {"sent": 2}
    office.hear(note("a", over=True), over=("a", "b"))
    office.hear(note("b", team="punctuality", over=True), over=("b",))
    assert office.after(minutes=10) == Report(made=2, sent=2)
    assert office.store.outbox_due() is None
    assert office.store.groups(incidents=["a", "b"]) == ()
    assert [office.store.prune_messages(office.time, batch=3) for _ in range(3)] == [3, 1, 0]


def test_nothing_is_stored_of_what_was_rolled_back(office: Office) -> None:
    def work() -> None:
        office.hear(note("a"))
        raise UserMistake.of("changed my mind")

    with pytest.raises(UserMistake):
        office.store.atomically(work)
    assert office.store.outbox_due() is None


def test_what_one_took_nobody_else_gets_until_it_must_be_dead(office: Office) -> None:
    office.hear(note("a"))
    office.time += timedelta(seconds=30)
    office.sender._make()
    lease = office.time + timedelta(minutes=2)
    (taken,) = office.store.take(office.time, lease, 10)
    assert office.store.take(office.time, lease, 10) == ()
    assert office.store.take(lease, lease, 10) == (taken,)


def test_dead_letters_are_listed_and_can_be_sent_again(office: Office) -> None:
    office.answer = lambda n: Delivery(sent=False, reason="is_archived")
    office.hear(note("a"))
    assert office.after(minutes=1) == Report(made=1, dead=1)
    (dead,) = office.store.messages(MessageState.DEAD)
    assert (dead.reason, dead.message.notification.channel) == ("is_archived", "#finance")
    with pytest.raises(UserMistake, match="no dead letter"):
        resend(office.store, "nothing", office)
    resend(office.store, dead.message.key[:12], office)
    office.answer = lambda n: Delivery(sent=True)
    assert office.after(minutes=1) == Report(made=1, sent=1)
    assert office.states() == {"replaced": 1, "sent": 1}


def test_silences_are_kept_listed_and_ended(office: Office) -> None:
    quiet = silence(
        ["dataset=flights"],
        author="ada",
        reason="known ☕",
        begins=NOON,
        ends=NOON + timedelta(hours=2),
        now=NOON,
    )
    assert office.store.put_silence(quiet, NOON)
    assert not office.store.put_silence(quiet, NOON)
    assert office.store.silences(NOON) == (quiet,)
    assert office.store.silences(quiet.ends) == ()
    office.hear(note("a"))
    assert office.after(minutes=20) == Report()
    assert office.store.end_silence(quiet.id, office.time, SERVICE)
    assert not office.store.end_silence(quiet.id, office.time, SERVICE)
    assert office.after(minutes=6).sent == 1
    with pytest.raises(UserMistake, match="no silence is called"):
        office.store.end_silence("nothing", office.time, SERVICE)
    assert [(e.action, e.kind) for e in office.store.audit("silence")] == [
        ("created", "silence"),
        ("ended", "silence"),
    ]


def test_inhibition_looks_at_all_that_fires_for_the_team(store: DatabaseStore) -> None:
    text = """
route: {receiver: contract, group_by: [dataset, severity]}
inhibit_rules:
  - {source_matchers: ['severity="error"'], target_matchers: ['severity="warning"'], equal: [dataset]}
"""
    from contracts_svc.findings import Severity

    office = Office(store, read(text.encode(), "routes.yaml", {}))
    office.hear(note("w", severity=Severity.WARNING), note("e"))
    office.after(minutes=10)
    assert [n.incidents for _, n in office.taken] == [("e",)]


def test_what_belongs_to_no_incident_is_posted_once(office: Office) -> None:
    from dataclasses import replace

    letter = replace(note(), key="digest of monday", labels={"state": "digest", "squad": "finance"})
    assert post(office.store, [letter], NOON) == 1
    assert post(office.store, [letter], NOON) == 0
    office.answer = lambda n: DOWN
    assert office.after(seconds=1).later == 1
    office.answer = lambda n: Delivery(sent=False, reason="is_archived")
    assert office.after(minutes=1).dead == 1
    (dead,) = office.store.messages(MessageState.DEAD)
    resend(office.store, dead.message.key, office)
    office.answer = lambda n: Delivery(sent=True)
    assert office.after(minutes=1) == Report(sent=1)
    assert post(office.store, [letter], NOON) == 0
    assert office.after(hours=10) == Report()


# --- receivers that fail --------------------------------------------------------------------------


def test_an_hour_without_the_receiver_loses_nothing_and_ends_without_a_storm(quick: Office) -> None:
    quick.answer = lambda n: DOWN
    for minute in range(0, 60, 3):
        # Every 3 minutes something new for each of 5 teams, in 2 datasets; what is odd is over at once.
        for team in range(5):
            name = f"{team}-{minute}"
            dataset = ("flights", "weather")[minute % 2]
            quick.hear(note(name, team=f"team{team}", dataset=dataset))
            if minute % 4 == 0:
                quick.hear(note(name, team=f"team{team}", dataset=dataset, over=True), over=(name,))
        quick.after(minutes=3)
    tries = quick.tries
    assert quick.taken == []
    assert tries < 60, "a receiver that is down is left alone"
    quick.answer = lambda n: Delivery(sent=True)
    quick.after(minutes=15)
    told = Counter((n.team, n.labels["dataset"]) for _, n in quick.taken)
    assert set(told.values()) == {1}, "one message for each team and dataset catches up"
    assert len(told) == 10
    open_ones = {i for _, n in quick.taken for i in n.incidents if i not in n.resolved}
    assert open_ones == {f"{t}-{m}" for t in range(5) for m in range(0, 60, 3) if m % 4 != 0}
    assert set(quick.states()) <= {"sent", "replaced"}


def test_a_receiver_that_asks_for_a_pause_gets_it(quick: Office) -> None:
    quick.answer = lambda n: Delivery(sent=False, retry=True, reason="ratelimited", retry_after=300)
    quick.hear(*(note(f"i{t}", team=f"t{t}") for t in range(20)))
    quick.after(seconds=30)
    assert quick.tries == 1
    quick.answer = lambda n: Delivery(sent=True)
    assert quick.after(seconds=299).sent == 0
    quick.after(minutes=2)
    assert len(quick.taken) == 20


def test_what_may_have_arrived_is_tried_three_times_only(quick: Office) -> None:
    quick.answer = lambda n: Delivery(sent=False, retry=True, unsure=True, reason="no answer")
    quick.hear(note("a"))
    quick.after(minutes=30)
    assert (quick.tries, quick.states()) == (3, {"dead": 1})


def test_what_cannot_be_sent_for_a_day_is_a_dead_letter(quick: Office) -> None:
    quick.answer = lambda n: DOWN
    quick.hear(note("a"))
    quick.after(hours=23)
    assert "dead" not in quick.states()
    quick.after(hours=2)
    assert quick.states()["dead"] == 1
    quick.answer = lambda n: Delivery(sent=True)
    quick.after(hours=5)
    assert len(quick.taken) == 1, "as a repeat it is tried again"


def test_what_was_over_before_it_could_be_told_is_one_message(quick: Office) -> None:
    refusals = iter([False] * 3)
    quick.answer = lambda n: Delivery(sent=True) if next(refusals, True) else DOWN
    quick.hear(note("a"))
    quick.after(seconds=31)
    quick.hear(note("a", over=True), over=("a",))
    quick.after(hours=1)
    assert [n.labels["state"] for _, n in quick.taken] == ["resolved"]
    assert quick.states() == {"sent": 1, "replaced": 1}


def test_one_dead_channel_keeps_no_other_from_hearing(quick: Office) -> None:
    quick.answer = lambda n: Delivery(sent=n.team != "gone", reason="" if n.team != "gone" else "is_archived")
    quick.hear(*(note("a", team=t) for t in ("gone", "finance", "punctuality")))
    quick.after(minutes=1)
    assert quick.states() == {"sent": 2, "dead": 1}


def test_a_team_without_a_channel_is_a_dead_letter_that_says_so(quick: Office) -> None:
    from dataclasses import replace

    quick.hear(replace(note("a"), receiver="unrouted", channel=""))
    quick.after(minutes=1)
    (dead,) = quick.store.messages(MessageState.DEAD)
    assert dead.reason == "there is no receiver 'contract' (unrouted)"


def test_hostile_reasons_can_be_kept(office: Office) -> None:
    office.answer = lambda n: Delivery(sent=False, reason="\x00\ud800" + "x" * 5_000)
    office.hear(note("a"))
    assert office.after(minutes=1).dead == 1
    assert len(office.store.messages(MessageState.DEAD)[0].reason) == 1_000


def test_the_thread_of_a_group_comes_back_with_its_next_message(quick: Office) -> None:
    quick.answer = lambda n: Delivery(sent=True, thread="C1:17.2")
    quick.hear(note("a"))
    quick.after(minutes=1)
    quick.hear(note("a", over=True), over=("a",))
    quick.after(minutes=6)
    assert [(n.thread, n.still_open) for _, n in quick.taken] == [("", 1), ("C1:17.2", 0)]
    assert len({n.group for _, n in quick.taken}) == 1


def test_a_slow_receiver_is_not_overtaken_by_a_second_sender(quick: Office) -> None:
    second = quick.new_sender()
    inside = False

    def slow(notification: Notification) -> Delivery:
        nonlocal inside
        if not inside:
            # While this takes its time, another process looks for something to do.
            inside = True
            quick.time += timedelta(seconds=50)
            second.step()
            inside = False
        return Delivery(sent=True)

    quick.answer = slow
    quick.hear(*(note("a", team=f"t{n}") for n in range(12)))
    quick.after(minutes=30)
    assert Counter(n.team for _, n in quick.taken) == Counter(f"t{n}" for n in range(12))


# --- a sender that is killed ----------------------------------------------------------------------

SENDER = """
import sys
from datetime import timedelta
from pathlib import Path
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.flows.deliver import Sender
from contracts_svc.ports import Delivery
from tests.alerts_world import DEP_DELAY, NOON, fails, run
from tests.fixtures_store import read_contract

class Lines:
    def __init__(self, path):
        self.file = open(path, "a", buffering=1)
    def send(self, notification):
        self.file.write(notification.key + "\\n")
        return Delivery(sent=True)

class Later:
    # Each process comes later, when what the one before had taken is free again.
    def now(self):
        return NOON + timedelta(hours=1, minutes=3 * int(sys.argv[3]))

store = DatabaseStore(Database(sys.argv[1]), read_contract)
lines = Lines(sys.argv[2])
print("ready", flush=True)
Sender(store, lambda message: lines, Later()).step()
"""

MESSAGES = 1_000
KILLS = 4


@pytest.mark.slow
def test_a_sender_killed_at_random_loses_none_and_repeats_hardly_any(store_url: str, tmp_path: Path) -> None:
    store = DatabaseStore(Database(store_url), read_contract)
    office = Office(store)
    office.hear(*(note(f"i{n}", team=f"t{n}") for n in range(MESSAGES)))
    out = tmp_path / "sent.txt"
    out.touch()
    for number in range(200):
        process = subprocess.Popen(
            [sys.executable, "-c", SENDER, store_url, str(out), str(number)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        last = number >= KILLS
        goal = MESSAGES * (number + 1) // (KILLS + 1)
        while process.poll() is None and not last:
            if out.read_bytes().count(b"\n") >= goal:
                process.kill()
        process.wait()
        process.stdout.close()
        if last:
            assert process.returncode == 0
            break
    told = Counter(out.read_text().split())
    repeats = sum(told.values()) - len(told)
    assert len(told) == MESSAGES
    assert office.states() == {"sent": MESSAGES}
    assert repeats <= KILLS
    assert repeats / MESSAGES < 0.005
    store.close()


def test_when_incidents_were_first_told_is_kept_once(store: DatabaseStore) -> None:
    """By audience and opening; a repeat, a retry or another group of that audience changes nothing."""
    found = step((), run(NOON, "month=12", fails(DEP_DELAY)), NOON)
    store.put_incidents(found.incidents, found.transitions)
    (incident,) = found.incidents
    delays: list[timedelta] = []
    office = Office(store)
    office.sender = Sender(store, office._find, office, heard=delays.extend, chance=lambda: 0.5)
    office.answer = lambda n: Delivery(sent=office.time > NOON + timedelta(minutes=5), retry=True)
    office.hear(note(incident.fingerprint), note(incident.fingerprint, team="menu"), note("unknown"))
    office.until(NOON + timedelta(hours=9))
    told = store.told([incident.fingerprint])[incident.fingerprint]
    assert told.keys() == {Audience.STAKEHOLDER}
    assert told[Audience.STAKEHOLDER] > NOON + timedelta(minutes=5)
    assert delays == [told[Audience.STAKEHOLDER] - incident.opened]
    assert len(office.taken) > 2, "there were repeats"

    store.put_incidents([replace(incident, opened=NOON + timedelta(days=2))])
    assert store.told([incident.fingerprint]) == {}, "it is another one by now"
