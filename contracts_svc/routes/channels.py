"""The channels that contracts name in ``support``, and what they are reached by.

A contract says the tool, the channel and perhaps its address for people (``url``); never a secret, and
nothing is sent to an address only because a contract names it. What a tool is reached by stands in the
route file under ``channels``, written by those who run the service. E-mail goes to the address that the
contract names, over the server that they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

APPRISE, SLACK, EMAIL = "apprise", "slack", "email"
UNROUTED = "unrouted"
"""The tool of a team that gives no channel at all."""

# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?")
_EXAMPLES: Mapping[str, str] = {
    SLACK: "token: env:SLACK_TOKEN",
    "teams": "url: env:TEAMS_URL",
    "pagerduty": "routing_key: env:PAGERDUTY_KEY",
    "webhook": "url: 'https://…', secret: env:HOOK_SECRET",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """An entry of ``channels``: what a tool, or one channel or workspace of it, is reached by."""

    tool: str
    """As contracts write it, in lower case."""
    kind: str
    """The kind of receiver."""
    channel: str = ""
    """Empty: every channel of the tool."""
    workspaces: tuple[str, ...] = ()
    """Of Slack: names and ids of workspaces; empty: every one that no other entry names."""
    options: Mapping[str, str] = field(default_factory=dict)


def kind_of_tool(tool: str, kinds: Iterable[str]) -> str:
    """The kind of receiver that a tool is reached by: one of ours, else apprise."""
    return tool if tool in kinds else APPRISE


def pick(specs: Iterable[ChannelSpec], tool: str, channel: str, url: str) -> ChannelSpec | None:
    """What a channel is reached by: the entry that names it, else its workspace, else its tool."""
    mine = workspaces_of(url)
    found = [
        (bool(s.channel), bool(s.workspaces), -number, s)
        for number, s in enumerate(specs)
        if s.tool == tool
        and s.channel in ("", channel)
        and (not s.workspaces or not mine.isdisjoint(s.workspaces))
    ]
    return max(found, key=lambda f: f[:3])[3] if found else None


def workspaces_of(url: str) -> frozenset[str]:
    """What a link into Slack tells of the workspace: ``https://acme.slack.com/…`` its name,
    ``https://app.slack.com/client/T012AB3CD/…`` its id."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return frozenset()
    if not host.endswith(".slack.com"):
        return frozenset()
    name = host.removesuffix(".slack.com").removesuffix(".enterprise")
    if name != "app":
        return frozenset({name})
    ids = re.findall(r"/client/([TE][A-Z0-9]{2,30})(?:/|$)", parts.path)
    return frozenset(ids)


def address_of(channel: str, url: str) -> str:
    """The one e-mail address that an entry of ``support`` names; "" when it names none."""
    link = unquote(url.removeprefix("mailto:").partition("?")[0]) if url.startswith("mailto:") else ""
    return next((a for a in (channel.strip(), link.strip()) if _ADDRESS.fullmatch(a)), "")


def what_is_missing(tool: str, channel: str, team: str) -> str:
    """Why a channel is not reached, and what to write where."""
    if tool == UNROUTED:
        return f"{team} gives no channel: add 'support' to its contract, with a tool and a channel"
    if tool == SLACK:
        return "no token for Slack is set: see CONTRACTS_SLACK_TOKEN, or 'channels' of the route file"
    if tool == EMAIL:
        return "no mail server is set: set CONTRACTS_EMAIL_URL, as mailtos://user:password@host?from=…"
    name = tool[:50]
    example = _EXAMPLES.get(tool, f"url: env:{re.sub('[^A-Z0-9]', '_', name.upper())}_URL")
    entry = f"- {{tool: {name}, channel: {channel[:100]!r}, {example}}}"
    return f"nothing says what {name} is reached by: add to 'channels' of the route file: {entry}"
