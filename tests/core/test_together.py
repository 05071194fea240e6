"""What waits is done at once, each is answered for itself, and what is wrong with one spoils no other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from contracts_svc.errors import CouldNotCheck
from contracts_svc.flows.together import Together


class Work:
    """Doubles numbers; the first call lasts until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.began, self.goes_on = threading.Event(), threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        self.began.set()
        assert self.goes_on.wait(10)
        if 13 in items:
            raise ValueError("13")
        if 99 in items:
            raise CouldNotCheck("it", "away")
        return [2 * i for i in items]


def asked(work: Work, first: int, others: Sequence[int], most: int = 100) -> list[object]:
    """What the others are told who come while the first is under way."""
    together = Together(work, most=most)

    def ask(number: int) -> object:
        try:
            return together(number)
        except (ValueError, CouldNotCheck) as error:
            return error

    with ThreadPoolExecutor(max_workers=len(others) + 1) as pool:
        one = pool.submit(ask, first)
        assert work.began.wait(10)
        waiting = [pool.submit(ask, n) for n in others]
        while len(together._waiting) < len(others):
            pass
        work.goes_on.set()
        assert one.result(10) == 2 * first
        return [w.result(10) for w in waiting]


def test_what_waits_is_done_in_one_call() -> None:
    work = Work()
    assert asked(work, 1, range(2, 8)) == [4, 6, 8, 10, 12, 14]
    assert work.calls[0] == [1]
    assert sorted(work.calls[1]) == [2, 3, 4, 5, 6, 7]
    assert len(work.calls) == 2


def test_never_more_than_so_many_at_once() -> None:
    work = Work()
    assert asked(work, 1, range(2, 9), most=3) == [4, 6, 8, 10, 12, 14, 16]
    assert [len(c) for c in work.calls] == [1, 3, 3, 1]


def test_a_bad_one_spoils_no_other() -> None:
    work = Work()
    told = asked(work, 1, [2, 13, 3])
    assert [told[0], told[2]] == [4, 6]
    assert isinstance(told[1], ValueError)


def test_what_cannot_be_reached_is_asked_for_once() -> None:
    work = Work()
    told = asked(work, 1, [2, 99, 3])
    assert all(isinstance(t, CouldNotCheck) for t in told)
    assert len(work.calls) == 2


def test_one_alone_is_done_at_once_and_its_error_is_its_own() -> None:
    together: Together[int, int] = Together(lambda items: [1 // i for i in items], most=5)
    assert together(1) == 1
    with pytest.raises(ZeroDivisionError):
        together(0)
    assert together(1) == 1
