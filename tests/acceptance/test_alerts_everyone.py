"""Everybody who is affected hears it in time, once, and nobody else does: at scale, and on any lineage."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Audience, Notification
from contracts_svc.flows.deliver import Sender
from contracts_svc.flows.notify import notify
from contracts_svc.incidents import fingerprint
from contracts_svc.lineage.graph import Consumer, EdgeType, Graph
from contracts_svc.model import Contract
from contracts_svc.ports import Delivery
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.runs import Check, Result
from tests.alerts_world import NOON, consumer, contract, dataset_of, edge, fails, passes, run
from tests.fixtures_store import memory_store

ROUTE = DEFAULT_ROUTES.root
RUN = timedelta(seconds=5)
"""What a run of tests.alerts_world takes; it is told of as soon as it has begun."""


@dataclass
class Platform:
    """Tables with owners and lineage, a clock, and everything that was handed over."""

    contracts: dict[str, Contract]
    graph: Graph
    consumers: list[Consumer]
    seconds_a_send: float = 0.0
    time: datetime = NOON
    handed_over: list[tuple[datetime, Notification]] = field(default_factory=list)

    kept: DatabaseStore | None = None
    down: bool = False

    def __post_init__(self) -> None:
        self.store = self.kept or memory_store()
        self.sender = Sender(self.store, lambda message: self, self, chance=lambda: 0.5)

    def now(self) -> datetime:
        return self.time

    def send(self, notification: Notification) -> Delivery:
        if self.down:
            return Delivery(sent=False, retry=True, reason="nobody answers")
        self.time += timedelta(seconds=self.seconds_a_send)
        self.handed_over.append((self.time, notification))
        return Delivery(sent=True)

    def checks(self, table: str, *results: Result) -> None:
        notify(
            run(self.time, "whole table", *results, table=table),
            store=self.store,
            outbox=self.store,
            contracts=self.contracts,
            dataset_of=dataset_of,
            graph=self.graph,
            consumers=self.consumers,
            clock=self,
        )

    def until(self, at: datetime) -> None:
        while (due := self.store.outbox_due()) is not None and due <= at:
            self.time = max(self.time, due)
            self.sender.step()
        self.time = max(self.time, at)


def check(table: str, column: str) -> Check:
    return Check(
        id=f"{table}.{column}.required", kind="required", table=table, columns=(column,), title=column
    )


# --- 10,000 results at once ---------------------------------------------------------------------

CAUSES, SYMPTOMS, COLUMNS = 40, 60, 10
COLUMN_NAMES = [f"c{n}" for n in range(100)]


def fed_by(symptom: int) -> set[int]:
    return {symptom % CAUSES, symptom * 7 % CAUSES, (symptom + 13) % CAUSES}


@pytest.mark.slow
def test_ten_thousand_results_at_once_are_one_message_for_each_squad_and_root_cause(
    store: DatabaseStore,
) -> None:
    owners = {f"cause{n}": f"squad{n}" for n in range(CAUSES)} | {
        f"symptom{n}": f"squad{n}" for n in range(SYMPTOMS)
    }
    platform = Platform(
        contracts={f"urn:{t}": contract(t, squad, "tribe", *COLUMN_NAMES) for t, squad in owners.items()},
        graph=Graph.of(
            edge(f"cause{c}.c{n}", f"symptom{s}.c{n}", EdgeType.IDENTITY)
            for s in range(SYMPTOMS)
            for c in sorted(fed_by(s))
            for n in range(COLUMNS)
        ),
        consumers=[consumer(f"symptom{n}", f"symptom{n}", f"squad{n}") for n in range(SYMPTOMS)],
        seconds_a_send=0.1,
        kept=store,
    )

    def results(table: str, bad: bool) -> Iterator[Result]:
        for number, name in enumerate(COLUMN_NAMES):
            found = check(table, name)
            yield fails(found, where="whole table") if bad and number < COLUMNS else passes(found)

    # The worst order: what is wrong downstream is seen before its cause is.
    tables = [f"symptom{n}" for n in range(SYMPTOMS)] + [f"cause{n}" for n in range(CAUSES)]
    for table in tables:
        platform.checks(table, *results(table, True))
    opened = platform.store.incidents()
    assert len(tables) * len(COLUMN_NAMES) == 10_000
    assert len(opened) == 1_000
    assert len({i.table for i in opened if not i.cause}) == CAUSES

    platform.until(NOON + timedelta(hours=3))
    told = Counter((n.team, n.labels["dataset"]) for _, n in platform.handed_over)
    expected = {(f"squad{c}", f"cause{c}") for c in range(CAUSES)}
    expected |= {(f"squad{s}", f"cause{c}") for s in range(SYMPTOMS) for c in fed_by(s)}
    assert told == Counter(dict.fromkeys(expected, 1))
    assert {team for team, _ in told} == {f"squad{n}" for n in range(60)}
    last = max(at for at, _ in platform.handed_over)
    assert last - NOON <= timedelta(seconds=60)

    platform.handed_over.clear()
    mended = platform.time
    for table in reversed(tables):
        platform.checks(table, *results(table, False))
    platform.until(mended + timedelta(hours=3))
    over = Counter((n.team, n.labels["dataset"]) for _, n in platform.handed_over)
    assert over == told
    assert {n.labels["state"] for _, n in platform.handed_over} == {"resolved"}


# --- any lineage, any results -------------------------------------------------------------------

TABLES = [f"t{n}" for n in range(6)]
PLACES = [(t, c) for t in TABLES for c in ("a", "b")]
Place = tuple[str, str]


def reached(start: Place, arrows: set[tuple[Place, Place]]) -> set[Place]:
    """All columns downstream, worked out without the product's own walk."""
    found: set[Place] = set()
    todo = [start]
    while todo:
        here = todo.pop()
        for source, target in arrows:
            if source == here and target not in found:
                found.add(target)
                todo.append(target)
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
@example(42070457)  # a cause that is over before anybody was told of it
@example(3508175876)  # the same, of what was explained from its first moment
@example(42070455)  # a cause that itself waits for its next run, since its own is over
def test_on_any_lineage_the_affected_hear_in_time_and_nobody_else_does(seed: int) -> None:
    chance = random.Random(seed)
    arrows = {((s, c), (t, d)) for (s, c) in PLACES for (t, d) in PLACES if s != t and chance.random() < 0.08}
    teams = {t: f"team-{chance.choice('xyz')}-{t}" if chance.random() < 0.5 else "shared" for t in TABLES}
    platform = _platform(arrows, teams)
    lives = _history(platform, chance)
    _judge(platform, lives, arrows, teams)


