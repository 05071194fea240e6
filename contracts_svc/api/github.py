"""``/github/webhook``, and what the service knows of pull requests."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from contracts_svc.api.access import Admin, Caller, Reader
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.hub import HubDesk
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.errors import UserMistake
from contracts_svc.flows.hub_inbox import Kept
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.signature import HEADER, is_signed
from contracts_svc.github.work import Task, Work
from contracts_svc.ports_hub_store import Said, WorkState

webhook = APIRouter(tags=["github"])
router = APIRouter(prefix=f"{PREFIX}/github", tags=["github"], responses=RESPONSES | responses(404))

WEBHOOK = "/github/webhook"
_DELIVERY = re.compile(r"[A-Za-z0-9-]{1,100}\Z")
_EVENT = re.compile(r"[a-z_]{1,64}\Z")
_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "parameters": [
        {"name": name, "in": "header", "required": True, "schema": {"type": "string"}}
        for name in ("X-GitHub-Event", "X-GitHub-Delivery", HEADER)
    ],
}


class Received(BaseModel):
    """What became of a delivery."""

    delivery: str
    new: bool = Field(description="False: it came before, and is done once")


async def _signed(request: Request) -> bytes:
    """The body, once it is known to come from GitHub. Raises Refused."""
    desk = _desk(request.app.state.service)
    given = request.headers.get(HEADER)
    # Who does not even say that it is signed need not be listened to.
    body = await request.body() if given else b""
    if not given or not is_signed(body, given, desk.secrets):
        raise Refused(401, f"{HEADER} is no signature of this body by the webhook's secret")
    return body


@webhook.post(
    WEBHOOK, status_code=202, openapi_extra=_BODY, responses=responses(400, 401, 404, 413, 415, 422, 503)
)
async def receive(request: Request, body: Annotated[bytes, Depends(_signed)]) -> Received:
    """Take a webhook of GitHub: it is kept, and worked on after this answer. The same delivery again
    changes nothing."""
    service: Service = request.app.state.service
    desk = _desk(service)
    if "json" not in request.headers.get("content-type", "application/json"):
        raise Refused(415, "set the webhook's content type to application/json")
    name = request.headers.get("x-github-event", "")
    delivery = request.headers.get("x-github-delivery", "")
    if not _EVENT.match(name) or not _DELIVERY.match(delivery):
        raise Refused(400, "X-GitHub-Event and X-GitHub-Delivery do not say what this is")

    def take() -> Kept:
        return desk.inbox.take(name, delivery, body, service.clock.now())

    kept = await run_in_threadpool(take)
    return Received(delivery=delivery, new=kept is Kept.NEW)


# --- what is known of pull requests ---------------------------------------------------------------

Owner = Annotated[str, Path(max_length=101, examples=["octo"])]
Name = Annotated[str, Path(max_length=100, examples=["shop"])]
Number = Annotated[int, Path(ge=1, le=2**31, examples=[7])]


class HeadShown(BaseModel):
    """The check at one commit."""

    commit: str
    started: datetime
    ended: datetime | None
    conclusion: str
    asked: list[str] = Field(description="Fingerprints of the changes that ask for agreement")


class SaidShown(BaseModel):
    """What somebody said beside the reviews."""

    user: str
    commit: str
    at: datetime
    override: bool
    reason: str


class SignedShown(BaseModel):
    """What is agreed."""

    contract: str
    fingerprint: str
    approver: str
    reason: str
    expires: datetime


class PullShown(BaseModel):
    """What the service knows of a pull request."""

    checks: list[HeadShown]
    said: list[SaidShown]
    agreed: list[SignedShown]
    report: dict[str, Any] | None = Field(description="As `contracts preflight --format json` writes it")


class WorkShown(BaseModel):
    """Work that is not done."""

    task: str
    repository: str
    number: int | None
    state: str
    attempts: int
    since: datetime
    not_before: datetime | None
    error: str


class OverrideGiven(BaseModel):
    """Why a break is let through."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=10, max_length=1_000, pattern=r"\S", examples=["the shop is down"])


