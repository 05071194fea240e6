"""The table of figures of files."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, String, Table

from contracts_svc.adapters.store.columns import Clean
from contracts_svc.adapters.store.tables import metadata

states = Table(
    "states",
    metadata,
    Column("place", LargeBinary, nullable=False),
    Column("unit", String(32), nullable=False),
    Column("document", Clean, nullable=False),
    PrimaryKeyConstraint("place", "unit"),
)
