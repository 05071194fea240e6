"""Sessions in browsers: their cookies, and that only our own pages use them.

``site`` is what a browser's address bar says of this service, as far as that is set; empty: not known.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from fastapi import Request, Response

from contracts_svc.api.problems import Refused

SESSION = "contracts_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie_name(site: str, name: str) -> str:
    """With the prefix by which browsers see to it that no other host and no page without TLS set it."""
    return f"__Host-{name}" if _is_secure(site) else name


def _is_secure(site: str) -> bool:
    """Whether the service is reached over TLS."""
    return site.startswith("https://")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """Sets cookies that no script and no other site can use."""

    site: str
    request: Request
    response: Response

    def set(self, name: str, value: str, seconds: int) -> None:
        """Set a cookie; ``seconds`` 0 takes it away."""
        self.response.set_cookie(
            cookie_name(self.site, name),
            value,
            max_age=seconds,
            path="/",
            secure=_is_secure(self.site) or self.request.url.scheme == "https",
            httponly=True,
            # Not strict: who follows a link from a chat is logged in; and requests that change something
            # are held against where they come from besides.
            samesite="lax",
        )


def new_session_secret() -> str:
    """A secret for a new session, for its cookie."""
    return secrets.token_urlsafe(32)


def secret_of(request: Request, site: str) -> str:
    """The secret of the session that a request comes with; empty: it comes with none."""
    return request.cookies.get(cookie_name(site, SESSION), "")


def must_be_ours(request: Request, site: str) -> None:
    """Raises Refused (403) for a request that changes something and comes from another site's page.

    A browser sends the cookies of a session along whichever page asks for it. It also says which page does:
    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html.
    """
    if request.method in _SAFE:
        return
    from_, origin = (request.headers.get(name) for name in ("sec-fetch-site", "origin"))
    if from_ is None and origin is None:
        raise Refused(403, "a session is for browsers, which say where a request comes from: use a token")
    if from_ not in (None, "same-origin") or not (origin is None or _is_origin(request, site, origin)):
        hint = f"; this service is at {site}" if site else ""
        raise Refused(403, f"this request comes from a page of another site{hint}")


def _is_origin(request: Request, site: str, origin: str) -> bool:
    theirs = urlsplit(origin)
    if not site:
        # What the browser asked for: a page of somebody else cannot choose that and have our cookies too.
        return bool(theirs.netloc) and theirs.netloc == request.headers.get("host")
    ours = urlsplit(site)
    return (theirs.scheme, theirs.hostname, _port(theirs)) == (ours.scheme, ours.hostname, _port(ours))


def _port(url: SplitResult) -> int | None:
    try:
        return url.port or {"https": 443, "http": 80}.get(url.scheme)
    except ValueError:
        return -1
