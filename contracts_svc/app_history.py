"""Wires what checks know of the past, for a command that may never ask for it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from contracts_svc import app
from contracts_svc.model import Contract, Table
from contracts_svc.ports_history import History
from contracts_svc.quality.anomalies import Past
from contracts_svc.quality.service_history import ServiceHistory
from contracts_svc.settings import Settings


class OpenedWhenAsked:
    """The history in the database of the settings, which is opened by the first question."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: History | None = None

    def past(self, contract: Contract, table: Table, checks: Collection[str], now: datetime) -> Past:
        """What may be learned. Raises CouldNotCheck, UserMistake."""
        return self._history().past(contract, table, checks, now)

    def service(self, contract: Contract, table: Table, now: datetime) -> ServiceHistory:
        """What runs and incidents tell. Raises CouldNotCheck, UserMistake."""
        return self._history().service(contract, table, now)

    def _history(self) -> History:
        if self._opened is None:
            from contracts_svc.flows.learning import StoredHistory

            self._opened = StoredHistory(app.store(self._settings))
        return self._opened


def history(settings: Settings) -> History | None:
    """What earlier runs found, where there is a database of them; none is made."""
    address = settings.database_url.get_secret_value()
    scheme, _, path = address.partition("///")
    if scheme.startswith("sqlite") and not Path(path).is_file():
        return None
    return OpenedWhenAsked(settings)
