"""Every due run exactly once, by a fake clock: over days, with restarts, daylight saving, wrong clocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.run_check import Checking, failed, run_check
from contracts_svc.flows.scheduling import Leader, Pace, Scheduling
from contracts_svc.incidents import Handling
from contracts_svc.model import Contract, Server, Table
from contracts_svc.ports_store import Actor
from contracts_svc.quality.kind import TargetOf
from contracts_svc.routes.intervals import TimeInterval
from contracts_svc.runs import WHOLE_TABLE, Outcome, Run
from contracts_svc.schedule import cron, latest, next_after
from contracts_svc.schedules_runs import Planned, PublishEvent, Reason, RunState, ScheduledRun
from tests.fixtures_store import memory_store, read_contract

START = datetime(2026, 10, 23, 22, 30, tzinfo=UTC)
BERLIN = "Europe/Berlin"
BY = Actor(who="ada", where="test")


@dataclass
class World:
    """A store, a clock, and workers that check at once what they are handed."""

    store: DatabaseStore
    now: datetime = START
    elapsed: float = 0.0
    handed: list[ScheduledRun] = field(default_factory=list)
    told: list[tuple[Run, Handling]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    check_table: Callable[[Contract], None] = lambda contract: None
    windows: tuple[TimeInterval, ...] = ()

    def __post_init__(self) -> None:
        self.leader = self.new_leader()

    def new_leader(self) -> Leader:
        self.leader = Leader(
            Scheduling(
                store=self.store,
                queue=self,
                read=read_contract,
                died=lambda run: failed(run, "its worker died", self.parts()),
                windows=self.windows,
                pace=Pace(refresh=60, patience=30, unclaimed=60),
            )
        )
        return self.leader

    def parts(self) -> Checking:
        return Checking(store=self.store, clock=WorldClock(self), check=self.check, tell=self.tell)

    def check(
        self,
        contract: Contract,
        table: Table,
        server: Server,
        target_of: TargetOf,
        partition: Mapping[str, str],
    ) -> Run:
        self.check_table(contract)
        self.checked.append(f"{contract.id}.{table.name}")
        return Run(
            contract=contract.id, version=contract.version, table=table.name, server=server.server,
            scope=WHOLE_TABLE, started=self.now, finished=self.now, results=(),
        )  # fmt: skip

    def tell(self, run: Run, handling: Handling) -> None:
        self.told.append((run, handling))

    # The queue.
    def hand(self, runs: Sequence[ScheduledRun]) -> None:
        self.handed += runs

    def work(self, do: Callable[[int], None], slots: int) -> None:
        while self.handed:
            do(self.handed.pop(0).id)

    def stop(self) -> None: ...

    def close(self) -> None: ...

    def begin(self, number: int) -> None:
        run = self.store.claim(number, "w", self.now)
        if run is not None:
            run_check(run, self.parts())

    def pass_time(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.elapsed += seconds

    def round(self, seconds: float = 0) -> None:
        self.pass_time(seconds)
        self.leader.tick(self.now, self.elapsed)
        self.work(self.begin, 1)

    def rounds(self, until: datetime, step: float) -> None:
        while self.now < until:
            self.round(step)

    def register(
        self, contract: str, schedule: str, tables: Iterable[str] = ("t",), zone: str = BERLIN
    ) -> None:
        quality = f"quality: [{{type: text, schedule: '{schedule}'}}]"
        schema = ", ".join(f"{{name: {t}, {quality}}}" for t in tables)
        text = (
            "apiVersion: v3.1.0\nkind: DataContract\nstatus: active\nversion: 1.0.0\n"
            f"id: {contract}\nservers: [{{server: s, type: local, path: '/nowhere', format: parquet}}]\n"
            f"customProperties: [{{property: timezone, value: {zone}}}]\nschema: [{schema}]\n"
        ).encode()  # fmt: skip
        self.store.put_contract(read_contract(text, "c.yaml"), text, self.now)

    def runs(self, contract: str) -> list[ScheduledRun]:
        return sorted(self.store.scheduled_runs(contract, limit=100_000), key=lambda r: r.scheduled_for)


@dataclass
class WorldClock:
    world: World

    def now(self) -> datetime:
        return self.world.now


@pytest.fixture
def world() -> World:
    return World(memory_store())


def expected(schedule: str, start: datetime, end: datetime) -> list[datetime]:
    trigger = cron(schedule, BERLIN)
    found: list[datetime] = []
    when = next_after(trigger, start)
    while when is not None and when <= end:
        found.append(when)
        when = next_after(trigger, when)
    return found


def test_every_due_run_exactly_once_over_days_with_restarts_and_daylight_saving(world: World) -> None:
    """Three days with the one on which the clocks of Berlin are set back, two outages and two leaders."""
    schedules = {"hourly": "0 * * * *", "daily": "30 2 * * *", "often": "*/20 * * * *"}
    for name, schedule in schedules.items():
        world.register(name, schedule)
    end = START + timedelta(days=3)
    down = [(START + timedelta(hours=h), START + timedelta(hours=h, minutes=155)) for h in (9, 40)]
    stale = world.leader
    while world.now < end:
        inside = next((up for begin, up in down if begin < world.now < up), None)
        if inside is not None:
            world.pass_time((inside - world.now).total_seconds())
            stale = world.leader
            world.new_leader()
        world.round(300)
        stale.tick(world.now, world.elapsed)  # another that still believes to be the leader
        world.work(world.begin, 1)

    def missed(when: datetime, schedule: str) -> bool:
        up = next((up for begin, up in down if begin < when < up), None)
        return up is not None and latest(cron(schedule, BERLIN), up + timedelta(seconds=300)) != when

    for name, schedule in schedules.items():
        runs = world.runs(name)
        due = [t for t in expected(schedule, START, world.now) if not missed(t, schedule)]
        assert [r.scheduled_for for r in runs] == due
        assert {r.state for r in runs} == {RunState.DONE}
        assert world.checked.count(f"{name}.t") == len(due) == len({r.run_id for r in runs})
    daily = [r.scheduled_for for r in world.runs("daily")]
    assert len([t for t in daily if t.date().isoformat() == "2026-10-25"]) == 1
    assert Counter(r.reason for n in schedules for r in world.runs(n))[Reason.CATCH_UP] >= 2


def test_a_clock_that_is_set_back_by_an_hour_loses_and_doubles_nothing(world: World) -> None:
    world.register("often", "*/10 * * * *")
    world.rounds(START + timedelta(hours=3), 60)
    world.now -= timedelta(hours=1)
    world.rounds(START + timedelta(hours=3, minutes=30), 60)
    world.new_leader()
    world.now -= timedelta(hours=1)
    world.rounds(START + timedelta(hours=5), 60)
    times = [r.scheduled_for for r in world.runs("often")]
    assert times == expected("*/10 * * * *", START, world.now)
    assert world.checked.count("often.t") == len(times)


def test_a_dead_worker_is_noticed_although_the_clock_was_set_back(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=29), 60)
    world.pass_time(61)
    world.leader.tick(world.now, world.elapsed)
    (handed,) = world.handed
    world.handed.clear()
    assert world.store.claim(handed.id, "dies", world.now) is not None
    world.now -= timedelta(hours=1)
    for _ in range(10):
        world.round(10)
    done = world.store.scheduled_run(handed.id)
    assert done is not None
    assert (done.state, done.attempts) == (RunState.DONE, 2)


def test_a_run_that_kills_its_worker_each_time_is_given_up_and_told_at_once(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=29), 60)
    for _ in range(200):
        world.pass_time(5)
        world.leader.tick(world.now, world.elapsed)
        for run in world.handed:
            world.store.claim(run.id, "dies", world.now)
        world.handed.clear()
    (run,) = world.runs("c")
    assert (run.state, run.attempts) == (RunState.ERRORED, 3)
    (told, handling) = world.told[0]
    assert len(world.told) == 1
    assert handling.errored_runs == 1
    assert {r.outcome for r in told.results} == {Outcome.ERRORED}
    assert "tried 3 times; the last time: its worker died" in told.results[0].reason
    assert world.store.run(run.run_id) == told


def test_a_worker_that_comes_back_after_it_was_believed_dead_adds_nothing(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=29), 60)
    world.pass_time(61)
    world.leader.tick(world.now, world.elapsed)
    slow = world.store.claim(world.handed.pop().id, "slow", world.now)
    assert slow is not None
    for _ in range(10):
        world.round(10)
    assert world.checked == ["c.t"]
    assert run_check(slow, world.parts()) is None
    assert len(world.store.runs("c", "t")) == 1
    assert len(world.told) == 1


def test_what_the_store_did_not_hear_of_while_it_was_away_is_no_death(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=29), 60)
    world.pass_time(61)
    world.leader.tick(world.now, world.elapsed)
    run = world.store.claim(world.handed.pop().id, "w", world.now)
    assert run is not None
    world.leader.tick(world.now, world.elapsed)
    world.pass_time(300)  # neither leader nor worker can reach it
    assert world.leader.tick(world.now, world.elapsed).died == 0
    world.store.beat("w", [run.id], world.now)
    for _ in range(5):
        world.pass_time(10)
        world.store.beat("w", [run.id], world.now)
        assert world.leader.tick(world.now, world.elapsed).died == 0


def test_jobs_that_the_queue_lost_are_handed_over_anew(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=29), 60)
    world.pass_time(61)
    world.leader.tick(world.now, world.elapsed)
    world.handed.clear()
    for _ in range(10):
        world.round(10)
    assert [r.state for r in world.runs("c")] == [RunState.DONE]


def test_a_failing_check_is_tried_again_later_each_time(world: World) -> None:
    tries: list[datetime] = []

    def fails(contract: Contract) -> None:
        tries.append(world.now)
        if len(tries) < 3:
            raise CouldNotCheck("the lake", "away")

    world.check_table = fails
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=45), 2)
    assert [round((b - a).total_seconds()) for a, b in pairwise(tries)] == [10, 20]
    assert [r.state for r in world.runs("c")] == [RunState.DONE]


def test_what_trying_again_cannot_mend_is_given_up_at_once(world: World) -> None:
    def fails(contract: Contract) -> None:
        raise UserMistake.of("the server has no location")

    world.check_table = fails
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=31), 60)
    (run,) = world.runs("c")
    assert (run.state, run.attempts, run.error) == (RunState.ERRORED, 1, "the server has no location")


def test_paused_and_retired_contracts_are_left_alone(world: World) -> None:
    for name in ("paused", "retired", "other"):
        world.register(name, "*/10 * * * *")
    world.store.pause("paused", world.now, BY)
    world.rounds(START + timedelta(minutes=31), 60)
    world.store.retire_contract("retired", world.now, BY)
    world.rounds(START + timedelta(minutes=92), 60)
    counts = [len(world.runs(n)) for n in ("paused", "retired", "other")]
    assert counts == [0, 3, 9]
    world.store.resume("paused", world.now, BY)
    world.rounds(START + timedelta(minutes=95), 60)
    assert len(world.runs("paused")) == 1, "what was missed is caught up once"


def test_a_run_of_a_contract_that_is_retired_meanwhile_is_called_off(world: World) -> None:
    world.register("c", "0 * * * *")
    world.store.plan_runs([manual("c"), manual("c", "gone")], world.now)
    world.round()
    assert {(r.table, r.state) for r in world.runs("c")} == {
        ("t", RunState.DONE),
        ("gone", RunState.CANCELLED),
    }


def manual(contract: str, table: str = "t") -> Planned:
    return Planned(tenant="", contract=contract, table=table, scheduled_for=START, reason=Reason.MANUAL)


def test_nothing_is_begun_in_a_maintenance_window_but_what_somebody_asks_for() -> None:
    world = World(memory_store(), windows=(TimeInterval(times=((23 * 60, 24 * 60),)),))
    world.register("c", "*/10 * * * *")
    world.register("asked", "0 0 1 1 *")
    world.rounds(START + timedelta(minutes=29), 60)
    world.store.plan_runs([manual("asked")], world.now)
    world.rounds(START + timedelta(minutes=100), 60)
    inside = [r for r in world.runs("c") if r.scheduled_for.hour == 23]
    assert inside == []
    assert [r.scheduled_for.minute for r in world.runs("c")] == [40, 50, 0, 10]
    assert [r.state for r in world.runs("asked")] == [RunState.DONE]


def test_a_burst_of_publish_events_is_one_check(world: World) -> None:
    world.register("c", "0 0 1 1 *")
    for n in range(20):
        event = PublishEvent(key=f"k{n}", tenant="", contract="c", table="t", at=world.now)
        assert world.store.put_events([event])
        world.round(2)
    world.rounds(world.now + timedelta(minutes=10), 5)
    (run,) = world.runs("c")
    assert (run.reason, run.state) == (Reason.PUBLISH, RunState.DONE)
    assert world.store.open_events() == ()


def test_an_event_of_the_moment_that_a_schedule_was_due_is_checked_too(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=40), 60)
    (scheduled,) = world.runs("c")
    at = scheduled.scheduled_for
    world.store.put_events([PublishEvent(key="k", tenant="", contract="c", table="t", at=at)])
    world.round(60)
    assert [(r.reason, r.scheduled_for) for r in world.runs("c")] == [
        (Reason.SCHEDULE, at),
        (Reason.PUBLISH, at),
    ]
    assert world.checked == ["c.t", "c.t"]


def test_a_new_version_goes_on_where_the_old_one_was(world: World) -> None:
    world.register("c", "0 * * * *")
    world.rounds(START + timedelta(minutes=95), 60)
    text = world.store.contract_text("c")
    assert text is not None
    later = text.replace(b"1.0.0", b"1.1.0").replace(b"0 * * * *", b"30 * * * *")
    world.store.put_contract(read_contract(later, "c.yaml"), later, world.now)
    world.rounds(START + timedelta(minutes=190), 60)
    assert [r.scheduled_for.minute for r in world.runs("c")] == [0, 0, 30, 30]


def test_2000_contracts_of_one_bucket_and_another_share_the_workers() -> None:
    """Handing over is bounded and fair also when all is due at once."""
    store = memory_store()
    store.plan_runs(
        [
            Planned(
                tenant="",
                contract=f"big{n}",
                table="t",
                scheduled_for=START,
                reason=Reason.SCHEDULE,
                bucket="s3://big",
            )
            for n in range(2_000)
        ]
        + [manual("small")],
        START,
    )
    world = World(store)
    world.leader.tick(world.now, world.elapsed)
    assert len(world.handed) == 17
    assert world.handed[0].contract == "small"
