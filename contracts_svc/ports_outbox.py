"""What alerting needs of a store: groups of messages, the outbox, and silences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

from contracts_svc.alerts import Audience
from contracts_svc.ports_store import SERVICE, Actor
from contracts_svc.routes.groups import Group, Message
from contracts_svc.routes.silences import Silence

T = TypeVar("T")


class MessageState(StrEnum):
    """How a message in the outbox stands."""

    WAITING = "waiting"
    """To be sent."""
    RETRY = "retry"
    """Not taken by its receiver; when its group is due it is made anew, with what is so then."""
    REPLACED = "replaced"
    """Never taken: a newer one was made, or all of it was over."""
    SENT = "sent"
    DEAD = "dead"
    """It cannot be sent, or not for so long that it was given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A message of the outbox as it stands."""

    number: int
    """Counts up; the order in which messages were made."""
    message: Message
    state: MessageState
    reason: str = ""
    """Why it was not sent the last time."""
    settled: datetime | None = None
    """When it came to its state."""


class SilenceStore(Protocol):
    """Keeps silences."""

    def put_silence(self, silence: Silence, now: datetime, by: Actor = SERVICE) -> bool:
        """Keep a silence; False when it is there already."""
        ...

    def silences(self, now: datetime) -> tuple[Silence, ...]:
        """The silences that are in force at that moment or begin later, by their end."""
        ...

    def silence(self, silence_id: str) -> Silence | None:
        """The silence of that id, also when it is over."""
        ...

    def end_silence(self, silence_id: str, now: datetime, by: Actor) -> bool:
        """End a silence now; False when it is over already. UserMistake for an unknown id."""
        ...


class OutboxStore(SilenceStore, Protocol):
    """Keeps what has to be told until it is."""

    def atomically(self, work: Callable[[], T]) -> T:
        """As :meth:`contracts_svc.ports_store.Store.atomically`."""
        ...

    def lock_outbox(self) -> None:
        """Inside ``atomically``: nobody else changes groups until the end of the transaction."""
        ...

    def groups(self, keys: Iterable[str] = (), incidents: Iterable[str] = ()) -> tuple[Group, ...]:
        """The groups with these keys, and those that hold one of these incidents."""
        ...

    def groups_of(self, recipients: Iterable[str]) -> tuple[Group, ...]:
        """The groups of these recipients (:attr:`Group.recipient`)."""
        ...

    def every_group(self) -> tuple[Group, ...]:
        """All groups, by key."""
        ...

    def due_groups(self, now: datetime, limit: int) -> tuple[Group, ...]:
        """Groups that are to be looked at, the longest due first."""
        ...

    def put_groups(self, groups: Iterable[Group]) -> None:
        """Keep these groups as they are now; those without entries are forgotten."""
        ...

    def put_message(self, message: Message) -> None:
        """Keep a message that is to be sent. One with the same key is sent again."""
        ...

    def replace_retries(self, group: str, keep: str = "") -> None:
        """The messages of a group that wait for another try are replaced, but the one of this key."""
        ...

    def take(self, now: datetime, until: datetime, limit: int) -> tuple[Message, ...]:
        """Messages to be sent, in order. Nobody else gets them before ``until``: should this process
        die, they are taken again then."""
        ...

    def settle(
        self,
        key: str,
        state: MessageState,
        now: datetime,
        *,
        attempts: int,
        reason: str = "",
        again: datetime | None = None,
    ) -> None:
        """Write down how the message of this key stands now; what is sent stays so. ``again`` is when
        a message that goes on waiting may be taken."""
        ...

    def messages(
        self, state: MessageState | None = None, *, after: int = 0, limit: int = 100
    ) -> tuple[Kept, ...]:
        """Messages in the order in which they were made, those after the number ``after``."""
        ...

    def message(self, key: str) -> Kept | None:
        """The message whose key begins so; None when there is none, or more than one."""
        ...

    def outbox_counts(self) -> dict[MessageState, int]:
        """How many messages there are in each state."""
        ...

    def outbox_due(self) -> datetime | None:
        """When there is something to do next; None: nothing is waiting."""
        ...

    def period_done(self, name: str) -> bool:
        """Whether what is done once in this period is done."""
        ...

    def end_period(self, name: str, now: datetime) -> bool:
        """What is done once in this period is done now; False when somebody else has done it."""
        ...

    def put_told(
        self, fingerprints: Iterable[str], audience: Audience, at: datetime
    ) -> Mapping[str, datetime]:
        """As :meth:`contracts_svc.ports_store.IncidentStore.put_told`."""
        ...
