"""Makes a page out of a template. All that is filled in is escaped: what contracts say is not trusted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from contracts_svc import links
from contracts_svc.api.access import Caller, Permission
from contracts_svc.api.service import Service
from contracts_svc.web import words
from contracts_svc.web.forms import csrf_of, has_session

STYLE = files("contracts_svc.web").joinpath("static/style.css").read_bytes()
STYLE_NAME = f"{hashlib.sha256(STYLE).hexdigest()[:12]}.css"
"""Another one when the style is another: browsers keep it for long."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    # Not "no-referrer": browsers would then say of our own forms that they come from nowhere.
    "Referrer-Policy": "same-origin",
    "Vary": "Accept, Cookie",
}


def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("contracts_svc.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= words.FILTERS
    made.globals |= {"link": links, "style_path": f"/web/{STYLE_NAME}", "Permission": Permission}
    return made


_ENVIRONMENT = _environment()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What every page shows besides what it is about."""

    now: datetime
    path: str
    caller: Caller | None
    csrf: str
    """What every form sends along."""
    has_session: bool
    """Whether there is something to log out of."""
    everyone_may: bool

    def may(self, permission: Permission) -> bool:
        """Whether it makes sense to offer what takes this permission."""
        return self.caller is not None and self.caller.may(permission)


def page(
    request: Request, template: str, caller: Caller | None = None, status: int = 200, **given: Any
) -> HTMLResponse:
    """A page by its template; ``given`` are what the template names."""
    service: Service = request.app.state.service
    view = View(
        now=service.clock.now(),
        path=request.url.path,
        caller=caller,
        csrf=csrf_of(request),
        has_session=has_session(request),
        everyone_may=service.everyone_may,
    )
    text = _ENVIRONMENT.get_template(template).render(view=view, **given)
    # Names may hold half a character, which UTF-8 cannot write.
    return HTMLResponse(text.encode("utf-8", "replace"), status, headers=HEADERS)
