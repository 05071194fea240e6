"""What OpenLineage events say: the edges, readers and facets of many, whatever their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain

from contracts_svc.errors import Location, Problem
from contracts_svc.lineage.event_columns import MAX_NAME, column_edges, explicit_edges
from contracts_svc.lineage.event_facets import DESCRIBING, Facets, described, owners, support
from contracts_svc.lineage.event_parts import EventParts
from contracts_svc.lineage.event_sql import dialect_of_job
from contracts_svc.lineage.graph import (
    ColumnRef,
    Consumer,
    ConsumerKind,
    DatasetId,
    Edge,
    EdgeKind,
    EdgeType,
)
from contracts_svc.lineage.heard import Heard, Query
from contracts_svc.lineage.json_text import Unreadable, parsed
from contracts_svc.lineage.resolve import JOBS, LEFT_OUT, NO_COLUMNS, told_since
from contracts_svc.model import Json

MAX_EVENT = 10_000_000
"""Longest event taken, in bytes."""
MAX_PAIRS = 100_000
"""Most pairs of an input and an output of one event for which table-level edges are made."""
SKEW = timedelta(minutes=5)
"""How far ahead of ours a clock may be before it is told."""
DASHBOARD = "DASHBOARD"
"""The ``jobType`` of a job that feeds a dashboard."""


@dataclass(slots=True)
class EventReader(EventParts):
    """Takes in events one after the other; :meth:`result` is what they say together."""

    now: datetime | None
    edges: dict[Edge, Edge] = field(default_factory=dict)
    queries: dict[Query, Query] = field(default_factory=dict)
    told: dict[tuple[str, DatasetId], datetime | None] = field(default_factory=dict)
    """(job, output) of which columns were told -> when last."""
    facets: Facets = field(default_factory=Facets)
    readers: dict[DatasetId, tuple[tuple[str, str], Consumer]] = field(default_factory=dict)
    """With what decides which of several words on one reader is the last."""
    inputs: set[DatasetId] = field(default_factory=set)
    outputs: set[DatasetId] = field(default_factory=set)
    seen: datetime | None = None
    origin: str = ""
    understood: bool = False
    """Whether the last event was one."""

    def result(self) -> Heard:
        if self.untold:
            message = f"{self.untold:,} more problems in {self.file}"
            self.problems[Problem(None, message, "correct those that are told first")] = None
        return Heard(
            edges=tuple(self.edges.values()),
            consumers=tuple(c for _, (_, c) in sorted(self.readers.items())),
            problems=tuple(self.problems),
            inputs=tuple(sorted(self.inputs)),
            outputs=tuple(sorted(self.outputs)),
            datasets=tuple(described(self.facets)),
            queries=tuple(self._untold()),
        )

    def _untold(self) -> Iterator[Query]:
        """The queries for outputs of which their jobs tell no columns by other events either."""
        for query in sorted(self.queries.values(), key=lambda q: (q.origin, q.sql, q.dialect, q.outputs)):
            outputs = tuple(
                output
                for output in query.outputs
                if (query.origin, output) not in self.told
                or not told_since(self.told[query.origin, output], query.seen)
            )
            if outputs or not query.outputs:
                yield replace(query, outputs=outputs)

    def line(self, number: int, line: bytes) -> None:
        self.number = number
        if line.strip():
            for event in self.parsed(line):
                self.event(event)

    # -- one event

    def parsed(self, text: bytes, most: int = MAX_EVENT) -> tuple[Json, ...]:
        """The JSON of a text; nothing, and a problem, where it cannot be read."""
        try:
            return (parsed(text, most),)
        except Unreadable as error:
            hint = "one event a line, each a JSON object in UTF-8"
            self.problem(f"the event cannot be read: {error.reason}", hint, error.column, error.line - 1)
            return ()

    def event(self, event: Json) -> None:
        """Take in one event; a problem where it is none."""
        self.understood = False
        if not isinstance(event, dict):
            self.problem("the event is no JSON object", "one event a line, each a JSON object")
        elif not any(isinstance(event.get(key), dict) for key in ("job", "dataset")):
            self.problem(
                "this is no OpenLineage event: it has neither a job nor a dataset",
                "RunEvent and JobEvent have a job, DatasetEvent has a dataset",
            )
        else:
            self.understood = True
            self.seen = self._time(event.get("eventTime"))
            job = self.object_in(event, "job")
            self.origin = _origin(event, job)
            if job:
                self._job_event(event, job)
            elif own := self._dataset(event.get("dataset"), "dataset"):
                self._told_columns([own])
                self._keep([own])

    def _job_event(self, event: Mapping[str, Json], job: Mapping[str, Json]) -> None:
        """A RunEvent or a JobEvent."""
        given, made = self._datasets(event, "inputs"), self._datasets(event, "outputs")
        self._keep([*given, *made])
        inputs, outputs = (tuple(dict.fromkeys(d for d, _ in side)) for side in (given, made))
        self.inputs.update(inputs)
        self.outputs.update(outputs)
        entries = self._entries(job)
        self.outputs.update(d for d, _ in entries)
        sources = self._told_columns([*made, *entries])
        if inputs and not outputs and not entries:
            outputs = (self._reading_job(job),)
        without = tuple(o for o in outputs if o not in sources)
        if len(inputs) * len(outputs) > MAX_PAIRS:
            message = f"the event joins {len(inputs):,} inputs with {len(outputs):,} outputs"
            self.problem(message, f"above {MAX_PAIRS:,} pairs only its column lineage is taken")
        else:
            followed = self._query(event, job, inputs, without)
            covered = set[DatasetId]().union(*sources.values())
            for output in outputs:
                if sources.get(output):
                    self._table_level([i for i in inputs if i not in covered], output, LEFT_OUT)
                elif output in without and not followed:
                    self._table_level(inputs, output, NO_COLUMNS)
        if self.text_in(self.job_facet(job, "jobType"), "jobType").upper() == DASHBOARD:
            for output, facets in made:
                self._dashboard(output, facets, job)

    def _reading_job(self, job: Mapping[str, Json]) -> DatasetId:
        """The node of a job that names no output: what it reads has a reader all the same."""
        node = DatasetId(JOBS, self.origin.removeprefix("openlineage:"))
        named = owners(self.job_facet(job, "ownership"), self.problem)
        self._reader(
            Consumer(
                name=self.text_in(job, "name") or node.name,
                kind=ConsumerKind.JOB,
                dataset=node,
                team=named.team if named else "",
                owner=named.owner if named else "",
            )
        )
        return node

    def _told_columns(
        self, datasets: Iterable[tuple[DatasetId, Mapping[str, Json]]]
    ) -> dict[DatasetId, set[DatasetId]]:
        """Add the edges of their facets; those of which something is told -> the sources named."""
        found: dict[DatasetId, set[DatasetId]] = {}
        for output, facets in datasets:
            columns = self.facet(facets, "columnLineage")
            explicit = self.facet(facets, "lineage")
            if explicit.get("inputs") == []:  # nothing upstream is tracked, as the facet says
                found.setdefault(output, set())
            edges = chain(
                column_edges(output, columns, self.problem), explicit_edges(output, explicit, self.problem)
            )
            for source, target, kind, type_ in edges:
                found.setdefault(output, set()).add(source.dataset)
                self._add(source, target, kind, type_)
            told = (self.origin, output)
            if output in found and (told not in self.told or _later(self.seen, self.told[told])):
                self.told[told] = self.seen
        return found

    def _entries(self, job: Mapping[str, Json]) -> list[tuple[DatasetId, Mapping[str, Json]]]:
        """The datasets in the job's own lineage facet, each with its entry as a facet."""
        entries = self.job_facet(job, "lineage").get("entries") or []
        if not isinstance(entries, list):
            self.problem("the lineage facet's entries are no list")
            return []
        named = (e for e in entries if isinstance(e, dict) and e.get("type") != "JOB")
        found = ((self._dataset(e, "the lineage facet's entries"), e) for e in named)
        return [(dataset[0], {"lineage": entry}) for dataset, entry in found if dataset is not None]

    def _query(
        self,
        event: Mapping[str, Json],
        job: Mapping[str, Json],
        inputs: tuple[DatasetId, ...],
        outputs: tuple[DatasetId, ...],
    ) -> bool:
        """Keep the job's SQL for outputs of which no columns are told; whether there is any."""
        facet = self.job_facet(job, "sql")
        sql = self.text_in(facet, "query")
        if not sql.strip() or (not outputs and event.get("outputs")):
            return False
        kind = self.text_in(self.job_facet(job, "jobType"), "integration")
        producer = self.text_in(event, "producer")
        query = Query(
            sql=sql,
            dialect=dialect_of_job(self.text_in(facet, "dialect"), (*outputs, *inputs), kind, producer),
            origin=self.origin,
            inputs=inputs,
            outputs=outputs,
            at=Location(self.file, self.number, 1),
            seen=self.seen,
        )
        before = self.queries.get(query)
        if before is None or _later(query.seen, before.seen):
            self.queries[query] = query
        return True

    def _table_level(self, inputs: Iterable[DatasetId], output: DatasetId, reason: str) -> None:
        """Inputs of which no columns are known."""
        for source in inputs:
            if source != output:
                ends = ColumnRef(source, None), ColumnRef(output, None)
                self._add(*ends, EdgeKind.INDIRECT, EdgeType.UNKNOWN, reason)

    def _time(self, value: Json) -> datetime | None:
        if value is None:
            self.problem("the event has no eventTime", "its edges have no time of being seen")
            return None
        try:
            time = datetime.fromisoformat(value)
            time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (TypeError, ValueError, OverflowError):
            self.problem(f"eventTime {value!r:.60} is no time", "write it as 2026-01-31T12:00:00Z")
            return None
        if self.now is None or time <= self.now:
            return time
        if time > self.now + SKEW:
            message = f"eventTime {value:.60} is in the future, so it is taken for now"
            self.problem(message, "set the clock of the machine that sends it")
        return self.now

    def _keep(self, datasets: Iterable[tuple[DatasetId, Mapping[str, Json]]]) -> None:
        for dataset, facets in datasets:
            for name in DESCRIBING:
                value = facets.get(name)
                if isinstance(value, dict):
                    self.facets.keep(dataset, name, value, self.seen)
                elif value is not None:
                    self.problem(f"the {name} facet of `{dataset}` is no object")

    # -- datasets

    def _datasets(self, event: Mapping[str, Json], key: str) -> list[tuple[DatasetId, Mapping[str, Json]]]:
        value = event.get(key) or []
        if not isinstance(value, list):
            self.problem(f"{key} is no list")
            return []
        found = (self._dataset(entry, key) for entry in value)
        return [dataset for dataset in found if dataset is not None]

    def _dataset(self, value: Json, key: str) -> tuple[DatasetId, Mapping[str, Json]] | None:
        if not isinstance(value, dict):
            self.problem(f"an entry of {key} is no object")
            return None
        namespace, name = value.get("namespace"), value.get("name")
        if not isinstance(namespace, str) or not isinstance(name, str) or not name:
            self.problem(f"an entry of {key} has no namespace and name")
            return None
        if max(len(namespace), len(name)) > MAX_NAME:
            self.problem(f"an entry of {key} has a name of more than {MAX_NAME:,} characters")
            return None
        return DatasetId(namespace, name), self.object_in(value, "facets")

    def _add(
        self, source: ColumnRef, target: ColumnRef, kind: EdgeKind, type_: EdgeType, reason: str = ""
    ) -> None:
        if type_ is EdgeType.UNKNOWN and not reason:
            what = "what is done with the column" if source.column else "which columns are read"
            reason = f"the event does not say {what}"
        edge = Edge(
            source=source,
            target=target,
            kind=kind,
            type=type_,
            origin=self.origin,
            seen=self.seen,
            reason=reason,
        )
        before = self.edges.get(edge)
        if before is None or _later(edge.seen, before.seen):
            self.edges[edge] = edge

    # -- dashboards

    def _dashboard(self, output: DatasetId, facets: Mapping[str, Json], job: Mapping[str, Json]) -> None:
        title = self.text_in(self.facet(facets, "documentation"), "description").strip().split("\n")[0]
        named = owners(self.facet(facets, "ownership"), self.problem)
        named = named or owners(self.job_facet(job, "ownership"), self.problem)
        consumer = Consumer(
            name=title or output.name,
            kind=ConsumerKind.DASHBOARD,
            dataset=output,
            team=named.team if named else "",
            owner=named.owner if named else "",
            channels=tuple(support(facets, self.problem)),
        )
        self._reader(consumer)

    def _reader(self, consumer: Consumer) -> None:
        """Keep a reader; of several words on one the last, or the greater of one time."""
        rank = (self.seen.isoformat() if self.seen else "", repr(consumer))
        before = self.readers.get(consumer.dataset)
        if before is None or rank > before[0]:
            self.readers[consumer.dataset] = (rank, consumer)


def _later(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and (other is None or one > other)


def _origin(event: Mapping[str, Json], job: Mapping[str, Json]) -> str:
    """Who says so: the job; of a dataset's own event, its producer."""
    namespace, name = job.get("namespace"), job.get("name")
    if isinstance(name, str) and name:
        return f"openlineage:{namespace}/{name}" if isinstance(namespace, str) else f"openlineage:{name}"
    producer = event.get("producer")
    return f"openlineage:{producer}" if isinstance(producer, str) else "openlineage:"
