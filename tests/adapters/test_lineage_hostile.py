"""Whatever a source of lineage holds, it is read or refused with a clear word, and nothing else happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.dbt import read_project
from contracts_svc.adapters.openlineage import read_document, read_events
from contracts_svc.errors import UserMistake
from contracts_svc.flows.lineage import gather
from contracts_svc.lineage.declared import read_declarations

NOW = datetime(2026, 6, 1, tzinfo=UTC)
EVENT_KEYS = [
    "eventTime",
    "job",
    "dataset",
    "inputs",
    "outputs",
    "facets",
    "namespace",
    "name",
    "columnLineage",
    "fields",
    "inputFields",
    "field",
    "transformations",
    "type",
    "subtype",
    "transformationType",
    "sql",
    "query",
    "dialect",
    "jobType",
    "symlinks",
    "identifiers",
    "schema",
    "ownership",
    "owners",
    "lineage",
    "entries",
    "documentation",
    "description",
    "_deleted",
    "contracts_support",
    "channels",
    "producer",
]
DBT_KEYS = [
    "nodes",
    "sources",
    "exposures",
    "metrics",
    "groups",
    "resource_type",
    "name",
    "alias",
    "database",
    "schema",
    "identifier",
    "columns",
    "config",
    "materialized",
    "depends_on",
    "compiled_code",
    "relation_name",
    "owner",
    "email",
    "label",
    "contract",
    "enforced",
    "meta",
]
WORDS = st.sampled_from(
    [
        "a",
        "b.c",
        "s3://x",
        "postgres://h",
        "table/a/b",
        "SELECT * FROM a",
        "DASHBOARD",
        "model",
        "source",
        "",
        "2026-01-01",
    ]
)


def documents(keys: list[str]) -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-1, 3) | WORDS | st.text(max_size=3)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=5),
        max_leaves=25,
    )


EVENTS = st.dictionaries(st.sampled_from(EVENT_KEYS), documents(EVENT_KEYS), max_size=6)
DATASETS = st.lists(
    st.fixed_dictionaries({"namespace": WORDS, "name": WORDS, "facets": documents(EVENT_KEYS)}), max_size=2
)


@settings(max_examples=60, deadline=None)
@given(
    EVENTS,
    DATASETS,
    DATASETS,
    st.dictionaries(st.sampled_from(EVENT_KEYS), documents(EVENT_KEYS), max_size=4),
)
def test_events(event: dict[str, Any], inputs: Any, outputs: Any, job: dict[str, Any]) -> None:
    for some in (event, {**event, "job": {"name": "j", "facets": job}, "inputs": inputs, "outputs": outputs}):
        text = json.dumps(some).encode()
        for heard in (read_events([text], "e.jsonl", NOW), read_document(text, "e.json", NOW)):
            found = gather([], sql={}, heard=[heard])
            assert all(e.seen is None or e.seen <= NOW for e in found.graph.edges)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(DBT_KEYS), st.dictionaries(WORDS, documents(DBT_KEYS), max_size=3), max_size=5
    )
)
def test_manifests(sections: dict[str, Any]) -> None:
    metadata = {"dbt_schema_version": "x/manifest/v12.json", "adapter_type": "postgres"}
    text = json.dumps({"metadata": metadata, **sections}).encode()
    try:
        heard = read_project(text, "manifest.json")
    except UserMistake as error:  # half of a surrogate pair, or a NUL
        assert "the character" in str(error)
    else:
        gather([], sql={}, heard=[heard])


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "kind",
                "consumer",
                "contract",
                "version",
                "columns",
                "channels",
                "subscriptions",
                "id",
                "inputPorts",
                "team",
            ]
        ),
        documents(
            [
                "name",
                "version",
                "contractId",
                "tool",
                "channel",
                "members",
                "username",
                "consumer",
                "contract",
            ]
        ),
        max_size=6,
    ),
    st.sampled_from(["DataProduct", "Subscription", None]),
)
def test_declarations(document: dict[str, Any], kind: str | None) -> None:
    text = json.dumps({"kind": kind, **document} if kind else document).encode()  # JSON is YAML
    try:
        found = read_declarations(text, "x.yaml")
    except UserMistake as error:
        assert error.problems
    else:
        gather([], sql={}, declarations=found)
