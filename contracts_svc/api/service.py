"""What the API works with: the parts that :mod:`contracts_svc.app` wires."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from contracts_svc.api.hub import HubDesk
from contracts_svc.flows.login import Login
from contracts_svc.flows.register import Reader
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.policy import Policies
from contracts_svc.ports import Clock, PatternInclusion
from contracts_svc.ports_jobs import JobStore
from contracts_svc.ports_lineage import ServiceStore
from contracts_svc.ports_store import HeardStore
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile

Patterns = Callable[[], AbstractContextManager[PatternInclusion | None]]
"""What compares patterns, one for each request: it is for one thread, and has a budget."""


class Buttons(Protocol):
    """Takes what Slack sends when somebody presses a button."""

    @property
    def takes_http(self) -> bool:
        """Whether requests can be told to be Slack's."""
        ...

    def is_from_slack(self, timestamp: str, body: bytes, signature: str) -> bool:
        """Whether a request is signed by Slack, and fresh."""
        ...

    def take(self, payload: object) -> bool:
        """Have it carried out, later. False: too much waits. Raises UserMistake."""
        ...


class ApiStore(ServiceStore, JobStore, HeardStore, Protocol):
    """What the API needs of the store."""

    def probe(self, now: datetime) -> str:
        """See that it can be used now; what went wrong lately, though. Raises CouldNotCheck."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One running service. Safe for use by many threads."""

    store: ApiStore
    lineage: StoredLineage
    """The lineage in the store: one for the whole process, which keeps what it knows of each tenant."""
    read: Reader
    clock: Clock
    everyone_may: bool = False
    """Nobody has to say who they are: for loopback in the demo only."""
    policies: Policies = field(default_factory=Policies)
    """What registrations and pre-flights are judged by."""
    patterns: Patterns = nullcontext
    """Without them, changed patterns are undecided."""
    not_ready: Callable[[], Sequence[str]] = tuple
    """What of this process cannot be used now, and why, besides the store."""
    login: Login | None = None
    """How people log in; None: there are only tokens."""
    routes: Callable[[], RouteFile] = lambda: DEFAULT_ROUTES
    """The route file of alerts as it is now."""
    public_url: str = ""
    """Where people reach this service, for links."""
    session_lasts: timedelta = timedelta(hours=8)
    """How long a browser may stand for the token that was given to it."""
    warnings: Callable[[], tuple[str, ...]] = tuple
    """What those who run it should put right, though it goes on."""
    slack: Buttons | None = None
    """What buttons in Slack are for; None: Slack is not set up."""
    github: HubDesk | None = None
    """Where webhooks of a GitHub App come in; None: there is none."""

    @property
    def site(self) -> str:
        """What a browser's address bar says of this service, without a path; empty: not known."""
        return self.login.public_url if self.login is not None else self.public_url.rstrip("/")
