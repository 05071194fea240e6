"""The table that checks are measured on, the contract that promises things of it, and what is wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

ROWS = 12_000_000
PARTITIONS = 30
TABLE = "orders"

COUNTRIES = ("DE", "AT", "CH", "NL", "BE", "FR", "IT", "ES", "SE", "DK", "NO", "GB", "US", "CA", "AU")
STATUSES = ("new", "paid", "packed", "sent", "delivered", "returned")

_ROWS_OF_A_DAY = """
SELECT
    (n)::BIGINT AS order_id,
    (hash(n) % 2000000)::BIGINT AS customer_id,
    ['{countries}'][1 + (hash(n + 1) % {country_count})::INTEGER] AS country,
    CASE WHEN n % 700000 = 13 THEN 'no address' ELSE 'user' || (hash(n) % 2000000) || '@example.com' END AS email,
    ((hash(n + 2) % 50000) / 100)::DECIMAL(12, 2) AS amount,
    CASE WHEN n % 2400000 = 7 THEN 0 ELSE 1 + (hash(n + 3) % 9)::INTEGER END AS quantity,
    CASE WHEN n % 6000000 = 11 THEN 'lost' ELSE ['{statuses}'][1 + (hash(n + 4) % {status_count})::INTEGER] END
        AS status,
    TIMESTAMP '2026-10-01' + INTERVAL ({day}) DAY + INTERVAL (n % 86400) SECOND AS created_at,
    CASE WHEN n % 100 = 3 THEN NULL ELSE (hash(n + 5) % 1000) / 1000.0 END AS score,
    'N' || lpad((hash(n + 6) % 100000)::VARCHAR, 5, '0') AS reference
