"""The first tables."""

import sqlalchemy as sa
from alembic import op

from contracts_svc.adapters.store.migrations.baseline import ID, INSTANT, TEXT, github, lineage, people

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("who", TEXT, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.CheckConstraint("who <> ''", name=op.f("ck_audit_who")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_kind_subject"), "audit", ["kind", "subject"], unique=False)
    op.create_table(
        "contracts",
        sa.Column("id", ID, nullable=False),
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("latest", TEXT, nullable=False),
        sa.Column("retired", INSTANT, nullable=True),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contracts")),
        sa.UniqueConstraint("contract", name=op.f("uq_contracts_contract")),
    )
    op.create_index(op.f("ix_contracts_tenant_changed"), "contracts", ["tenant", "changed"], unique=False)
    op.create_table(
        "contract_changes",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_contract_changes")),
    )
    op.create_table(
        "datasets",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("namespace", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("read", sa.Integer(), nullable=False),
        sa.Column("fed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
        sa.UniqueConstraint("key", name=op.f("uq_datasets_key")),
    )
    op.create_index(op.f("ix_datasets_tenant_read_fed"), "datasets", ["tenant", "read", "fed"], unique=False)
    op.create_table(
        "edge_details",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("origin_key", sa.LargeBinary(), nullable=False),
        sa.Column("expression", TEXT, nullable=False),
        sa.Column("dialect", TEXT, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edge_details")),
        sa.UniqueConstraint("key", name=op.f("uq_edge_details_key")),
    )
    op.create_index(op.f("ix_edge_details_origin_key"), "edge_details", ["origin_key"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("table", TEXT, nullable=False),
        sa.Column("table_key", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("opened", INSTANT, nullable=False),
        sa.Column("resolved", INSTANT, nullable=True),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_incidents")),
    )
    op.create_index(op.f("ix_incidents_state_opened"), "incidents", ["state", "opened"], unique=False)
    op.create_index(op.f("ix_incidents_resolved"), "incidents", ["resolved"], unique=False)
    op.create_index(op.f("ix_incidents_table_key"), "incidents", ["table_key"], unique=False)
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("table_key", sa.LargeBinary(), nullable=False),
        sa.Column("started", INSTANT, nullable=False),
        sa.Column("finished", INSTANT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index(op.f("ix_runs_table_key_started"), "runs", ["table_key", "started"], unique=False)
    op.create_index(op.f("ix_runs_started"), "runs", ["started"], unique=False)
    op.create_table(
        "subscriptions",
        sa.Column("id", ID, nullable=False),
        sa.Column("consumer", TEXT, nullable=False),
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.Column("ended", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("consumer", "contract", name=op.f("uq_subscriptions_consumer_contract")),
    )
    op.create_index(op.f("ix_subscriptions_contract"), "subscriptions", ["contract"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("expires", INSTANT, nullable=False),
        sa.Column("revoked", INSTANT, nullable=True),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_tokens_hash")),
    )
    op.create_table(
        "waivers",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("expires", INSTANT, nullable=False),
        sa.Column("withdrawn", INSTANT, nullable=True),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waivers")),
        sa.UniqueConstraint("key", name=op.f("uq_waivers_key")),
    )
    op.create_index(op.f("ix_waivers_fingerprint"), "waivers", ["fingerprint"], unique=False)
    op.create_table(
        "columns",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("dataset_id", ID, nullable=False),
        sa.Column("path", TEXT, nullable=False),
        sa.Column("parent_id", ID, nullable=True),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"], name=op.f("fk_columns_dataset_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["columns.id"], name=op.f("fk_columns_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_columns")),
        sa.UniqueConstraint("key", name=op.f("uq_columns_key")),
    )
    op.create_index(op.f("ix_columns_dataset_id"), "columns", ["dataset_id"], unique=False)
    op.create_index(op.f("ix_columns_parent_id"), "columns", ["parent_id"], unique=False)
    op.create_table(
        "contract_versions",
        sa.Column("id", ID, nullable=False),
        sa.Column("contract_id", ID, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("file", TEXT, nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("added", INSTANT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("squad", TEXT, nullable=False),
        sa.Column("tribe", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["contracts.id"], name=op.f("fk_contract_versions_contract_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_versions")),
        sa.UniqueConstraint("contract_id", "version", name=op.f("uq_contract_versions_contract_id_version")),
    )
    op.create_table(
        "measurements",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("figure_key", sa.LargeBinary(), nullable=False),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_measurements_run_id")),
        sa.PrimaryKeyConstraint("run_id", "number", "figure_key", name=op.f("pk_measurements")),
    )
    op.create_index(op.f("ix_measurements_at"), "measurements", ["at"], unique=False)
    op.create_index(op.f("ix_measurements_figure_key_at"), "measurements", ["figure_key", "at"], unique=False)
    op.create_table(
        "results",
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("check", TEXT, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_results_run_id")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_results")),
    )
    op.create_table(
        "transitions",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint"], ["incidents.fingerprint"], name=op.f("fk_transitions_fingerprint")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transitions")),
        sa.UniqueConstraint("key", name=op.f("uq_transitions_key")),
    )
    op.create_index(op.f("ix_transitions_fingerprint"), "transitions", ["fingerprint"], unique=False)
    op.create_table(
        "contract_tags",
        sa.Column("version_id", ID, nullable=False),
        sa.Column("tag", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["version_id"], ["contract_versions.id"], name=op.f("fk_contract_tags_version_id")
        ),
        sa.PrimaryKeyConstraint("version_id", "tag", name=op.f("pk_contract_tags")),
    )
    op.create_table(
        "edges",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("target_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("detail_id", ID, nullable=False),
        sa.Column("first_seen", INSTANT, nullable=True),
        sa.Column("last_seen", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(["detail_id"], ["edge_details.id"], name=op.f("fk_edges_detail_id")),
        sa.ForeignKeyConstraint(["source_id"], ["columns.id"], name=op.f("fk_edges_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["columns.id"], name=op.f("fk_edges_target_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_edges")),
        sa.UniqueConstraint(
            "source_id",
            "target_id",
            "kind",
            "type",
            "detail_id",
            name=op.f("uq_edges_source_id_target_id_kind_type_detail_id"),
        ),
    )
    op.create_index(op.f("ix_edges_target_id"), "edges", ["target_id"], unique=False)
    op.create_table(
        "dataset_edges",
        sa.Column("source_dataset_id", ID, nullable=False),
        sa.Column("target_dataset_id", ID, nullable=False),
        sa.Column("origin_key", sa.LargeBinary(), nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("target_id", ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("detail_id", ID, nullable=False),
        sa.Column("last_seen", INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["source_dataset_id"], ["datasets.id"], name=op.f("fk_dataset_edges_source_dataset_id")
        ),
        sa.ForeignKeyConstraint(
            ["target_dataset_id"], ["datasets.id"], name=op.f("fk_dataset_edges_target_dataset_id")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["columns.id"], name=op.f("fk_dataset_edges_source_id")),
        sa.ForeignKeyConstraint(["target_id"], ["columns.id"], name=op.f("fk_dataset_edges_target_id")),
        sa.ForeignKeyConstraint(["detail_id"], ["edge_details.id"], name=op.f("fk_dataset_edges_detail_id")),
        sa.PrimaryKeyConstraint(
            "source_dataset_id", "target_dataset_id", "origin_key", name=op.f("pk_dataset_edges")
        ),
    )
    op.create_table(
        "scheduled_runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("table", TEXT, nullable=False),
        sa.Column("bucket", TEXT, nullable=False),
        sa.Column("server", TEXT, nullable=False),
        sa.Column("partition", TEXT, nullable=False),
        sa.Column("scheduled_for", INSTANT, nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("not_before", INSTANT, nullable=True),
        sa.Column("handed", INSTANT, nullable=True),
        sa.Column("worker", TEXT, nullable=False),
        sa.Column("heartbeat", INSTANT, nullable=True),
        sa.Column("finished", INSTANT, nullable=True),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("trace", sa.String(length=55), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_runs")),
        sa.UniqueConstraint("key", name=op.f("uq_scheduled_runs_key")),
    )
    op.create_index(op.f("ix_scheduled_runs_finished"), "scheduled_runs", ["finished"], unique=False)
    op.create_index(
        op.f("ix_scheduled_runs_contract_scheduled_for"),
        "scheduled_runs",
        ["contract", "scheduled_for"],
        unique=False,
    )
    op.create_index(
        op.f("ix_scheduled_runs_state_priority_scheduled_for"),
        "scheduled_runs",
        ["state", "priority", "scheduled_for"],
        unique=False,
    )
    op.create_table(
        "publish_events",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("table", TEXT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("scheduled_run_id", ID, nullable=True),
        sa.ForeignKeyConstraint(
            ["scheduled_run_id"], ["scheduled_runs.id"], name=op.f("fk_publish_events_scheduled_run_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publish_events")),
        sa.UniqueConstraint("key", name=op.f("uq_publish_events_key")),
    )
    op.create_index(op.f("ix_publish_events_at"), "publish_events", ["at"], unique=False)
    op.create_index(
        op.f("ix_publish_events_scheduled_run_id"), "publish_events", ["scheduled_run_id"], unique=False
    )
    op.create_table(
        "paused_contracts",
        sa.Column("contract", TEXT, nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("contract", name=op.f("pk_paused_contracts")),
    )
    op.create_table(
        "outbox_groups",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("due", INSTANT, nullable=True),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_outbox_groups")),
    )
    op.create_index(op.f("ix_outbox_groups_due"), "outbox_groups", ["due"], unique=False)
    op.create_index(op.f("ix_outbox_groups_recipient"), "outbox_groups", ["recipient"], unique=False)
    op.create_table(
        "outbox_incidents",
        sa.Column("group_key", sa.String(length=64), nullable=False),
        sa.Column("incident", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["group_key"], ["outbox_groups.key"], name=op.f("fk_outbox_incidents_group_key")
        ),
        sa.PrimaryKeyConstraint("group_key", "incident", name=op.f("pk_outbox_incidents")),
    )
    op.create_index(op.f("ix_outbox_incidents_incident"), "outbox_incidents", ["incident"], unique=False)
    op.create_table(
        "outbox_messages",
        sa.Column("id", ID, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("group_key", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created", INSTANT, nullable=False),
        sa.Column("taken_until", INSTANT, nullable=True),
        sa.Column("settled", INSTANT, nullable=True),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox_messages")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_messages_key")),
    )
    op.create_index(op.f("ix_outbox_messages_settled"), "outbox_messages", ["settled"], unique=False)
    op.create_index(
        op.f("ix_outbox_messages_group_key_state"), "outbox_messages", ["group_key", "state"], unique=False
    )
    op.create_index(op.f("ix_outbox_messages_state_id"), "outbox_messages", ["state", "id"], unique=False)
    op.create_table(
        "silences",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("ends", INSTANT, nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silences")),
    )
    op.create_index(op.f("ix_silences_ends"), "silences", ["ends"], unique=False)
    op.create_table(
        "states",
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("document", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("place", "unit", name=op.f("pk_states")),
    )
    op.create_table(
        "state_places",
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("contract", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_state_places")),
    )
    lineage.create()
    people.create()
    github.create()
