"""``/dead-letters``: messages that could not be sent, why, and sending them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from contracts_svc.api.access import Admin, Caller
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.fields import Moment
from contracts_svc.api.pages import Cursor, Limit, Page, cursor_of, offset
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.flows.deliver import resend
from contracts_svc.ports_outbox import Kept, MessageState
from contracts_svc.routes.silences import TENANT

router = APIRouter(prefix=f"{PREFIX}/dead-letters", tags=["dead letters"], responses=RESPONSES)

_AT_ONCE = 500
_Key = Annotated[str, Path(max_length=64, pattern="^[0-9a-f]{64}$", examples=["5b" * 32])]


class DeadLetter(BaseModel):
    """A message that could not be sent, or not for so long that it was given up."""

    key: str
    title: str = Field(examples=["flights: 2 promises are not kept"])
    team: str = Field(description="Whom it is for", examples=["menu"])
    receiver: str = Field(description="Of the route file")
    kind: str = Field(examples=["slack"])
    channel: str = Field(examples=["#menu"])
    reason: str = Field(description="Why it could not be sent", examples=["channel_not_found"])
    created: Moment
    given_up: Moment | None
    incidents: list[str] = Field(description="What it tells of")


@router.get("")
def list_dead_letters(
    service: ServiceOf, caller: Admin, cursor: Cursor = "", limit: Limit = 100
) -> Page[DeadLetter]:
    """Messages that nobody got, in the order in which they were made."""
    found: list[Kept] = []
    for kept in _after(service, caller, offset(cursor)):
        found.append(kept)
        if len(found) > limit:
            break
    more = len(found) > limit
    return Page(
        items=[_shown(k) for k in found[:limit]],
        next=cursor_of(str(found[limit - 1].number)) if more else None,
    )


@router.post("/{key}/resend", status_code=202, responses=responses(404))
def resend_dead_letter(
    service: ServiceOf,
    caller: Admin,
    key: _Key,
    request: Request,
) -> DeadLetter:
    """Send a message again. What is said is what is so now; what is over by now is not sent."""
    kept = service.store.message(key)
    if kept is None or kept.state is not MessageState.DEAD or not _is_of(kept, caller):
        raise Refused(404, f"there is no dead letter {key!r}")

    def work() -> Kept:
        done = resend(service.store, key, service.clock, service.routes())
        detail = {"title": done.message.notification.title}
        service.store.note(service.clock.now(), caller.actor(request), "resent", "message", key, detail)
        return done

    return _shown(service.store.atomically(work))


def _after(service: Service, caller: Caller, number: int) -> Iterator[Kept]:
    """The tenant's, after a number."""
    while some := service.store.messages(MessageState.DEAD, after=number, limit=_AT_ONCE):
        yield from (k for k in some if _is_of(k, caller))
        number = some[-1].number


def _is_of(kept: Kept, caller: Caller) -> bool:
    return kept.message.notification.labels.get(TENANT, "") == caller.tenant


def _shown(kept: Kept) -> DeadLetter:
    told = kept.message.notification
    return DeadLetter(
        key=kept.message.key,
        title=told.title,
        team=told.team,
        receiver=kept.message.receiver,
        kind=told.receiver,
        channel=told.channel,
        reason=kept.reason,
        created=kept.message.created,
        given_up=kept.settled,
        incidents=list(told.incidents),
    )
