"""Wires what comes from Slack: buttons, over HTTP or over Socket Mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from contracts_svc.adapters.receivers.slack_press import HOOKS, Answers, Members, Pressed, read
from contracts_svc.adapters.receivers.slack_signature import verified
from contracts_svc.adapters.receivers.slack_socket import SocketMode
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.acting import Acting
from contracts_svc.flows.pressing import Pressing, Reply
from contracts_svc.ports_store import HeardStore
from contracts_svc.responders import Responder, Responders
from contracts_svc.responders import read as read_people
from contracts_svc.settings import Settings
from contracts_svc.watched import Watched

_log = structlog.get_logger("contracts_svc.slack")

MOST_WAITING = 1_000
"""Presses that wait to be carried out; what comes beyond is refused, and may be pressed again."""
_AT_ONCE = 4


def people_of(path: Path | None) -> Watched[Responders]:
    """The file of people as it is now; nobody where there is none. Raises UserMistake with every mistake."""

    def found() -> Responders:
        if path is None:
            return Responders()
        try:
            text = path.read_bytes()
        except OSError as error:
            hint = "see the setting CONTRACTS_PEOPLE_FILE"
            raise UserMistake.of(f"{path} cannot be read: {error.strerror}", hint) from None
        return read_people(text, str(path))

    return Watched(path, found, "the file of people")


class SlackDesk:
    """Takes what Slack sends and carries it out, in threads of its own: Slack waits 3 seconds at most."""

    def __init__(
        self,
        pressing: Pressing,
        people: Callable[[], Responders],
        members: Members,
        *,
        secrets: Sequence[str] = (),
        answers: Answers | None = None,
        after: Callable[[], object] = lambda: None,
        hooks: str = HOOKS,
    ) -> None:
        """``secrets`` are the app's signing secrets, two while it is changed; ``after`` is called when
        something was done, so that it is shown at once."""
        self._pressing, self._people, self._members = pressing, people, members
        self._secrets = tuple(s for s in secrets if s)
        self._answers = answers or Answers()
        self._after = after
        self._hooks = hooks
        self._pool = ThreadPoolExecutor(_AT_ONCE, "slack")
        self._waiting = 0
        self._lock = Lock()

    @property
    def takes_http(self) -> bool:
        """Whether there is a secret by which requests can be told to be Slack's."""
        return bool(self._secrets)

    def is_from_slack(self, timestamp: str, body: bytes, signature: str) -> bool:
        """Whether a request is signed with one of the secrets, and fresh."""
        now = self._pressing.acting.clock.now().timestamp()
        return any(verified(secret, timestamp, body, signature, now) for secret in self._secrets)

    def take(self, payload: Any) -> bool:
        """Have it carried out; returns at once. False: too many wait already.

        Raises UserMistake for what Slack would not send.
        """
        for pressed in read(payload, self._hooks):
            with self._lock:
                if self._waiting >= MOST_WAITING:
                    return False
                self._waiting += 1
            self._pool.submit(self._do, pressed).add_done_callback(self._done)
        return True

    def close(self) -> None:
        """Carry out what waits, and take nothing any more."""
        self._pool.shutdown()

    def _done(self, future: Future[None]) -> None:
        with self._lock:
            self._waiting -= 1

    def _do(self, pressed: Pressed) -> None:
        reply = self._carried_out(pressed)
        try:
            self._after()
        except CouldNotCheck as error:
            _log.warning("what was done is shown later", cause=str(error))
        if reply is not None and pressed.answer_to:
            delivery = self._answers.tell(pressed.answer_to, reply)
            if not delivery.sent:
                _log.warning("could not answer who pressed a button", cause=delivery.reason)

    def _carried_out(self, pressed: Pressed) -> Reply | None:
        try:
            who = self._who(pressed)
            if who is None:
                return Reply(
                    f"This service does not know who you are ({pressed.user}). Whoever runs it adds you to "
                    "the file CONTRACTS_PEOPLE_FILE, with the squads that you act for."
                )
            reply = self._pressing.press(pressed.press, who)
        except CouldNotCheck as error:
            _log.warning("could not do what a button is for", cause=str(error))
            return Reply(
                f"It could not be done: {error.what}: {error.cause}. {error.hint or 'Press again soon.'}"
            )
        except Exception:
            # A defect must not be met with silence: somebody is looking at the message.
            _log.exception("a defect while doing what a button is for", press=pressed.press.id)
            return Reply("It could not be done, by a defect of the service. It is in its log.")
        _log.info("button pressed", deed=pressed.press.deed.value, who=who.name, said=bool(reply))
        return reply

    def _who(self, pressed: Pressed) -> Responder | None:
        people = self._people()
        found = people.by_slack.get(pressed.user)
        if found is not None or not people.by_email:
            return found
        return people.by_email.get(self._members.email(pressed.user, pressed.workspace).lower())


class SlackPart:
    """What of the service listens to Slack."""

    def __init__(self, desk: SlackDesk, socket: SocketMode | None, people: Watched[Responders]) -> None:
        self.desk, self.socket, self._people = desk, socket, people

    def people_mistake(self) -> UserMistake | None:
        """What is wrong with the file of people as it is now."""
        self._people.now()
        return self._people.mistake

    def start(self) -> None:
        """Begin to listen over Socket Mode, where that is set up; returns at once."""
        if self.socket is not None:
            self.socket.start()

    def stop(self) -> None:
        """Listen no more, and do what was asked for."""
        if self.socket is not None:
            self.socket.stop()
        self.desk.close()


def slack_part(
    settings: Settings,
    acting: Acting,
    heard: HeardStore,
    *,
    token_of: Callable[[str], str],
    after: Callable[[], object] = lambda: None,
) -> SlackPart | None:
    """What listens to Slack; None where nothing of it is set up. Raises UserMistake.

    ``token_of`` gives the bot token of a workspace by its id. ``after`` is called when something was done.
    """
    secrets = settings.slack_signing_secret.get_secret_value().replace(",", " ").split()
    app_token = settings.slack_app_token.get_secret_value().strip()
    if not secrets and not app_token:
        return None
    people = people_of(settings.people_file)
    desk = SlackDesk(
        Pressing(acting=acting, heard=heard),
        people.now,
        Members(token_of, time.monotonic),
        secrets=secrets,
        after=after,
    )
    return SlackPart(desk, SocketMode(app_token, desk.take) if app_token else None, people)
