"""The tables. Migrations build the same ones (a test compares): see :mod:`.migrations`.

Nothing is deleted but what a retention period says (measurements). Whole values (an incident, a result)
are kept as JSON text in ``document``; the columns beside it are what is looked for.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    UniqueConstraint,
)

from contracts_svc.adapters.store.columns import Clean, Id, Instant, Name

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[int]:
    return Column("id", Id, primary_key=True)


def _key() -> Column[bytes]:
    # Names may be longer than an index of PostgreSQL takes, so that their digest is what is unique.
    return Column("key", LargeBinary, nullable=False, unique=True)


# --- contracts ----------------------------------------------------------------------------------

contracts = Table(
    "contracts",
    metadata,
    _id(),
    Column("contract", Name, nullable=False, unique=True),
    Column("tenant", Name, nullable=False),
    # The version that is the latest by semantic versioning.
    Column("latest", Name, nullable=False),
    Column("retired", Instant),
    # The number of its last change among those of its tenant.
    Column("changed", BigInteger, nullable=False),
    Index(None, "tenant", "changed"),
)

contract_changes = Table(
    "contract_changes",
    metadata,
    Column("tenant", Name, primary_key=True),
    # How many changes there were.
    Column("latest", BigInteger, nullable=False),
)

contract_versions = Table(
    "contract_versions",
    metadata,
    _id(),
    Column("contract_id", Id, ForeignKey(contracts.c.id), nullable=False),
    Column("version", Name, nullable=False),
    Column("file", Clean, nullable=False),
    # The bytes as they were given; all else is read from them.
    Column("text", LargeBinary, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("added", Instant, nullable=False),
    # What lists show and filter by.
    Column("name", Clean, nullable=False),
    Column("status", Clean, nullable=False),
    Column("domain", Clean, nullable=False),
    Column("owner", Clean, nullable=False),
    Column("squad", Clean, nullable=False),
    Column("tribe", Clean, nullable=False),
    UniqueConstraint("contract_id", "version"),
)

contract_tags = Table(
    "contract_tags",
    metadata,
    Column("version_id", Id, ForeignKey(contract_versions.c.id), nullable=False),
    Column("tag", Name, nullable=False),
    PrimaryKeyConstraint("version_id", "tag"),
)

# --- lineage ------------------------------------------------------------------------------------

datasets = Table(
    "datasets",
    metadata,
    _id(),
    _key(),
    Column("namespace", Clean, nullable=False),
    Column("name", Clean, nullable=False),
    Column("tenant", Name, nullable=False),
    # 1: an edge starts here, 1: one ends here.
    Column("read", Integer, nullable=False),
    Column("fed", Integer, nullable=False),
    Index(None, "tenant", "read", "fed"),
)

columns = Table(
    "columns",
    metadata,
    _id(),
    _key(),
    Column("dataset_id", Id, ForeignKey(datasets.c.id), nullable=False, index=True),
    # Empty for the dataset as a whole, which is the parent of its top-level columns.
    Column("path", Clean, nullable=False),
    Column("parent_id", Id, ForeignKey("columns.id"), index=True),
)

edge_details = Table(
    "edge_details",
    metadata,
    _id(),
    _key(),
    Column("origin", Clean, nullable=False),
    # Digest of the origin: all edges of a job are found by it.
    Column("origin_key", LargeBinary, nullable=False, index=True),
    Column("expression", Clean, nullable=False),
    Column("dialect", Clean, nullable=False),
    Column("reason", Clean, nullable=False),
)

edges = Table(
    "edges",
    metadata,
    _id(),
    Column("source_id", Id, ForeignKey(columns.c.id), nullable=False),
    Column("target_id", Id, ForeignKey(columns.c.id), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("type", String(16), nullable=False),
    Column("detail_id", Id, ForeignKey(edge_details.c.id), nullable=False),
    Column("first_seen", Instant),
    Column("last_seen", Instant),
    UniqueConstraint("source_id", "target_id", "kind", "type", "detail_id"),
)

# Of the edges of an origin that lead from columns of one dataset to another, the one that was seen last: who
# reads a dataset is told without all the edges of its columns.
dataset_edges = Table(
    "dataset_edges",
    metadata,
    Column("source_dataset_id", Id, ForeignKey(datasets.c.id), nullable=False),
    Column("target_dataset_id", Id, ForeignKey(datasets.c.id), nullable=False),
    Column("origin_key", LargeBinary, nullable=False),
    Column("source_id", Id, ForeignKey(columns.c.id), nullable=False),
    Column("target_id", Id, ForeignKey(columns.c.id), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("type", String(16), nullable=False),
    Column("detail_id", Id, ForeignKey(edge_details.c.id), nullable=False),
    Column("last_seen", Instant),
    PrimaryKeyConstraint("source_dataset_id", "target_dataset_id", "origin_key"),
)

# --- runs ---------------------------------------------------------------------------------------

runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    # Digest of the contract's id and the table's name, which may both be long.
    Column("table_key", LargeBinary, nullable=False),
    Column("started", Instant, nullable=False),
    Column("finished", Instant, nullable=False),
    Column("document", Clean, nullable=False),
    Index(None, "table_key", "started"),
    Index(None, "started"),
)

results = Table(
    "results",
    metadata,
    Column("run_id", String(32), ForeignKey(runs.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    Column("check", Clean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("document", Clean, nullable=False),
    PrimaryKeyConstraint("run_id", "number"),
)

measurements = Table(
    "measurements",
    metadata,
    Column("run_id", String(32), ForeignKey(runs.c.id), nullable=False),
    Column("number", Integer, nullable=False),
    # Digest of the contract, the table, the check and the name of the figure.
    Column("figure_key", LargeBinary, nullable=False),
    Column("scope", Clean, nullable=False),
    Column("at", Instant, nullable=False),
    Column("value", Float, nullable=False),
    Column("outcome", String(16), nullable=False),
    PrimaryKeyConstraint("run_id", "number", "figure_key"),
    Index(None, "figure_key", "at"),
    Index(None, "at"),
)

# --- incidents ----------------------------------------------------------------------------------

incidents = Table(
    "incidents",
    metadata,
    Column("fingerprint", Name, primary_key=True),
    Column("contract", Clean, nullable=False),
    Column("table", Clean, nullable=False),
    # Digest of both, which may be long.
    Column("table_key", LargeBinary, nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("opened", Instant, nullable=False),
    Column("resolved", Instant),
    Column("document", Clean, nullable=False),
    Index(None, "state", "opened"),
    Index(None, "resolved"),
)

transitions = Table(
    "transitions",
    metadata,
    _id(),
    _key(),
    Column("fingerprint", Name, ForeignKey(incidents.c.fingerprint), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("document", Clean, nullable=False),
)

# --- people -------------------------------------------------------------------------------------

waivers = Table(
    "waivers",
    metadata,
    _id(),
    _key(),
    Column("fingerprint", Name, nullable=False, index=True),
    Column("expires", Instant, nullable=False),
    Column("withdrawn", Instant),
    Column("document", Clean, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    _id(),
    Column("consumer", Name, nullable=False),
    Column("contract", Name, nullable=False),
    Column("document", Clean, nullable=False),
    Column("ended", Instant),
    UniqueConstraint("consumer", "contract"),
    Index(None, "contract"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("owner", Clean, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("revoked", Instant),
    Column("document", Clean, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Instant, nullable=False),
    Column("who", Clean, nullable=False),
    Column("origin", Clean, nullable=False),
    Column("action", Clean, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("subject", Clean, nullable=False),
    Column("detail", Clean, nullable=False),
    CheckConstraint("who <> ''", name="who"),
    Index(None, "kind", "subject"),
)
