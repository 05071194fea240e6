"""What Alembic runs: the migrations, on the connection (and in the transaction) that it is given."""

from alembic import context

from contracts_svc.adapters.store.tables import metadata

# SQLite changes tables inside a transaction as well; Alembic only does not count on it.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
