"""The table of figures of files."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, String, Table

from contracts_svc.adapters.store.columns import Clean, Name
from contracts_svc.adapters.store.tables import metadata

# Which contract a place is of, so that what is known of its files is forgotten with it.
state_places = Table(
    "state_places",
    metadata,
    Column("place", LargeBinary, primary_key=True),
    Column("contract", Name, nullable=False),
)

states = Table(
    "states",
    metadata,
    Column("place", LargeBinary, nullable=False),
    Column("unit", String(32), nullable=False),
    Column("document", Clean, nullable=False),
    PrimaryKeyConstraint("place", "unit"),
)
