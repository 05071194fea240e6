"""``/audit``: who changed what, when, from where."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from contracts_svc.api.access import Admin
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.fields import Maybe, Moment
from contracts_svc.api.pages import Cursor, Limit, Page, cursor_of, offset
from contracts_svc.api.problems import PREFIX, RESPONSES
from contracts_svc.ports_store import AuditEntry, Store

router = APIRouter(prefix=f"{PREFIX}/audit", tags=["audit"], responses=RESPONSES)

_AT_ONCE = 500
_MOST_LOOKED_AT = 20_000
"""Entries of others that one page passes over before it ends, with a cursor to go on from."""


class Entry(BaseModel):
    """One change."""

    number: int
    at: Moment
    who: str
    where: str = Field(examples=["api 10.1.2.3"])
    action: str = Field(examples=["registered"])
    kind: str = Field(examples=["contract"])
    subject: str
    detail: dict[str, Any]


@router.get("")
def list_audit(
    service: ServiceOf,
    caller: Admin,
    kind: Maybe = None,
    subject: Maybe = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Page[Entry]:
    """Changes to what belongs to the tenant, oldest first. A page may end before it is full."""
    number = offset(cursor)
    found: list[AuditEntry] = []
    looked_at = 0
    while looked_at < _MOST_LOOKED_AT:
        some = service.store.audit(kind, subject, after=number, limit=_AT_ONCE)
        if not some:
            return Page(items=[_shown(e) for e in found])
        visible = _visible(service.store, some, caller.tenant)
        for entry in some:
            number = entry.number
            if entry in visible:
                found.append(entry)
            if len(found) == limit:
                return Page(items=[_shown(e) for e in found], next=cursor_of(str(number)))
        looked_at += len(some)
    return Page(items=[_shown(e) for e in found], next=cursor_of(str(number)))


def _visible(store: Store, entries: tuple[AuditEntry, ...], tenant: str) -> list[AuditEntry]:
    """Those about what belongs to the tenant, as far as that can be told."""
    contracts = {e.number: _contract(e) for e in entries}
    rows = store.contract_rows({c for c in contracts.values() if c})
    tokens = {t.id: t.tenant for t in store.tokens()} if any(e.kind == "token" for e in entries) else {}

    def whose(entry: AuditEntry) -> str | None:
        if entry.kind == "token":
            return tokens.get(entry.subject)
        if entry.kind == "silence":
            return str(entry.detail.get("tenant", ""))
        row = rows.get(contracts[entry.number])
        return row.tenant if row else None

    return [e for e in entries if whose(e) == tenant]


def _contract(entry: AuditEntry) -> str:
    return entry.subject if entry.kind == "contract" else str(entry.detail.get("contract", ""))


def _shown(entry: AuditEntry) -> Entry:
    return Entry(
        number=entry.number,
        at=entry.at,
        who=entry.actor.who,
        where=entry.actor.where,
        action=entry.action,
        kind=entry.kind,
        subject=entry.subject,
        detail=dict(entry.detail),
    )
