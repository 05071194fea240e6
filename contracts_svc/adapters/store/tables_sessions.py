"""The table of sessions of people."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from contracts_svc.adapters.store.columns import Clean, Instant
from contracts_svc.adapters.store.tables import metadata

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("expires", Instant, nullable=False, index=True),
    Column("document", Clean, nullable=False),
)
