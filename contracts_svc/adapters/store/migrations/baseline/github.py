"""What the GitHub App remembers, and since when columns are deprecated."""

import sqlalchemy as sa
from alembic import op

from contracts_svc.adapters.store.migrations.baseline import ID, INSTANT, TEXT


def create() -> None:
    op.create_table(
        "github_asked",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("approver", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_github_asked")),
    )
    op.create_index(
        op.f("ix_github_asked_repository_number"), "github_asked", ["repository", "number"], unique=False
    )
    op.create_table(
        "github_checks",
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("begun", ID, nullable=False),
        sa.Column("started", INSTANT, nullable=False),
        sa.Column("ended", INSTANT, nullable=True),
        sa.Column("conclusion", sa.String(length=32), nullable=False),
        sa.Column("asked", TEXT, nullable=False),
        sa.Column("report", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("repository", "number", "head", name=op.f("pk_github_checks")),
    )
    op.create_index(
        op.f("ix_github_checks_repository_number_begun"),
        "github_checks",
        ["repository", "number", "begun"],
        unique=False,
    )
    op.create_table(
        "github_contracts",
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_github_contracts")),
    )
    op.create_index(op.f("ix_github_contracts_repository"), "github_contracts", ["repository"], unique=False)
    op.create_table(
        "github_deliveries",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("repository", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_deliveries")),
    )
    op.create_index(op.f("ix_github_deliveries_at"), "github_deliveries", ["at"], unique=False)
    op.create_table(
        "github_repositories",
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("installation_id", ID, nullable=False),
        sa.Column("default_branch", TEXT, nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("looked", sa.String(length=64), nullable=False),
        sa.Column("reconciled", INSTANT, nullable=True),
        sa.Column("removed", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("repository", name=op.f("pk_github_repositories")),
    )
    op.create_table(
        "github_said",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_said")),
        sa.UniqueConstraint("key", name=op.f("uq_github_said_key")),
    )
    op.create_index(
        op.f("ix_github_said_repository_number"), "github_said", ["repository", "number"], unique=False
    )
    op.create_table(
        "github_waivers",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.Column("expires", INSTANT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_waivers")),
        sa.UniqueConstraint("key", name=op.f("uq_github_waivers_key")),
    )
    op.create_index(
        op.f("ix_github_waivers_repository_number"), "github_waivers", ["repository", "number"], unique=False
    )
    op.create_table(
        "github_work",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("repository", TEXT, nullable=False),
        sa.Column("installation_id", ID, nullable=True),
        sa.Column("document", TEXT, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("worker", TEXT, nullable=False),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("error", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_github_work")),
        sa.UniqueConstraint("key", name=op.f("uq_github_work_key")),
    )
    op.create_index(op.f("ix_github_work_repository"), "github_work", ["repository"], unique=False)
    op.create_index(op.f("ix_github_work_state_since"), "github_work", ["state", "since"], unique=False)
    op.create_table(
        "deprecations",
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("table", TEXT, nullable=False),
        sa.Column("column", TEXT, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("contract", "key", name=op.f("pk_deprecations")),
    )
