"""What the API works with: the parts that :mod:`contracts_svc.app` wires."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from contracts_svc.api.hub import HubDesk
from contracts_svc.flows.register import Reader
from contracts_svc.policy import Policies
from contracts_svc.ports import Clock, Jobs, PatternInclusion
from contracts_svc.ports_lineage import ServiceStore

Patterns = Callable[[], AbstractContextManager[PatternInclusion | None]]
"""What compares patterns, one for each request: it is for one thread, and has a budget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One running service. Safe for use by many threads."""

    store: ServiceStore
    read: Reader
    clock: Clock
    everyone_may: bool = False
    """Nobody has to say who they are: for loopback in the demo only."""
    policies: Policies = field(default_factory=Policies)
    """What registrations and pre-flights are judged by."""
    patterns: Patterns = nullcontext
    """Without them, changed patterns are undecided."""
    jobs: Jobs | None = None
    """Where work goes that takes longer than a request; None: there is nobody to do it."""
    github: HubDesk | None = None
    """Where webhooks of a GitHub App come in; None: there is none."""
