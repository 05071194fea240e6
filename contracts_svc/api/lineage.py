"""``/lineage``: events of OpenLineage in, who reads what and what it is made of out."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from contracts_svc.api.access import Caller, LineageSender, Reader
from contracts_svc.api.deps import LineageOf, ServiceOf
from contracts_svc.api.lineage_part import part_json
from contracts_svc.api.pages import Cursor, Limit, Page, cursor_of, offset
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused
from contracts_svc.api.service import Service
from contracts_svc.errors import Problem
from contracts_svc.flows.lineage_intake import Taken
from contracts_svc.flows.published import announce
from contracts_svc.flows.stored_lineage import Part, StoredLineage
from contracts_svc.lineage.event_reader import MAX_EVENT
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge
from contracts_svc.lineage.json_text import Unreadable, parsed
from contracts_svc.model import Json
from contracts_svc.publish import Notice, read_run_event

router = APIRouter(prefix=f"{PREFIX}/lineage", tags=["lineage"], responses=RESPONSES)

MOST_EVENTS = 1_000
"""Events of one batch."""
MOST_STARTS = 10_000
_SHOWN = 100

_EVENT = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "A RunEvent, JobEvent or DatasetEvent; `Content-Encoding: gzip` is read",
    }
}
_EVENTS = {
    "requestBody": {
        "required": True,
        # Not "items": what is no event is told beside the others, which are taken.
        "content": {"application/json": {"schema": {"type": "array"}}},
    }
}


class Told(BaseModel):
    """Something in an event that was not as it should be; the rest was taken."""

    message: str = Field(examples=["eventTime 2030-01-01T00:00:00Z is in the future, so it is taken for now"])
    hint: str = ""


class Kept(BaseModel):
    """What became of an event."""

    kept: bool
    problems: list[Told] = []


class KeptBatch(BaseModel):
    """What became of several events, in their order."""

    received: int
    kept: int
    events: list[Kept]


class Name(BaseModel):
    """A dataset, as OpenLineage names it."""

    namespace: str = Field("", max_length=4_096, examples=["s3://lake"])
    name: str = Field(max_length=4_096, examples=["flights"])


class Step(BaseModel):
    """An edge: ``target`` is made from ``source``."""

    source: Name
    source_column: str | None
    target: Name
    target_column: str | None
    kind: str = Field(examples=["DIRECT"])
    type: str = Field(examples=["IDENTITY"])
    origin: str
    seen: str | None
    reason: str = ""


class Steps(Page[Step]):
    """A part of the edges; ``complete`` is false when there is more than one question looks at."""

    complete: bool


class Affected(BaseModel):
    """A reader, with a shortest path to each of its columns that is reached."""

    consumer: str
    kind: str
    team: str = ""
    dataset: Name
    columns: list[str]
    path: list[Step]


class Consumers(Page[Affected]):
    """A part of the readers."""

    complete: bool


class Start(BaseModel):
    """A column, or (null) a dataset as a whole."""

    dataset: Name
    column: str | None = Field(None, max_length=4_096)


class Asked(BaseModel):
    """What an assessment starts at, and under which names the caller knows datasets."""

    starts: list[Start] = Field(max_length=MOST_STARTS)
    names: list[Name] = Field(default=[], max_length=MOST_STARTS)
    fingerprints: list[str] = Field(
        default=[], max_length=MOST_STARTS, description="Changes whose waivers are asked for"
    )


# --- in --------------------------------------------------------------------------------------------


@router.post("", status_code=201, openapi_extra=_EVENT)
async def receive_event(
    service: ServiceOf, caller: LineageSender, lineage: LineageOf, request: Request
) -> Kept:
    """Take one event, as OpenLineage's HTTP transport sends it. Twice is as good as once.

    The tables that a COMPLETE run has written are checked, as by `/api/v1/events/publish`.
    """
    event = await _body(request)

    def work() -> Kept:
        (taken,) = lineage.take([event], tenant=caller.tenant, now=service.clock.now())
        if not taken.kept:
            raise Refused(422, taken.problems[0].message, mistakes=_placeless(taken.problems))
        _announce(service, lineage, caller, [event])
        return _kept(taken)

    return await run_in_threadpool(work)


@router.post("/batch", openapi_extra=_EVENTS)
async def receive_events(
    service: ServiceOf, caller: LineageSender, lineage: LineageOf, request: Request
) -> KeptBatch:
    """Take a list of events. What is wrong with one stops none of the others."""
    events = await _body(request)
    if not isinstance(events, list):
        raise Refused(422, "the body is no list of events; one event goes to /api/v1/lineage")
    if len(events) > MOST_EVENTS:
        raise Refused(422, f"a batch has at most {MOST_EVENTS:,} events, this one has {len(events):,}")

    def work() -> KeptBatch:
        taken = lineage.take(events, tenant=caller.tenant, now=service.clock.now()) if events else ()
        _announce(service, lineage, caller, [e for e, t in zip(events, taken, strict=True) if t.kept])
        return KeptBatch(
            received=len(taken), kept=sum(t.kept for t in taken), events=[_kept(t) for t in taken]
        )

    return await run_in_threadpool(work)


def _announce(service: Service, lineage: StoredLineage, caller: Caller, events: Iterable[Json]) -> None:
    """Have what these events say to be written checked. Again is as good as once."""
    touched = tuple(t for event in events for t in read_run_event(event).touched)
    if touched:
        announce(
            Notice(touched=touched),
            store=service.store,
            identities=lineage.refresh(caller.tenant).identities,
            tenant=caller.tenant,
            now=service.clock.now(),
        )


async def _body(request: Request) -> Json:
    """The JSON of a body. Raises Refused: 400 where it cannot be read, 413, 415."""
    text = await request.body()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "gzip":
        text = _unpacked(text)
    elif encoding not in ("", "identity"):
        raise Refused(415, f"Content-Encoding {encoding:.40} is not known: send gzip, or none")
    try:
        return await run_in_threadpool(parsed, text, MAX_EVENT)
    except Unreadable as error:
        raise Refused(400, f"the body cannot be read: {error.reason}") from None


def _unpacked(text: bytes) -> bytes:
    """Never more than fits; a small body may unpack to any size."""
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        found = unpacking.decompress(text, MAX_EVENT + 1)
    except zlib.error as error:
        raise Refused(400, f"the body is no gzip: {error}") from None
    if len(found) > MAX_EVENT:
        raise Refused(413, f"the body unpacks to more than {MAX_EVENT:,} bytes")
    if not unpacking.eof:
        raise Refused(400, "the body is no gzip: it ends too early")
    return found


def _placeless(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """An event has no file, and so no place in one."""
    return tuple(Problem(None, p.message, p.hint) for p in problems)


def _kept(taken: Taken) -> Kept:
    told = [Told(message=p.message, hint=p.hint) for p in taken.problems[:_SHOWN]]
    if len(taken.problems) > _SHOWN:
        told.append(Told(message=f"{len(taken.problems) - _SHOWN:,} more"))
    return Kept(kept=taken.kept, problems=told)


# --- out -------------------------------------------------------------------------------------------

_Dataset = Annotated[
    str,
    Query(max_length=4_096, min_length=1, description="Table name, contract id, or namespace/name"),
]
_Column = Annotated[str | None, Query(max_length=4_096, description="Dotted path; empty: the whole dataset")]


@router.get("/upstream", responses={404: {}})
def upstream(
    caller: Reader,
    lineage: LineageOf,
    dataset: _Dataset,
    column: _Column = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Steps:
    """The edges that a dataset or a column is made along, directly and further up."""
    ref = ref_of(lineage, caller.tenant, dataset, column)
    return _steps(lineage.upstream(ref, caller.tenant), cursor, limit)


@router.get("/downstream", responses={404: {}})
def downstream(
    caller: Reader,
    lineage: LineageOf,
    dataset: _Dataset,
    column: _Column = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Steps:
    """The edges that lead from a dataset or a column to whoever reads it, directly and further down."""
    ref = ref_of(lineage, caller.tenant, dataset, column)
    return _steps(lineage.downstream(ref, caller.tenant), cursor, limit)


@router.get("/impact", responses={404: {}})
def impact(
    caller: Reader,
    lineage: LineageOf,
    dataset: _Dataset,
    column: _Column = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Consumers:
    """Who reads a dataset or a column: consumers by name, each with a shortest path that proves it."""
    ref = ref_of(lineage, caller.tenant, dataset, column)
    found, complete = lineage.readers_of(ref, caller.tenant)
    items = [
        Affected(
            consumer=a.consumer.name,
            kind=a.consumer.kind.value,
            team=a.consumer.team,
            dataset=_name(a.consumer.dataset),
            columns=list(a.columns),
            path=[_step(e) for e in a.path],
        )
        for a in found
    ]
    start = offset(cursor)
    following = start + limit < len(items)
    return Consumers(
        items=items[start : start + limit],
        next=cursor_of(str(start + limit)) if following else None,
        complete=complete,
    )


@router.post("/part")
def part(
    service: ServiceOf, caller: Reader, lineage: LineageOf, asked: Annotated[Asked, Body()]
) -> dict[str, Any]:
    """What a pre-flight needs: the part that is reachable from what changes, consumers, contracts, waivers.

    For `contracts preflight --service`; its form may change with the version of this service.
    """
    starts = [ColumnRef(_id(s.dataset), s.column) for s in asked.starts]
    names = [_id(n) for n in asked.names]
    found = lineage.part(starts, tenant=caller.tenant, names=names)
    texts = {c.id: service.store.contract_text(c.id, c.version) or b"" for c in found.lineage.contracts}
    wanted = frozenset(asked.fingerprints)
    waivers = [w for w in service.store.waivers(service.clock.now()) if w.fingerprint in wanted]
    rows = service.store.contract_rows({w.contract for w in waivers})
    waivers = [w for w in waivers if w.contract in rows and rows[w.contract].tenant == caller.tenant]
    return part_json(found, names, texts, waivers)


def ref_of(lineage: StoredLineage, tenant: str, text: str, column: str | None) -> ColumnRef:
    """What a caller means by a dataset and a column. Raises Refused (404), with what may have been meant."""
    found, close = lineage.find(text, tenant)
    if found is None:
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise Refused(404, f"no dataset {text!r:.200} is known{hint}")
    return ColumnRef(found, column or None)


def _steps(part: Part, cursor: str, limit: int) -> Steps:
    edges = part.lineage.graph.edges
    start = offset(cursor)
    following = start + limit < len(edges)
    return Steps(
        items=[_step(e) for e in edges[start : start + limit]],
        next=cursor_of(str(start + limit)) if following else None,
        complete=part.complete,
    )


def _step(edge: Edge) -> Step:
    return Step(
        source=_name(edge.source.dataset),
        source_column=edge.source.column,
        target=_name(edge.target.dataset),
        target_column=edge.target.column,
        kind=edge.kind.value,
        type=edge.type.value,
        origin=edge.origin,
        seen=edge.seen.isoformat() if edge.seen else None,
        reason=edge.reason,
    )


def _name(dataset: DatasetId) -> Name:
    return Name.model_construct(namespace=dataset.namespace, name=dataset.name)


def _id(name: Name) -> DatasetId:
    return DatasetId(name.namespace, name.name)
