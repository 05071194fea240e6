"""When people were told: apart from incidents, so that sending does not change those; and digests."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, PrimaryKeyConstraint, String, Table

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.columns import Instant, Name
from contracts_svc.adapters.store.tables import metadata

incident_told = Table(
    "incident_told",
    metadata,
    Column("fingerprint", Name, ForeignKey(tables.incidents.c.fingerprint), nullable=False),
    Column("audience", String(16), nullable=False),
    # An incident that is opened anew is told anew.
    Column("opened", Instant, nullable=False),
    Column("told", Instant, nullable=False),
    PrimaryKeyConstraint("fingerprint", "audience", "opened"),
)

# What is done once in a period, by whichever process comes first.
periods = Table(
    "periods",
    metadata,
    Column("name", Name, primary_key=True),
    Column("at", Instant, nullable=False),
)
