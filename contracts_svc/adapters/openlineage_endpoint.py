"""Sends events to an endpoint of OpenLineage's HTTP transport. The standard library's client and no other:
a check should not take longer for having somebody to tell."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.model import Json

SECONDS = 10
ATTEMPTS = 3
PAUSE_SECONDS = 0.2
PATH = "/api/v1/lineage"
"""Where the transport sends to, where an address names no path."""
_AGAIN = (408, 429, 500, 502, 503, 504)


class OpenLineageEndpoint:
    """The endpoint at an address. ``api_key`` is sent as a bearer token."""

    def __init__(self, url: str, api_key: str = "") -> None:
        scheme, separator, rest = url.partition("://")
        if scheme not in ("http", "https") or not separator or not rest.strip("/"):
            raise UserMistake.of(
                f"the setting CONTRACTS_OPENLINEAGE_URL is no web address: {url}", "begin it with https://"
            )
        self._url = url if "/" in rest.rstrip("/") else url.rstrip("/") + PATH
        self._key = api_key

    def send(self, event: Mapping[str, Json]) -> None:
        """Send one event; again where the endpoint is away. Raises CouldNotCheck."""
        what = f"send the outcome to {self._url}"
        body = json.dumps(event).encode()
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        failure = CouldNotCheck(what, "it was not tried")
        for attempt in range(ATTEMPTS):
            time.sleep(PAUSE_SECONDS * attempt)
            request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")
            try:
                with urllib.request.urlopen(request, timeout=SECONDS):
                    return
            except urllib.error.HTTPError as error:
                with error:
                    told = error.read(500).decode("utf-8", "replace").strip()
                retryable = error.code in _AGAIN
                cause = f"it answered {error.code}" + (f": {told}" if told else "")
                failure = CouldNotCheck(what, cause, retryable=retryable)
                if not retryable:
                    break
            except (OSError, HTTPException) as error:
                failure = CouldNotCheck(what, str(error), "see that it runs, and that the address is right")
        raise failure
