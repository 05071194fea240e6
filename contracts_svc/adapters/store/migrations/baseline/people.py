"""What people are told, send, log in by and declare."""

import sqlalchemy as sa
from alembic import op

from contracts_svc.adapters.store.migrations.baseline import ID, INSTANT, TEXT


def create() -> None:
    op.create_table(
        "incident_told",
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("audience", sa.String(length=16), nullable=False),
        sa.Column("opened", INSTANT, nullable=False),
        sa.Column("told", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint"], ["incidents.fingerprint"], name=op.f("fk_incident_told_fingerprint")
        ),
        sa.PrimaryKeyConstraint("fingerprint", "audience", "opened", name=op.f("pk_incident_told")),
    )
    op.create_table(
        "periods",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_periods")),
    )
    op.create_table(
        "heard_messages",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_heard_messages")),
    )
    op.create_index(op.f("ix_heard_messages_at"), "heard_messages", ["at"], unique=False)
    op.create_table(
        "data_products",
        sa.Column("id", ID, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("product", TEXT, nullable=False),
        sa.Column("team", TEXT, nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("changed", INSTANT, nullable=False),
        sa.Column("retired", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_products")),
        sa.UniqueConstraint("tenant", "product", name=op.f("uq_data_products_tenant_product")),
    )
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("expires", INSTANT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_expires"), "sessions", ["expires"], unique=False)
