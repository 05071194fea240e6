"""Sessions of people: their cookies, and that only our own pages use them."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from fastapi import Request, Response

from contracts_svc.api.problems import Refused
from contracts_svc.flows.login import Login

SESSION = "contracts_session"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def cookie_name(login: Login, name: str) -> str:
    """With the prefix by which browsers see to it that no other host and no page without TLS set it."""
    return f"__Host-{name}" if is_secure(login) else name


def is_secure(login: Login) -> bool:
    """Whether the service is reached over TLS."""
    return login.public_url.startswith("https://")


def set_cookie(response: Response, login: Login, name: str, value: str, seconds: int) -> None:
    """Set a cookie that no script and no other site can use; ``seconds`` 0 takes it away."""
    response.set_cookie(
        cookie_name(login, name),
        value,
        max_age=seconds,
        path="/",
        secure=is_secure(login),
        httponly=True,
        # Not strict: who follows a link from a chat is logged in; and requests that change something are
        # held against where they come from besides.
        samesite="lax",
    )


def secret_of(request: Request, login: Login | None) -> str:
    """The secret of the session that a request comes with; empty: it comes with none."""
    return request.cookies.get(cookie_name(login, SESSION), "") if login is not None else ""


def must_be_ours(request: Request, login: Login) -> None:
    """Raises Refused (403) for a request that changes something and comes from another site's page.

    A browser sends the cookies of a session along whichever page asks for it. It also says which page does:
    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html.
    """
    if request.method in _SAFE:
        return
    site, origin = (request.headers.get(name) for name in ("sec-fetch-site", "origin"))
    if site is None and origin is None:
        raise Refused(403, "a session is for browsers, which say where a request comes from: use a token")
    ours = urlsplit(login.public_url)
    theirs = urlsplit(origin) if origin is not None else ours
    same = (theirs.scheme, theirs.hostname, _port(theirs)) == (ours.scheme, ours.hostname, _port(ours))
    if not same or site not in (None, "same-origin"):
        raise Refused(403, "this request comes from a page of another site")


def _port(url: SplitResult) -> int | None:
    try:
        return url.port or {"https": 443, "http": 80}.get(url.scheme)
    except ValueError:
        return -1
