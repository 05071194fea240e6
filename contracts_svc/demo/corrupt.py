"""A deliberate fault of the demo: December's flights, published again with what goes wrong in practice."""

from __future__ import annotations

from sqlglot import exp

from contracts_svc.adapters.storage import ArrowStorage
from contracts_svc.demo.publish import Published, address, open_table, producer, write_parquet
from contracts_svc.ports import S3Access

MONTH = 12
SECONDS_CARRIER = "B6"
"""The carrier whose departure delays come in seconds instead of minutes."""
NAMELESS_CARRIER = "HA"
"""The carrier whose code is lost."""
REPEATED_DAY = 25
"""The day whose flights are there twice."""


def publish_corrupted_december(access: S3Access) -> Published:
    """Replace the partition ``month=12`` of flights by a broken one. A fault on purpose, always the same.

    The delays of one carrier are in seconds (beyond the maximum), the code of another is NULL (required),
    one day is loaded twice (primary key), and ``air_time`` is written as VARCHAR (type drift, seen in the
    footer).
    """
    with producer(access) as connection:
        open_table(connection, ArrowStorage(access), "flights")
        # Held in memory first: the file that is read is the one that is written over.
        connection.sql(_broken().sql(dialect="duckdb")).create("broken")
        broken = connection.table("broken")
        write_parquet(broken, address("flights", MONTH))
        return Published(table="flights", files=1, rows=len(broken))


def _broken() -> exp.Select:
    december = exp.column("month").eq(MONTH)
    carrier = exp.column("carrier")
    seconds = (
        exp.Case()
        .when(carrier.eq(SECONDS_CARRIER), exp.column("dep_delay") * 60)
        .else_(exp.column("dep_delay"))
    )
    changes = {
        "dep_delay": seconds,
        "carrier": exp.func("nullif", carrier, exp.Literal.string(NAMELESS_CARRIER)),
        "air_time": exp.cast(exp.column("air_time"), exp.DataType.Type.VARCHAR),
    }
    repeated = exp.select("*").from_("flights").where(december, exp.column("day").eq(REPEATED_DAY))
    rows = exp.union(exp.select("*").from_("flights").where(december), repeated, distinct=False)
    star = exp.Star(
        except_=[exp.to_identifier("month")],
        replace=[exp.alias_(value, name) for name, value in changes.items()],
    )
    return exp.select(star).from_(rows.subquery("december"))
