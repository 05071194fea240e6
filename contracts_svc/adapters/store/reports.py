"""What jobs report about lineage, in the database, and the edges that are made of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store import tables_lineage as t
from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.dataset_edges import see_anew
from contracts_svc.adapters.store.lineage import LineageEdges, read_named
from contracts_svc.adapters.store.lineage_keys import dataset_key
from contracts_svc.adapters.store.lineage_writing import mark_anew
from contracts_svc.adapters.store.part import Insert, add, batches, digest, ids_of, insert, rows_with
from contracts_svc.adapters.store.reach import EDGE
from contracts_svc.lineage.event_report import FacetSaid, Report
from contracts_svc.lineage.graph import Consumer, DatasetId, Edge
from contracts_svc.lineage.near import Near, Sought
from contracts_svc.lineage.tenancy import scoped, scoped_edges, tenant_of
from contracts_svc.ports_lineage import LineageState, Told


class LineageReports(LineageEdges):
    """:class:`contracts_svc.ports_lineage.StoredGraph`, with the other parts of the store."""

    # --- state ---

    def lock_lineage(self, tenant: str) -> LineageState:
        """The state, which nobody else changes until the transaction ends."""

        def work(connection: Connection) -> LineageState:
            # The row is what two senders wait at.
            row = connection.execute(_LOCKED_STATE, {"of_tenant": tenant}).first()
            if row is None:
                first = {"tenant": tenant, "contracts": 0, "links": 0, "names": 0}
                statement = insert(connection, t.lineage_states)
                connection.execute(statement.on_conflict_do_nothing(index_elements=["tenant"]), first)
                return _state(connection, _LOCKED_STATE, tenant)
            return _state_of(row)

        return self.database.write(work)

    def lineage_state(self, tenant: str) -> LineageState:
        """The state as it is."""
        return self.database.read(lambda c: _state(c, _STATE, tenant))

    def put_lineage_state(self, tenant: str, state: LineageState) -> None:
        """Keep the state."""
        change = update(t.lineage_states).where(t.lineage_states.c.tenant == tenant)
        change = change.values(contracts=state.contracts, links=state.links, names=state.names)
        self.database.write(lambda c: c.execute(change))

    # --- reports ---

    def put_reports(self, tenant: str, reports: Iterable[Report]) -> None:
        """Keep reports; one that is there already only gets the later ``seen``."""
        latest: dict[bytes, Report] = {}
        for report in reports:
            key = digest(tenant, report.origin, report.text)
            if key not in latest or _later(report.seen, latest[key].seen):
                latest[key] = report
        if latest:
            self.database.write(lambda c: _put_reports(c, tenant, latest))

    def reports(self, tenant: str, origin: str) -> tuple[Report, ...]:
        """What a job has reported, without the facets."""
        query = select(t.lineage_reports).where(t.lineage_reports.c.origin_key == digest(tenant, origin))

        def work(connection: Connection) -> tuple[Report, ...]:
            rows = sorted(connection.execute(query), key=lambda row: bytes(row.key))
            return tuple(
                Report(origin=r.origin, text=r.document, seen=r.last_seen, has_sql=bool(r.has_sql))
                for r in rows
            )

        return self.database.read(work)

    def origins_with_sql(self, tenant: str, origins: Collection[str]) -> frozenset[str]:
        """Those of these jobs that have reported SQL."""
        keys = {digest(tenant, origin): origin for origin in origins}
        query = select(t.lineage_reports.c.origin_key).where(t.lineage_reports.c.has_sql == 1).distinct()

        def work(connection: Connection) -> frozenset[str]:
            found = rows_with(connection, query, t.lineage_reports.c.origin_key, keys)
            return frozenset(keys[bytes(row.origin_key)] for row in found)

        return self.database.read(work)

    def origins_with_readers(self, tenant: str, origins: Collection[str]) -> frozenset[str]:
        """Those of these jobs that have told of a consumer."""
        keys = {digest(tenant, origin): origin for origin in origins}
        query = select(t.lineage_readers.c.origin_key).distinct()

        def work(connection: Connection) -> frozenset[str]:
            found = rows_with(connection, query, t.lineage_readers.c.origin_key, keys)
            return frozenset(keys[bytes(row.origin_key)] for row in found)

        return self.database.read(work)

    def origins_naming(self, tenant: str, names: Collection[DatasetId]) -> tuple[str, ...]:
        """The jobs that have reported one of these names, sorted."""
        query = (
            select(t.lineage_reports.c.origin)
            .join(t.lineage_report_names, t.lineage_report_names.c.report_id == t.lineage_reports.c.id)
            .join(t.lineage_names, t.lineage_names.c.id == t.lineage_report_names.c.name_id)
            .distinct()
        )
        keys = [_name_key(tenant, d) for d in names]

        def work(connection: Connection) -> tuple[str, ...]:
            found = rows_with(connection, query, t.lineage_names.c.key, keys)
            return tuple(sorted({row.origin for row in found}))

        return self.database.read(work)

    # --- names and facets ---

    def names_meaning(self, tenant: str, datasets: Collection[DatasetId]) -> tuple[DatasetId, ...]:
        """The names that meant one of these datasets when they were last used."""
        keys = [_name_key(tenant, d) for d in datasets]

        def work(connection: Connection) -> tuple[DatasetId, ...]:
            found = rows_with(connection, select(t.lineage_names), t.lineage_names.c.meant, keys)
            return tuple(sorted(DatasetId(row.namespace, row.name) for row in found))

        return self.database.read(work)

    def standings(self, tenant: str, near: Near | None = None) -> Mapping[DatasetId, bytes | None]:
        """Every name that was reported, or those near there -> a digest of what was known of it."""
        name = t.lineage_names.c
        query = select(t.lineage_names)

        def work(connection: Connection) -> Mapping[DatasetId, bytes | None]:
            if near is None:
                rows = list(connection.execute(query.where(name.tenant == tenant)))
            else:
                ends = [_end(tenant, end) for end in sorted(near.ends)]
                rows = list(rows_with(connection, query, name.end, ends))
                for some in batches(sorted(near.places), _PLACES_AT_ONCE):
                    rows += connection.execute(query.where(or_(*(_at(tenant, place) for place in some))))
            return {DatasetId(r.namespace, r.name): bytes(r.meant) + bytes(r.columns) or None for r in rows}

        return self.database.read(work)

    def new_names(self, tenant: str) -> tuple[DatasetId, ...]:
        """The names that were reported, and never used."""
        name = t.lineage_names.c
        query = select(name.namespace, name.name).where(name.tenant == tenant, name.meant == b"")
        return self.database.read(lambda c: tuple(DatasetId(*row) for row in c.execute(query)))

    def standing(self, tenant: str, meant: DatasetId, columns: str) -> bytes:
        """The digest of what is known of a name: the dataset that it means, and its columns as a text."""
        return _name_key(tenant, meant) + digest(columns)

    def put_standings(self, tenant: str, standings: Mapping[DatasetId, bytes]) -> None:
        """Keep what is known of names."""
        half = len(digest())
        rows: list[dict[str, Any]] = [
            {**_name(tenant, d), "key": _name_key(tenant, d), "meant": s[:half], "columns": s[half:]}
            for d, s in standings.items()
        ]
        rows.sort(key=lambda row: row["key"])

        def conflict(statement: Insert) -> Insert:
            given = {name: statement.excluded[name] for name in ("meant", "columns")}
            return statement.on_conflict_do_update(index_elements=["key"], set_=given)

        if rows:
            self.database.write(lambda c: add(c, t.lineage_names, rows, conflict))

    def put_facets(self, tenant: str, facets: Iterable[FacetSaid]) -> frozenset[tuple[DatasetId, str]]:
        """Keep the latest of each (of two of one time the greater text); which of them changed."""
        latest: dict[bytes, FacetSaid] = {}
        for said in facets:
            key = digest(tenant, said.dataset.namespace, said.dataset.name, said.facet)
            if key not in latest or _rank(said) > _rank(latest[key]):
                latest[key] = said
        return self.database.write(lambda c: _put_facets(c, tenant, latest)) if latest else frozenset()

    def facets(
        self, tenant: str, *, datasets: Collection[DatasetId] | None = None, facet: str | None = None
    ) -> tuple[FacetSaid, ...]:
        """The latest facets, of all datasets or these (under whichever name), of all kinds or this."""
        query = select(t.lineage_facets, t.lineage_names.c.namespace, t.lineage_names.c.name)
        query = query.join(t.lineage_names, t.lineage_names.c.id == t.lineage_facets.c.name_id)
        query = query.where(t.lineage_names.c.tenant == tenant)
        if facet is not None:
            query = query.where(t.lineage_facets.c.facet == facet)

        def work(connection: Connection) -> tuple[FacetSaid, ...]:
            if datasets is None:
                rows: Iterable[Row[Any]] = connection.execute(query)
            else:
                keys = [_name_key(tenant, d) for d in datasets]
                rows = rows_with(connection, query, t.lineage_names.c.meant, keys)
            return tuple(
                FacetSaid(dataset=DatasetId(r.namespace, r.name), facet=r.facet, text=r.document, seen=r.seen)
                for r in sorted(rows, key=lambda row: bytes(row.key))
            )

        return self.database.read(work)

    # --- what is made of them ---

    def replace_edges(self, tenant: str, origin: str, edges: Iterable[Edge]) -> None:
        """Keep these edges of a job, and no others of it."""
        wanted = list(scoped_edges(edges, tenant))

        def work(connection: Connection) -> None:
            details = tables.edge_details
            query = EDGE.add_columns(tables.edges.c.id).join(
                details, details.c.id == tables.edges.c.detail_id
            )
            found = connection.execute(query.where(details.c.origin_key == digest(origin)))
            ids = {tuple(row)[:-1]: row.id for row in found}
            keep = set(wanted)
            there = read_named(connection, ids)
            gone = {
                row: edge
                for row, edge in there.items()
                if edge not in keep and tenant_of(edge.source.dataset) == tenant
            }
            if gone:
                _delete(connection, tables.edges, [ids[row] for row in gone])
                mark_anew(connection, {r.dataset for e in gone.values() for r in (e.source, e.target)})
                stay = {row: edge for row, edge in there.items() if row not in gone}
                see_anew(connection, origin, {e.source.dataset for e in gone.values()}, stay)
            self.put_edges(wanted)

        self.database.write(work)

    def replace_readers(self, tenant: str, origin: str, readers: Iterable[Told]) -> None:
        """Keep these consumers that a job tells of, and no others of it."""
        origin_key = digest(tenant, origin)
        rows = {
            digest(tenant, origin, r.consumer.dataset.namespace, r.consumer.dataset.name): {
                "tenant": tenant,
                "origin_key": origin_key,
                "document": dumps(r.consumer),
                "seen": r.seen,
            }
            for r in readers
        }

        def work(connection: Connection) -> None:
            query = select(t.lineage_readers).where(t.lineage_readers.c.origin_key == origin_key)
            there = {bytes(row.key): row for row in connection.execute(query)}
            same = {
                key
                for key, row in rows.items()
                if key in there and (there[key].document, there[key].seen) == (row["document"], row["seen"])
            }
            _delete(connection, t.lineage_readers, [row.id for key, row in there.items() if key not in same])
            new = [{"key": key, **row} for key, row in sorted(rows.items()) if key not in same]
            if new:
                connection.execute(t.lineage_readers.insert(), new)

        self.database.write(work)

    def readers(self, tenant: str) -> tuple[Told, ...]:
        """The consumers that jobs tell of, in an order that does not depend on how they came."""

        def work(connection: Connection) -> tuple[Told, ...]:
            rows = sorted(connection.execute(_READERS, {"of_tenant": tenant}), key=lambda row: bytes(row.key))
            return tuple(Told(consumer=loads(Consumer, row.document), seen=row.seen) for row in rows)

        return self.database.read(work)

    # --- reading the graph ---

    def uses_of(self, datasets: Collection[DatasetId]) -> Mapping[DatasetId, bool]:
        """Those of these datasets that an edge starts or ends at -> whether one ends there."""
        keys = {dataset_key(d): d for d in datasets}
        query = select(_DATASETS.c.key, _DATASETS.c.fed).where(_USED)

        def work(connection: Connection) -> Mapping[DatasetId, bool]:
            found = rows_with(connection, query, _DATASETS.c.key, keys)
            return {keys[bytes(row.key)]: bool(row.fed) for row in found}

        return self.database.read(work)

    def datasets_used(self, tenant: str) -> tuple[int, int]:
        """How many datasets an edge starts or ends at, and at how many one ends."""

        def work(connection: Connection) -> tuple[int, int]:
            row = connection.execute(_COUNTED, {"of_tenant": tenant}).one()
            return row[0], row[1]

        return self.database.read(work)

    def datasets_called(self, tenant: str, text: str) -> tuple[DatasetId, ...]:
        """Those whose name, or namespace and name with a slash between, is this text, sorted."""
        names = [DatasetId("", text)]
        names += [DatasetId(text[:n], text[n + 1 :]) for n, char in enumerate(text) if char == "/"]
        query = select(_DATASETS.c.namespace, _DATASETS.c.name).where(_DATASETS.c.tenant == tenant, _USED)
        by_key = [dataset_key(scoped(d, tenant)) for d in names[:_SLASHES]]

        def work(connection: Connection) -> tuple[DatasetId, ...]:
            by_name = connection.execute(query.where(_DATASETS.c.name == text))
            found = chain(by_name, rows_with(connection, query, _DATASETS.c.key, by_key))
            return tuple(sorted({DatasetId(row.namespace, row.name) for row in found}))

        return self.database.read(work)


_DATASETS = tables.datasets
_USED = or_(_DATASETS.c.read == 1, _DATASETS.c.fed == 1)
_STATE = select(t.lineage_states).where(t.lineage_states.c.tenant == bindparam("of_tenant"))
_LOCKED_STATE = _STATE.with_for_update()
_READERS = select(t.lineage_readers).where(t.lineage_readers.c.tenant == bindparam("of_tenant"))
_COUNTED = select(func.count(), func.coalesce(func.sum(_DATASETS.c.fed), 0)).where(
    _DATASETS.c.tenant == bindparam("of_tenant"), _USED
)
_SLASHES = 100
"""Slashes of a text at which a name is looked for."""


def _state(connection: Connection, query: Select[Any], tenant: str) -> LineageState:
    row = connection.execute(query, {"of_tenant": tenant}).first()
    return _state_of(row) if row else LineageState()


def _state_of(row: Row[Any]) -> LineageState:
    return LineageState(contracts=row.contracts, links=row.links, names=row.names)


def _name(tenant: str, dataset: DatasetId) -> dict[str, Any]:
    sought = Sought.of(dataset)
    return {
        "tenant": tenant,
        "namespace": dataset.namespace,
        "name": dataset.name,
        "end": _end(tenant, sought.end),
        "place": _place(tenant, sought.place),
    }


def _end(tenant: str, end: str) -> bytes:
    return digest(tenant, end)


def _place(tenant: str, place: str) -> bytes:
    """An index takes only so much; what is longer is compared by its beginning."""
    return digest(tenant) + place.encode("utf-8", "surrogatepass")[:_PLACE_BYTES]


def _at(tenant: str, place: str) -> ColumnElement[bool]:
    """Whether a name is at a place, or in a folder there."""
    at, stored = _place(tenant, place), t.lineage_names.c.place
    if len(at) - len(digest()) == _PLACE_BYTES:
        return stored == at
    return or_(stored == at, and_(stored > at + b"/", stored < at + b"0"))


_PLACE_BYTES = 1_000
_PLACES_AT_ONCE = 100


def _name_key(tenant: str, dataset: DatasetId) -> bytes:
    return digest(tenant, dataset.namespace, dataset.name)


def _name_ids(connection: Connection, tenant: str, datasets: Iterable[DatasetId]) -> dict[bytes, int]:
    rows = {_name_key(tenant, d): {**_name(tenant, d), "meant": b"", "columns": b""} for d in datasets}
    return ids_of(connection, t.lineage_names, rows)


def _put_reports(connection: Connection, tenant: str, latest: Mapping[bytes, Report]) -> None:
    table = t.lineage_reports
    query = select(table.c.key, table.c.id, table.c.last_seen)
    there = {bytes(row.key): row for row in rows_with(connection, query, table.c.key, latest)}
    for key, row in there.items():
        if _later(latest[key].seen, row.last_seen):
            change = update(table).where(table.c.id == row.id)
            connection.execute(change.values(last_seen=latest[key].seen))
    new = {key: report for key, report in latest.items() if key not in there}
    if not new:
        return
    rows = {
        key: {
            "origin_key": digest(tenant, report.origin),
            "origin": report.origin,
            "document": report.text,
            "has_sql": int(report.has_sql),
            "last_seen": report.seen,
        }
        for key, report in new.items()
    }
    ids = ids_of(connection, table, rows)
    names = _name_ids(connection, tenant, {d for report in new.values() for d in report.named})
    pairs = {
        (ids[key], names[_name_key(tenant, dataset)])
        for key, report in new.items()
        for dataset in report.named
    }
    if pairs:
        named = [{"report_id": report, "name_id": name} for report, name in sorted(pairs)]
        connection.execute(t.lineage_report_names.insert(), named)


def _put_facets(
    connection: Connection, tenant: str, latest: Mapping[bytes, FacetSaid]
) -> frozenset[tuple[DatasetId, str]]:
    table = t.lineage_facets
    names = _name_ids(connection, tenant, {said.dataset for said in latest.values()})
    there = {bytes(row.key): row for row in rows_with(connection, select(table), table.c.key, latest)}
    changed: set[tuple[DatasetId, str]] = set()
    new: list[dict[str, Any]] = []
    for key, said in sorted(latest.items()):
        row = there.get(key)
        values = {"document": said.text, "seen": said.seen}
        if row is None:
            name_id = names[_name_key(tenant, said.dataset)]
            new.append({"key": key, "name_id": name_id, "facet": said.facet, **values})
        elif _rank(said) > _rank_of(row.seen, row.document):
            connection.execute(update(table).where(table.c.id == row.id).values(**values))
        if row is None or (_rank(said) > _rank_of(row.seen, row.document) and row.document != said.text):
            changed.add((said.dataset, said.facet))
    if new:
        connection.execute(table.insert(), new)
    return frozenset(changed)


def _rank(said: FacetSaid) -> tuple[float, str]:
    return _rank_of(said.seen, said.text)


def _rank_of(seen: datetime | None, text: str) -> tuple[float, str]:
    return (seen.timestamp() if seen else float("-inf"), text)


def _later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _delete(connection: Connection, table: Table, ids: Collection[int]) -> None:
    for some in _parts(sorted(ids)):
        connection.execute(delete(table).where(table.c.id.in_(some)))


def _parts(ids: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(ids), 1_000):
        yield ids[start : start + 1_000]
