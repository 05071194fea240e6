"""The table of what is deprecated, on the same metadata as the others."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, PrimaryKeyConstraint, Table

from contracts_svc.adapters.store.columns import Clean, Instant, Name
from contracts_svc.adapters.store.tables import metadata

deprecations = Table(
    "deprecations",
    metadata,
    Column("contract", Name, nullable=False),
    # Digest of the table and the column.
    Column("key", LargeBinary, nullable=False),
    Column("table", Clean, nullable=False),
    # Dotted path; empty: the table itself.
    Column("column", Clean, nullable=False),
    Column("since", Instant, nullable=False),
    PrimaryKeyConstraint("contract", "key"),
)
