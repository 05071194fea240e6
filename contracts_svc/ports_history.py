"""What a check needs of the past: figures that earlier runs found."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from contracts_svc.model import Contract, Table
from contracts_svc.quality.anomalies import Past
from contracts_svc.quality.service_history import ServiceHistory


class History(Protocol):
    """Knows what earlier runs found. Raises CouldNotCheck."""

    def past(self, contract: Contract, table: Table, checks: Collection[str], now: datetime) -> Past:
        """The past of these checks (by id) of a table."""
        ...

    def service(self, contract: Contract, table: Table, now: datetime) -> ServiceHistory:
        """What earlier runs of a table saw, and how long its incidents took."""
        ...
