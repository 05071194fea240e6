"""What happened to a dataset, and to whom: what messages are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contracts_svc.alerts import Incident, Section, Transition
from contracts_svc.incidents_background import NOTHING, Background
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.model import Contract
from contracts_svc.routes.channels import UNROUTED
from contracts_svc.routing_reach import Affected

MOST_LINES = 10
"""How many lines or checks of one sort a message lists; of the rest it gives the number."""
MOST_ROWS = 5
"""How many sample rows a message shows for one check."""
LONGEST_TITLE = 120
"""Characters."""
MOST_LINKS = 3
"""Incidents that a message has a link to."""

Message = tuple[str, tuple[Section, ...]]
"""Title and sections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A team and where it is reached."""

    team: str
    receiver: str
    channel: str
    url: str = ""
    """A link to the channel, for people."""
    tribe: str = ""

    @property
    def reached(self) -> str:
        """As in ``#finance on Slack``."""
        if self.receiver == UNROUTED:
            return "no channel known"
        return f"{self.channel} on {self.receiver.capitalize()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A stakeholder team, which of its consumers are affected, and by which of the transitions."""

    recipient: Recipient
    affected: tuple[Affected, ...]
    transitions: tuple[Transition, ...]
    still_open: tuple[Incident, ...] = ()
    """Incidents told of earlier that affect the team as well and are not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened to one dataset: transitions that are all openings or all endings."""

    table: str
    dataset: DatasetId
    over: bool
    transitions: tuple[Transition, ...]
    owner: Recipient
    contract: Contract | None = None
    told: tuple[Told, ...] = ()
    own: tuple[Affected, ...] = ()
    """The owner's own consumers that are affected."""
    still_open: tuple[Incident, ...] = ()
    names: Mapping[DatasetId, str] = field(default_factory=dict)
    """What the readers of a dataset call it."""
    explained: tuple[Incident, ...] = ()
    """Incidents further down that this one is the cause of."""
    causes: Mapping[str, Incident] = field(default_factory=dict)
    """Open incidents further up, by fingerprint."""
    background: Callable[[Incident], Background] = lambda incident: NOTHING
    public_url: str = ""
    """Where people reach this service; empty: there are no links into it."""
