"""Calls to GitHub that know its manners: rate limits, passing failures, ended tokens.

githubkit carries them; answers are read by :class:`contracts_svc.github.fields.Fields`, since its strict
models refuse what other versions of GitHub send. githubkit is imported only when a client is made.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from contracts_svc.adapters.github.tokens import App, InstallationTokens, Send, Tokens
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports_github import NotNow
from contracts_svc.render import clean

if TYPE_CHECKING:
    from githubkit import GitHub

PUBLIC = "https://api.github.com"
_VERSION = "2022-11-28"
"""Of the API: the one that github.com and every supported Enterprise Server know."""
_TIMEOUT = httpx.Timeout(30, connect=10)
_TRIES = 6
_MOST_WAIT = 120.0
"""Seconds that one call waits in all before it is given up; the job queue tries again later."""
_UNSAID_WAIT = 60.0
"""Seconds to wait where GitHub says only that it was too much: its documentation asks for a minute."""
_PAGE = 100
_MOST_PAGES = 100
_LONGEST_CAUSE = 200
_KEPT_ANSWERS = 256
_LARGEST_KEPT = 1_000_000


class Uncertain(CouldNotCheck):
    """A call that writes was cut off: it may have been done, so whoever asked must look first."""


class GitHubClient:
    """Calls one GitHub with one token. For use in a ``with`` block, from the thread that opened it."""

    def __init__(
        self,
        tokens: Tokens,
        base_url: str = PUBLIC,
        *,
        proxy: str = "",
        patience: float = _MOST_WAIT,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``patience`` is how many seconds one call waits in all before it is given up. ``proxy`` is the
        address of one to go through; without, those of the environment."""
        self._github = _github(_address(base_url), proxy)
        self._tokens = tokens
        self._patience = patience
        self._sleep = sleep
        self._kept: OrderedDict[str, tuple[str, Any]] = OrderedDict()

    @classmethod
    def of_app(
        cls,
        app: App,
        installation_id: int,
        repository: RepositoryName,
        base_url: str = PUBLIC,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> GitHubClient:
        """A client whose tokens reach this one repository, and no other of the installation."""
        send = sender(base_url)
        tokens = InstallationTokens(app, installation_id, repository, send=send, clock=clock)
        return cls(tokens, base_url, sleep=sleep)

    def __enter__(self) -> GitHubClient:
        self._github.__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: object) -> None:
        self._github.__exit__(None)

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """The JSON at a path. Raises CouldNotCheck."""
        return self._call("GET", path, params=params, again=True)

    def get_kept(self, path: str, params: Mapping[str, str | int] | None = None) -> Any:
        """Like ``get``, for what is asked for again: GitHub does not count what has not changed."""
        key = f"{path}?{json.dumps(dict(params or {}), sort_keys=True)}"
        return self._call("GET", path, params=params, again=True, keep=key)

    def pages(
        self, path: str, params: Mapping[str, str | int] | None = None, *, within: str = ""
    ) -> Iterator[Any]:
        """The entries of a list of several pages; ``within`` names the list where it is in an object."""
        for page in range(1, _MOST_PAGES + 1):
            asked = {**(params or {}), "per_page": _PAGE, "page": page}
            found = self.get_kept(path, asked)
            entries = found.get(within) if within and isinstance(found, dict) else found
            if not isinstance(entries, list):
                raise CouldNotCheck(_what("GET", path), "the answer is no list", retryable=False)
            yield from entries
            if len(entries) < _PAGE:
                return
        raise CouldNotCheck(
            _what("GET", path), f"there are over {_MOST_PAGES * _PAGE:,} entries", retryable=False
        )

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Make something. Raises Uncertain when it may have been made, else CouldNotCheck."""
        return self._call("POST", path, body=body, again=False)

    def post_again(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask for something that asked for twice is the same as once. Raises CouldNotCheck."""
        return self._call("POST", path, body=body, again=True)

    def patch(self, path: str, body: Mapping[str, Any], *, again: bool) -> Any:
        """Change something. With ``again``, where doing it twice is the same as once, else as ``post``."""
        return self._call("PATCH", path, body=body, again=again)

    def delete(self, path: str) -> None:
        """Take something away; what is gone already is fine."""
        try:
            self._call("DELETE", path, again=True)
        except Missing:
            return

    def wait(self, attempt: int) -> None:
        """Wait before looking again after an uncertain call: 1, 2, 4 … seconds."""
        self._sleep(_backoff(attempt))

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        again: bool,
        keep: str = "",
    ) -> Any:
        """Send until it is answered, refused, or has waited for long enough."""
        waited, renewed = 0.0, False
        for attempt in range(_TRIES):
            token = self._tokens.token()
            try:
                with _answered(method, path):
                    return self._sent(method, path, params, body, token, keep)
            except _Failed as failed:
                if failed.status == 401 and not renewed and self._tokens.refused(token):
                    renewed = True
                    continue
                if failed.executed and not again:
                    raise Uncertain(failed.what, failed.cause, failed.hint) from None
                pause = failed.pause if failed.pause is not None else _backoff(attempt)
                if not failed.retryable or attempt == _TRIES - 1 or waited + pause > self._patience:
                    raise
                self._sleep(pause)
                waited += pause
        raise AssertionError("the last try returns or raises")

    def _sent(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
        token: str,
        keep: str,
    ) -> Any:
        headers = {"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": _VERSION}
        known = self._kept.get(keep) if keep else None
        if known:
            headers["If-None-Match"] = known[0]
        answer = self._github.request(
            method, path, params=dict(params) if params else None, json=body, headers=headers
        ).raw_response
        if known and answer.status_code == 304:
            return known[1]
        if answer.status_code >= 300:
            raise _Failed(
                _what(method, path),
                f"GitHub answered {answer.status_code}: it has moved",
                "a repository that was renamed or transferred goes by its new name",
                retryable=False,
            )
        found = answer.json() if answer.content else None
        if keep and (tag := answer.headers.get("etag")) and len(answer.content) <= _LARGEST_KEPT:
            self._kept[keep] = tag, found
            while len(self._kept) > _KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return found


