"""A running service of ours, over HTTP: sends it events of OpenLineage, asks it for lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from contracts_svc.errors import CouldNotCheck, UserMistake

SECONDS = 30.0
MAX_ANSWER = 200_000_000
"""Longest answer taken, in bytes."""


class ServiceClient:
    """Calls the service at a URL. Raises CouldNotCheck where it cannot be reached or does not answer as it
    should, UserMistake where it refuses the token or what it is given."""

    def __init__(self, url: str, token: str = "", *, seconds: float = SECONDS) -> None:
        if not url.startswith(("https://", "http://")):
            raise UserMistake.of(f"--service is no web address: {url}", "begin it with https://")
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(timeout=seconds, headers=headers)

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def part(self, asked: Mapping[str, Any]) -> str:
        """The answer to a question for a part of the lineage."""
        return self._post("/api/v1/lineage/part", "lineage", json=asked).text

    def send_event(self, event: bytes) -> Mapping[str, Any]:
        """Send one event, as it is."""
        headers = {"Content-Type": "application/json"}
        answer = self._post("/api/v1/lineage", "sending lineage", content=event, headers=headers)
        return self._json(answer)

    def _post(self, path: str, what: str, **more: Any) -> httpx.Response:
        task = f"{what} of the service {self._url}"
        try:
            with self._client.stream("POST", self._url + path, **more) as streamed:
                body = bytearray()
                for some in streamed.iter_bytes():
                    body += some
                    if len(body) > MAX_ANSWER:
                        raise CouldNotCheck(task, f"its answer is longer than {MAX_ANSWER:,} bytes")
                answer = httpx.Response(streamed.status_code, content=bytes(body))
        except httpx.HTTPError as error:
            cause = str(error) or type(error).__name__
            raise CouldNotCheck(
                task, cause, "see that it runs, and that CONTRACTS_SERVICE_URL is right"
            ) from None
        if answer.is_success:
            return answer
        detail = self._detail(answer)
        if answer.status_code in (401, 403):
            hint = "give --token, or set CONTRACTS_SERVICE_TOKEN, to a token with the scope that it takes"
            raise CouldNotCheck(task, f"it refused the token: {detail}", hint, retryable=False)
        if answer.status_code in (400, 413, 415, 422):
            raise UserMistake.of(f"the service refused what it was given: {detail}")
        raise CouldNotCheck(task, f"it answered {answer.status_code}: {detail}", "try again later")

    def _json(self, answer: httpx.Response) -> Mapping[str, Any]:
        try:
            value = answer.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise CouldNotCheck(f"the service {self._url}", "its answer is none of ours", "check the address")
        return value

    @staticmethod
    def _detail(answer: httpx.Response) -> str:
        try:
            value = answer.json()
        except ValueError:
            return answer.reason_phrase
        return str(value.get("detail") or answer.reason_phrase)[:500] if isinstance(value, dict) else ""
