"""Figures of files in the database: a cache that all processes of a deployment share."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from sqlalchemy import Connection, select

from contracts_svc.adapters.store.codec import dumps
from contracts_svc.adapters.store.part import KEYS_AT_ONCE, Insert, Part, add, batches, digest, rows_with
from contracts_svc.adapters.store.tables_states import state_places, states
from contracts_svc.model import Json

_UNITS = states.c.unit


class States(Part):
    """:class:`contracts_svc.ports_store.StateStore`"""

    def states(self, place: str, units: Collection[str]) -> Mapping[str, Mapping[str, Json]]:
        """Unit -> figure -> value, of those of these units that are kept."""
        query = select(_UNITS, states.c.document).where(states.c.place == digest(place))

        def work(connection: Connection) -> dict[str, Mapping[str, Json]]:
            rows = rows_with(connection, query, _UNITS, units)
            return {row.unit: json.loads(row.document) for row in rows}

        return self.database.read(work)

    def put_states(
        self, place: str, states: Mapping[str, Mapping[str, Json]], keep: Collection[str] | None = None
    ) -> None:
        """Keep these; where ``keep`` is given, forget the place's units that are not in it."""
        if states or keep is not None:
            self.database.write(lambda c: _put(c, place, states, keep))


def _put(
    connection: Connection,
    whose: str,
    found: Mapping[str, Mapping[str, Json]],
    keep: Collection[str] | None,
) -> None:
    place, contract = digest(whose), whose.partition("\n")[0]
    add(connection, state_places, [{"place": place, "contract": contract}], _ignore)
    # In order, so that two writers wait for one another rather than lock one another out.
    for some in batches(sorted(found), KEYS_AT_ONCE):
        rows = [{"place": place, "unit": unit, "document": dumps(found[unit])} for unit in some]
        add(connection, states, rows, _replace)
    if keep is None:
        return
    there = connection.execute(select(_UNITS).where(states.c.place == place)).scalars()
    for gone in batches(sorted(set(there) - set(keep)), KEYS_AT_ONCE):
        connection.execute(states.delete().where(states.c.place == place, _UNITS.in_(gone)))


def _ignore(statement: Insert) -> Insert:
    return statement.on_conflict_do_nothing(index_elements=["place"])


def _replace(statement: Insert) -> Insert:
    return statement.on_conflict_do_update(
        index_elements=["place", "unit"], set_={"document": statement.excluded.document}
    )
