"""Which messages from outside were heard, so that each counts once."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from contracts_svc.adapters.store.part import Part, digest, insert
from contracts_svc.adapters.store.tables_heard import heard_messages as _HEARD
from contracts_svc.ports_retention import BATCH


class HeardMessages(Part):
    """:class:`contracts_svc.ports_store.HeardStore`"""

    def hear(self, messages: Iterable[str], now: datetime) -> frozenset[str]:
        """Remember messages by their ids; those that were not known before."""
        # In one order, so that two writers wait for one another and do not lock one another out.
        keys = dict(sorted((digest(m), m) for m in messages))

        def work(connection: Connection) -> frozenset[str]:
            statement = insert(connection, _HEARD).on_conflict_do_nothing(index_elements=["key"])
            new = (
                connection.scalar(statement.returning(_HEARD.c.key), {"key": key, "at": now}) for key in keys
            )
            return frozenset(keys[bytes(key)] for key in new if key is not None)

        return self.database.write(work)

    def prune_heard(self, before: datetime, *, batch: int = BATCH) -> int:
        """Messages that were heard before that moment."""
        old = select(_HEARD.c.key).where(_HEARD.c.at < before).limit(batch)
        statement = _HEARD.delete().where(_HEARD.c.key.in_(old))
        return self.database.write(lambda c: c.execute(statement).rowcount)