FROM range({first}, {last}) AS numbers(n)
"""


def write(folder: Path, rows: int, partitions: int = PARTITIONS, first_partition: int = 0) -> int:
    """Write the table as Hive partitions ``day=...``; returns the bytes written."""
    per_day = rows // PARTITIONS
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    total = 0
    for day in range(first_partition, first_partition + partitions):
        target = folder / f"day={day + 1:02}" / "part-0.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        query = _ROWS_OF_A_DAY.format(
            countries="','".join(COUNTRIES),
            country_count=len(COUNTRIES),
            statuses="','".join(STATUSES),
            status_count=len(STATUSES),
            day=day,
            first=day * per_day,
            last=(day + 1) * per_day,
        )
        connection.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
        total += target.stat().st_size
    return total


@dataclass(frozen=True, slots=True)
class Promise:
    """One check: its column, its kind, and its values."""

    column: str
    kind: str
    value: Any = None

    @property
    def name(self) -> str:
        """Column and kind, to compare verdicts by."""
        return f"{self.column}.{self.kind}"


def promises(scale: int = 1) -> Iterator[Promise]:
    """40 checks a ``scale`` of 1; more scales repeat limits that differ, as wider contracts do."""
    for column in COLUMNS:
        if column != "score":
            yield Promise(column, "required")
    yield Promise("order_id", "unique")
    yield Promise("country", "enum", list(COUNTRIES))
    yield Promise("status", "enum", list(STATUSES))
    yield Promise("email", "pattern", "^[a-z0-9._]+@[a-z0-9.]+$")
    yield Promise("reference", "pattern", "^N[0-9]{5}$")
    for column, (low, high) in LIMITS.items():
        yield Promise(column, "minimum", low)
        yield Promise(column, "maximum", high)
    for column, (low, high) in LENGTHS.items():
        yield Promise(column, "minLength", low)
        yield Promise(column, "maxLength", high)
    yield Promise("score", "nullShare", 5)
    yield Promise(TABLE, "rowCount", 1)
    for column in COLUMNS:
        yield Promise(column, "type", COLUMNS[column][1])
    for extra in range(1, scale):
        for column in ("amount", "quantity", "customer_id", "score"):
            low, high = LIMITS[column]
            for step in range(5):
                yield Promise(column, f"between{extra}_{step}", (low - extra, high + extra + step))
        for column in ("email", "reference", "country", "status"):
            for step in range(5):
                yield Promise(column, f"longerThan{extra}_{step}", -extra - step)


COLUMNS = {
    "order_id": ("integer", "BIGINT"),
    "customer_id": ("integer", "BIGINT"),
    "country": ("string", "VARCHAR"),
    "email": ("string", "VARCHAR"),
    "amount": ("number", "DECIMAL(12,2)"),
    "quantity": ("integer", "INTEGER"),
    "status": ("string", "VARCHAR"),
    "created_at": ("timestamp", "TIMESTAMP"),
    "score": ("number", "DOUBLE"),
    "reference": ("string", "VARCHAR"),
}
LIMITS = {
    "order_id": (0, 1_000_000_000),
    "customer_id": (0, 2_000_000),
    "amount": (0, 500),
    "quantity": (1, 9),
    "score": (0, 1),
}
LENGTHS = {"country": (2, 2), "email": (5, 40), "reference": (6, 6)}


def wrong(rows: int) -> set[str]:
    """The checks that fail on the data, from how it is made."""
    per_day = rows // PARTITIONS * PARTITIONS
    found = set()
    if per_day > 13:
        found.add("email.pattern")
    if per_day > 7:
        found.add("quantity.minimum")
    if per_day > 11:
        found.add("status.enum")
    return found


# --- as contracts ----------------------------------------------------------------------------------


def odcs(location: str, server_type: str, endpoint: str = "", scale: int = 1) -> str:
    """The promises as an ODCS contract that both this project and datacontract-cli read."""
    columns: dict[str, dict[str, Any]] = {
        name: {"name": name, "logicalType": logical, "physicalType": physical}
        for name, (logical, physical) in COLUMNS.items()
    }
    table_quality: list[dict[str, Any]] = []
    for promise in promises(scale):
        if promise.kind == "rowCount":
            table_quality.append({"type": "library", "metric": "rowCount", "mustBeGreaterThan": 0})
        else:
            _state(columns[promise.column], promise)
    server: dict[str, Any] = {"server": "lake", "type": server_type, "format": "parquet"}
    server |= {"location": location} if server_type == "s3" else {"path": location}
    server |= {"endpointUrl": endpoint} if endpoint else {}
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": TABLE,
        "name": TABLE,
        "version": "1.0.0",
        "status": "active",
        "servers": [server],
        "schema": [
            {
                "name": TABLE,
                "physicalType": "table",
                "quality": table_quality,
                "properties": list(columns.values()),
            }
        ],
    }
    return yaml.safe_dump(document, sort_keys=False)


def _state(column: dict[str, Any], promise: Promise) -> None:
    options = column.setdefault("logicalTypeOptions", {})
    quality = column.setdefault("quality", [])
    match promise.kind:
        case "required":
            column["required"] = True
        case "unique":
            column["unique"] = True
        case "minimum" | "maximum" | "minLength" | "maxLength" | "pattern":
            options[promise.kind] = promise.value
        case "enum":
            quality.append(
                {
                    "type": "library",
                    "metric": "invalidValues",
                    "arguments": {"validValues": promise.value},
                    "mustBe": 0,
                }
            )
        case "nullShare":
            quality.append(
                {
                    "type": "library",
                    "metric": "nullValues",
                    "mustBeLessThan": promise.value,
                    "unit": "percent",
                }
            )
        case "type":
            pass
        case _:
            quality.append({"type": "sql", "query": _sql(promise), "mustBe": 0})
    for key in ("logicalTypeOptions", "quality"):
        if not column[key]:
            del column[key]


def _sql(promise: Promise) -> str:
    if promise.kind.startswith("between"):
        low, high = promise.value
        condition = f"{promise.column} < {low} OR {promise.column} > {high}"
    else:
        condition = f"length({promise.column}) <= {promise.value}"
    return f"SELECT count(*) FROM {TABLE} WHERE {condition}"


def soda() -> str:
    """The 40 promises as a contract of Soda 4."""
    columns: list[dict[str, Any]] = []
    for name, (_, physical) in COLUMNS.items():
        mine = {p.kind: p.value for p in promises() if p.column == name}
        checks: list[dict[str, Any]] = []
        if "required" in mine:
            checks.append({"missing": {"name": f"{name}.required"}})
        if "unique" in mine:
            checks.append({"duplicate": {"name": f"{name}.unique"}})
        for kind, keyword in _SODA_VALID.items():
            if kind in mine:
                value: Any = mine[kind]
                if kind == "pattern":
                    value = {"regex": value, "name": f"{name} format"}
                checks.append({"invalid": {"name": f"{name}.{kind}", "qualifier": kind, keyword: value}})
        if "nullShare" in mine:
            share = {"metric": "percent", "must_be_less_than": mine["nullShare"]}
            checks.append(
                {"missing": {"name": f"{name}.nullShare", "qualifier": "share", "threshold": share}}
            )
        columns.append(
            {"name": name, "data_type": _SODA_TYPES.get(physical, physical.lower()), "checks": checks}
        )
    document = {
        "dataset": f"bench/main/{TABLE}",
        "checks": [
            {"schema": {"allow_extra_columns": True}},
            {"row_count": {"threshold": {"must_be_greater_than": 0}}},
        ],
        "columns": columns,
    }
    return yaml.safe_dump(document, sort_keys=False)


_SODA_VALID = {
    "enum": "valid_values",
    "pattern": "valid_format",
    "minimum": "valid_min",
    "maximum": "valid_max",
    "minLength": "valid_min_length",
    "maxLength": "valid_max_length",
}
_SODA_TYPES = {"DECIMAL(12,2)": "decimal", "VARCHAR": "varchar"}


def fused(source: str) -> str:
    """One query by hand that measures the same things."""
    parts: list[str] = []
    for promise in promises():
        c, v = promise.column, promise.value
        condition = {
            "required": f"{c} IS NULL",
            "nullShare": f"{c} IS NULL",
            "minimum": f"{c} < {v}",
            "maximum": f"{c} > {v}",
            "minLength": f"length({c}) < {v}",
            "maxLength": f"length({c}) > {v}",
            "pattern": f"NOT regexp_matches({c}, '{v}')",
            "enum": f"{c} NOT IN ({', '.join(repr(x) for x in v)})" if promise.kind == "enum" else "",
        }.get(promise.kind)
        if condition:
            parts.append(f'count(*) FILTER (WHERE {condition}) AS "{promise.name}"')
    return f'SELECT count(*) AS rows, count(*) - count(DISTINCT order_id) AS "order_id.unique", {", ".join(parts)} FROM {source}'
