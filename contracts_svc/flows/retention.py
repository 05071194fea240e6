"""Forget what is old, a little at a time: beside a running service, which may end at any moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts_svc.flows.lineage_intake import LineageIntake
from contracts_svc.ports_retention import RetentionStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """For how long things are kept. What is not named here is kept for good."""

    measurements: timedelta
    runs: timedelta
    """With their results and figures."""
    events: timedelta
    lineage: timedelta
    """Since a job has reported it last."""
    messages: timedelta


def prune(
    store: RetentionStore,
    lineage: LineageIntake,
    keep: Keep,
    now: datetime,
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> Mapping[str, int]:
    """Forget all that is older; what -> how much there was. Raises CouldNotCheck.

    ``goes_on`` is asked before each transaction: where it says no, the next call goes on.
    """
    parts: tuple[tuple[str, Callable[[], int]], ...] = (
        ("figures", lambda: store.prune_measurements(now - keep.measurements)),
        ("runs", lambda: store.prune_runs(now - keep.runs)),
        # Before the runs that answer them.
        ("events", lambda: store.prune_events(now - keep.events)),
        ("scheduled runs", lambda: store.prune_scheduled(now - keep.runs)),
        ("reports of lineage", lambda: lineage.forget(now - keep.lineage)),
        ("presses of buttons", lambda: store.prune_heard(now - keep.events)),
        ("files of retired contracts", store.prune_states),
        ("messages", lambda: store.prune_messages(now - keep.messages)),
    )
    done = {name: 0 for name, _ in parts}
    for name, forget in parts:
        while goes_on() and (some := forget()):
            done[name] += some
    return done