def _platform(arrows: set[tuple[Place, Place]], teams: dict[str, str]) -> Platform:
    return Platform(
        contracts={f"urn:{t}": contract(t, team, "", "a", "b") for t, team in teams.items()},
        graph=Graph.of(
            edge(".".join(source), ".".join(target), EdgeType.IDENTITY) for source, target in sorted(arrows)
        ),
        consumers=[consumer(t, t, team) for t, team in teams.items()],
    )


Lives = dict[Place, list[tuple[datetime, datetime]]]


def _history(platform: Platform, chance: random.Random) -> Lives:
    """Random runs for a while, then all is mended. When each column was wrong."""
    bad: dict[Place, datetime] = {}
    lives: Lives = defaultdict(list)

    def run_of(table: str, wrong: set[str]) -> None:
        at = platform.time + RUN
        for column in "ab":
            place = (table, column)
            if column in wrong:
                bad.setdefault(place, at)
        platform.checks(
            table,
            *(
                fails(check(table, c), where="whole table") if c in wrong else passes(check(table, c))
                for c in "ab"
            ),
        )
        still = {i.fingerprint for i in platform.store.incidents()}
        for column in "ab":
            place = (table, column)
            if place in bad and fingerprint(f"urn:{table}", table, check(table, column).id) not in still:
                lives[place].append((bad.pop(place), platform.time))
        platform.until(platform.time + timedelta(seconds=6))

    for _ in range(chance.randrange(4, 14)):
        run_of(chance.choice(TABLES), {c for c in "ab" if chance.random() < 0.5})
        platform.until(platform.time + timedelta(seconds=chance.choice([0, 10, 40, 200, 1000])))
    for _ in range(6):
        # What comes and goes has to be good for some runs.
        platform.until(platform.time + timedelta(seconds=400))
        for table in TABLES:
            run_of(table, set())
    assert not bad
    platform.until(platform.time + timedelta(hours=1))
    return lives


