"""What the API needs of the GitHub App."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from prometheus_client import CollectorRegistry, Gauge

from contracts_svc.errors import CouldNotCheck
from contracts_svc.flows.hub_inbox import Inbox
from contracts_svc.github.config import HubConfig
from contracts_svc.ports_hub_store import HubStore, WorkState

WORK = "contracts_github_work"
"""The figure of work that is not done, by state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubDesk:
    """Where webhooks come in. ``secrets`` are those that are valid: two while one is changed."""

    store: HubStore
    inbox: Inbox
    config: HubConfig
    secrets: Sequence[str] = field(repr=False)


def watch_work(registry: CollectorRegistry, store: HubStore) -> None:
    """How much work for GitHub waits, is under way, and has failed; unknown while the store is away."""
    gauge = Gauge(WORK, "Work for GitHub that is not done, by state", ["state"], registry=registry)

    def count(state: WorkState) -> float:
        try:
            return store.count_work()[state]
        except CouldNotCheck:
            return math.nan

    for state in WorkState:
        gauge.labels(state.value).set_function(partial(count, state))
