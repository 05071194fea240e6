"""The Slack receiver: a notification as Block Kit, posted with chat.postMessage.

What belongs together is one thread: the first message of a group is its head, which is updated when the
state changes; what is new is an answer in the thread. Names of channels need no look-up of their own: Slack
takes them and answers with the id, which is kept, here and with the thread.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from http.client import HTTPException
from threading import Lock
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from contracts_svc.alerts import Notification
from contracts_svc.errors import UserMistake
from contracts_svc.ports import Delivery
from contracts_svc.render.slack import Block, blocks, fallback, head, update
from contracts_svc.routing_text import shortened, visible

API = "https://slack.com/api/"
MOST_CHANNELS = 10_000
"""Names of channels whose ids are kept."""

# Errors that come from Slack's side and pass: https://docs.slack.dev/reference/methods/chat.postMessage
_PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "ratelimited",
        "rate_limited",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)

# https://docs.slack.dev/reference/methods/chat.update
_HEAD_IS_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed"})

_WAYS_OUT = {
    "channel_not_found": "the channel is not there, or the app is not in it",
    "not_in_channel": "invite the app into the channel",
    "is_archived": "the channel is archived",
    "invalid_auth": "the token is wrong",
    "not_authed": "the token is missing",
    "token_expired": "the token has run out",
    "token_revoked": "the token was revoked",
    "account_inactive": "the token belongs to an app that was removed",
    "missing_scope": "the app needs the scope chat:write",
}
"""Slack's code -> what a person can do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackConfig:
    """How to reach a workspace."""

    token: str = field(repr=False)
    """A bot token with the scope ``chat:write`` (and ``chat:write.public`` to post without joining)."""
    channel: str = ""
    """Where everything goes; empty: where each notification says."""
    base_url: str = API
    timeout: int = 10
    """Seconds for one call."""

    def __post_init__(self) -> None:
        # The token becomes a header, and what a header cannot hold would be shown in an error.
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise UserMistake.of(
                "the Slack token is empty or holds a space, a line break or a character that no token has",
                "copy the Bot User OAuth Token (xoxb-...) of the app again",
            )


class SlackReceiver:
    """Posts each notification to its channel. Tries once: when to try again is the caller's to say."""

    def __init__(self, config: SlackConfig) -> None:
        self._config = config
        self._client = WebClient(
            token=config.token,
            base_url=config.base_url.rstrip("/") + "/",
            timeout=config.timeout,
            retry_handlers=[],
        )
        self._channels: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def send(self, notification: Notification) -> Delivery:
        """Post it, or say why not. ``reason`` is Slack's own error code where it gave one."""
        channel = self._config.channel or notification.channel
        if not channel:
            return Delivery(sent=False, reason="no channel is given")
        try:
            return self._sent(notification, channel)
        except SlackApiError as error:
            return self._refused(error)
        except (SlackClientError, OSError, HTTPException) as error:
            # URLError and timeouts are OSErrors.
            cause = getattr(error, "reason", None) or error
            return self._failed(f"Slack was not reached: {cause}", retry=True)

    def _sent(self, notification: Notification, channel: str) -> Delivery:
        where, _, ts = notification.thread.partition(":")
        if not ts:
            return Delivery(sent=True, thread=self._begin(notification, channel))
        # Updating the head twice does no harm: it comes first, should the answer fail and be retried.
        if self._update(notification, where, ts):
            shown = update(notification) if notification.update else blocks(notification)
            self._post(notification, where, shown, thread_ts=ts)
            return Delivery(sent=True, thread=notification.thread)
        if notification.update:
            # Somebody deleted what it is about; the next repeat begins anew.
            return Delivery(sent=True)
        return Delivery(sent=True, thread=self._begin(notification, channel))

    def _begin(self, notification: Notification, channel: str) -> str:
        """Post the first message of a thread; returns where it stands."""
        shown = head(notification)
        known = self._known(channel)
        try:
            return self._post(notification, known or channel, shown, name=channel)
        except SlackApiError as error:
            if not known or _code(error) != "channel_not_found":
                raise
        # There was a channel of that name, and it is another one now.
        self._keep(channel, "")
        return self._post(notification, channel, shown, name=channel)

    def _post(
        self,
        notification: Notification,
        channel: str,
        shown: list[Block],
        *,
        thread_ts: str | None = None,
        name: str = "",
    ) -> str:
        response = self._client.chat_postMessage(
            channel=channel,
            text=fallback(notification.update or notification.title),
            blocks=shown,
            metadata={
                "event_type": "contracts_notification",
                "event_payload": {"key": notification.key},
            },
            thread_ts=thread_ts,
            link_names=False,
            parse="none",
            unfurl_links=False,
            unfurl_media=False,
        )
        data = response.data if isinstance(response.data, dict) else {}
        channel_id, ts = data.get("channel"), data.get("ts")
        if not (isinstance(channel_id, str) and isinstance(ts, str)):
            return ""
        if name:
            self._keep(name, channel_id)
        return f"{channel_id}:{ts}"

    def _update(self, notification: Notification, channel: str, ts: str) -> bool:
        """The head shows how things stand now. False when it is not there any more."""
        title = notification.head.title if notification.head else notification.title
        try:
            self._client.chat_update(
                channel=channel,
                ts=ts,
                text=fallback(title),
                blocks=head(notification),
                link_names=False,
                parse="none",
            )
        except SlackApiError as error:
            if _code(error) in _HEAD_IS_GONE:
                return False
            raise
        return True

    def _known(self, name: str) -> str:
        with self._lock:
            return self._channels.get(name, "")

    def _keep(self, name: str, channel_id: str) -> None:
        with self._lock:
            self._channels.pop(name, None)
            if channel_id:
                self._channels[name] = channel_id
            if len(self._channels) > MOST_CHANNELS:
                self._channels.popitem(last=False)

    def _refused(self, error: SlackApiError) -> Delivery:
        response = error.response
        status, code = response.status_code, _code(error) or "no reason given"
        retry = status == 429 or status >= 500 or code in _PASSING
        after = next((v for k, v in response.headers.items() if k.lower() == "retry-after"), None)
        seconds = float(after) if after and after.isascii() and after.isdecimal() and len(after) < 7 else 0.0
        more = f", try again after {after} s" if after else ""
        more += f": {_WAYS_OUT[code]}" if code in _WAYS_OUT else ""
        reason = f"Slack answered {status}: {code}{more}"
        return self._failed(reason, retry=retry, retry_after=seconds)

    def _failed(self, reason: str, *, retry: bool, retry_after: float = 0.0) -> Delivery:
        shown = shortened(visible(reason.replace(self._config.token, "***")), 300)
        return Delivery(sent=False, retry=retry, reason=shown, retry_after=retry_after)


def _code(error: SlackApiError) -> str:
    data: Any = error.response.data
    found = data.get("error") if isinstance(data, dict) else None
    return shortened(visible(str(found)), 200) if found else ""


def make(options: dict[str, str]) -> SlackReceiver:
    """From the options of a route file."""
    return SlackReceiver(SlackConfig(token=options["token"], channel=options.get("channel", "")))
