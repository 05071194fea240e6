"""Since when columns and tables are deprecated, in the database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, select

from contracts_svc.adapters.store.part import Part, digest, insert, rows_with
from contracts_svc.adapters.store.tables_deprecations import deprecations as _TABLE

_KEYS = select(_TABLE.c.key).where(_TABLE.c.contract == bindparam("contract_id"))
_SINCE = select(_TABLE.c.contract, _TABLE.c.table, _TABLE.c.column, _TABLE.c.since)


class Deprecations(Part):
    """:class:`contracts_svc.ports_store.DeprecationStore`"""

    def put_deprecated(self, contract_id: str, elements: Iterable[tuple[str, str]], now: datetime) -> None:
        """These are deprecated in the latest version, and nothing else of it is."""
        wanted = {digest(*element): element for element in elements}

        def work(connection: Connection) -> None:
            there = {bytes(key) for key in connection.scalars(_KEYS, {"contract_id": contract_id})}
            for key in sorted(wanted.keys() - there):
                table, column = wanted[key]
                row = {"contract": contract_id, "key": key, "table": table, "column": column, "since": now}
                statement = insert(connection, _TABLE)
                connection.execute(statement.on_conflict_do_nothing(index_elements=["contract", "key"]), row)
            for key in sorted(there - wanted.keys()):
                gone = _TABLE.delete().where(_TABLE.c.contract == contract_id, _TABLE.c.key == key)
                connection.execute(gone)

        self.database.write(work)

    def deprecated_since(self, contract_ids: Iterable[str]) -> Mapping[tuple[str, str, str], date]:
        """Contract, table, column -> since when it is deprecated."""
        ids = sorted(set(contract_ids))
        rows = self.database.read(lambda c: list(rows_with(c, _SINCE, _TABLE.c.contract, ids)))
        return {(r.contract, r.table, r.column): r.since.date() for r in rows}
