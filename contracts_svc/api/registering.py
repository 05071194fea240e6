"""``POST /contracts`` and ``POST /preflight``: whom a version breaks, and keeping it where it may be."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts_svc.api.access import Caller, Reader, Writer, must_own, squad_of
from contracts_svc.api.bodies import DOCUMENT, Document, name_of, without_pairs
from contracts_svc.api.contracts import etag_of, must_match, not_found
from contracts_svc.api.deps import LineageOf, ServiceOf
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, also, responses
from contracts_svc.api.service import Service
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import UserMistake
from contracts_svc.flows.registration import Registration, Registry
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.model import Contract
from contracts_svc.render.json import verdict_json
from contracts_svc.verdict import Outcome, Verdict

router = APIRouter(prefix=PREFIX, tags=["contracts"], responses=RESPONSES)

MAX_CONTRACT = 4 * 1024 * 1024
"""Bytes of a contract that comes by HTTP."""
_WORDS = frozenset({"versions", "changelog", "retire", "badge.svg", "runs", "measurements", "subscriptions"})
"""What stands after a contract's id in addresses."""
_File = Annotated[
    str,
    Query(
        max_length=300,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="Its path in its repository, for messages, and for what refers to it",
        examples=["contracts/orders.odcs.yaml"],
    ),
]


class Registered(BaseModel):
    """A version that is in the registry, or (a dry run) could be."""

    contract: str = Field(examples=["orders"])
    version: str = Field(examples=["1.1.0"])
    new: bool = Field(description="False: these same bytes were there already")
    kept: bool = Field(description="False: this was a dry run")
    etag: str
    verdict: dict[str, Any] | None = Field(
        description="As `contracts preflight --format json` writes it; null: nothing was judged"
    )


@router.post(
    "/contracts",
    status_code=201,
    responses=also(200, Registered, "It is there already, or a dry run") | responses(409, 412, 415),
    openapi_extra=DOCUMENT,
)
def register_contract(
    service: ServiceOf,
    lineage: LineageOf,
    caller: Writer,
    text: Document,
    request: Request,
    response: Response,
    dry_run: Annotated[bool, Query(description="Only tell how it would end")] = False,
    file: _File = "",
    if_match: Annotated[str, Header(description="The ETag of the latest version that you know")] = "",
) -> Registered:
    """Register a version of a contract, unless it breaks somebody who has not agreed.

    The new version is judged against the latest one (in a _TRANSITIVE mode against every active one) by the
    policy and the lineage of this service, and by the waivers that are in force. The answer to a version
    that is refused (409) lists the findings, with the consumers that break and who must agree.
    """
    _bounded(text)

    def allowed(new: Contract, old: Contract | None, latest: bytes | None) -> None:
        _addressable(new)
        _may_register(caller, new, old)
        must_match(if_match, etag_of(latest) if latest is not None else None)

    done = registry(service, lineage).register(
        text,
        file or name_of(text),
        now=service.clock.now(),
        by=caller.actor(request),
        allowed=allowed,
        dry_run=dry_run,
    )
    if done.verdict is not None and not done.new and not done.kept:
        raise _refusal(done.verdict)
    response.status_code = 201 if done.kept and done.new else 200
    etag = etag_of(text)
    response.headers["ETag"] = etag
    return _registered(done, etag)


class Documents(BaseModel):
    """What to compare: two documents, or one with what is registered."""

    model_config = ConfigDict(extra="forbid")

    new: str = Field(max_length=MAX_CONTRACT, description="A contract, YAML or JSON")
    old: str | None = Field(
        None, max_length=MAX_CONTRACT, description="The version before; null: the latest that is registered"
    )
    mode: Mode | None = Field(None, description="Null: that of the policy")
    file: str = Field("", max_length=300, description="The contract's path, for messages")


