"""The tables of what jobs report about lineage; the edges made of it are in :mod:`.tables`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, PrimaryKeyConstraint, Table

from contracts_svc.adapters.store.columns import Clean, Id, Instant, Name
from contracts_svc.adapters.store.tables import metadata


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _key() -> Column[bytes]:
    return Column("key", LargeBinary, nullable=False, unique=True)


lineage_states = Table(
    "lineage_states",
    metadata,
    Column("tenant", Name, primary_key=True),
    Column("contracts", BigInteger, nullable=False),
    Column("links", Integer, nullable=False),
    Column("names", BigInteger, nullable=False),
)

lineage_reports = Table(
    "lineage_reports",
    metadata,
    _id(),
    # Of the tenant, the job and the content.
    _key(),
    # Of the tenant and the job.
    Column("origin_key", LargeBinary, nullable=False, index=True),
    Column("origin", Clean, nullable=False),
    Column("document", Clean, nullable=False),
    Column("has_sql", Integer, nullable=False),
    Column("last_seen", Instant),
)

lineage_names = Table(
    "lineage_names",
    metadata,
    _id(),
    # Of the tenant and the name.
    _key(),
    Column("tenant", Name, nullable=False, index=True),
    Column("namespace", Clean, nullable=False),
    Column("name", Clean, nullable=False),
    # Digest of the dataset that it meant when it was last used; empty before that.
    Column("meant", LargeBinary, nullable=False, index=True),
    # Digest of that dataset's columns, as its contract has them.
    Column("columns", LargeBinary, nullable=False),
    # Where the name is looked for: the digest of its end, and the beginning of its place; of the tenant.
    Column("end", LargeBinary, nullable=False, index=True),
    Column("place", LargeBinary, nullable=False, index=True),
)

lineage_report_names = Table(
    "lineage_report_names",
    metadata,
    Column("report_id", Id, ForeignKey(lineage_reports.c.id), nullable=False),
    Column("name_id", Id, ForeignKey(lineage_names.c.id), nullable=False, index=True),
    PrimaryKeyConstraint("report_id", "name_id"),
)

lineage_facets = Table(
    "lineage_facets",
    metadata,
    _id(),
    # Of the tenant, the dataset's name and the facet's.
    _key(),
    Column("name_id", Id, ForeignKey(lineage_names.c.id), nullable=False, index=True),
    Column("facet", Name, nullable=False),
    Column("document", Clean, nullable=False),
    Column("seen", Instant),
)

lineage_readers = Table(
    "lineage_readers",
    metadata,
    _id(),
    # Of the tenant, the job and the consumer's dataset.
    _key(),
    Column("tenant", Name, nullable=False, index=True),
    Column("origin_key", LargeBinary, nullable=False, index=True),
    Column("document", Clean, nullable=False),
    Column("seen", Instant),
)
