"""What the service is loaded with: contracts of 20 columns, and events of jobs with column lineage."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.ports_store import Actor
from tests.fixtures_store import read_contract

COLUMNS = 20
SQUADS = 60
_TYPES = ("string", "integer", "number", "boolean", "date")
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def contract(number: int) -> bytes:
    """The text of a registration: every other one is a second version, with one more column, of the one before."""
    which, version = divmod(number, 2)
    columns = [
        f"      - name: column_{c}\n        logicalType: {_TYPES[c % len(_TYPES)]}\n"
        f"        required: {'true' if c % 3 == 0 else 'false'}\n        description: What column {c} says\n"
        for c in range(COLUMNS + version)
    ]
    return (
        f"apiVersion: v3.1.0\nkind: DataContract\nid: contract-{which}\nname: contract {which}\n"
        f"version: 1.{version}.0\nstatus: active\ndomain: domain-{which % 20}\n"
        f"team:\n  name: squad-{which % SQUADS}\n"
        f"servers:\n  - server: prod\n    type: s3\n    location: s3://lake/table_{which}/*.parquet\n    format: parquet\n"
        f"schema:\n  - name: table_{which}\n    properties:\n{''.join(columns)}"
    ).encode()


def event(number: int) -> bytes:
    """A RunEvent of a job that makes one table of another, ten columns each; a job runs again and again."""
    job = number % 5_000
    fields = {
        f"column_{c}": {
            "inputFields": [
                {
                    "namespace": "s3://lake",
                    "name": f"table_{job}",
                    "field": f"column_{c}",
                    "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}],
                }
            ]
        }
        for c in range(10)
    }
    producer = {"_producer": "https://example.com/job", "_schemaURL": "https://example.com/schema"}
    schema = {**producer, "fields": [{"name": f"column_{c}", "type": "string"} for c in range(10)]}
    return json.dumps(
        {
            "eventType": "COMPLETE",
            "eventTime": f"2026-01-01T{number // 3_600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}Z",
            "run": {"runId": f"01890000-0000-7000-8000-{number:012}"},
            "job": {"namespace": "airflow", "name": f"job_{job}"},
            "inputs": [{"namespace": "s3://lake", "name": f"table_{job}", "facets": {"schema": schema}}],
            "outputs": [
                {
                    "namespace": "s3://lake",
                    "name": f"derived_{job}",
                    "facets": {"schema": schema, "columnLineage": {**producer, "fields": fields}},
                }
            ],
            "producer": "https://example.com/job",
            "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        }
    ).encode()


def registered(store: DatabaseStore, count: int) -> None:
    """A registry of so many contracts."""
    for start in range(0, count, 500):

        def some(start: int = start) -> None:
            for number in range(start, min(count, start + 500)):
                text = contract(2 * number)
                store.put_contract(
                    read_contract(text, f"{number}.yaml"), text, _NOW, Actor(who="load", where="load")
                )

        store.atomically(some)
