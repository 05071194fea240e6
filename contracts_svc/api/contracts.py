"""``/contracts``: lists, versions, what changed between them, retiring, badges."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from contracts_svc.api.access import Caller, Reader, Writer, must_own
from contracts_svc.api.badge import badge
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.pages import MOST, Cursor, Limit, Page, after, cursor_of, offset
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.model import Contract
from contracts_svc.odcs.yaml_nodes import parse
from contracts_svc.ports_store import ContractFilter, ContractRow
from contracts_svc.render.finding import finding_json

router = APIRouter(prefix=f"{PREFIX}/contracts", tags=["contracts"], responses=RESPONSES)

YAML = "application/yaml"
_Name = Annotated[str | None, Query(max_length=500)]


class ContractSummary(BaseModel):
    """A contract in a list: of its latest version."""

    id: str = Field(examples=["urn:flights"])
    version: str = Field(examples=["1.2.0"])
    name: str = Field("", examples=["flights"])
    status: str = Field("", examples=["active"])
    domain: str = Field("", examples=["operations"])
    owner: str = ""
    squad: str = Field("", examples=["flight-ops"])
    tribe: str = ""
    tags: list[str] = []
    file: str = Field(
        "", description="Its path, as it was registered with", examples=["contracts/flights.odcs.yaml"]
    )
    retired: bool = False
    etag: str


class VersionSummary(BaseModel):
    """A version of a contract."""

    version: str = Field(examples=["1.2.0"])
    status: str = Field("", examples=["active"])


class Changelog(BaseModel):
    """What changed from one version to another, as the compatibility rules see it."""

    contract: str
    old_version: str
    new_version: str
    mode: str
    changes: int = Field(description="Differences, those that no rule speaks of included")
    findings: list[dict[str, Any]]


@router.get("")
def list_contracts(
    service: ServiceOf,
    caller: Reader,
    cursor: Cursor = "",
    limit: Limit = 100,
    owner: _Name = None,
    squad: _Name = None,
    tribe: _Name = None,
    domain: _Name = None,
    tag: _Name = None,
    status: _Name = None,
    search: Annotated[str | None, Query(max_length=200, description="Part of the id or name")] = None,
    retired: Annotated[bool, Query(description="Those out of use instead")] = False,
) -> Page[ContractSummary]:
    """Contracts by id, the latest version of each."""
    wanted = ContractFilter(
        tenant=caller.tenant,
        owner=owner,
        squad=squad,
        tribe=tribe,
        domain=domain,
        tag=tag,
        status=status,
        text=search,
        retired=retired,
    )
    rows = service.store.list_contracts(wanted, after=after(cursor), limit=limit + 1)
    items = [summary(row) for row in rows[:limit]]
    return Page(items=items, next=cursor_of(items[-1].id) if len(rows) > limit else None)


@router.get("/{contract_id:path}/versions", responses=responses(404))
def list_versions(
    service: ServiceOf, caller: Reader, contract_id: str, cursor: Cursor = "", limit: Limit = MOST
) -> Page[VersionSummary]:
    """Every version of a contract, oldest first."""
    versions = _versions(service, caller, contract_id)
    start = offset(cursor)
    items = [
        VersionSummary(version=c.version, status=c.status or "") for c in versions[start : start + limit]
    ]
    more = start + limit < len(versions)
    return Page(items=items, next=cursor_of(str(start + limit)) if more else None)


@router.get("/{contract_id:path}/changelog", responses=responses(404))
def changelog(
    service: ServiceOf,
    caller: Reader,
    contract_id: str,
    old: Annotated[str, Query(max_length=200, description="A version")],
    new: Annotated[str | None, Query(max_length=200, description="Empty: the latest")] = None,
    mode: Mode = Mode.FORWARD,
) -> Changelog:
    """What changed between two versions of a contract."""
    versions = {c.version: c for c in _versions(service, caller, contract_id)}
    latest = next(reversed(versions))
    before, later = _one(versions, old), _one(versions, new or latest)
    changes = diff(before, later)
    found = judge(changes, before, later, mode)
    return Changelog(
        contract=contract_id,
        old_version=before.version,
        new_version=later.version,
        mode=mode.value,
        changes=len(changes),
        findings=[finding_json(f) for f in found],
    )


@router.post("/{contract_id:path}/retire", responses=responses(404, 412))
def retire_contract(
    service: ServiceOf,
    caller: Writer,
    contract_id: str,
    request: Request,
    if_match: Annotated[str, Header()] = "",
) -> ContractSummary:
    """Take a contract out of use. Its versions stay readable; a second time changes nothing."""

    def work() -> ContractSummary:
        service.store.lock_contract(contract_id)
        row = visible(service, caller, contract_id)
        must_own(caller, row.squad, f"contract {contract_id}", row.domain)
        must_match(if_match, etag_of_hash(row.hash))
        service.store.retire_contract(contract_id, service.clock.now(), caller.actor(request))
        return summary(visible(service, caller, contract_id))

    return service.store.atomically(work)


@router.get(
    "/{contract_id:path}/badge.svg",
    response_class=Response,
    responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}, **responses(404)},
)
def contract_badge(service: ServiceOf, caller: Reader, contract_id: str) -> Response:
    """A small picture for a README: is the data as promised?"""
    row = visible(service, caller, contract_id)
    wrong = [i for i in service.store.incidents() if i.contract == contract_id]
    state = "retired" if row.retired else "not as promised" if wrong else "as promised"
    colour = {"retired": "#9f9f9f", "not as promised": "#c0392b", "as promised": "#2e8540"}[state]
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(badge(row.name or row.id, state, colour), media_type="image/svg+xml", headers=headers)


# Ids may hold slashes, so this one comes after those that end in a word of ours.
@router.get(
    "/{contract_id:path}",
    response_class=Response,
    responses={
        200: {
            "content": {
                YAML: {"schema": {"description": "The document as it was registered"}},
                "application/json": {"schema": {"type": "object"}},
            }
        },
        304: {"description": "It is what `If-None-Match` names"},
        **responses(404, 406),
    },
)
def get_contract(
    service: ServiceOf,
    caller: Reader,
    contract_id: str,
    version: Annotated[str | None, Query(max_length=200, description="Empty: the latest")] = None,
    accept: Annotated[str, Header()] = "*/*",
    if_none_match: Annotated[str, Header()] = "",
) -> Response:
    """A version as it was registered, as YAML, or as JSON where ``Accept`` asks for it."""
    text = _text(service, caller, contract_id, version)
    etag = etag_of(text)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept"}
    if is_known(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    if "json" in accept:
        value = parse(text, contract_id).value
        return Response(json.dumps(value, ensure_ascii=False), media_type="application/json", headers=headers)
    if not any(kind in accept for kind in ("*/*", "yaml", "text/", "application/*")):
        raise Refused(406, "a contract is given as application/yaml or application/json")
    return Response(text, media_type=YAML, headers=headers)


# --- shared with other endpoints --------------------------------------------------------------------


def etag_of(text: bytes) -> str:
    """A strong validator (RFC 9110, section 8.8.3) of a contract's bytes."""
    return etag_of_hash(hashlib.sha256(text).hexdigest())


