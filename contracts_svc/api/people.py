"""Subscriptions and waivers: who reads a contract, and who agrees to a change of it."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts_svc.api.access import Caller, Reader, Writer, must_own
from contracts_svc.api.concern import is_concerned
from contracts_svc.api.contracts import must_match, visible
from contracts_svc.api.deps import LineageOf, ServiceOf
from contracts_svc.api.fields import Maybe, Moment, Name, Short, Text
from contracts_svc.api.github import check_those_who_ask
from contracts_svc.api.pages import Cursor, Limit, Page, after, cursor_of
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, also, responses
from contracts_svc.api.service import Service
from contracts_svc.lineage.graph import Channel
from contracts_svc.ports_store import Subscription
from contracts_svc.waivers import Waiver

router = APIRouter(prefix=PREFIX, tags=["people"], responses=RESPONSES)

_Consumer = Annotated[str, Path(min_length=1, max_length=300, examples=["revenue forecast"])]


class ChannelShown(BaseModel):
    """Where somebody can be reached."""

    model_config = ConfigDict(extra="forbid")

    tool: Name = Field(examples=["slack"])
    address: Name = Field(examples=["#finance-science"])


class SubscriptionGiven(BaseModel):
    """Who reads, and what of it."""

    model_config = ConfigDict(extra="forbid")

    team: Name = Field(examples=["finance-science"])
    version: Short = Field("", description="Which version it was built for; empty: whatever comes")
    columns: Annotated[list[Name], Field(max_length=10_000)] = Field(
        [], description="Paths as the contract writes them; empty: any", examples=[["order_id", "amount"]]
    )
    channels: Annotated[list[ChannelShown], Field(max_length=20)] = []


class SubscriptionShown(SubscriptionGiven):
    """A subscription."""

    consumer: str
    contract: str
    etag: str


class WaiverGiven(BaseModel):
    """An approval of one change, as the answer to a registration shows it."""

    model_config = ConfigDict(extra="forbid")

    contract: Name = Field(description="The contract that is changed", examples=["orders"])
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$", examples=["0123456789abcdef"])
    reason: Text = Field(examples=["we read amount_eur instead from Monday on"])
    expires: Moment = Field(examples=["2027-01-31T00:00:00Z"])
    approver: Name | None = Field(
        None,
        description="A squad that the caller acts for; null: the caller. Only an admin may name others",
        examples=["menu"],
    )


class WaiverShown(BaseModel):
    """An approval in force."""

    id: str
    contract: str
    fingerprint: str
    approver: str
    reason: str
    expires: Moment


@router.get("/contracts/{contract_id:path}/subscriptions", responses=responses(404))
def list_subscriptions(
    service: ServiceOf, caller: Reader, contract_id: str, cursor: Cursor = "", limit: Limit = 100
) -> Page[SubscriptionShown]:
    """Who has said that they read a contract, by consumer."""
    visible(service, caller, contract_id)
    begin = after(cursor)
    found = [s for s in service.store.subscriptions(contract_id) if s.consumer > begin]
    items = [_shown(s) for s in found[:limit]]
    return Page(items=items, next=cursor_of(items[-1].consumer) if len(found) > limit else None)


@router.get("/contracts/{contract_id:path}/subscriptions/{consumer}", responses=responses(404))
def get_subscription(
    service: ServiceOf, caller: Reader, contract_id: str, consumer: _Consumer, response: Response
) -> SubscriptionShown:
    """One subscription."""
    found = _of(service, caller, contract_id, consumer)
    if found is None:
        raise _nobody(contract_id, consumer)
    shown = _shown(found)
    response.headers["ETag"] = shown.etag
    return shown


@router.put(
    "/contracts/{contract_id:path}/subscriptions/{consumer}",
    responses=also(201, SubscriptionShown, "There was none") | responses(404, 412),
)
def put_subscription(
    service: ServiceOf,
    caller: Writer,
    contract_id: str,
    consumer: _Consumer,
    given: SubscriptionGiven,
    request: Request,
    response: Response,
    if_match: Annotated[str, Header()] = "",
) -> SubscriptionShown:
    """Say that somebody reads a contract: whoever changes it is told, and a break needs their word."""
    must_own(caller, given.team, f"a subscription of {given.team}")
    subscription = Subscription(
        consumer=consumer,
        contract=contract_id,
        team=given.team,
        version=given.version,
        columns=tuple(given.columns),
        channels=tuple(Channel(tool=c.tool, address=c.address) for c in given.channels),
    )

    def work() -> bool:
        service.store.lock_contract(contract_id)
        before = _of(service, caller, contract_id, consumer)
        if before is not None:
            must_own(caller, before.team, f"the subscription {consumer}")
        must_match(if_match, _etag(before) if before else None)
        service.store.put_subscription(subscription, service.clock.now(), caller.actor(request))
        return before is None

    response.status_code = 201 if service.store.atomically(work) else 200
    response.headers["ETag"] = _etag(subscription)
    return _shown(subscription)


@router.delete(
    "/contracts/{contract_id:path}/subscriptions/{consumer}", status_code=204, responses=responses(404, 412)
)
def end_subscription(
    service: ServiceOf,
    caller: Writer,
    contract_id: str,
    consumer: _Consumer,
    request: Request,
    if_match: Annotated[str, Header()] = "",
) -> None:
    """End a subscription. What it was stays in the audit."""

    def work() -> None:
        service.store.lock_contract(contract_id)
        before = _of(service, caller, contract_id, consumer)
        if before is None:
            raise _nobody(contract_id, consumer)
        must_own(caller, before.team, f"the subscription {consumer}")
        must_match(if_match, _etag(before))
        service.store.end_subscription(consumer, contract_id, service.clock.now(), caller.actor(request))

    service.store.atomically(work)


@router.post(
    "/waivers",
    status_code=201,
    responses=also(200, WaiverShown, "It is there already") | responses(404),
)
def create_waiver(
    service: ServiceOf,
    lineage: LineageOf,
    caller: Writer,
    given: WaiverGiven,
    request: Request,
    response: Response,
) -> WaiverShown:
    """Agree to one change of a contract, until a day. A changed change needs a new waiver.

    For whose contract it is, and for those downstream whom it concerns: the word of nobody else counts.
    """
    row = visible(service, caller, given.contract)
    now = service.clock.now()
    most = service.policies.organisation.waiver_days
    if not now < given.expires <= now + timedelta(days=most):
        raise Refused(422, f"expires must be from now on, and at most {most} days away")
    approver = given.approver or caller.name
    if approver != caller.name and not caller.owns(approver):
        raise Refused(403, f"{caller.name} cannot agree for {approver}")
    if not is_concerned(service, lineage, caller, row):
        raise Refused(403, f"contract {row.id} concerns no squad that {caller.name} acts for")
    waiver = Waiver(
        fingerprint=given.fingerprint,
        approver=approver,
        reason=given.reason,
        expires=given.expires,
        contract=given.contract,
    )
    added = service.store.put_waiver(waiver, now, caller.actor(request))
    check_those_who_ask(service, given.fingerprint)
    response.status_code = 201 if added else 200
    return _waiver(service, waiver)


@router.delete("/waivers/{waiver_id}", status_code=204, responses=responses(404))
def withdraw_waiver(service: ServiceOf, caller: Writer, waiver_id: str, request: Request) -> None:
    """Agree no more: from now on the change is judged as if nobody had. For who agreed, and their squad.

    What was registered by it stays registered; a pull request is judged anew at its next check.
    """
    waiver, now = service.store.waiver(waiver_id), service.clock.now()
    row = service.store.contract_rows([waiver.contract]).get(waiver.contract) if waiver else None
    if waiver is None or row is None or row.tenant != caller.tenant:
        raise Refused(404, f"there is no waiver {waiver_id[:64]!r}")
    if waiver.approver != caller.name and not caller.owns(waiver.approver):
        raise Refused(403, f"{waiver.approver} agreed, and {caller.name} does not act for them")
    if not service.store.withdraw_waiver(waiver_id, now, caller.actor(request)):
        raise Refused(404, f"the waiver {waiver_id[:64]!r} is not in force")
    check_those_who_ask(service, waiver.fingerprint)


@router.get("/waivers")
def list_waivers(
    service: ServiceOf,
    caller: Reader,
    contract: Maybe = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Page[WaiverShown]:
    """The waivers in force, by contract and fingerprint."""
    every = service.store.waivers(service.clock.now())
    rows = service.store.contract_rows({w.contract for w in every if contract in (None, w.contract)})
    mine = [w for w in every if w.contract in rows and rows[w.contract].tenant == caller.tenant]
    keyed = sorted((_waiver_key(w), w) for w in mine)
    found = [(k, w) for k, w in keyed if k > after(cursor)]
    more = len(found) > limit
    return Page(
        items=[_waiver(service, w) for _, w in found[:limit]],
        next=cursor_of(found[limit - 1][0]) if more else None,
    )


def _of(service: Service, caller: Caller, contract_id: str, consumer: str) -> Subscription | None:
    visible(service, caller, contract_id)
    return next((s for s in service.store.subscriptions(contract_id) if s.consumer == consumer), None)


def _nobody(contract_id: str, consumer: str) -> Refused:
    return Refused(404, f"{consumer!r} has no subscription to {contract_id!r}")


def _etag(subscription: Subscription) -> str:
    return f'"{hashlib.sha256(repr(subscription).encode()).hexdigest()[:32]}"'


def _shown(subscription: Subscription) -> SubscriptionShown:
    return SubscriptionShown(
        consumer=subscription.consumer,
        contract=subscription.contract,
        team=subscription.team,
        version=subscription.version,
        columns=list(subscription.columns),
        channels=[ChannelShown(tool=c.tool, address=c.address) for c in subscription.channels],
        etag=_etag(subscription),
    )


def _waiver_key(waiver: Waiver) -> str:
    parts = (waiver.contract, waiver.fingerprint, waiver.approver, waiver.expires.isoformat(), waiver.reason)
    return "\x1f".join(parts)


def _waiver(service: Service, waiver: Waiver) -> WaiverShown:
    return WaiverShown(
        id=service.store.waiver_id(waiver),
        contract=waiver.contract,
        fingerprint=waiver.fingerprint,
        approver=waiver.approver,
        reason=waiver.reason,
        expires=waiver.expires,
    )