@router.post("/preflight", responses=responses(404, 409))
def preflight_documents(
    service: ServiceOf, lineage: LineageOf, caller: Reader, documents: Documents
) -> dict[str, Any]:
    """Tell whom a new version breaks, through which columns, and who must agree. Nothing is kept."""
    text = _bytes(documents.new, "new")
    new = service.read(text, documents.file or name_of(text))
    _same_tenant(caller, new)
    if documents.old is not None:
        old: Contract | None = service.read(_bytes(documents.old, "old"), documents.file or name_of(text))
        assert old is not None
        _same_tenant(caller, old)
        if old.id != new.id:
            raise Refused(409, f"the documents are of two contracts: {old.id!r} and {new.id!r}")
    else:
        versions = service.store.versions(new.id)
        if versions and (versions[-1].tenant or "") != caller.tenant:
            raise not_found(new.id)
        old = versions[-1] if versions else None
    done = registry(service, lineage).judge(old, new, now=service.clock.now(), mode=documents.mode)
    return verdict_json(done.verdict)


def registry(service: Service, lineage: StoredLineage) -> Registry:
    """What judges and keeps versions."""
    return Registry(
        store=service.store,
        lineage=lineage,
        read=service.read,
        policies=service.policies,
        patterns=service.patterns,
        outbox=service.store,
        routes=service.routes,
    )


def _addressable(contract: Contract) -> None:
    """Raises UserMistake for an id that no address of this API can name."""
    parts = contract.id.split("/")
    wrong = (
        not contract.id.isprintable()
        or contract.id != contract.id.strip()
        or any(part in ("", ".", "..") for part in parts)
        or not _WORDS.isdisjoint(parts[1:])
    )
    if wrong:
        raise UserMistake.of(
            f"a contract with the id {contract.id[:100]!r} cannot be registered: no address can name it",
            "write an id without spaces around it, control characters, and empty parts, '.' or '..' between "
            f"slashes; after a slash, these words are taken: {', '.join(sorted(_WORDS))}",
            at=contract.place("id"),
        )


def _may_register(caller: Caller, new: Contract, old: Contract | None) -> None:
    """Raises Refused: the tenant and the squad, of what is there and of what is to be, are the caller's."""
    _same_tenant(caller, new)
    must_own(caller, squad_of(new), f"contract {new.id}", new.domain or "")
    if old is None:
        return
    if (old.tenant or "") != caller.tenant:
        raise Refused(409, f"the id {new.id!r} cannot be used: give the contract another one")
    must_own(caller, squad_of(old), f"contract {new.id}", old.domain or "")


def _same_tenant(caller: Caller, contract: Contract) -> None:
    if (contract.tenant or "") != caller.tenant:
        own = f"tenant {caller.tenant!r}" if caller.tenant else "no tenant"
        said = f"tenant {contract.tenant!r}" if contract.tenant else "no tenant"
        raise Refused(403, f"the contract says {said}, and this token is of {own}")


def _refusal(verdict: Verdict) -> Refused:
    if verdict.outcome is Outcome.COULD_NOT_CHECK:
        return Refused(503, "; ".join(verdict.could_not_check), headers={"Retry-After": "10"})
    return Refused(409, verdict.headline, findings=verdict_json(verdict)["findings"])


def _registered(done: Registration, etag: str) -> Registered:
    return Registered(
        contract=done.contract.id,
        version=done.contract.version,
        new=done.new,
        kept=done.kept,
        etag=etag,
        verdict=verdict_json(done.verdict) if done.verdict else None,
    )


def _bounded(text: bytes) -> None:
    if len(text) > MAX_CONTRACT:
        raise Refused(413, f"a contract may have {MAX_CONTRACT:,} bytes", headers={"Retry-After": "0"})


def _bytes(text: str, name: str) -> bytes:
    try:
        found = text.encode()
    except UnicodeEncodeError:
        raise Refused(422, f"{name} holds half a character (a lone surrogate)") from None
    return without_pairs(found) if found.lstrip()[:1] == b"{" else found
