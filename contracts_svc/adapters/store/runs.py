"""Runs in the database: what was checked, how it ended, and its figures over time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, LargeBinary, Row, column, exists, select, values

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.part import KEYS_AT_ONCE, Part, batches, digest, insert, rows_with
from contracts_svc.ports_store import RECENT, Point
from contracts_svc.runs import Outcome, Result, Run

_RUNS, _RESULTS, _FIGURES = tables.runs, tables.results, tables.measurements

_LOOKED_AT_ONCE = 200


class Runs(Part):
    """:class:`contracts_svc.ports_store.RunStore`"""

    def put_run(self, run: Run) -> str:
        """Keep a run; returns its id, the same for the same contract, table, scope and start."""
        return self.database.write(lambda c: _put(c, run))

    def id_of(self, run: Run) -> str:
        """The id of a run, whether it is kept or not."""
        return _id(run)

    def run(self, run_id: str) -> Run | None:
        """The run of that id."""
        query = select(_RUNS).where(_RUNS.c.id == run_id)
        found = self.database.read(lambda c: _runs(c, c.execute(query).all()))
        return found[0] if found else None

    def runs(
        self, contract_id: str, *tables: str, before: datetime | None = None, limit: int = 100
    ) -> tuple[Run, ...]:
        """Runs of these tables, the latest first, those that started before ``before``."""
        query = select(_RUNS).order_by(_RUNS.c.started.desc(), _RUNS.c.id).limit(limit)
        if before is not None:
            query = query.where(_RUNS.c.started < before)

        def work(connection: Connection) -> tuple[Run, ...]:
            keys = (digest(contract_id, table) for table in tables)
            rows = list(rows_with(connection, query, _RUNS.c.table_key, keys))
            if len(tables) > KEYS_AT_ONCE:
                rows.sort(key=lambda r: r.started, reverse=True)
            return _runs(connection, rows[:limit])

        return self.database.read(work)

    def recent_runs(
        self, tenant: str, *, before: datetime | None = None, limit: int = 100
    ) -> tuple[Run, ...]:
        """Runs of a tenant's contracts, the latest first, those that started before ``before``. Among the
        latest :data:`RECENT` of all tenants."""
        query = select(_RUNS.c.id, _RUNS.c.document).order_by(_RUNS.c.started.desc(), _RUNS.c.id)
        if before is not None:
            query = query.where(_RUNS.c.started < before)

        def work(connection: Connection) -> tuple[Run, ...]:
            found: dict[str, Run] = {}
            for start in range(0, RECENT, _LOOKED_AT_ONCE):
                some = connection.execute(query.offset(start).limit(_LOOKED_AT_ONCE)).all()
                runs = {r.id: loads(Run, r.document) for r in some}
                theirs = _of_tenant(connection, tenant, {r.contract for r in runs.values()})
                found |= {i: r for i, r in runs.items() if r.contract in theirs}
                if len(some) < _LOOKED_AT_ONCE or len(found) >= limit:
                    break
            kept = dict(islice(found.items(), limit))
            results = _results(connection, kept)
            return tuple(replace(run, results=tuple(results.get(i, ()))) for i, run in kept.items())

        return self.database.read(work)

    def ever_checked(self, places: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of these tables (contract id and table name) of which there is a run."""
        keys = {digest(*place): place for place in places}

        def work(connection: Connection) -> frozenset[tuple[str, str]]:
            found: set[tuple[str, str]] = set()
            for some in batches(keys, KEYS_AT_ONCE):
                asked = values(column("key", LargeBinary)).data([(k,) for k in some]).cte("asked")
                query = select(asked.c.key).where(exists().where(_RUNS.c.table_key == asked.c.key))
                found |= {keys[bytes(k)] for k in connection.scalars(query)}
            return frozenset(found)

        return self.database.read(work)

    def measurements(
        self, contract_id: str, table: str, check: str, figure: str, *, since: datetime, limit: int = 10_000
    ) -> tuple[Point, ...]:
        """A figure of a check over time, oldest first; at most ``limit``, the latest."""
        query = (
            select(_FIGURES.c.at, _FIGURES.c.scope, _FIGURES.c.value, _FIGURES.c.outcome)
            .where(
                _FIGURES.c.figure_key == digest(contract_id, table, check, figure),
                _FIGURES.c.at >= since,
            )
            .order_by(_FIGURES.c.at.desc(), _FIGURES.c.run_id, _FIGURES.c.number)
            .limit(limit)
        )
        found = self.database.read(lambda c: c.execute(query).all())
        points = (Point(at=r.at, scope=r.scope, value=r.value, outcome=Outcome(r.outcome)) for r in found)
        return tuple(points)[::-1]

    def learned(
        self, contract_id: str, table: str, checks: Iterable[str], figure: str, *, since: datetime
    ) -> Mapping[str, tuple[Point, ...]]:
        """A figure of several checks over time, without what runs found that failed."""
        names = {digest(contract_id, table, check, figure): check for check in checks}
        failed = exists().where(
            _RESULTS.c.run_id == _FIGURES.c.run_id, _RESULTS.c.outcome == Outcome.FAILED.value
        )
        query = (
            select(
                _FIGURES.c.figure_key,
                _FIGURES.c.at,
                _FIGURES.c.scope,
                _FIGURES.c.value,
                _FIGURES.c.outcome,
            )
            .where(_FIGURES.c.at >= since, ~failed)
            .order_by(_FIGURES.c.at, _FIGURES.c.run_id)
        )
        found: dict[str, list[Point]] = {check: [] for check in names.values()}
        rows = self.database.read(lambda c: list(rows_with(c, query, _FIGURES.c.figure_key, sorted(names))))
        for r in rows:
            point = Point(at=r.at, scope=r.scope, value=r.value, outcome=Outcome(r.outcome))
            found[names[bytes(r.figure_key)]].append(point)
        return {check: tuple(points) for check, points in found.items()}


