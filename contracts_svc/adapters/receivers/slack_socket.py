"""Socket Mode: buttons that come over a connection of ours to Slack, where Slack cannot reach the service.

Source: https://docs.slack.dev/apis/events-api/using-socket-mode. The client of Slack's SDK keeps the
connection, answers pings and connects again; what it cannot do is begin while Slack cannot be reached.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from http.client import HTTPException

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from contracts_svc.errors import UserMistake

_log = structlog.get_logger("contracts_svc.slack")

API = "https://slack.com/api/"

PING_SECONDS = 10.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before connecting is tried again; they double."""


class SocketMode:
    """A connection to Slack, as a loop of the service."""

    def __init__(
        self,
        app_token: str,
        take: Callable[[object], bool],
        *,
        base_url: str = API,
        ping: float = PING_SECONDS,
        first_pause: float = FIRST_PAUSE,
    ) -> None:
        """``app_token`` is an app-level token (``xapp-…``) with the scope ``connections:write``. ``take`` is
        given what was pressed, and says whether it is going to be done."""
        # Its own log would show the address of the connection, by which anybody could take it over.
        quiet = logging.getLogger("slack_sdk.socket_mode")
        quiet.setLevel(logging.CRITICAL)
        web = WebClient(base_url=base_url.rstrip("/") + "/", retry_handlers=[])
        self._client = SocketModeClient(app_token, logger=quiet, web_client=web, ping_interval=ping)
        self._client.socket_mode_request_listeners.append(self._came)
        self._take = take
        self._pause = first_pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._connect, name="slack-socket", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End the connection."""
        self._stopping.set()
        self._client.close()
        self._thread.join(timeout=5)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client.is_connected()

    def _connect(self) -> None:
        pause = self._pause
        while not self._stopping.is_set():
            try:
                self._client.connect()
            except SlackApiError as error:
                data = error.response.data
                code = data.get("error") if isinstance(data, dict) else error.response.status_code
                _log.warning("Slack refuses Socket Mode: see CONTRACTS_SLACK_APP_TOKEN", code=str(code)[:100])
            except (SlackClientError, OSError, HTTPException, ValueError) as error:
                _log.warning("Slack was not reached for Socket Mode", cause=type(error).__name__)
            else:
                _log.info("connected to Slack by Socket Mode")
                return
            self._stopping.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _came(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        taken = True
        if request.type == "interactive":
            try:
                taken = self._take(request.payload)
            except UserMistake as error:
                _log.warning("Slack sent what it should not", cause=str(error))
        if taken:
            # What is not answered is sent again, and shown as failed to whoever pressed.
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))
