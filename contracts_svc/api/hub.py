"""What the API needs of the GitHub App."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts_svc.flows.hub_inbox import Inbox
from contracts_svc.github.config import HubConfig
from contracts_svc.ports_hub_store import HubStore


@dataclass(frozen=True, slots=True, kw_only=True)
class HubDesk:
    """Where webhooks come in. ``secrets`` are those that are valid: two while one is changed."""

    store: HubStore
    inbox: Inbox
    config: HubConfig
    secrets: Sequence[str] = field(repr=False)
