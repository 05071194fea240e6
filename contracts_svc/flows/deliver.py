"""Send what is due: at least once, in order for each group, and without a storm after an outage."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts_svc.alerts import Notification
from contracts_svc.errors import UserMistake
from contracts_svc.ports import Clock, Delivery, Receiver
from contracts_svc.ports_outbox import Kept, MessageState, OutboxStore
from contracts_svc.routes.channels import SLACK
from contracts_svc.routes.dispatch import joined, targets
from contracts_svc.routes.flush import World, asked_again, failed, flush, given_up, sent
from contracts_svc.routes.groups import Group, Message, digest
from contracts_svc.routes.read import CONTRACT
from contracts_svc.routes.retry import GIVE_UP_AFTER, UNSURE_ATTEMPTS, Breaker, pause
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile

GROUPS_AT_ONCE = 200
MESSAGES_AT_ONCE = 20
"""Few: what a process that dies had taken waits until nobody can be sending it any more."""
LEASE = timedelta(minutes=2)
"""How long what a process took is its own. In the second half it begins no send any more: one takes a
minute at most, so that nobody else can be sending the same message."""

Find = Callable[[Message], Receiver | None]
"""Who sends a message; None: there is no such receiver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one step did: messages made, sent, put off, and given up."""

    made: int = 0
    sent: int = 0
    later: int = 0
    dead: int = 0

    def __add__(self, other: Report) -> Report:
        return Report(
            made=self.made + other.made,
            sent=self.sent + other.sent,
            later=self.later + other.later,
            dead=self.dead + other.dead,
        )


class Sender:
    """Sends what the outbox holds. Several may work at once, in threads or processes of their own."""

    def __init__(
        self,
        store: OutboxStore,
        find: Find,
        clock: Clock,
        *,
        routes: Callable[[], RouteFile] = lambda: DEFAULT_ROUTES,
        chance: Callable[[], float] = random.random,
        lease: timedelta = LEASE,
        heard: Callable[[Sequence[timedelta]], None] = lambda delays: None,
    ) -> None:
        """``routes`` gives the route file as it is now; ``chance`` numbers from 0 to 1. ``heard`` is given
        how long it took until somebody of an audience first heard of each incident."""
        self._store = store
        self._find = find
        self._clock = clock
        self._routes = routes
        self._chance = chance
        self._lease = lease
        self._heard = heard
        self._breakers: dict[str, Breaker] = {}

    def step(self) -> Report:
        """Make what is due and send it. Raises CouldNotCheck when the store cannot be reached."""
        report = Report(made=self._make())
        while True:
            now = self._clock.now()
            taken = self._store.take(now, now + self._lease, MESSAGES_AT_ONCE)
            if not taken:
                return report
            for message in taken:
                if self._clock.now() - now > self._lease / 2:
                    break
                report += self._send(message)

    def blocked(self) -> dict[str, datetime]:
        """Receivers that are left alone for now, and until when."""
        now = self._clock.now()
        return {name: b.until for name, b in self._breakers.items() if b.until and b.blocked(now)}

    # --- making ---------------------------------------------------------------------------------

    def _make(self) -> int:
        """Look at every group that is due, and put what is to be said into the outbox."""
        made = 0
        while True:
            some, looked_at = self._store.atomically(self._make_some)
            made += some
            if looked_at < GROUPS_AT_ONCE:
                return made

    def _make_some(self) -> tuple[int, int]:
        store, now, routes = self._store, self._clock.now(), self._routes()
        store.lock_outbox()
        groups = store.due_groups(now, GROUPS_AT_ONCE)
        world = World(routes=routes, silences=store.silences(now), firing=self._firing(groups, routes))
        made = 0
        for group in groups:
            found = flush(group, world, now)
            if found.message is not None:
                store.put_message(found.message)
                made += 1
            if found.message is not None or not found.group.entries:
                store.replace_retries(group.key, keep=found.message.key if found.message else "")
            store.put_groups([found.group])
            if found.escalated is not None:
                there = store.groups([found.escalated.key])
                store.put_groups([joined(there[0] if there else None, found.escalated, routes)])
        return made, len(groups)

    def _firing(self, groups: tuple[Group, ...], routes: RouteFile) -> dict[str, tuple[dict[str, str], ...]]:
        if not routes.inhibit:
            return {}
        firing: dict[str, tuple[dict[str, str], ...]] = {}
        for group in self._store.groups_of({g.recipient for g in groups}):
            labels = tuple(dict(group.labels_of(e)) for e in group.entries if e.firing)
            firing[group.recipient] = (*firing.get(group.recipient, ()), *labels)
        return firing

    # --- sending --------------------------------------------------------------------------------

    def _send(self, message: Message) -> Report:
        name = _breaker(message)
        breaker = self._breakers.get(name, Breaker())
        now = self._clock.now()
        if breaker.until is not None and breaker.blocked(now):
            # Spread over a while, so that what waited together does not come back together.
            again = breaker.until + pause(1, 0, self._chance())
            return self._put_off(message, again, "its receiver is left alone for now", tried=False)
        receiver = self._find(message)
        if receiver is None:
            kind = message.notification.receiver or "none"
            return self._give_up(message, f"there is no receiver {message.receiver!r} ({kind})")
        delivery = receiver.send(message.notification)
        if delivery.sent:
            self._breakers[name] = breaker.succeeded()
            return self._sent(message, delivery)
        if not delivery.retry:
            return self._give_up(message, delivery.reason)
        self._breakers[name] = breaker.failed(now, delivery.retry_after, self._chance())
        attempts = message.attempts + 1
        if delivery.unsure and attempts >= UNSURE_ATTEMPTS:
            return self._give_up(message, f"tried {attempts} times: {delivery.reason}")
        again = now + pause(attempts, delivery.retry_after, self._chance())
        return self._put_off(message, again, delivery.reason, tried=True)

    def _sent(self, message: Message, delivery: Delivery) -> Report:
        now, routes = self._clock.now(), self._routes()

        def settled(group: Group) -> Group:
            return sent(group, now, delivery.thread, routes)

        self._settle(message, settled, MessageState.SENT, now, message.attempts + 1, "")
        return Report(sent=1)

    def _put_off(self, message: Message, again: datetime, reason: str, *, tried: bool) -> Report:
        now, routes = self._clock.now(), self._routes()
        (group,) = self._store.groups([message.group]) or (None,)
        since = group.failing_since if group is not None else message.created
        if now - (since or now) >= GIVE_UP_AFTER:
            return self._give_up(message, f"given up after {GIVE_UP_AFTER}: {reason}")

        def settled(group: Group) -> Group:
            return failed(group, again, now, tried=tried, routes=routes)

        self._settle(message, settled, MessageState.RETRY, now, message.attempts + tried, reason, again)
        return Report(later=1)

    def _give_up(self, message: Message, reason: str) -> Report:
        now, routes = self._clock.now(), self._routes()

        def settled(group: Group) -> Group:
            return given_up(group, now, routes)

        self._settle(message, settled, MessageState.DEAD, now, message.attempts + 1, reason)
        return Report(dead=1)

    def _settle(
        self,
        message: Message,
        change: Callable[[Group], Group],
        state: MessageState,
        now: datetime,
        attempts: int,
        reason: str,
        again: datetime | None = None,
    ) -> None:
        told = message.notification
        firing = set(told.incidents) - set(told.resolved) if state is MessageState.SENT else set()

        def work() -> Mapping[str, datetime]:
            self._store.lock_outbox()
            found = self._store.groups([message.group])
            mine = [g for g in found if g.pending == message.key]
            self._store.put_groups(map(change, mine))
            # Without a group there is nothing that would make it anew: it waits as it is.
            alone = state is MessageState.RETRY and not mine
            self._store.settle(
                message.key,
                MessageState.WAITING if alone else state,
                now,
                attempts=attempts,
                reason=reason,
                again=again if alone else None,
            )
            return self._store.put_told(firing, told.audience, now) if firing else {}

        first = self._store.atomically(work)
        self._heard([now - opened for opened in first.values()])


def post(
    store: OutboxStore,
    notifications: Iterable[Notification],
    now: datetime,
    routes: RouteFile = DEFAULT_ROUTES,
) -> int:
    """Put what belongs to no incident (digests, announcements) into the outbox; how many messages.

    Receivers are picked by the routes; there is no waiting and no repeating. The same notification
    again changes nothing.
    """
    given = tuple(notifications)

    def work() -> int:
        store.lock_outbox()
        made = 0
        for notification in given:
            for target in targets(notification, routes):
                key = digest([notification.key, target.key])
                if store.message(key) is None:
                    said = replace(notification, key=key)
                    message = Message(
                        key=key, group="", receiver=target.receiver, notification=said, created=now
                    )
                    store.put_message(message)
                    made += 1
        return made

    return store.atomically(work)


def resend(store: OutboxStore, key: str, clock: Clock, routes: RouteFile = DEFAULT_ROUTES) -> Kept:
    """Send a dead letter again; ``key`` is how its key begins. What is said is what is so now.

    Raises UserMistake when there is none, or there is nothing to say any more.
    """

    def work() -> Kept:
        store.lock_outbox()
        kept = store.message(key)
        if kept is None or kept.state is not MessageState.DEAD:
            stands = f"it is {kept.state.value}" if kept else "there is none, or more than one"
            raise UserMistake.of(
                f"{key!r} is no dead letter: {stands}", "see `contracts outbox list --state dead`"
            )
        now = clock.now()
        found = store.groups([kept.message.group])
        if not kept.message.group:
            store.put_message(replace(kept.message, attempts=0))
        elif found:
            group = asked_again(found[0], now, routes)
            if not any(e.is_news for e in group.entries):
                raise UserMistake.of("all that it says was told since", "there is nothing to send")
            store.put_groups([group])
            store.settle(kept.message.key, MessageState.REPLACED, now, attempts=kept.message.attempts)
        elif kept.message.notification.still_open or not kept.message.notification.resolved:
            raise UserMistake.of("what it tells of is over by now", "there is nothing to send")
        else:
            store.put_message(replace(kept.message, attempts=0))
        return kept

    return store.atomically(work)


def _breaker(message: Message) -> str:
    """What fails together: a receiver of the route file, Slack, or a channel that contracts name."""
    if message.receiver != CONTRACT:
        return message.receiver
    kind, channel = message.notification.receiver, message.notification.channel
    return kind if kind == SLACK else f"{kind} {channel}".strip()
