"""Whether the database can be used now."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from contracts_svc.adapters.store.part import Part, insert
from contracts_svc.adapters.store.tables import contracts
from contracts_svc.adapters.store.tables_incidents import periods

LATELY = 60.0
"""Seconds after which a failure is of the past."""
_NAME = "probe"


class Probe(Part):
    """What readiness is told by."""

    def probe(self, now: datetime) -> str:
        """See that it can be read; and where something went wrong lately, that a change is kept: a disk that
        is full can be read. Returns what went wrong, where it works again. Raises CouldNotCheck."""
        self.database.read(lambda c: c.execute(select(contracts.c.id).limit(1)).first())
        lately = self.database.failed_within(LATELY)
        if lately:
            self.database.write(lambda c: _keep(c, now))
        return lately


def _keep(connection: Connection, now: datetime) -> None:
    statement = insert(connection, periods).values(name=_NAME, at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"at": now}))
