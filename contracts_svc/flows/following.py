"""Following SQL outside of transactions: it may take seconds, and others would wait for what they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeAlias, TypeVar

from contracts_svc.flows.lineage import Follow
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.heard import Query
from contracts_svc.lineage.queries import Followed

T = TypeVar("T")

_ATTEMPTS = 5
"""How often a transaction is begun again because what is known of columns changed meanwhile."""

_Columns: TypeAlias = Mapping[DatasetId, Mapping[str, str]]
_Names: TypeAlias = Mapping[DatasetId, tuple[DatasetId, ...]]


class _Store(Protocol):
    def atomically(self, work: Callable[[], T]) -> T: ...


def atomically(store: _Store, work: Callable[[Follow], T], follow: Follow) -> T:
    """Run ``work`` in a transaction, with the SQL that it asks for followed outside of it.

    What is asked for depends on what is read in the transaction. So ``work`` is given answers that are there
    already; where one is not, the transaction is taken back, the SQL is followed, and ``work`` begins again.
    Only where that goes on is SQL followed inside.
    """
    ahead = _Ahead()

    def attempt() -> T:
        ahead.open.clear()
        done = work(ahead)
        if ahead.open:
            raise _OpenQuestions
        return done

    for _ in range(_ATTEMPTS):
        try:
            return store.atomically(attempt)
        except _OpenQuestions:
            ahead.answer(follow)
    return store.atomically(lambda: work(follow))


class _OpenQuestions(Exception):
    """SQL was asked for that was not followed yet."""


class _Ahead:
    """A :data:`Follow` that knows answers, and notes the questions that it has none for."""

    def __init__(self) -> None:
        self._known: dict[object, Followed] = {}
        self.open: dict[object, tuple[tuple[Query, ...], _Columns, _Names]] = {}

    def __call__(
        self,
        queries: Iterable[Query],
        columns_of: Callable[[DatasetId], Mapping[str, str]],
        names: Mapping[DatasetId, Iterable[DatasetId]],
    ) -> Followed:
        queries = tuple(queries)
        if not queries:
            return Followed()
        datasets = dict.fromkeys(d for q in queries for d in (*q.inputs, *q.outputs))
        columns = {d: dict(columns_of(d)) for d in datasets}
        other = {d: tuple(names[d]) for d in datasets if d in names}
        # Two queries are the same whenever they were seen; their edges are not.
        key = (
            tuple((query, query.seen) for query in queries),
            tuple(tuple(of.items()) for of in columns.values()),
            tuple(other.items()),
        )
        found = self._known.get(key)
        if found is None:
            self.open[key] = (queries, columns, other)
        return found or Followed()

    def answer(self, follow: Follow) -> None:
        """Follow what was asked for."""
        for key, (queries, columns, names) in self.open.items():
            self._known[key] = follow(queries, lambda d, of=columns: of.get(d, {}), names)  # type: ignore[misc]
