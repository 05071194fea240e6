"""The Slack receiver: a notification as Block Kit, posted with chat.postMessage.

What belongs together is one thread: the first message of a group is its head, which is updated when the
state changes; what is new is an answer in the thread. Names of channels need no look-up: Slack takes
them, and answers with the id, which is kept with the thread.

All text goes into ``plain_text`` and ``rich_text`` elements, which Slack shows as it is: neither
``<!channel>`` nor ``*stars*`` in a column's name or value means anything there
(https://docs.slack.dev/reference/block-kit/blocks/rich-text-block). Only the fallback ``text`` is
read for mark-up, so it is escaped (https://docs.slack.dev/messaging/formatting-message-text).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from contracts_svc.alerts import Audience, IncidentState, Notification, Section
from contracts_svc.errors import UserMistake
from contracts_svc.ports import Delivery
from contracts_svc.routing_text import shortened, table, visible

MOST_BLOCKS = 50
"""Blocks in a message (https://docs.slack.dev/reference/block-kit/blocks)."""
LONGEST_HEADER = 150
"""Characters (https://docs.slack.dev/reference/block-kit/blocks/header-block)."""
LONGEST_BLOCK = 3_000
"""Characters of text in one block: the limit of a section's text, kept for every kind of block."""
LONGEST_MESSAGE = 12_000
"""Characters in all blocks together. Slack refuses long ones (``msg_blocks_too_long``) and gives no
figure; this has room to spare."""

_LONGEST_LINE = 600
_TABLE_WIDTH = 90

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


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackConfig:
    """How to reach a workspace."""

    token: str = field(repr=False)
    """A bot token with the scope ``chat:write`` (and ``chat:write.public`` to post without joining)."""
    channel: str = ""
    """Where everything goes; empty: where each notification says."""
    base_url: str = "https://slack.com/api/"
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
        self._channel = config.channel
        self._client = WebClient(
            token=config.token,
            base_url=config.base_url.rstrip("/") + "/",
            timeout=config.timeout,
            retry_handlers=[],
        )

    def send(self, notification: Notification) -> Delivery:
        """Post it, or say why not. ``reason`` is Slack's own error code where it gave one."""
        channel = self._channel or notification.channel
        if not channel:
            return Delivery(sent=False, reason="no channel is given")
        try:
            head, _, ts = notification.thread.partition(":")
            if not ts:
                return Delivery(sent=True, thread=self._post(notification, channel))
            # Updating the head twice does no harm: it comes first, should the answer fail and be retried.
            if self._update(notification, head, ts):
                self._post(notification, head, thread_ts=ts)
                return Delivery(sent=True, thread=notification.thread)
            return Delivery(sent=True, thread=self._post(notification, channel))
        except SlackApiError as error:
            return _refused(error)
        except (SlackClientError, OSError, HTTPException) as error:
            # URLError and timeouts are OSErrors.
            cause = getattr(error, "reason", None) or error
            return Delivery(sent=False, retry=True, reason=f"Slack was not reached: {cause}")

    def _post(self, notification: Notification, channel: str, thread_ts: str | None = None) -> str:
        """Post a message; returns where it stands."""
        made = blocks(notification)
        if thread_ts is None:
            made += actions(notification)
        response = self._client.chat_postMessage(
            channel=channel,
            text=fallback(notification),
            blocks=made,
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
        return f"{channel_id}:{ts}" if isinstance(channel_id, str) and isinstance(ts, str) else ""

    def _update(self, notification: Notification, channel: str, ts: str) -> bool:
        """The head shows how things stand now. False when it is not there any more."""
        try:
            self._client.chat_update(
                channel=channel,
                ts=ts,
                text=fallback(notification),
                blocks=[*blocks(notification), *actions(notification)],
                link_names=False,
                parse="none",
            )
        except SlackApiError as error:
            data = error.response.data
            if isinstance(data, dict) and data.get("error") in _HEAD_IS_GONE:
                return False
            raise
        return True


def _refused(error: SlackApiError) -> Delivery:
    response = error.response
    status = response.status_code
    data = response.data if isinstance(response.data, dict) else {}
    code = shortened(visible(str(data.get("error") or "no reason given")), 200)
    retry = status == 429 or status >= 500 or code in _PASSING
    after = next((v for k, v in response.headers.items() if k.lower() == "retry-after"), None)
    again = f", try again after {after} s" if after else ""
    seconds = float(after) if after and after.isascii() and after.isdecimal() and len(after) < 7 else 0.0
    reason = f"Slack answered {status}: {code}{again}"
    return Delivery(sent=False, retry=retry, reason=reason, retry_after=seconds)


def fallback(notification: Notification) -> str:
    """What a notification of the device shows: the title, escaped."""
    title = shortened(visible(notification.title), LONGEST_BLOCK // 5)
    return title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "contracts"


def blocks(notification: Notification) -> list[dict[str, Any]]:
    """The notification as blocks, within Slack's limits; what does not fit is said to be left out."""
    audience = "owner" if notification.audience is Audience.OWNER else "stakeholder"
    state = notification.labels.get("state") or notification.severity.value
    if state == IncidentState.RESOLVED.value and notification.still_open:
        state = f"{notification.still_open} still open"
    about = f"{notification.severity.value} · {state} · to the {audience} {notification.team}"
    made = [_header(notification.title), _context(about)]
    used = 0
    most = MOST_BLOCKS - len(actions(notification))
    for number, section in enumerate(notification.sections):
        block, size = _section(section)
        left = len(notification.sections) - number
        if used + size > LONGEST_MESSAGE or len(made) == most - 1:
            made.append(_context(f"and {left} more part{'s' if left > 1 else ''}, too long for Slack"))
            break
        made.append(block)
        used += size
    return made


@dataclass(frozen=True, slots=True)
class Button:
    """A row of :data:`BUTTONS`: what Slack sends back when it is pressed, and what it says."""

    action: str
    text: str
    owner_only: bool = False


BUTTONS = (
    Button("contracts.acknowledge", "Acknowledge"),
    Button("contracts.silence_24h", "Silence 24 h"),
    Button("contracts.assign_to_me", "Assign to me"),
    Button("contracts.show_rows", "Show rows", owner_only=True),
)
"""The value of each button is the key of the group that it is about."""


def actions(notification: Notification) -> list[dict[str, Any]]:
    """The buttons below a message, as long as something is wrong that they could be about."""
    over = notification.labels.get("state") == IncidentState.RESOLVED.value and not notification.still_open
    if over or not notification.group:
        return []
    shown = [b for b in BUTTONS if not b.owner_only or notification.audience is Audience.OWNER]
    elements = [
        {"type": "button", "action_id": b.action, "text": _plain(b.text), "value": notification.group}
        for b in shown
    ]
    return [{"type": "actions", "block_id": "contracts", "elements": elements}]


def _section(section: Section) -> tuple[dict[str, Any], int]:
    """A heading, a list and a table, and how many characters they hold."""
    heading = shortened(visible(section.heading), _LONGEST_LINE)
    used = len(heading)
    parts: list[dict[str, Any]] = [_rich("rich_text_section", heading, bold=True)]
    grid = "\n".join(table(section.rows, width=_TABLE_WIDTH)) if section.rows else ""
    grid = shortened(grid, LONGEST_BLOCK // 2)
    lines: list[dict[str, Any]] = []
    for line in section.lines:
        shown = shortened(visible(line), _LONGEST_LINE) or " "
        if used + len(shown) + len(grid) > LONGEST_BLOCK - 1:
            lines.append(_rich("rich_text_section", "…"))
            break
        lines.append(_rich("rich_text_section", shown))
        used += len(shown)
    if lines:
        parts.append({"type": "rich_text_list", "style": "bullet", "elements": lines})
    if grid:
        parts.append(_rich("rich_text_preformatted", grid))
    return {"type": "rich_text", "elements": parts}, used + len(grid)


def _rich(kind: str, text: str, *, bold: bool = False) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "text", "text": text or " "}
    if bold:
        element["style"] = {"bold": True}
    return {"type": kind, "elements": [element]}


def _header(title: str) -> dict[str, Any]:
    return {"type": "header", "text": _plain(shortened(visible(title), LONGEST_HEADER) or " ")}


def _context(text: str) -> dict[str, Any]:
    return {"type": "context", "elements": [_plain(shortened(visible(text), _LONGEST_LINE))]}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def make(options: dict[str, str]) -> SlackReceiver:
    """From the options of a route file."""
    return SlackReceiver(SlackConfig(token=options["token"], channel=options.get("channel", "")))
