"""Webhooks: kept first, with the work that they ask for, so that they are answered at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts_svc.github.config import HubConfig
from contracts_svc.github.events import Event, read_event
from contracts_svc.github.work import Work, work_of
from contracts_svc.ports_hub_store import Delivered, HubStore


class Kept(StrEnum):
    """What became of a delivery."""

    NEW = "new"
    KNOWN = "known"
    """It came before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """Takes the webhooks of one App. ``app_id``: the checks of other Apps are not ours to repeat."""

    store: HubStore
    config: HubConfig
    app_id: int | None = None

    def take(self, name: str, delivery: str, body: bytes, now: datetime) -> Kept:
        """Keep a delivery whose signature was checked. Raises UserMistake for what cannot be read."""
        event = read_event(name, body, delivery)
        delivered = Delivered(
            id=delivery,
            event=name,
            action=event.action or "",
            repository=str(event.repository or ""),
        )
        new = self.store.deliver(delivered, tuple(self._asked(event)), now)
        return Kept.NEW if new else Kept.KNOWN

    def _asked(self, event: Event) -> Iterator[Work]:
        """The work for repositories that are served."""
        for work in work_of(event, self.app_id):
            if self.config.rule_of(work.repository) is not None:
                yield work
