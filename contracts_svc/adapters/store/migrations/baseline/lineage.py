"""What jobs report of lineage."""

import sqlalchemy as sa
from alembic import op

from contracts_svc.adapters.store.migrations.baseline import ID, INSTANT, TEXT


def create() -> None:
    key = sa.LargeBinary()
    op.create_table(
        "lineage_states",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("contracts", sa.BigInteger(), nullable=False),
        sa.Column("links", sa.Integer(), nullable=False),
        sa.Column("names", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_lineage_states")),
    )
    op.create_table(
        "lineage_reports",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("origin_key", key, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.Column("has_sql", sa.Integer(), nullable=False),
        sa.Column("last_seen", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_reports")),
        sa.UniqueConstraint("key", name=op.f("uq_lineage_reports_key")),
    )
    op.create_index(op.f("ix_lineage_reports_origin_key"), "lineage_reports", ["origin_key"], unique=False)
    op.create_table(
        "lineage_names",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("namespace", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("meant", key, nullable=False),
        sa.Column("columns", key, nullable=False),
        sa.Column("end", key, nullable=False),
        sa.Column("place", key, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_names")),
        sa.UniqueConstraint("key", name=op.f("uq_lineage_names_key")),
    )
    op.create_index(op.f("ix_lineage_names_tenant"), "lineage_names", ["tenant"], unique=False)
    op.create_index(op.f("ix_lineage_names_meant"), "lineage_names", ["meant"], unique=False)
    op.create_index(op.f("ix_lineage_names_end"), "lineage_names", ["end"], unique=False)
    op.create_index(op.f("ix_lineage_names_place"), "lineage_names", ["place"], unique=False)
    op.create_table(
        "lineage_report_names",
        sa.Column("report_id", ID, nullable=False),
        sa.Column("name_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["report_id"], ["lineage_reports.id"], name=op.f("fk_lineage_report_names_report_id")
        ),
        sa.ForeignKeyConstraint(
            ["name_id"], ["lineage_names.id"], name=op.f("fk_lineage_report_names_name_id")
        ),
        sa.PrimaryKeyConstraint("report_id", "name_id", name=op.f("pk_lineage_report_names")),
    )
    op.create_index(
        op.f("ix_lineage_report_names_name_id"), "lineage_report_names", ["name_id"], unique=False
    )
    op.create_table(
        "lineage_facets",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("name_id", ID, nullable=False),
        sa.Column("facet", TEXT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.Column("seen", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["name_id"], ["lineage_names.id"], name=op.f("fk_lineage_facets_name_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_facets")),
        sa.UniqueConstraint("key", name=op.f("uq_lineage_facets_key")),
    )
    op.create_index(op.f("ix_lineage_facets_name_id"), "lineage_facets", ["name_id"], unique=False)
    op.create_table(
        "lineage_readers",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", key, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("origin_key", key, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.Column("seen", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_readers")),
        sa.UniqueConstraint("key", name=op.f("uq_lineage_readers_key")),
    )
    op.create_index(op.f("ix_lineage_readers_tenant"), "lineage_readers", ["tenant"], unique=False)
    op.create_index(op.f("ix_lineage_readers_origin_key"), "lineage_readers", ["origin_key"], unique=False)
