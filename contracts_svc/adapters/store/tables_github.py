"""The tables of the GitHub App, on the same metadata as the others.

Names of repositories are kept in lower case, as GitHub compares them, and as they are written.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, String, Table

from contracts_svc.adapters.store.columns import Clean, Id, Instant, Name
from contracts_svc.adapters.store.tables import metadata

github_deliveries = Table(
    "github_deliveries",
    metadata,
    Column("id", Name, primary_key=True),
    Column("at", Instant, nullable=False, index=True),
    Column("event", String(64), nullable=False),
    Column("action", Clean, nullable=False),
    Column("repository", Clean, nullable=False),
)

github_work = Table(
    "github_work",
    metadata,
    Column("id", Id, primary_key=True),
    # Digest of Work.key: the same work is one row, however often it is asked for.
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("repository", Name, nullable=False, index=True),
    Column("installation_id", Id),
    Column("document", Clean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", Instant, nullable=False),
    Column("not_before", Instant),
    Column("worker", Clean, nullable=False),
    Column("leased_until", Instant),
    Column("error", Clean, nullable=False),
    Index(None, "state", "since"),
)

github_repositories = Table(
    "github_repositories",
    metadata,
    Column("repository", Name, primary_key=True),
    Column("name", Name, nullable=False),
    Column("installation_id", Id, nullable=False),
    Column("default_branch", Clean, nullable=False),
    Column("head", String(64), nullable=False),
    Column("looked", String(64), nullable=False),
    Column("reconciled", Instant),
    Column("removed", Instant),
)

github_contracts = Table(
    "github_contracts",
    metadata,
    Column("contract", Name, primary_key=True),
    Column("repository", Name, nullable=False, index=True),
    Column("name", Name, nullable=False),
    Column("path", Clean, nullable=False),
)

github_checks = Table(
    "github_checks",
    metadata,
    Column("repository", Name, nullable=False),
    Column("number", Id, nullable=False),
    Column("head", String(64), nullable=False),
    Column("name", Name, nullable=False),
    Column("begun", Id, nullable=False),
    Column("started", Instant, nullable=False),
    Column("ended", Instant),
    Column("conclusion", String(32), nullable=False),
    # JSON: fingerprints.
    Column("asked", Clean, nullable=False),
    Column("report", Clean, nullable=False),
    PrimaryKeyConstraint("repository", "number", "head"),
    Index(None, "repository", "number", "begun"),
)

github_said = Table(
    "github_said",
    metadata,
    Column("id", Id, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("repository", Name, nullable=False),
    Column("number", Id, nullable=False),
    Column("document", Clean, nullable=False),
    Index(None, "repository", "number"),
)

github_waivers = Table(
    "github_waivers",
    metadata,
    Column("id", Id, primary_key=True),
    # Digest of repository, number, fingerprint, approver and who spoke for them.
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("repository", Name, nullable=False),
    Column("number", Id, nullable=False),
    Column("expires", Instant, nullable=False),
    Column("document", Clean, nullable=False),
    Index(None, "repository", "number"),
)

github_asked = Table(
    "github_asked",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("repository", Name, nullable=False),
    Column("number", Id, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("approver", Clean, nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "repository", "number"),
)
