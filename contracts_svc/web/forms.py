"""Forms: that they come from our own pages, and what they say."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from contracts_svc.api.access import same
from contracts_svc.api.problems import Refused
from contracts_svc.api.service import Service
from contracts_svc.api.sessions import secret_of

CSRF = "csrf"
"""The field that every form has."""
_MOST_FIELDS = 50
_TYPE = "application/x-www-form-urlencoded"

M = TypeVar("M", bound=BaseModel)


def has_session(request: Request) -> bool:
    """Whether the request comes with the cookie of a session."""
    return bool(secret_of(request, request.app.state.service.site))


def csrf_of(request: Request) -> str:
    """What a form has to send along, which no page of another site can know.

    Made of the secret of the session, of which it tells nothing; where nobody has to say who they are, of
    one of this process.
    """
    service: Service = request.app.state.service
    open_to_all = service.login is None and service.everyone_may
    secret = request.app.state.form_secret if open_to_all else secret_of(request, service.site)
    return hmac.new(secret.encode(), b"contracts form", hashlib.sha256).hexdigest() if secret else ""


async def _form(request: Request) -> Mapping[str, str]:
    fields = await plain_form(request)
    # Browsers send a session's cookie along whoever asks for it, and a token never.
    if "authorization" not in request.headers:
        wanted, given = csrf_of(request), fields.get(CSRF, "")
        if not wanted or not same(wanted, given):
            raise Refused(403, "this form is not of a page of yours, or too old: load the page again")
    return {name: value for name, value in fields.items() if name != CSRF}


async def plain_form(request: Request) -> Mapping[str, str]:
    """The fields of a form, whoever sends it. Raises Refused (400, 415)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise Refused(415, f"send a form, with the header 'Content-Type: {_TYPE}'")
    try:
        text = (await request.body()).decode("ascii")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError:
        raise Refused(400, "the body is no form that can be read") from None
    return dict(fields)


FormOf = Annotated[Mapping[str, str], Depends(_form)]
"""The fields of a form of one of our pages. In an endpoint it comes after the caller, who is asked first."""


def read(model: type[M], given: Mapping[str, object]) -> M:
    """What a form says, as the API takes it. Raises RequestValidationError, of which a problem is made."""
    try:
        return model.model_validate({k: v for k, v in given.items() if v not in ("", None, [])})
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_input=False, include_url=False)) from None