def _judge(platform: Platform, lives: Lives, arrows: set[tuple[Place, Place]], teams: dict[str, str]) -> None:
    name_of = {fingerprint(f"urn:{t}", t, check(t, c).id): (t, c) for t, c in PLACES}
    told: dict[tuple[str, Place], list[tuple[datetime, bool]]] = defaultdict(list)
    for at, notification in platform.handed_over:
        for incident in notification.incidents:
            mine = teams[name_of[incident][0]] == notification.team
            as_owner = notification.audience is Audience.OWNER
            assert as_owner is mine, "who owns it hears as the owner, and only so"
            told[notification.team, name_of[incident]].append((at, incident not in notification.resolved))
    concerned = {place: {teams[place[0]]} | {teams[t] for t, _ in reached(place, arrows)} for place in PLACES}
    for (team, place), _ in told.items():
        assert team in concerned[place], f"{team} heard of {place}, which does not reach it"
    within = max(ROUTE.group_wait, ROUTE.group_interval) + RUN
    for place, spans in lives.items():
        explainers = {p for p in lives if p[0] != place[0] and place in reached(p, arrows)}
        for began, ended in spans:
            upstream = [p for p in explainers if any(a <= ended and b >= began for a, b in lives[p])]
            if ended - began <= within:
                continue
            for team in concerned[place]:
                heard = [
                    at
                    for at, firing in told.get((team, place), ())
                    if firing and began - RUN <= at <= began + within
                ]
                through = [
                    at
                    for p in upstream
                    for at, firing in told.get((team, p), ())
                    if firing and at <= ended + within
                ]
                assert heard or through, f"{team} did not hear of {place}"
    for (team, place), messages in told.items():
        firsts = Counter(at for at, firing in messages if firing)
        assert max(firsts.values()) == 1, f"{team} heard of {place} twice at once"
        assert messages[0][1], f"{team} heard the end of {place} first"
        assert not messages[-1][1], f"{team} never heard that {place} is over"


# --- an hour without receivers --------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32))
def test_an_hour_without_receivers_loses_nothing_and_ends_in_order_without_a_storm(seed: int) -> None:
    """Whatever fails and is mended meanwhile: then each team hears once of each dataset, of all of it."""
    chance = random.Random(seed)
    arrows = {((s, c), (t, d)) for (s, c) in PLACES for (t, d) in PLACES if s != t and chance.random() < 0.08}
    teams = {t: f"team-{t}" for t in TABLES}
    platform = _platform(arrows, teams)
    name_of = {fingerprint(f"urn:{t}", t, check(t, c).id): (t, c) for t, c in PLACES}
    before = platform.time
    _some_runs(platform, chance, 4)
    platform.until(before + timedelta(minutes=20))
    platform.down = True
    outage = platform.time
    while platform.time < outage + timedelta(hours=1):
        _some_runs(platform, chance, 2)
        platform.until(platform.time + timedelta(minutes=chance.choice([1, 5, 12])))
    platform.down = False
    back = platform.time
    platform.until(back + timedelta(minutes=20))
    caught_up = [n for at, n in platform.handed_over if at >= back]
    again = Counter((n.team, n.labels["dataset"], n.audience) for n in caught_up)
    assert all(count <= 2 for count in again.values()), "news within the interval are one more message"

    last: dict[tuple[str, str], bool] = {}
    for _, notification in platform.handed_over:
        for incident in notification.incidents:
            ends = incident in notification.resolved
            first = (notification.team, incident) not in last
            # What was over before it could be told is told with its end, at once.
            alone = first and ends and notification.created is not None and notification.created < back
            assert not alone, f"{notification.team} heard the end of {name_of[incident]} first"
            last[notification.team, incident] = not ends
    open_now = {i.fingerprint: i for i in platform.store.incidents()}
    for incident in open_now.values():
        if not incident.cause:
            owner = teams[incident.table]
            assert last.get((owner, incident.fingerprint)), f"{owner} does not know of {incident.check}"
    for (team, name), firing in last.items():
        assert not firing or name in open_now, f"{team} never heard that {name_of[name]} is over"


def _some_runs(platform: Platform, chance: random.Random, count: int) -> None:
    for _ in range(count):
        table = chance.choice(TABLES)
        wrong = {c for c in "ab" if chance.random() < 0.5}
        results = (fails if c in wrong else passes for c in "ab")
        platform.checks(table, *(of(check(table, c)) for of, c in zip(results, "ab", strict=True)))
        platform.until(platform.time + timedelta(seconds=6))