def sender(base_url: str, proxy: str = "") -> Send:
    """What sends the calls by which an App signs in. Raises UserMistake for an address that is none."""
    address = _address(base_url)

    def send(method: str, path: str, authorization: str, body: dict[str, object] | None) -> httpx.Response:
        headers = {"Authorization": authorization, "Accept": "application/vnd.github+json"}
        headers["X-GitHub-Api-Version"] = _VERSION
        try:
            return httpx.request(
                method, address + path, json=body, headers=headers, timeout=_TIMEOUT, proxy=proxy or None
            )
        except httpx.HTTPError as error:
            raise CouldNotCheck("signing in to GitHub", _cause_of(error)) from None

    return send


class _Failed(NotNow):
    """A call that did not go well. ``pause``: seconds that GitHub asks to wait. ``executed``: whether
    it may have been carried out all the same."""

    def __init__(
        self,
        what: str,
        cause: str,
        hint: str = "",
        *,
        retryable: bool = True,
        pause: float | None = None,
        executed: bool = False,
        status: int = 0,
    ) -> None:
        super().__init__(what, cause, hint, retryable=retryable)
        self.pause, self.executed, self.status = pause, executed, status


class Missing(_Failed):
    """What was asked for is not there, or not for us."""


@contextmanager
def _answered(method: str, path: str) -> Iterator[None]:
    """Whatever goes wrong with a call, as a _Failed that says what may be done about it."""
    from githubkit.exception import RateLimitExceeded, RequestError, RequestFailed, SecondaryRateLimitExceeded

    what = _what(method, path)
    try:
        yield
    except RateLimitExceeded as error:
        pause = max(error.retry_after.total_seconds(), 0.0)
        which = "secondary " if isinstance(error, SecondaryRateLimitExceeded) else ""
        raise _Failed(
            what, f"GitHub's {which}rate limit is used up", f"it ends in {pause:.0f} seconds", pause=pause
        ) from None
    except RequestFailed as error:
        raise _refused(what, error.response.raw_response) from None
    except RequestError as error:
        raise _Failed(what, _cause_of(error.exc), executed=method != "GET") from None
    except ValueError:  # what is no JSON, and a header that is no number
        raise _Failed(what, "GitHub's answer cannot be read", executed=method != "GET") from None


def _refused(what: str, answer: httpx.Response) -> _Failed:
    status, said = answer.status_code, _said(answer)
    cause = f"GitHub answered {status}" + (f": {said}" if said else "")
    lower = said.lower()
    if status in (403, 429) and ("secondary rate" in lower or "abuse" in lower or status == 429):
        return _Failed(what, cause, pause=_UNSAID_WAIT)
    if status in (404, 410):
        hint = "is it there, and may this token see it?"
        return Missing(what, cause, hint, retryable=False, status=status)
    if status in (401, 403):
        hint = "give a token (or an App) with the permissions that `contracts github manifest` lists"
        return _Failed(what, cause, hint, retryable=False, status=status)
    passing = status >= 500 or status == 408
    return _Failed(what, cause, retryable=passing, executed=passing, status=status)


def _said(answer: httpx.Response) -> str:
    """GitHub's own message, and what it says of each field."""
    try:
        body = json.loads(answer.content)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(body, dict):
        return ""
    errors = body.get("errors")
    more = (
        [e.get("message") if isinstance(e, dict) else e for e in errors] if isinstance(errors, list) else []
    )
    told = "; ".join(str(m) for m in (body.get("message"), *more) if m)
    return clean(told)[:_LONGEST_CAUSE]


def _cause_of(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "GitHub did not answer in time"
    return f"GitHub was not reached: {clean(error)[:_LONGEST_CAUSE] or type(error).__name__}"


def _backoff(attempt: int) -> float:
    return float(2**attempt)


def _what(method: str, path: str) -> str:
    return f"GitHub's {method} {path}"


def _address(base_url: str) -> str:
    """The base address, checked: a token is sent there. Raises UserMistake."""
    parts = urlsplit(base_url)
    local = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.scheme not in ("https", "http") or parts.username or parts.query:
        raise UserMistake.of(
            f"{clean(base_url)[:100]} is no address of a GitHub API",
            f"write {PUBLIC}, or https://HOST/api/v3 for GitHub Enterprise",
        )
    if parts.scheme == "http" and not local:
        raise UserMistake.of(f"{clean(base_url)[:100]} is not encrypted", "begin it with https://")
    return base_url.rstrip("/")


def _github(address: str, proxy: str) -> GitHub[Any]:
    from githubkit import GitHub
    from githubkit.auth import UnauthAuthStrategy

    return GitHub(
        UnauthAuthStrategy(),  # the token is a header of each call: it may change between two
        base_url=address,
        user_agent="contracts-svc",
        timeout=_TIMEOUT,
        follow_redirects=False,
        http_cache=False,
        auto_retry=False,
        proxy=proxy or None,
    )
