"""Reads OpenLineage events (https://openlineage.io/docs/spec): RunEvent, JobEvent and DatasetEvent.

Column edges come from the columnLineage facet of an output, in all its forms: ``fields`` with
transformations, ``fields`` as they were before version 1-1-0 of the facet (``transformationType``),
and ``dataset`` for what affects all columns; and from the lineage facet. For an output without these the
job's SQL is followed, where the event has it; else it gets table-level edges from every input. A facet that
is ``_deleted`` counts as not there. The schema, ownership, symlinks, dataSource and documentation facets of
every dataset are kept, the latest of each.

The result does not depend on the order of the events, nor on how often each comes.

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

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO

from contracts_svc.lineage.event_reader import MAX_EVENT, EventReader
from contracts_svc.lineage.event_report import Report, report_of
from contracts_svc.lineage.heard import Heard
from contracts_svc.model import Json

MAX_DOCUMENT = 100_000_000
"""Longest document of many events taken, in bytes."""


def read_events(lines: Iterable[bytes], file: str, now: datetime | None = None) -> Heard:
    """Read events, one JSON document a line. Never raises for what the lines hold.

    ``file`` is the name in problems. An edge that several events report carries the latest ``eventTime``;
    with ``now`` (with its zone), a time after it counts as ``now``, and is told when it is more than
    five minutes ahead (``event_reader.SKEW``): an edge that was seen in the future would never go stale.
    """
    reader = EventReader(file, now)
    for number, line in enumerate(lines, start=1):
        reader.line(number, line)
    return reader.result()


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, in bounded memory: of a line that is too long only so much as shows that."""
    while line := stream.readline(MAX_EVENT + 2):
        yield line
        while len(line) > MAX_EVENT and not line.endswith(b"\n"):
            line = stream.readline(MAX_EVENT + 2)


def read_document(text: bytes, file: str, now: datetime | None = None) -> Heard:
    """Read one event, or a list of events, from a JSON document of whatever layout."""
    reader = EventReader(file, now)
    for document in reader.parsed(text, MAX_DOCUMENT):
        for event in document if isinstance(document, list) else [document]:
            reader.event(event)
    return reader.result()


def read_parsed(events: Iterable[Json], file: str, now: datetime | None = None) -> Heard:
    """Read events that are parsed already."""
    reader = EventReader(file, now)
    for event in events:
        reader.event(event)
    return reader.result()


def take(event: Json, file: str, now: datetime) -> tuple[Heard, Report | None]:
    """What an event says, and what is to be kept of it; None where it is no event."""
    reader = EventReader(file, now)
    reader.event(event)
    if not isinstance(event, dict) or not reader.understood:
        return reader.result(), None
    try:
        return reader.result(), report_of(event, reader.origin, reader.seen)
    except RecursionError:
        reader.problem("the event is nested too deep", "take its facets apart")
        return reader.result(), None
