"""The tables of scheduled runs, on the same metadata as the others."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from contracts_svc.adapters.store.columns import Clean, Id, Instant, Name
from contracts_svc.adapters.store.tables import metadata

scheduled_runs = Table(
    "scheduled_runs",
    metadata,
    Column("id", Id, primary_key=True),
    # Digest of the tenant, the contract, the table and the time: a run is due once.
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("tenant", Clean, nullable=False),
    Column("contract", Name, nullable=False),
    Column("table", Name, nullable=False),
    Column("bucket", Clean, nullable=False),
    Column("server", Clean, nullable=False),
    # JSON.
    Column("partition", Clean, nullable=False),
    Column("scheduled_for", Instant, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", Instant),
    # Empty: to be given to the queue. This row is the outbox entry of its own job.
    Column("handed", Instant),
    Column("worker", Clean, nullable=False),
    Column("heartbeat", Instant),
    Column("finished", Instant, index=True),
    Column("run_id", String(32), nullable=False),
    Column("error", Clean, nullable=False),
    Column("trace", String(55), nullable=False),
    Index(None, "contract", "scheduled_for"),
    Index(None, "state", "priority", "scheduled_for"),
)

publish_events = Table(
    "publish_events",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("tenant", Clean, nullable=False),
    Column("contract", Clean, nullable=False),
    Column("table", Clean, nullable=False),
    Column("at", Instant, nullable=False, index=True),
    # The run that answers it.
    Column("scheduled_run_id", Id, ForeignKey(scheduled_runs.c.id), index=True),
)

paused_contracts = Table(
    "paused_contracts",
    metadata,
    Column("contract", Name, primary_key=True),
    Column("since", Instant, nullable=False),
)