@router.get("/pulls/{owner}/{name}/{number}")
def show_pull(service: ServiceOf, caller: Reader, owner: Owner, name: Name, number: Number) -> PullShown:
    """The checks of a pull request, the last one first, with the whole report, and what was agreed."""
    desk, repository = _desk(service), _repository(service, caller, owner, name)
    heads = desk.store.heads(repository, number)
    if not heads:
        raise Refused(404, f"{repository}#{number} was not checked")
    report = next((h.report for h in heads if h.report), "")
    return PullShown(
        checks=[
            HeadShown(
                commit=h.head, started=h.started, ended=h.ended, conclusion=h.conclusion, asked=list(h.asked)
            )
            for h in heads[:100]
        ],
        said=[
            SaidShown(user=s.user, commit=s.head, at=s.at, override=s.is_override, reason=s.reason)
            for s in desk.store.said(repository, number)
        ],
        agreed=[
            SignedShown(
                contract=w.contract,
                fingerprint=w.fingerprint,
                approver=w.approver,
                reason=w.reason,
                expires=w.expires,
            )
            for w in desk.store.signed(repository, service.clock.now(), number)
        ],
        report=json.loads(report) if report else None,
    )


@router.post("/pulls/{owner}/{name}/{number}/check", status_code=202)
def check_again(service: ServiceOf, caller: Admin, owner: Owner, name: Name, number: Number) -> None:
    """Check a pull request again."""
    _ask(service, _repository(service, caller, owner, name), number)


@router.post("/pulls/{owner}/{name}/{number}/override", status_code=202, responses=responses(409))
def override(
    service: ServiceOf, caller: Admin, owner: Owner, name: Name, number: Number, given: OverrideGiven
) -> None:
    """Let through what a pull request breaks, without the agreement of those whom it breaks.

    Holds for the changes that its last check found: a changed change asks again. Everybody is told who
    did it, and why.
    """
    desk, repository = _desk(service), _repository(service, caller, owner, name)
    heads = desk.store.heads(repository, number)
    last = heads[0] if heads else None
    if last is None or last.ended is None or not last.asked:
        raise Refused(409, f"no check of {repository}#{number} asks for anybody's agreement")
    now = service.clock.now()
    said = Said(user=caller.name, head=last.head, at=now, reason=given.reason.strip(), seen=last.asked)
    desk.store.say(repository, number, said)
    _ask(service, repository, number)


@router.get("/work")
def list_work(
    service: ServiceOf,
    caller: Admin,
    state: Annotated[WorkState | None, Query(description="Null: all that is not done")] = None,
) -> list[WorkShown]:
    """Work that webhooks asked for and that is not done, the longest waiting first; at most 1,000."""
    desk = _desk(service)
    rows = desk.store.open_work(state, limit=1_000)
    return [
        WorkShown(
            task=r.work.task.value,
            repository=str(r.work.repository),
            number=r.work.number,
            state=r.state.value,
            attempts=r.attempts,
            since=r.since,
            not_before=r.not_before,
            error=r.error,
        )
        for r in rows
        if _is_of(desk, r.work.repository, caller)
    ]


def check_those_who_ask(service: Service, fingerprint: str) -> None:
    """A waiver was given: the pull requests that wait for it are checked again."""
    if service.github is not None:
        for repository, number in service.github.store.pulls_asking([fingerprint]):
            _ask(service, repository, number)


def _ask(service: Service, repository: RepositoryName, number: int) -> None:
    work = Work(task=Task.CHECK, repository=repository, number=number)
    _desk(service).store.ask([work], service.clock.now())


def _desk(service: Service) -> HubDesk:
    if service.github is None:
        raise Refused(404, "this service is no GitHub App: see the settings CONTRACTS_GITHUB_...")
    return service.github


def _repository(service: Service, caller: Caller, owner: str, name: str) -> RepositoryName:
    """The repository, if it is of the caller's tenant. Raises Refused (404)."""
    try:
        found = RepositoryName(owner, name)
    except UserMistake:
        raise Refused(404, "no such repository is served") from None
    if not _is_of(_desk(service), found, caller):
        raise Refused(404, "no such repository is served")
    return found


def _is_of(desk: HubDesk, repository: RepositoryName, caller: Caller) -> bool:
    rule = desk.config.rule_of(repository)
    return rule is not None and rule.tenant == caller.tenant
