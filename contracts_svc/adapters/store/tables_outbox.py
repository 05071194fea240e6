"""The tables of alerting: groups of messages, the outbox, and silences."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, String, Table

from contracts_svc.adapters.store.columns import Clean, Id, Instant, Name
from contracts_svc.adapters.store.tables import metadata

outbox_groups = Table(
    "outbox_groups",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("recipient", String(64), nullable=False, index=True),
    Column("due", Instant, index=True),
    Column("document", Clean, nullable=False),
)

outbox_incidents = Table(
    "outbox_incidents",
    metadata,
    Column("group_key", String(64), ForeignKey(outbox_groups.c.key), nullable=False),
    Column("incident", Name, nullable=False, index=True),
    PrimaryKeyConstraint("group_key", "incident"),
)

outbox_messages = Table(
    "outbox_messages",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    # Messages outlive their group.
    Column("group_key", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("created", Instant, nullable=False),
    # Until then another process is about to send it.
    Column("taken_until", Instant),
    Column("settled", Instant, index=True),
    Column("reason", Clean, nullable=False),
    Column("document", Clean, nullable=False),
    Index(None, "state", "id"),
    Index(None, "group_key", "state"),
)

silences = Table(
    "silences",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("ends", Instant, nullable=False, index=True),
    Column("document", Clean, nullable=False),
)
