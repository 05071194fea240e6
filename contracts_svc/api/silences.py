"""``/silences``: what is not to be told of for a while, who said so, and why."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts_svc.api.access import Caller, Permission, Reader, Writer
from contracts_svc.api.contracts import must_match
from contracts_svc.api.deps import ActingOf, ServiceOf
from contracts_svc.api.fields import Moment, Text
from contracts_svc.api.pages import Cursor, Limit, Page, after, cursor_of
from contracts_svc.api.problems import PREFIX, RESPONSES, Refused, responses
from contracts_svc.api.service import Service
from contracts_svc.routes.silences import SQUAD, TENANT, Silence, silence, value_of

router = APIRouter(prefix=f"{PREFIX}/silences", tags=["silences"], responses=RESPONSES)

_MOST_MATCHERS = 20


class NewSilence(BaseModel):
    """What is to be quiet, until when, and why."""

    model_config = ConfigDict(extra="forbid")

    matchers: list[Text] = Field(
        min_length=1,
        max_length=_MOST_MATCHERS,
        description="Labels that an alert must have, all of them. Without the scope admin, one of them names"
        " a squad that one acts for",
        examples=[['squad="menu"', 'dataset="flights"']],
    )
    reason: Text = Field(examples=["the December files are being published again"])
    begins: Moment | None = Field(None, description="null: now")
    ends: Moment = Field(description="At most 90 days later")


class SilenceShown(BaseModel):
    """A silence."""

    id: str
    matchers: list[str]
    author: str
    reason: str
    begins: Moment
    ends: Moment
    active: bool = Field(description="Whether it is in force now")
    etag: str


@router.post("", status_code=201)
def create_silence(
    service: ServiceOf,
    acting: ActingOf,
    caller: Writer,
    given: NewSilence,
    request: Request,
    response: Response,
) -> SilenceShown:
    """Keep alerts back for a while. Who was told of something before still hears when it is over."""
    now = service.clock.now()
    made = silence(
        given.matchers,
        author=caller.name,
        reason=given.reason,
        begins=given.begins or now,
        ends=given.ends,
        now=now,
        of_tenant=caller.tenant,
    )
    _must_be_of_own_squad(caller, made)
    acting.silence(made, caller.actor(request))
    return _answered(service, made, response)


@router.get("")
def list_silences(
    service: ServiceOf,
    caller: Reader,
    since: Moment | None = None,
    cursor: Cursor = "",
    limit: Limit = 100,
) -> Page[SilenceShown]:
    """Silences in force or to come (or that were after a moment), the one that ends first first."""
    now = service.clock.now()
    begin = after(cursor)
    seen = [s for s in service.store.silences(since or now) if _is_visible(caller, s) and _key(s) > begin]
    page = sorted(seen, key=_key)[:limit]
    return Page(
        items=[_shown(service, s) for s in page],
        next=cursor_of(_key(page[-1])) if len(seen) > limit else None,
    )


@router.get("/{silence_id}", responses=responses(404))
def get_silence(service: ServiceOf, caller: Reader, silence_id: str, response: Response) -> SilenceShown:
    """One silence, also one that is over."""
    return _answered(service, _visible(service, caller, silence_id), response)


@router.delete("/{silence_id}", responses=responses(404, 412))
def end_silence(
    service: ServiceOf,
    acting: ActingOf,
    caller: Writer,
    silence_id: str,
    request: Request,
    response: Response,
    if_match: Annotated[str, Header()] = "",
) -> SilenceShown:
    """End a silence now. What is still wrong is told within the group interval."""
    there = _visible(service, caller, silence_id)
    if value_of(there, TENANT) != caller.tenant and caller.tenant:
        raise Refused(403, "this silence is of those who run the service")
    if there.author != caller.name:
        _must_be_of_own_squad(caller, there)
    must_match(if_match, _etag(there))
    acting.end_silence(silence_id, caller.actor(request))
    return _answered(service, _visible(service, caller, silence_id), response)


def _must_be_of_own_squad(caller: Caller, silence: Silence) -> None:
    """Raises Refused (403) for one that keeps alerts back from others."""
    squad = value_of(silence, SQUAD)
    if not caller.may(Permission.ADMIN) and (squad is None or squad not in caller.squads):
        mine = ", ".join(sorted(caller.squads)) or "none"
        raise Refused(
            403, f"name by '{SQUAD}=' a squad that you act for ({mine}); an admin may silence all others"
        )


def _visible(service: Service, caller: Caller, silence_id: str) -> Silence:
    found = service.store.silence(silence_id)
    if found is None or not _is_visible(caller, found):
        raise Refused(404, f"there is no silence {silence_id!r}")
    return found


def _is_visible(caller: Caller, silence: Silence) -> bool:
    """One's own tenant's; and those of the whole service, which keep back one's own alerts too."""
    return value_of(silence, TENANT) in (None, caller.tenant)


def _key(silence: Silence) -> str:
    return f"{silence.ends.timestamp():020.6f} {silence.id}"


def _etag(silence: Silence) -> str:
    text = f"{silence.id} {silence.begins.isoformat()} {silence.ends.isoformat()}"
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _answered(service: Service, silence: Silence, response: Response) -> SilenceShown:
    shown = _shown(service, silence)
    response.headers["ETag"] = shown.etag
    return shown


def _shown(service: Service, silence: Silence) -> SilenceShown:
    return SilenceShown(
        id=silence.id,
        matchers=[str(m) for m in silence.matchers],
        author=silence.author,
        reason=silence.reason,
        begins=silence.begins,
        ends=silence.ends,
        active=silence.active(service.clock.now()),
        etag=_etag(silence),
    )
