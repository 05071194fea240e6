"""The words of alerting: Incident, Audience, Notification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts_svc.findings import Severity
from contracts_svc.model import Json
from contracts_svc.runs import Result


class IncidentState(StrEnum):
    """The life of an incident.

    PENDING is what may become one: checks that could not be run, and not often enough yet to tell.
    """

    PENDING = "pending"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is wrong now with one dataset, by one check."""

    fingerprint: str
    """Stable for (contract, table, check)."""
    contract: str
    table: str
    check: str
    columns: tuple[str, ...]
    severity: Severity
    state: IncidentState
    opened: datetime
    """When a run first saw it."""
    seen: datetime
    """When a run last saw it."""
    since: str
    """The first partition or file that shows it, or the scope that was checked."""
    evidence: Result
    owner: str | None = None
    """Who acknowledged it."""
    acknowledged_until: datetime | None = None
    """When it opens again unless it is resolved; None: never."""
    resolved: datetime | None = None
    resolution: str = ""
    """Why it is resolved: the run that passed, or what a person said."""
    resolved_by: str = ""
    """Who resolved it by hand; empty: a run that passed."""
    reopened: int = 0
    """How often it came back soon after it was resolved."""
    outcomes: tuple[bool, ...] = ()
    """The last runs that had something to say of it, newest last: was it bad?"""
    flapping: bool = False
    """It comes and goes: it stays open until it has been good for some runs."""
    raised_to: Severity | None = None
    """A severity that it has at least, whatever its rule says."""
    errored: int = 0
    """Of checks that could not be run: how many runs in a row."""
    cause: str = ""
    """The fingerprint of the open incident upstream that explains it."""
    published: datetime | None = None
    """When the data that shows it was published, where that is known."""
    announced: bool = False
    """Whether people were told of it, and so must be told when it is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An incident that changed its state, or (``before`` None) was opened."""

    incident: Incident
    before: IncidentState | None
    at: datetime
    reason: str


class Audience(StrEnum):
    """For whom a notification is written."""

    OWNER = "owner"
    STAKEHOLDER = "stakeholder"


@dataclass(frozen=True, slots=True)
class Link:
    """Something to look at: what it is called, and its address (http or https)."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a message: a heading, plain lines, and perhaps a small table and links."""

    heading: str
    lines: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Json], ...] = ()
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnIt:
    """Who does something about it (or wants to hear no more of it), and until when."""

    who: str
    until: datetime | None = None
    """None: until it is over."""


class UpdateKind(StrEnum):
    """What people do about something that was told."""

    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What somebody did about something that was told: the data is as it was."""

    kind: UpdateKind
    by: OnIt
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How all that is told together stands now, for receivers that can change what they said first."""

    title: str
    severity: Severity
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """What is sent, in neutral form; each receiver renders it in its own way."""

    key: str
    """Idempotency: the same key is the same message."""
    audience: Audience
    team: str
    """Whom it is for, as people call them."""
    receiver: str
    """Which receiver sends it: slack, email, console, ..."""
    channel: str
    """Where to, in the receiver's own terms."""
    url: str = ""
    """A link to the channel, for people: it may tell its workspace."""
    title: str
    severity: Severity
    sections: tuple[Section, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    incidents: tuple[str, ...] = ()
    """Fingerprints of the incidents it tells of."""
    created: datetime | None = None
    group: str = ""
    """What is told together has the same group, from the first message to the last."""
    thread: str = ""
    """What the receiver said of the message before this one of its group (see ``Delivery.thread``)."""
    resolved: tuple[str, ...] = ()
    """Those of the incidents that are over."""
    still_open: int = 0
    """How many incidents of its group are wrong now."""
    labels_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Incident -> its own labels, of those whose are others than the message's."""
    on_it: Mapping[str, OnIt] = field(default_factory=dict)
    """Incident -> who acknowledged it."""
    silenced: OnIt | None = None
    """Who does not want its group to be told for a while."""
    update: str = ""
    """What people did, in a sentence. Then it is no new alert: only receivers get it that can change what
    they said before (:data:`contracts_svc.routes.updates.SHOWN_BY`)."""
    head: Head | None = None
    """How its group stands as a whole; None: as the notification itself says."""
