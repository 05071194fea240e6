"""What forgetting needs of a store. Contracts, incidents and the audit are never forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

BATCH = 1_000
"""Rows of one transaction."""


class RetentionStore(Protocol):
    """Forgets what is old: each method at most ``batch`` rows in one transaction; how many there were.

    Raises CouldNotCheck when the store cannot be reached.
    """

    def prune_measurements(self, before: datetime, *, batch: int = BATCH) -> int:
        """Figures of checks from before that moment."""
        ...

    def prune_runs(self, before: datetime, *, batch: int = BATCH) -> int:
        """Runs that began before that moment, with their results and figures. The last run of a table
        stays, however old it is."""
        ...

    def prune_scheduled(self, before: datetime, *, batch: int = BATCH) -> int:
        """Scheduled runs that were over before that moment. The last one of a table by its schedule stays:
        by it is known that it was."""
        ...

    def prune_events(self, before: datetime, *, batch: int = BATCH) -> int:
        """Publish events from before that moment that a run has answered."""
        ...

    def prune_heard(self, before: datetime, *, batch: int = BATCH) -> int:
        """Messages that were heard before that moment: presses of buttons."""
        ...

    def prune_states(self, *, batch: int = BATCH) -> int:
        """What is known of the files of contracts that are retired."""
        ...

    def prune_messages(self, before: datetime, *, batch: int = BATCH) -> int:
        """Messages that were sent or replaced before that moment."""
        ...
