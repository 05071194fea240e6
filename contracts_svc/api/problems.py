"""Errors as RFC 9457 (https://www.rfc-editor.org/rfc/rfc9457) problem details, all of one shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from contracts_svc.errors import CouldNotCheck, Problem, UserMistake

PREFIX = "/api/v1"
"""What the paths of the API begin with."""
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 10
"""When a source that could not be reached is worth another try."""
_LONGEST = 100
"""Mistakes listed in one answer; what follows is counted."""


class Place(BaseModel):
    """Where a mistake is."""

    file: str = Field(examples=["orders.odcs.yaml"])
    line: int = Field(examples=[12])
    column: int = Field(examples=[9])


class Mistake(BaseModel):
    """One mistake: where, what, and the way out."""

    at: Place | None = None
    message: str = Field(examples=["unknown key 'requierd'; did you mean 'required'?"])
    hint: str = Field("", examples=["write 'required'"])


class ProblemDetails(BaseModel):
    """What every answer with a status of 400 and more has as its body."""

    type: str = Field(examples=["urn:contracts:problem:invalid"])
    title: str = Field(examples=["The request cannot be taken as it is"])
    status: int = Field(examples=[422])
    detail: str = Field("", examples=["1 mistake"])
    instance: str = Field(examples=["/api/v1/contracts"])
    request_id: str = Field(examples=["5f0c6a0e3a5b4c0f"])
    mistakes: list[Mistake] = Field(default=[])
    findings: list[dict[str, Any]] = Field(default=[], description="What a contract would break")


TITLES: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "The request cannot be understood"),
    401: ("unauthenticated", "Who are you?"),
    403: ("forbidden", "You may not do this"),
    404: ("not-found", "There is no such thing"),
    405: ("method-not-allowed", "This cannot be done here"),
    406: ("not-acceptable", "It cannot be given in that form"),
    408: ("too-slow", "The request took too long to come"),
    409: ("conflict", "It does not go with what is there"),
    412: ("changed", "It was changed in the meantime"),
    413: ("too-large", "The request is too large"),
    415: ("unsupported-media-type", "A body of this type cannot be read"),
    422: ("invalid", "The request cannot be taken as it is"),
    429: ("too-many-requests", "Too many requests"),
    500: ("bug", "A defect of this program"),
    503: ("could-not-check", "It could not be checked"),
}
"""Status -> the end of the problem's ``type``, and its title."""


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an endpoint may answer when it does not work, for the OpenAPI document."""
    return {s: {"model": ProblemDetails, "description": TITLES[s][1]} for s in statuses}


def also(status: int, model: type[BaseModel], description: str) -> dict[int | str, dict[str, Any]]:
    """Another answer of an endpoint that works, for the OpenAPI document."""
    return {status: {"model": model, "description": description}}


NO_SUCH_PATH = "nothing is at this path; /api/v1/docs describes the API"

RESPONSES = responses(400, 401, 403, 413, 422, 429, 503)
"""What any endpoint may answer, for the OpenAPI document."""


class Refused(Exception):
    """An answer with a status of 400 and more, by an endpoint of ours."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        mistakes: tuple[Problem, ...] = (),
        findings: list[dict[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.mistakes = mistakes
        self.findings = findings or []
        self.headers = dict(headers or {})


def install(app: FastAPI) -> None:
    """Make every error of this application a problem of the one shape."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(UserMistake, _user_mistake)
    app.add_exception_handler(CouldNotCheck, _could_not_check)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def answer(
    path: str,
    request_id: str,
    status: int,
    detail: str,
    *,
    mistakes: tuple[Problem, ...] = (),
    findings: list[dict[str, Any]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """A problem as a response."""
    kind, title = TITLES.get(status, (f"status-{status}", "It did not work"))
    body = ProblemDetails(
        type=f"urn:contracts:problem:{kind}",
        title=title,
        status=status,
        detail=detail,
        instance=path,
        request_id=request_id,
        mistakes=[_mistake(p) for p in mistakes[:_LONGEST]],
        findings=(findings or [])[:_LONGEST],
    )
    return Json(body.model_dump(), status, dict(headers or {}), media_type=MEDIA_TYPE)


class Json(JSONResponse):
    """JSON in ASCII: what somebody sent may hold half characters, which UTF-8 cannot write."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def request_id(request: Request) -> str:
    """The id that logs and answers of a request share."""
    found: str = getattr(request.state, "request_id", "")
    return found


def _mistake(problem: Problem) -> Mistake:
    at = problem.at
    place = Place(file=at.file, line=at.line, column=at.column) if at else None
    return Mistake(at=place, message=problem.message, hint=problem.hint)


def _of(request: Request, status: int, detail: str, **more: Any) -> JSONResponse:
    return answer(request.url.path, request_id(request), status, detail, **more)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Refused)
    return _of(
        request,
        error.status,
        error.detail,
        mistakes=error.mistakes,
        findings=error.findings,
        headers=error.headers,
    )


async def _user_mistake(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserMistake)
    count = len(error.problems)
    detail = error.problems[0].message if count == 1 else f"{count} mistakes"
    return _of(request, error.http_status, detail, mistakes=tuple(error.problems))


async def _could_not_check(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CouldNotCheck)
    return _of(request, 503, str(error), headers={"Retry-After": str(RETRY_SECONDS)})


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = tuple(Problem(None, _said(e), _way_out(e)) for e in error.errors())
    detail = problems[0].message if len(problems) == 1 else f"{len(problems)} mistakes"
    return _of(request, 422, detail, mistakes=problems)


def _said(error: Mapping[str, Any]) -> str:
    # Not the value: it may be a secret.
    where = ".".join(str(part) for part in error["loc"])
    return f"{where}: {error['msg']}"


def _way_out(error: Mapping[str, Any]) -> str:
    # A body that says of itself that it is something else (curl's default does) is not read as JSON.
    whole = tuple(error["loc"]) == ("body",) and error["type"] == "model_attributes_type"
    return "send a JSON object, with the header 'Content-Type: application/json'" if whole else ""


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    # Only the router's own: endpoints say by Refused what there is not.
    own = {404: NO_SUCH_PATH, 405: f"{request.method} cannot be done here; the header Allow says what can"}
    detail = own.get(error.status_code, str(error.detail))
    return _of(request, error.status_code, detail, headers=error.headers)
