"""What a process does again and again goes on, whatever happens to a round or to the clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, generate_latest

from contracts_svc.errors import CouldNotCheck
from contracts_svc.loops import Done, Loop, Loops
from contracts_svc.loops_metrics import NAMES, LoopMetrics
from tests.support import wait_for

QUICK = 0.05


class Rounds:
    """Work that does one thing after the other, and counts."""

    def __init__(self, *does: Callable[[], Done]) -> None:
        self.does, self.count, self.changed = list(does), 0, threading.Event()

    def __call__(self) -> Done:
        self.count += 1
        return self.does.pop(0)() if self.does else {"sent": 2}


def away() -> Done:
    raise CouldNotCheck("the store", "it is away")


def defect() -> Done:
    raise ZeroDivisionError


def test_a_loop_goes_on_after_a_store_that_is_away_and_after_a_defect() -> None:
    registry = CollectorRegistry()
    rounds = Rounds(away, defect)
    running = Loops(
        [Loop(name="sending", every=QUICK, work=rounds)],
        metrics=LoopMetrics(registry),
        pause=QUICK,
    )
    running.start()
    wait_for(lambda: rounds.count > 3)
    assert running.failing == {}
    assert running.stop(within=10)

    def figure(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, labels)

    outcomes = [
        figure("contracts_loop_rounds_total", loop="sending", outcome=o) for o in ("could_not", "bug")
    ]
    assert outcomes == [1, 1]
    done = figure("contracts_loop_rounds_total", loop="sending", outcome="done")
    assert done == rounds.count - 2
    assert figure("contracts_loop_done_total", loop="sending", what="sent") == 2 * done
    assert figure("contracts_loop_failing", loop="sending") == 0
    assert figure("contracts_loop_seconds_count", loop="sending") == rounds.count


def test_one_that_fails_is_left_alone_and_keeps_no_other_waiting() -> None:
    rounds, others = Rounds(away), Rounds()
    running = Loops(
        [Loop(name="sending", every=QUICK, work=rounds), Loop(name="other", every=QUICK, work=others)],
        pause=600,
    )
    running.start()
    wait_for(lambda: others.count > 3)
    assert rounds.count == 1
    assert running.failing == {"sending": "could not check: the store: it is away"}
    running.stop(within=10)


def test_what_only_the_leader_does_is_done_while_it_leads() -> None:
    leads = False
    rounds, others = Rounds(), Rounds()
    running = Loops(
        [
            Loop(name="digests", every=3_600, work=rounds, by_leader=True),
            Loop(name="sending", every=QUICK, work=others),
        ],
        leads=lambda: leads,
    )
    running.start()
    wait_for(lambda: others.count > 3)
    assert rounds.count == 0
    leads = True
    wait_for(lambda: rounds.count > 0, "the round of a process that has become the leader")
    before = others.count
    wait_for(lambda: others.count > before + 3)
    running.stop(within=10)
    assert rounds.count == 1, "the next one comes in an hour"


def test_stopping_is_bounded_and_ends_what_can_be_ended() -> None:
    let_go, hangs, began = threading.Event(), threading.Event(), threading.Barrier(3)

    def listens() -> Done:
        began.wait(60)
        let_go.wait(60)
        return {}

    def holds() -> Done:
        began.wait(60)
        hangs.wait(60)
        return {}

    def run(name: str, work: Callable[[], Done], stop: Callable[[], None]) -> Loops:
        found = Loops([Loop(name=name, every=QUICK, work=work, stop=stop)])
        found.start()
        return found

    one, other = run("listens", listens, let_go.set), run("holds", holds, lambda: None)
    began.wait(60)
    assert one.stop(within=60)
    assert not other.stop(within=0.1)
    hangs.set()


def test_a_round_is_never_begun_before_the_one_before_it_is_over() -> None:
    under_way, most, go = 0, 0, threading.Event()

    def work() -> Done:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        go.wait(60)
        under_way -= 1
        return {}

    others = Rounds()
    running = Loops([Loop(name="slow", every=QUICK, work=work), Loop(name="other", every=QUICK, work=others)])
    running.start()
    wait_for(lambda: under_way == 1 and others.count > 5)
    go.set()
    running.stop(within=10)
    assert most == 1


def test_a_clock_that_is_set_back_by_an_hour_stops_nothing() -> None:
    """A round that is due in an hour by the clock on the wall is what is seen after it was set back."""
    behind = 0.0
    rounds = Rounds()
    running = Loops([Loop(name="sending", every=3_600, work=rounds)], wall=lambda: time.time() - behind)
    running.start()
    wait_for(lambda: rounds.count == 1)
    behind = 3_600
    wait_for(lambda: rounds.count == 2)
    running.stop(within=10)


def test_every_figure_is_documented() -> None:
    registry = CollectorRegistry()
    LoopMetrics(registry).round("sending", "done", 0.1, {"sent": 1})
    text = generate_latest(registry).decode()
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert {n for n in told if not n.endswith("_created")} == set(NAMES)