def etag_of_hash(hash: str) -> str:
    """The same, of a version whose SHA-256 is known."""
    return f'"{hash}"'


def must_match(if_match: str, etag: str | None) -> None:
    """Raises Refused (412) when a condition was given that does not hold (RFC 9110, section 13.1.1).

    ``etag`` is None where there is nothing yet: then none holds.
    """
    given = [e.strip() for e in if_match.split(",") if e.strip()]
    if given and (etag is None or ("*" not in given and etag not in given)):
        raise Refused(412, "it was changed since you read it: read it again")


def is_known(if_none_match: str, etag: str) -> bool:
    """Whether who asks has it already (RFC 9110, section 13.1.2: compared weakly)."""
    given = [e.strip().removeprefix("W/") for e in if_none_match.split(",")]
    return "*" in given or etag in given


def not_found(contract_id: str) -> Refused:
    """A contract that is not there, or not for this caller to see: which of the two is not told."""
    return Refused(404, f"no contract {contract_id!r} is registered")


def _text(service: Service, caller: Caller, contract_id: str, version: str | None) -> bytes:
    visible(service, caller, contract_id)
    text = service.store.contract_text(contract_id, version)
    if text is None:
        raise Refused(404, f"contract {contract_id!r} has no version {version!r}")
    return text


def _versions(service: Service, caller: Caller, contract_id: str) -> tuple[Contract, ...]:
    versions = service.store.versions(contract_id)
    if not versions or (versions[-1].tenant or "") != caller.tenant:
        raise not_found(contract_id)
    return versions


def _one(versions: dict[str, Contract], version: str) -> Contract:
    if version not in versions:
        raise Refused(404, f"there is no version {version!r}; there are: {', '.join(list(versions)[-20:])}")
    return versions[version]


def visible(service: Service, caller: Caller, contract_id: str) -> ContractRow:
    """What lists show of a contract. Raises Refused (404)."""
    found = service.store.contract_rows([contract_id]).get(contract_id)
    if found is None or found.tenant != caller.tenant:
        raise not_found(contract_id)
    return found


def summary(row: ContractRow) -> ContractSummary:
    """What lists show of a contract."""
    return ContractSummary(
        id=row.id,
        version=row.version,
        name=row.name,
        status=row.status,
        domain=row.domain,
        owner=row.owner,
        squad=row.squad,
        tribe=row.tribe,
        tags=list(row.tags),
        file=row.file,
        retired=row.retired is not None,
        etag=etag_of_hash(row.hash),
    )
