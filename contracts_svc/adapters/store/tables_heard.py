"""The table of messages from outside that were heard."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table

from contracts_svc.adapters.store.columns import Instant
from contracts_svc.adapters.store.tables import metadata

heard_messages = Table(
    "heard_messages",
    metadata,
    # Digest of the message's id, which may be long.
    Column("key", LargeBinary, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)