def _of_tenant(connection: Connection, tenant: str, contracts: Iterable[str]) -> set[str]:
    query = select(tables.contracts.c.contract).where(tables.contracts.c.tenant == tenant)
    rows = rows_with(connection, query, tables.contracts.c.contract, sorted(contracts))
    return {row.contract for row in rows}


def _id(run: Run) -> str:
    started = run.started.timestamp()
    return digest(run.contract, run.version, run.table, run.server, run.scope, str(started)).hex()


def _put(connection: Connection, run: Run) -> str:
    run_id = _id(run)
    row = {"id": run_id, "table_key": digest(run.contract, run.table), "started": run.started}
    row |= {"finished": run.finished, "document": dumps(replace(run, results=()))}
    added = connection.execute(
        insert(connection, _RUNS).on_conflict_do_nothing(index_elements=["id"]).returning(_RUNS.c.id), row
    ).scalar()
    if added is None or not run.results:
        return run_id
    connection.execute(
        _RESULTS.insert(),
        [
            {
                "run_id": run_id,
                "number": number,
                "check": result.check.id,
                "outcome": result.outcome.value,
                "document": dumps(result),
            }
            for number, result in enumerate(run.results)
        ],
    )
    figures = [
        {"run_id": run_id, "number": number, **figure}
        for number, result in enumerate(run.results)
        for figure in _figures(run, result)
    ]
    if figures:
        connection.execute(_FIGURES.insert(), figures)
    return run_id


def _figures(run: Run, result: Result) -> Iterator[Mapping[str, Any]]:
    """What can be drawn over time: the numbers that were found."""
    values = {"failing": result.failing, "rows": result.rows, **result.values}
    for name, value in values.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = _float(value)
            if number is not None:
                key = digest(run.contract, run.table, result.check.id, name)
                row = {"figure_key": key, "scope": run.scope, "at": run.finished}
                yield row | {"value": number, "outcome": result.outcome.value}


def _float(value: float) -> float | None:
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _runs(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Run, ...]:
    results = _results(connection, [r.id for r in rows])
    return tuple(replace(loads(Run, r.document), results=tuple(results.get(r.id, ()))) for r in rows)


def _results(connection: Connection, run_ids: Iterable[str]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = {}
    query = select(_RESULTS.c.run_id, _RESULTS.c.document).order_by(_RESULTS.c.run_id, _RESULTS.c.number)
    for row in rows_with(connection, query, _RESULTS.c.run_id, run_ids):
        found.setdefault(row.run_id, []).append(loads(Result, row.document))
    return found
