"""What the API works with: the parts that :mod:`contracts_svc.app` wires."""

from __future__ import annotations

from dataclasses import dataclass

from contracts_svc.flows.register import Reader
from contracts_svc.ports import Clock
from contracts_svc.ports_lineage import ServiceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One running service. Safe for use by many threads."""

    store: ServiceStore
    read: Reader
    clock: Clock
    everyone_may: bool = False
    """Nobody has to say who they are: for loopback in the demo only."""
