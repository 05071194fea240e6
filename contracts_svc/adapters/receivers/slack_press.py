"""What Slack sends when somebody presses a button, and the answer to that one person.

Source: https://docs.slack.dev/reference/interaction-payloads/block_actions-payload.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from threading import Lock
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from contracts_svc.adapters.receivers.http import Http
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.pressing import Deed, Press, Reply
from contracts_svc.ports import Delivery
from contracts_svc.render.slack import ACKNOWLEDGE, ASSIGN, ROWS, SILENCE, answer, fallback

HOOKS = "https://hooks.slack.com/"
"""Where answers to one person are posted. What names another place is no address of Slack's."""
API = "https://slack.com/api/"
MOST_PEOPLE = 10_000
KEPT_SECONDS = 3_600
"""How long the address of a member is kept."""
_LONGEST = 500

_DEEDS: Mapping[str, Deed] = {
    ACKNOWLEDGE.action: Deed.ACKNOWLEDGE,
    ASSIGN.action: Deed.ASSIGN,
    SILENCE.action: Deed.SILENCE,
    ROWS.action: Deed.ROWS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button pressed in Slack."""

    press: Press
    user: str
    """Id of the member."""
    workspace: str
    """Id of the member's workspace."""
    answer_to: str
    """Where the answer goes that only this person sees; "" for nowhere."""


def read(payload: Any, hooks: str = HOOKS) -> tuple[Pressed, ...]:
    """The buttons of ours that were pressed; none where it is about something else.

    Raises UserMistake for what Slack would not send.
    """
    if not isinstance(payload, dict):
        raise UserMistake.of("the payload is no object", "")
    if payload.get("type") != "block_actions":
        return ()
    user, given = payload.get("user"), payload.get("actions")
    if not isinstance(user, dict) or not isinstance(given, list):
        raise UserMistake.of("the payload names neither a user nor actions", "")
    member = _text(user, "id")
    team = payload.get("team")
    workspace = _text(user, "team_id") or (_text(team, "id") if isinstance(team, dict) else "")
    url = _text(payload, "response_url")
    found: list[Pressed] = []
    for action in given[:10]:
        deed = _DEEDS.get(_text(action, "action_id")) if isinstance(action, dict) else None
        if deed is None:
            continue
        group, at = _text(action, "value"), _text(action, "action_ts")
        if not (member and group and at):
            raise UserMistake.of("an action lacks its user, its value or its time", "")
        key = json.dumps(["slack", workspace, member, at, deed.value, group])
        press = Press(id=key, deed=deed, group=group, where=f"slack {workspace} {member}".strip())
        to = url if url.startswith(hooks) else ""
        found.append(Pressed(press=press, user=member, workspace=workspace, answer_to=to))
    return tuple(found)


def _text(given: Mapping[str, Any], key: str) -> str:
    found = given.get(key)
    return found if isinstance(found, str) and len(found) <= _LONGEST else ""


class Answers:
    """Tells one person something in the channel that nobody else sees."""

    def __init__(self, timeout: float = 10.0) -> None:
        self._http = Http("Slack", timeout=timeout)

    def tell(self, to: str, reply: Reply) -> Delivery:
        """Post an answer to where :attr:`Pressed.answer_to` says; it may be done five times in 30 minutes."""
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": fallback(reply.text),
            "blocks": answer(reply.text, reply.sections),
        }
        return self._http.judged(self._http.post(to, json.dumps(body).encode(), {}))


class Members:
    """The e-mail addresses of members, for people who are known by theirs. Kept for an hour."""

    def __init__(
        self,
        token_of: Callable[[str], str],
        clock: Callable[[], float],
        *,
        base_url: str = API,
        timeout: int = 10,
    ) -> None:
        """``token_of`` gives the bot token of a workspace by its id, ``clock`` seconds."""
        self._token_of, self._clock = token_of, clock
        self._base_url, self._timeout = base_url.rstrip("/") + "/", timeout
        self._kept: OrderedDict[tuple[str, str], tuple[float, str]] = OrderedDict()
        self._not_before = -math.inf
        self._lock = Lock()

    def email(self, user: str, workspace: str) -> str:
        """The address of a member; "" when Slack shows none. Raises CouldNotCheck."""
        now = self._clock()
        with self._lock:
            at, found = self._kept.get((workspace, user), (-math.inf, ""))
            if now - at < KEPT_SECONDS:
                return found
            if now < self._not_before:
                raise CouldNotCheck(
                    "who you are", "Slack asks to be left alone for a while", "try again soon"
                )
        found = self._ask(user, workspace)
        with self._lock:
            self._kept.pop((workspace, user), None)
            self._kept[workspace, user] = (now, found)
            if len(self._kept) > MOST_PEOPLE:
                self._kept.popitem(last=False)
        return found

    def _ask(self, user: str, workspace: str) -> str:
        token = self._token_of(workspace)
        if not token:
            raise CouldNotCheck("who you are", f"there is no token for the workspace {workspace}")
        client = WebClient(token=token, base_url=self._base_url, timeout=self._timeout, retry_handlers=[])
        try:
            data = client.users_info(user=user).data
        except SlackApiError as error:
            raise self._refused(error) from None
        except (SlackClientError, OSError, HTTPException):
            raise CouldNotCheck("who you are", "Slack was not reached", "try again") from None
        profile = data.get("user", {}).get("profile", {}) if isinstance(data, dict) else {}
        return str(profile.get("email") or "")

    def _refused(self, error: SlackApiError) -> CouldNotCheck:
        data = error.response.data
        code = str(data.get("error") if isinstance(data, dict) else "no reason given")[:100]
        after = next((v for k, v in error.response.headers.items() if k.lower() == "retry-after"), "")
        if error.response.status_code == 429:
            with self._lock:
                wait = float(after) if after.isascii() and after.isdecimal() and len(after) < 6 else 1.0
                self._not_before = self._clock() + wait
        hint = "the app needs the scope users:read.email" if code == "missing_scope" else ""
        return CouldNotCheck("who you are", f"Slack answered: {code}", hint)
