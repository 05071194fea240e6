"""Incidents in the database, and every transition that they made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.part import Part, batches, digest, insert, rows_with
from contracts_svc.adapters.store.tables_incidents import incident_told
from contracts_svc.alerts import Audience, Incident, IncidentState, Transition

_ROWS_AT_ONCE = 500


class Incidents(Part):
    """:class:`contracts_svc.ports_store.IncidentStore`"""

    def put_incidents(self, incidents: Iterable[Incident], transitions: Iterable[Transition] = ()) -> None:
        """Keep these incidents as they are now, and the transitions that made them so."""
        given, made = tuple(incidents), tuple(transitions)

        def work(connection: Connection) -> None:
            _put(connection, given)
            _put_transitions(connection, made)

        self.database.write(work)

    def incidents(self, resolved_since: datetime | None = None) -> tuple[Incident, ...]:
        """Incidents that are not resolved, or were since that moment, longest open first."""
        table = tables.incidents
        wanted = table.c.state != IncidentState.RESOLVED.value
        if resolved_since is not None:
            wanted = or_(wanted, table.c.resolved >= resolved_since)
        query = select(table.c.document).where(wanted).order_by(table.c.opened, table.c.fingerprint)
        found = self.database.read(lambda c: c.scalars(query).all())
        return tuple(loads(Incident, text) for text in found)

    def table_incidents(
        self, places: Collection[tuple[str, str]], resolved_since: datetime
    ) -> tuple[Incident, ...]:
        """As :meth:`incidents`, of these tables."""
        table = tables.incidents
        lately = or_(table.c.state != IncidentState.RESOLVED.value, table.c.resolved >= resolved_since)
        keys = sorted({digest(*each) for each in places})
        query = select(table.c.opened, table.c.fingerprint, table.c.document).where(lately)
        rows = self.database.read(lambda c: list(rows_with(c, query, table.c.table_key, keys)))
        rows.sort(key=lambda r: (r.opened, r.fingerprint))
        return tuple(loads(Incident, r.document) for r in rows)

    def named_incidents(self, fingerprints: Iterable[str]) -> tuple[Incident, ...]:
        """The incidents with these fingerprints."""
        table, names = tables.incidents, sorted(set(fingerprints))
        query = select(table.c.document)
        rows = self.database.read(lambda c: list(rows_with(c, query, table.c.fingerprint, names)))
        return tuple(loads(Incident, r.document) for r in rows)

    def incident(self, fingerprint: str, *, to_change: bool = False) -> Incident | None:
        """The incident of that fingerprint; with ``to_change`` its row is locked."""
        table = tables.incidents
        query = select(table.c.document).where(table.c.fingerprint == fingerprint)
        query = query.with_for_update() if to_change else query
        found = self.database.read(lambda c: c.scalar(query))
        return None if found is None else loads(Incident, found)

    def transitions(self, fingerprint: str) -> tuple[Transition, ...]:
        """All that happened to an incident, oldest first."""
        table = tables.transitions
        query = select(table.c.document).where(table.c.fingerprint == fingerprint).order_by(table.c.id)
        found = self.database.read(lambda c: c.scalars(query).all())
        return tuple(loads(Transition, text) for text in found)

    def moves(self, after: int | None, *, limit: int = 1_000) -> tuple[int, tuple[Transition, ...]]:
        """The transitions of all incidents after a number, and the number of the last of them."""
        table = tables.transitions
        if after is None:
            return self.database.read(lambda c: c.scalar(select(func.max(table.c.id)))) or 0, ()
        query = select(table.c.id, table.c.document).where(table.c.id > after)
        query = query.order_by(table.c.id).limit(limit)
        rows = self.database.read(lambda c: c.execute(query).all())
        moved = tuple(loads(Transition, r.document) for r in rows)
        return (rows[-1].id if rows else after), moved

    def put_told(
        self, fingerprints: Iterable[str], audience: Audience, at: datetime
    ) -> Mapping[str, datetime]:
        """Somebody of this audience was told of these incidents; those of which nobody was before."""
        names = sorted(set(fingerprints))

        def work(connection: Connection) -> Mapping[str, datetime]:
            of = tables.incidents
            query = select(of.c.fingerprint, of.c.opened)
            opened = {r.fingerprint: r.opened for r in rows_with(connection, query, of.c.fingerprint, names)}
            rows = [
                {"fingerprint": name, "audience": audience.value, "opened": opened[name], "told": at}
                for name in names
                if name in opened
            ]
            new: list[str] = []
            # Those of one statement that were added are known by what it returns.
            for some in batches(rows, _ROWS_AT_ONCE):
                statement = insert(connection, incident_told).values(some).on_conflict_do_nothing()
                new += connection.scalars(statement.returning(incident_told.c.fingerprint)).all()
            return {name: opened[name] for name in new}

        return self.database.write(work) if names else {}

    def told(self, fingerprints: Iterable[str]) -> Mapping[str, Mapping[Audience, datetime]]:
        """When somebody was first told of these incidents, since they were opened."""
        of = tables.incidents
        query = select(incident_told.c.fingerprint, incident_told.c.audience, incident_told.c.told).join(
            of,
            (of.c.fingerprint == incident_told.c.fingerprint) & (of.c.opened == incident_told.c.opened),
        )
        names = sorted(set(fingerprints))
        rows = self.database.read(lambda c: list(rows_with(c, query, incident_told.c.fingerprint, names)))
        found: dict[str, dict[Audience, datetime]] = {}
        for row in rows:
            found.setdefault(row.fingerprint, {})[Audience(row.audience)] = row.told
        return found

    def table_transitions(self, contract_id: str, table: str, *, since: datetime) -> tuple[Transition, ...]:
        """All that happened to the incidents of a table since a moment, oldest first."""
        of, moved = tables.incidents, tables.transitions
        query = (
            select(moved.c.document)
            .join(of, of.c.fingerprint == moved.c.fingerprint)
            .where(of.c.table_key == digest(contract_id, table), moved.c.at >= since)
            .order_by(moved.c.id)
        )
        found = self.database.read(lambda c: c.scalars(query).all())
        return tuple(loads(Transition, text) for text in found)


def _put(connection: Connection, incidents: Iterable[Incident]) -> None:
    latest = {i.fingerprint: i for i in incidents}
    rows = [
        {
            "fingerprint": incident.fingerprint,
            "contract": incident.contract,
            "table": incident.table,
            "table_key": digest(incident.contract, incident.table),
            "state": incident.state.value,
            "opened": incident.opened,
            "resolved": incident.resolved,
            "document": dumps(incident),
        }
        # In one order, so that two writers wait for one another and do not lock one another out.
        for _, incident in sorted(latest.items())
    ]
    if not rows:
        return
    statement = insert(connection, tables.incidents)
    new = {name: statement.excluded[name] for name in ("state", "opened", "resolved", "document")}
    connection.execute(statement.on_conflict_do_update(index_elements=["fingerprint"], set_=new), rows)


def _put_transitions(connection: Connection, transitions: Iterable[Transition]) -> None:
    rows = []
    for transition in transitions:
        text = dumps(transition)
        row = {"key": digest(text), "fingerprint": transition.incident.fingerprint}
        rows.append(row | {"at": transition.at, "document": text})
    if rows:
        statement = insert(connection, tables.transitions)
        connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]), rows)
