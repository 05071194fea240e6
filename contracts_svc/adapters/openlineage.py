"""Reads OpenLineage events (https://openlineage.io/docs/spec): RunEvent, JobEvent and DatasetEvent.

Column edges come from the columnLineage facet of an output, in all its forms: ``fields`` with
transformations, ``fields`` as they were before version 1-1-0 of the facet (``transformationType``),
and ``dataset`` for what affects all columns. An output without it gets table-level edges from every
input.

A **dashboard** is declared by an event whose job has the facet ``jobType`` with ``"jobType":
"DASHBOARD"``; each of its outputs stands for one dashboard. Its title is the first line of the
output's ``documentation`` facet, else the dataset's name; its team is the owner named ``team:...``
in the ``ownership`` facet of the output (or of the job), else the first owner. Where the team can be
reached is in a facet of our own, named as the specification asks custom facets to be::

    "contracts_support": {
        "_producer": "https://...", "_schemaURL": "https://...",
        "channels": [{"tool": "slack", "channel": "#executive-reporting"}]
    }
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts_svc.errors import Location, Problem
from contracts_svc.flows.lineage import Events
from contracts_svc.lineage.graph import (
    Channel,
    ColumnRef,
    Consumer,
    ConsumerKind,
    DatasetId,
    Edge,
    EdgeKind,
    EdgeType,
)
from contracts_svc.model import Json

MAX_EVENT = 10_000_000
"""Longest event taken, in bytes."""
DASHBOARD = "DASHBOARD"
"""The ``jobType`` of a job that feeds a dashboard."""
SUPPORT_FACET = "contracts_support"
"""The dataset facet that says where the people behind a dataset can be reached."""

_TEAM = "team:"
_NO_COLUMNS = "no column lineage in the event"


def read_events(lines: Iterable[bytes], origin: str) -> Events:
    """Read events, one JSON document a line. Never raises for what the lines hold.

    ``origin`` becomes the origin of the edges, and (without ``openlineage:``) the file in problems.
    An edge that several events report carries the latest ``eventTime``.
    """
    reader = _Reader(origin)
    for number, line in enumerate(lines, start=1):
        reader.line(number, line)
    return reader.result()


@dataclass(slots=True)
class _Reader:
    origin: str
    edges: dict[Edge, Edge] = field(default_factory=dict)
    consumers: dict[DatasetId, Consumer] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    inputs: dict[DatasetId, None] = field(default_factory=dict)
    outputs: dict[DatasetId, None] = field(default_factory=dict)
    number: int = 0
    seen: datetime | None = None

    def result(self) -> Events:
        return Events(
            edges=tuple(self.edges.values()),
            consumers=tuple(self.consumers.values()),
            problems=tuple(self.problems),
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
        )

    def line(self, number: int, line: bytes) -> None:
        self.number, self.seen = number, None
        if not line.strip():
            return
        event = self._parsed(line)
        if event is not None:
            self._event(event)

    # -- one event

    def _parsed(self, line: bytes) -> Mapping[str, Json] | None:
        if len(line) > MAX_EVENT:
            self._problem(f"the event is longer than {MAX_EVENT:,} bytes", "send it in parts")
            return None
        try:
            event = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            self._problem(f"not UTF-8 at byte {error.start + 1}", "OpenLineage events are JSON in UTF-8")
        except json.JSONDecodeError as error:
            self._problem(f"not JSON: {error.msg}", "one event a line, each a JSON object", error.colno)
        except (RecursionError, ValueError) as error:
            # ValueError: a number of more digits than Python reads.
            self._problem(f"not JSON that can be read: {error}", "is this an OpenLineage event?")
        else:
            if isinstance(event, dict):
                return event
            self._problem("the event is no JSON object", "one event a line, each a JSON object")
        return None

    def _event(self, event: Mapping[str, Json]) -> None:
        if not any(isinstance(event.get(key), dict) for key in ("job", "dataset")):
            self._problem(
                "this is no OpenLineage event: it has neither a job nor a dataset",
                "RunEvent and JobEvent have a job, DatasetEvent has a dataset",
            )
            return
        self.seen = self._time(event.get("eventTime"))
        job = self._object(event, "job")
        inputs = self._datasets(event, "inputs")
        outputs = self._datasets(event, "outputs")
        self.inputs.update(dict.fromkeys(d for d, _ in inputs))
        self.outputs.update(dict.fromkeys(d for d, _ in outputs))
        own = self._dataset(event.get("dataset"), "dataset") if "dataset" in event and not job else None
        covered: set[DatasetId] = set()
        without: list[DatasetId] = []
        for output, facets in [*outputs, *([own] if own else [])]:
            sources = self._columns(output, self._object(facets, "columnLineage"))
            covered |= sources
            if not sources:
                without.append(output)
        self._table_level([i for i, _ in inputs], [o for o, _ in outputs], covered, without)
        if self._text(self._object(self._object(job, "facets"), "jobType"), "jobType").upper() == DASHBOARD:
            for output, facets in outputs:
                self.consumers[output] = self._dashboard(output, facets, job)

    def _table_level(
        self,
        inputs: Sequence[DatasetId],
        outputs: Sequence[DatasetId],
        covered: set[DatasetId],
        without: Sequence[DatasetId],
    ) -> None:
        """Inputs whose columns are not known: all of them for an output without column lineage, and
        for the other outputs those that no column lineage of the event names."""
        for output in outputs:
            for source in inputs:
                if source == output or (output not in without and source in covered):
                    continue
                reason = _NO_COLUMNS if output in without else "an input that its column lineage leaves out"
                edge_ends = ColumnRef(source, None), ColumnRef(output, None)
                self._add(*edge_ends, EdgeKind.INDIRECT, EdgeType.UNKNOWN, reason)

    def _time(self, value: Json) -> datetime | None:
        if value is None:
            self._problem("the event has no eventTime", "its edges have no time of being seen")
            return None
        try:
            time = datetime.fromisoformat(value)
        except (TypeError, ValueError):
            self._problem(f"eventTime {value!r:.60} is no time", "write it as 2026-01-31T12:00:00Z")
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)

    # -- datasets

    def _datasets(self, event: Mapping[str, Json], key: str) -> list[tuple[DatasetId, Mapping[str, Json]]]:
        value = event.get(key) or []
        if not isinstance(value, list):
            self._problem(f"{key} is no list")
            return []
        found = (self._dataset(entry, key) for entry in value)
        return [dataset for dataset in found if dataset is not None]

    def _dataset(self, value: Json, key: str) -> tuple[DatasetId, Mapping[str, Json]] | None:
        if not isinstance(value, dict):
            self._problem(f"an entry of {key} is no object")
            return None
        namespace, name = value.get("namespace"), value.get("name")
        if not isinstance(namespace, str) or not isinstance(name, str) or not name:
            self._problem(f"an entry of {key} has no namespace and name")
            return None
        return DatasetId(namespace, name), self._object(value, "facets")

    # -- the columnLineage facet

    def _columns(self, output: DatasetId, facet: Mapping[str, Json]) -> set[DatasetId]:
        """Add the facet's edges; the datasets that it names as sources."""
        sources: set[DatasetId] = set()
        for column, entry in self._object(facet, "fields").items():
            if not isinstance(entry, dict):
                self._problem(f"columnLineage of `{output}`: `{column}` is no object")
                continue
            target = ColumnRef(output, column)
            for source, given in self._input_fields(entry.get("inputFields"), f"{output}.{column}"):
                sources.add(source.dataset)
                for kind, type_ in self._transformations(given) or [_former(entry)]:
                    self._add(source, target, kind, type_)
        for source, given in self._input_fields(facet.get("dataset"), str(output)):
            sources.add(source.dataset)
            for _, type_ in self._transformations(given) or [(EdgeKind.INDIRECT, EdgeType.UNKNOWN)]:
                self._add(source, ColumnRef(output, None), EdgeKind.INDIRECT, type_)
        return sources

    def _input_fields(self, value: Json, of: str) -> Iterator[tuple[ColumnRef, Mapping[str, Json]]]:
        if value is None:
            return
        if not isinstance(value, list):
            self._problem(f"columnLineage of `{of}`: the inputs are no list")
            return
        for entry in value:
            given = entry if isinstance(entry, dict) else {}
            namespace, name, column = (given.get(k) for k in ("namespace", "name", "field"))
            if not (isinstance(namespace, str) and isinstance(name, str) and isinstance(column, str)):
                self._problem(f"columnLineage of `{of}`: an input without namespace, name and field")
                continue
            yield ColumnRef(DatasetId(namespace, name), column), given

    def _transformations(self, given: Mapping[str, Json]) -> list[tuple[EdgeKind, EdgeType]]:
        value = given.get("transformations")
        if not isinstance(value, list):
            return []
        found = [_transformation(entry) for entry in value if isinstance(entry, dict)]
        return list(dict.fromkeys(found))

    def _add(
        self, source: ColumnRef, target: ColumnRef, kind: EdgeKind, type_: EdgeType, reason: str = ""
    ) -> None:
        if type_ is EdgeType.UNKNOWN and not reason:
            reason = "the event does not say what is done with the column"
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
        if before is None or _later(edge, before):
            self.edges[edge] = edge

    # -- dashboards

    def _dashboard(self, output: DatasetId, facets: Mapping[str, Json], job: Mapping[str, Json]) -> Consumer:
        title = self._text(self._object(facets, "documentation"), "description").strip().split("\n")[0]
        owners = self._owners(facets) or self._owners(self._object(job, "facets"))
        teams = [name.removeprefix(_TEAM) for name in owners if name.startswith(_TEAM)]
        people = [name for name in owners if not name.startswith(_TEAM)]
        return Consumer(
            name=title or output.name,
            kind=ConsumerKind.DASHBOARD,
            dataset=output,
            team=next(iter(teams or people), ""),
            owner=next(iter(people), "").removeprefix("user:"),
            channels=tuple(self._channels(self._object(facets, SUPPORT_FACET))),
        )

    def _owners(self, facets: Mapping[str, Json]) -> list[str]:
        owners = self._object(facets, "ownership").get("owners") or []
        if not isinstance(owners, list):
            self._problem("the ownership facet's owners are no list")
            return []
        names = [o.get("name") for o in owners if isinstance(o, dict)]
        return [name for name in names if isinstance(name, str) and name]

    def _channels(self, facet: Mapping[str, Json]) -> Iterator[Channel]:
        channels = facet.get("channels") or []
        if not isinstance(channels, list):
            self._problem(f"the {SUPPORT_FACET} facet's channels are no list")
            return
        for entry in channels:
            channel = entry.get("channel") if isinstance(entry, dict) else None
            if isinstance(channel, str) and channel:
                yield Channel(tool=self._text(entry, "tool") or "slack", address=channel)
            else:
                self._problem(f"the {SUPPORT_FACET} facet has an entry without a channel")

    # -- helpers

    def _object(self, parent: Mapping[str, Json], key: str) -> Mapping[str, Json]:
        """The object under a key; empty, and a problem, where something else is there."""
        value = parent.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self._problem(f"{key} is no object")
        return {}

    @staticmethod
    def _text(parent: Mapping[str, Json], key: str) -> str:
        value = parent.get(key)
        return value if isinstance(value, str) else ""

    def _problem(self, message: str, hint: str = "", column: int = 1) -> None:
        file = self.origin.removeprefix("openlineage:")
        self.problems.append(Problem(Location(file, self.number, column), message, hint))


def _transformation(entry: Mapping[str, Json]) -> tuple[EdgeKind, EdgeType]:
    kind = EdgeKind.INDIRECT if str(entry.get("type")).upper() == "INDIRECT" else EdgeKind.DIRECT
    return kind, _type(entry.get("subtype"))


def _former(entry: Mapping[str, Json]) -> tuple[EdgeKind, EdgeType]:
    """The form before transformations: a masked value is made from the column, but not equal to it."""
    given = str(entry.get("transformationType") or "").upper()
    return EdgeKind.DIRECT, EdgeType.TRANSFORMATION if given == "MASKED" else _type(given)


def _type(name: Json) -> EdgeType:
    known = str(name).upper()
    return EdgeType(known) if known in EdgeType.__members__ else EdgeType.UNKNOWN


def _later(edge: Edge, before: Edge) -> bool:
    return edge.seen is not None and (before.seen is None or edge.seen > before.seen)
