"""Many events of many jobs: one graph whatever their order, the SQL of jobs, the public client's events."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.openlineage import read_document, read_events
from contracts_svc.flows.lineage import Lineage, gather
from contracts_svc.lineage.graph import Channel, ConsumerKind, DatasetId, Edge
from contracts_svc.model import Column, Contract, Server, Table

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PG = "postgres://db:5432"
A, B, OUT = ({"namespace": PG, "name": f"shop.s.{name}"} for name in ("a", "b", "out"))


def event(hour: int = 0, job: str = "j", facets: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "eventTime": f"2026-05-01T{hour:02}:00:00Z",
        "eventType": "COMPLETE",
        "run": {"runId": "0190a1b2-0000-7000-8000-000000000000"},
        "job": {"namespace": "jobs", "name": job, "facets": facets or {}},
        "producer": "https://example.com/x",
        **more,
    }


def with_facets(dataset: dict[str, str], **facets: Any) -> dict[str, Any]:
    return {**dataset, "facets": facets}


def schema(*columns: str) -> dict[str, Any]:
    return {"fields": [{"name": c, "type": "int"} for c in columns]}


def columns(**fields: Any) -> dict[str, Any]:
    made = {
        target: {
            "inputFields": [
                {**of, "field": field, "transformations": [{"type": "DIRECT", "subtype": "IDENTITY"}]}
            ]
        }
        for target, (of, field) in fields.items()
    }
    return {"fields": made}


def sql(query: str, **more: Any) -> dict[str, Any]:
    return {"sql": {"query": query, **more}}


def graph(*events: Any, contracts: tuple[Contract, ...] = ()) -> Lineage:
    heard = read_events([json.dumps(e).encode() for e in events], "e.jsonl", NOW)
    return gather(contracts, sql={}, heard=[heard])


def lines(found: Lineage) -> list[str]:
    return [line(e) for e in found.graph.edges]


def line(edge: Edge) -> str:
    ends = (f"{r.dataset.name.rpartition('.')[2]}.{r.column or '*'}" for r in (edge.source, edge.target))
    return f"{' -> '.join(ends)} {edge.type}"


# -- the SQL of a job


def test_without_column_lineage_the_sql_of_the_job_is_followed() -> None:
    query = (
        "INSERT INTO s.out (n, total) SELECT a.name, SUM(b.x) FROM shop.s.a JOIN b ON a.id = b.id GROUP BY 1"
    )
    found = graph(event(facets=sql(query), inputs=[A, B], outputs=[OUT]))
    assert lines(found) == [
        "a.id -> out.* JOIN",
        "a.name -> out.* GROUP_BY",
        "a.name -> out.n IDENTITY",
        "b.id -> out.* JOIN",
        "b.x -> out.total AGGREGATION",
    ]
    assert {e.origin for e in found.graph.edges} == {"openlineage:jobs/j"}
    assert {e.dialect for e in found.graph.edges if e.expression} == {"postgres"}


def test_a_select_that_stands_alone_makes_the_one_output() -> None:
    found = graph(event(facets=sql("SELECT id AS n FROM a"), inputs=[A], outputs=[OUT]))
    assert lines(found) == ["a.id -> out.n IDENTITY"]


def test_the_columns_of_star_come_from_schema_facets_of_whatever_event() -> None:
    told = event(job="other", outputs=[with_facets(A, schema=schema("id", "name"))])
    asked = event(facets=sql("CREATE TABLE out AS SELECT * FROM a"), inputs=[A], outputs=[OUT])
    assert lines(graph(asked, told)) == ["a.id -> out.id IDENTITY", "a.name -> out.name IDENTITY"]


def test_the_columns_of_star_come_from_contracts_too() -> None:
    contract = Contract(
        api_version="v3.1.0",
        id="a",
        version="1.0.0",
        servers=(
            Server(server="p", type="postgres", fields={"host": "db", "database": "shop", "schema": "s"}),
        ),
        tables=(Table(name="a", columns=(Column(name="key", path="key", physical_name="ID"),)),),
    )
    asked = event(facets=sql("CREATE TABLE out AS SELECT * FROM a"), inputs=[A], outputs=[OUT])
    assert lines(graph(asked, contracts=(contract,))) == ["a.ID -> out.id IDENTITY"]


def test_sql_that_cannot_be_followed_joins_the_tables_and_says_why() -> None:
    found = graph(event(facets=sql("SELECT id, FROM a (("), inputs=[A], outputs=[OUT]))
    assert lines(found) == ["a.* -> out.* UNKNOWN"]
    (problem,) = found.problems
    assert problem.message.startswith("jobs/j: the SQL cannot be parsed")
    assert (problem.at.file, problem.at.line) == ("e.jsonl", 1) if problem.at else False


def test_an_input_that_the_sql_does_not_name_is_not_dropped() -> None:
    found = graph(event(facets=sql("SELECT id FROM a"), inputs=[A, B], outputs=[OUT]))
    assert lines(found) == ["a.id -> out.id IDENTITY", "b.* -> out.* UNKNOWN"]


@pytest.mark.parametrize(
    ("facet", "namespace", "producer", "query", "wanted"),
    [
        ({"dialect": "bigquery"}, "x", "", "SELECT `id` FROM `a`", "bigquery"),
        ({"dialect": "no such"}, "bigquery", "", "SELECT `id` FROM `a`", "bigquery"),
        ({}, "mssql://db:1433", "", "SELECT [id] FROM [a]", "tsql"),
        ({}, "s3://lake", "https://x/spark", "SELECT `id` FROM `a`", "spark"),
        ({}, "s3://lake", "https://x/unheard-of", 'SELECT "id" FROM "a"', "ansi"),
    ],
)
def test_the_dialect(facet: dict[str, str], namespace: str, producer: str, query: str, wanted: str) -> None:
    ends = {
        key: [{"namespace": namespace, "name": name}] for key, name in (("inputs", "a"), ("outputs", "o"))
    }
    found = graph({**event(facets=sql(query, **facet), **ends), "producer": producer})
    assert lines(found) == ["a.id -> o.id IDENTITY"]
    assert found.graph.edges[0].dialect == wanted


def test_sql_of_a_job_that_names_no_datasets_is_followed_by_its_own_names() -> None:
    found = graph(event(facets=sql("INSERT INTO o SELECT id FROM a")))
    assert lines(found) == ["a.id -> o.id IDENTITY"]
    assert graph(event(facets=sql("SELECT count(*) FROM a"))).problems == ()


# -- the lineage facet


def test_the_lineage_facet_of_a_dataset_and_of_a_job() -> None:
    fields = {"n": {"inputs": [{**A, "type": "DATASET", "field": "id"}]}}
    rows = [
        {**B, "type": "DATASET", "field": "x", "transformations": [{"type": "INDIRECT", "subtype": "FILTER"}]}
    ]
    whole = [{"namespace": PG, "name": "shop.s.c", "type": "DATASET"}, {"type": "JOB"}]
    facet = {"fields": fields, "inputs": rows + whole}
    wanted = ["a.id -> out.n UNKNOWN", "b.x -> out.* FILTER", "c.* -> out.* UNKNOWN"]
    assert lines(graph(event(outputs=[with_facets(OUT, lineage=facet)]))) == wanted
    entry = {**OUT, "type": "DATASET", **facet}
    assert lines(graph(event(facets={"lineage": {"entries": [entry, {"type": "JOB"}]}}))) == wanted


def test_an_empty_list_of_inputs_says_that_nothing_is_upstream() -> None:
    assert lines(graph(event(inputs=[A], outputs=[with_facets(OUT, lineage={"inputs": []})]))) == []


# -- jobs that only read


def test_a_job_that_names_no_output_reads_all_the_same() -> None:
    owned = {"ownership": {"owners": [{"name": "team:ml"}]}}
    found = graph(event(facets=owned, inputs=[A]))
    assert lines(found) == ["a.* -> jobs/j.* UNKNOWN"]
    assert [(c.name, c.kind, c.team) for c in found.consumers] == [("j", ConsumerKind.JOB, "ml")]
    assert [d.name for d in found.unmatched] == ["shop.s.a"]
    known = graph(event(facets=sql("SELECT id FROM a WHERE x > 1"), inputs=[A]))
    assert lines(known) == ["a.id -> jobs/j.id IDENTITY", "a.x -> jobs/j.* FILTER"]
    written = graph(event(facets=sql("INSERT INTO o SELECT id FROM a"), inputs=[A]))
    assert lines(written) == ["a.id -> o.id IDENTITY"]


def test_what_it_reads_is_told_by_its_outputs_once_it_names_them() -> None:
    start = event(1, inputs=[A, B])
    end = event(2, inputs=[A], outputs=[with_facets(OUT, columnLineage=columns(n=(A, "id")))])
    for some in ((start, end), (end, start)):
        assert lines(graph(*some)) == ["a.id -> out.n IDENTITY", "b.* -> jobs/j.* UNKNOWN"]
    found = graph(event(1, inputs=[A]), end)
    assert lines(found) == ["a.id -> out.n IDENTITY"]
    assert [c.name for c in found.consumers] == ["shop.s.out"]


# -- several events


def test_a_start_without_columns_is_settled_by_the_end_with_them() -> None:
    start = event(1, inputs=[A], outputs=[OUT])
    end = event(2, inputs=[A], outputs=[with_facets(OUT, columnLineage=columns(n=(A, "id")))])
    for some in ((start, end), (end, start)):
        assert lines(graph(*some)) == ["a.id -> out.n IDENTITY"]


def test_a_job_that_has_stopped_telling_columns_hides_nothing() -> None:
    told = event(1, inputs=[A], outputs=[with_facets(OUT, columnLineage=columns(n=(A, "id")))])
    later = {**event(inputs=[A], outputs=[OUT]), "eventTime": "2026-05-20T00:00:00Z"}
    assert lines(graph(told, later)) == ["a.* -> out.* UNKNOWN", "a.id -> out.n IDENTITY"]


def test_the_sql_of_the_start_is_not_asked_when_the_end_tells_the_columns() -> None:
    start = event(1, facets=sql("SELECT * FROM a"), inputs=[A], outputs=[OUT])
    end = event(2, inputs=[A], outputs=[with_facets(OUT, columnLineage=columns(n=(A, "id")))])
    found = graph(start, end)
    assert lines(found) == ["a.id -> out.n IDENTITY"]
    assert found.problems == ()


def test_another_job_settles_nothing() -> None:
    other = event(1, job="other", inputs=[A], outputs=[OUT])
    told = event(2, inputs=[A], outputs=[with_facets(OUT, columnLineage=columns(n=(A, "id")))])
    assert lines(graph(other, told)) == ["a.* -> out.* UNKNOWN", "a.id -> out.n IDENTITY"]


def test_names_that_symlinks_join_are_one_dataset() -> None:
    glue = {"namespace": "arn:aws:glue:eu-west-1:1", "name": "table/shop/a"}
    path = with_facets(
        {"namespace": "s3://lake", "name": "a/day=2026-05-01"},
        symlinks={"identifiers": [{**glue, "type": "TABLE"}]},
    )
    first = event(outputs=[with_facets(OUT, columnLineage=columns(n=(glue, "id")))])
    found = graph(first, event(job="loader", outputs=[path]))
    assert [str(e.source) for e in found.graph.edges] == ["a.id"]
    assert found.graph.edges[0].source.dataset == DatasetId("s3://lake", "a")


def test_what_facets_say_of_a_dataset_is_kept_the_latest_of_each() -> None:
    first = with_facets(
        OUT,
        schema=schema("old"),
        ownership={"owners": [{"name": "team:bi"}, {"name": "user:ada"}]},
        dataSource={"name": "shop", "uri": "postgres://db:5432/shop"},
        documentation={"description": "Totals.\nBy day."},
        contracts_support={"channels": [{"channel": "#bi"}]},
    )
    nested = {"fields": [{"name": "n", "type": "struct", "fields": [{"name": "x", "type": "int"}]}]}
    second = with_facets(OUT, schema=nested, documentation={"_deleted": True})
    for some in ((event(1, outputs=[first]), event(2, outputs=[second])),) * 2:
        (said,) = graph(*some).datasets
        assert said.columns == (("n", "struct"), ("n.x", "int"))
        assert (said.team, said.owner, said.title) == ("bi", "ada", "")
        assert said.location == "postgres://db:5432/shop"
        assert said.channels == (Channel(tool="slack", address="#bi"),)
    fed = graph(event(1, inputs=[A], outputs=[first]))
    assert [(c.name, c.team, c.owner) for c in fed.consumers] == [("shop.s.out", "bi", "ada")]


def test_a_column_lineage_facet_that_was_deleted_says_nothing() -> None:
    facet = {**columns(n=(A, "id")), "_deleted": True}
    assert lines(graph(event(inputs=[A], outputs=[with_facets(OUT, columnLineage=facet)]))) == [
        "a.* -> out.* UNKNOWN"
    ]


def test_a_time_in_the_future_counts_as_now_and_is_told() -> None:
    ahead = {**event(inputs=[A], outputs=[OUT]), "eventTime": "2126-01-01T00:00:00Z"}
    found = graph(ahead)
    assert [e.seen for e in found.graph.edges] == [NOW]
    assert ["is in the future" in p.message for p in found.problems] == [True]
    slightly = {**ahead, "eventTime": (NOW + timedelta(minutes=2)).isoformat()}
    found = graph(slightly)
    assert [e.seen for e in found.graph.edges] == [NOW]
    assert found.problems == ()


SOURCES = st.sampled_from([A, B])
TARGETS = st.sampled_from([OUT, B])


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if draw(st.booleans()):
        facets["columnLineage"] = columns(n=(draw(SOURCES), draw(st.sampled_from(["id", "x"]))))
    if draw(st.booleans()):
        facets["schema"] = schema(*draw(st.sampled_from([("id",), ("id", "x"), ("y",)])))
    if draw(st.booleans()):
        other = {"namespace": "hive://h:1", "name": draw(st.sampled_from(["s.out", "s.b"]))}
        facets["symlinks"] = {"identifiers": [other]}
    job: dict[str, Any] = {}
    if draw(st.booleans()):
        job |= sql(draw(st.sampled_from(["SELECT * FROM a", "SELECT id AS n FROM b", "SELECT ("])))
    if draw(st.booleans()):
        job["jobType"] = {"jobType": "DASHBOARD"}
        facets["documentation"] = {"description": draw(st.sampled_from(["One", "Two"]))}
    found = event(
        draw(st.integers(0, 3)),
        draw(st.sampled_from(["j", "k"])),
        job,
        inputs=[with_facets(draw(SOURCES), schema=schema("id"))],
        outputs=[with_facets(draw(TARGETS), **facets)] if draw(st.integers(0, 3)) else [],
    )
    if draw(st.booleans()):
        found["eventTime"] = draw(st.sampled_from(["2026-05-20T00:00:00Z", "2126-01-01T00:00:00Z", None]))
    return found


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_events_twice_and_in_any_order_make_the_same_graph(data: st.DataObject) -> None:
    some = data.draw(st.lists(events(), min_size=1, max_size=5))
    again = data.draw(st.permutations(some + data.draw(st.lists(st.sampled_from(some), max_size=3))))
    one, other = graph(*some), graph(*again)
    assert one.graph == other.graph
    assert [e.seen for e in one.graph.edges] == [e.seen for e in other.graph.edges]
    assert one.consumers == other.consumers
    assert one.datasets == other.datasets
    assert one.unmatched == other.unmatched


def test_a_document_of_one_or_of_many_events() -> None:
    one = event(inputs=[A], outputs=[OUT])
    for document in (one, [one, event(job="k", inputs=[B], outputs=[OUT])]):
        text = json.dumps(document, indent=2).encode()
        assert len(read_document(text, "e.json", NOW).edges) == (len(document) if document is not one else 1)
    bad = read_document(b'{\n  "job": \n}', "e.json", NOW)
    assert [(p.at.line, p.at.column) for p in bad.problems if p.at] == [(3, 1)]


# -- the public client


def test_events_of_the_public_client_are_read() -> None:
    from openlineage.client import event_v2 as client
    from openlineage.client import facet_v2 as facets
    from openlineage.client.serde import Serde

    line_facets = facets.column_lineage_dataset
    identity = line_facets.Transformation(type="DIRECT", subtype="IDENTITY")
    filtered = line_facets.Transformation(type="INDIRECT", subtype="FILTER")
    inputs = [
        client.InputDataset(
            namespace="s3://lake",
            name="orders/day=2026-05-01",
            facets={
                "schema": facets.schema_dataset.SchemaDatasetFacet(
                    fields=[facets.schema_dataset.SchemaDatasetFacetFields(name="id", type="bigint")]
                ),
                "symlinks": facets.symlinks_dataset.SymlinksDatasetFacet(
                    identifiers=[
                        facets.symlinks_dataset.Identifier(
                            namespace="arn:aws:glue:eu-west-1:1", name="table/shop/orders", type="TABLE"
                        )
                    ]
                ),
            },
        )
    ]
    lineage = line_facets.ColumnLineageDatasetFacet(
        fields={
            "n": line_facets.Fields(
                inputFields=[
                    line_facets.InputField("s3://lake", "orders/day=2026-05-01", "id", [identity]),
                ]
            )
        },
        dataset=[
            line_facets.InputField("arn:aws:glue:eu-west-1:1", "table/shop/orders", "status", [filtered])
        ],
    )
    made = {
        "columnLineage": lineage,
        "ownership": facets.ownership_dataset.OwnershipDatasetFacet(
            owners=[facets.ownership_dataset.Owner(name="team:bi", type="OWNER")]
        ),
        "dataSource": facets.datasource_dataset.DatasourceDatasetFacet(name="shop", uri=PG),
    }
    outputs = [client.OutputDataset(namespace=PG, name="shop.s.out", facets=dict(made))]
    job = client.Job(
        namespace="jobs",
        name="j",
        facets={"sql": facets.sql_job.SQLJobFacet(query="SELECT 1", dialect="spark")},
    )
    time = "2026-05-01T00:00:00Z"
    run = client.Run(runId="0190a1b2-0000-7000-8000-000000000000")
    sent = [
        client.RunEvent(
            eventTime=time, run=run, job=job, eventType=client.RunState.START, inputs=inputs, outputs=[]
        ),
        client.RunEvent(
            eventTime=time,
            run=run,
            job=job,
            eventType=client.RunState.COMPLETE,
            inputs=inputs,
            outputs=outputs,
        ),
        client.JobEvent(eventTime=time, job=job, inputs=inputs, outputs=outputs),
        client.DatasetEvent(
            eventTime=time, dataset=client.StaticDataset(namespace=PG, name="shop.s.out", facets=dict(made))
        ),
    ]
    for each in ([sent[1]], [sent[2]], sent):
        heard = read_events([Serde.to_json(e).encode() for e in each], "e.jsonl", NOW)
        assert heard.problems == ()
        found = gather([], sql={}, heard=[heard])
        assert {line(e) for e in found.graph.edges} == {
            "orders.id -> out.n IDENTITY",
            "orders.status -> out.* FILTER",
        }
        assert {e.source.dataset for e in found.graph.edges} == {DatasetId("s3://lake", "orders")}
        assert [(c.name, c.team) for c in found.consumers] == [("shop.s.out", "bi")]
