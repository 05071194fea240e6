"""Work that comes while some is under way is done together by the next: they share one transaction."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Generic, TypeVar

from contracts_svc.errors import CouldNotCheck

A = TypeVar("A")
R = TypeVar("R")


@dataclass(slots=True, eq=False)
class _Waiting(Generic[A, R]):
    item: A
    answer: R | None = None
    error: BaseException | None = None
    done: bool = False


class Together(Generic[A, R]):
    """Calls from many threads, done one after another by ``do``, all that wait at once (``most`` of them).

    ``do`` gives an answer for each item, in their order. Where it cannot be done for all, each is done by
    itself: what is wrong with one spoils no other. What could not be reached is told to all of them.
    """

    def __init__(self, do: Callable[[Sequence[A]], Sequence[R]], *, most: int) -> None:
        self._do, self._most = do, most
        self._waiting: deque[_Waiting[A, R]] = deque()
        self._turn = Lock()

    def __call__(self, item: A) -> R:
        """Have it done, and wait for its answer. Raises what ``do`` raises for it."""
        mine: _Waiting[A, R] = _Waiting(item)
        self._waiting.append(mine)
        with self._turn:
            while not mine.done:
                self._some()
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value]

    def _some(self) -> None:
        """The next ones; whoever calls has the turn."""
        taken = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
        try:
            self._answer(taken)
        except CouldNotCheck as error:
            for waiting in taken:
                waiting.error = error
        except Exception as error:
            if len(taken) == 1:
                taken[0].error = error
            else:
                for waiting in taken:
                    self._alone(waiting)
        finally:
            for waiting in taken:
                waiting.done = True

    def _alone(self, waiting: _Waiting[A, R]) -> None:
        try:
            self._answer([waiting])
        except Exception as error:
            waiting.error = error

    def _answer(self, taken: Sequence[_Waiting[A, R]]) -> None:
        answers = self._do([w.item for w in taken])
        for waiting, answer in zip(taken, answers, strict=True):
            waiting.answer = answer
