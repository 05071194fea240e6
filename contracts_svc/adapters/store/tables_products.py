"""The table of data products."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, UniqueConstraint

from contracts_svc.adapters.store.columns import Clean, Id, Instant, Name
from contracts_svc.adapters.store.tables import metadata

data_products = Table(
    "data_products",
    metadata,
    Column("id", Id, primary_key=True),
    Column("tenant", Name, nullable=False),
    Column("product", Name, nullable=False),
    Column("team", Clean, nullable=False),
    # As it was sent, to the byte.
    Column("document", LargeBinary, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("retired", Instant),
    UniqueConstraint("tenant", "product"),
)
