"""HTTP for receivers: one call, bounded in time and size, that never raises and never shows a secret.

Where a receiver is comes from the route file, which only those who run the service write, never from a
contract or a pull request. So private addresses are allowed: an Alertmanager is usually in the cluster.
Link-local addresses are not: that is where clouds keep the credentials of the machine, and no receiver.
Redirects are refused, since what was signed or authorised for one place is not for another.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from contracts_svc.ports import Delivery
from contracts_svc.routing_text import shortened, visible

MOST_BYTES = 64_000
"""Of an answer that are read."""
TIMEOUT = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said."""

    status: int
    text: str
    retry_after: float = 0.0


class Http:
    """Calls one receiver."""

    def __init__(self, name: str, *, timeout: float = TIMEOUT, secrets: Sequence[str] = ()) -> None:
        """``name`` is for messages; ``timeout`` in seconds, for the whole call; ``secrets`` never show."""
        self._name = name
        self._timeout = timeout
        self._secrets = [s for s in secrets if s]
        # Neither proxies nor .netrc are taken from the environment: what goes where is in the route file.
        self._client = httpx.Client(timeout=timeout, follow_redirects=False, trust_env=False)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Delivery:
        """The answer, or how it failed."""
        return self._call("POST", url, body, headers)

    def delete(self, url: str) -> Answer | Delivery:
        """The answer, or how it failed."""
        return self._call("DELETE", url, b"", {})

    def _call(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer | Delivery:
        try:
            if _is_link_local(url):
                return self._failed("its address is link-local, where no receiver is", retry=False)
            return self._answer(method, url, body, headers)
        except (httpx.TimeoutException, TimeoutError):
            return self._failed(f"no answer within {self._timeout:g} s", retry=True)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            return self._failed(f"not reached: {type(error).__name__}: {error}", retry=True)

    def _answer(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        ends = time.monotonic() + self._timeout
        given = {"Content-Type": "application/json", "User-Agent": "contracts-svc", **headers}
        with self._client.stream(method, url, content=body, headers=given) as response:
            found = b""
            for chunk in response.iter_raw(chunk_size=8_192):
                found += chunk
                if len(found) >= MOST_BYTES:
                    break
                if time.monotonic() > ends:
                    raise TimeoutError
            retry_after = seconds_of(response.headers.get("retry-after", ""))
            text = found[:MOST_BYTES].decode("utf-8", "replace")
            return Answer(status=response.status_code, text=text, retry_after=retry_after)

    def judged(self, answer: Answer | Delivery) -> Delivery:
        """Sent for 2xx. What is asked too often (429), too slow (408) or broken there (5xx) may be tried
        again; redirects and what the server does not want may not."""
        if isinstance(answer, Delivery):
            return answer
        if 200 <= answer.status < 300:
            return Delivery(sent=True)
        if 300 <= answer.status < 400:
            return self._failed(f"answered {answer.status}, and redirects are not followed", retry=False)
        retry = answer.status in (408, 425, 429) or answer.status >= 500
        said = f"answered {answer.status}: {answer.text or 'nothing'}"
        return self._failed(said, retry=retry, retry_after=answer.retry_after)

    def _failed(self, reason: str, *, retry: bool, retry_after: float = 0.0) -> Delivery:
        for secret in self._secrets:
            reason = reason.replace(secret, "***")
        shown = shortened(visible(" ".join(reason.split())), 300)
        return Delivery(sent=False, retry=retry, reason=f"{self._name}: {shown}", retry_after=retry_after)


def seconds_of(header: str) -> float:
    """The seconds of a ``Retry-After`` header: a number, or a date (RFC 9110, 10.2.3); else 0."""
    if header.isascii() and header.isdecimal():
        return float(header[:9])
    with suppress(ValueError, TypeError):
        wait = (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds()
        return max(wait, 0.0)
    return 0.0


def _is_link_local(url: str) -> bool:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return any(_address(str(info[4][0])).is_link_local for info in found)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
