"""Fills a running service with the demo: its contracts, lineage, runs, and a fault that people hear of."""

from __future__ import annotations

import json
from pathlib import Path

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.demo import files
from contracts_svc.demo.corrupt import publish_corrupted_december
from contracts_svc.demo.publish import publish_derived, publish_sources
from contracts_svc.demo.run import Demo
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.telling import Telling
from contracts_svc.ports import S3Access

_MONTHS = range(1, 12)
"""Checked one by one before the fault, which is in December."""


def fill(
    store: DatabaseStore, known: StoredLineage, telling: Telling, access: S3Access, directory: Path
) -> None:
    """Publish the demo's data at ``access`` and put all that follows into the store. Every figure is
    measured. Raises CouldNotCheck and UserMistake like any command."""
    demo = Demo(access, directory, store)
    publish_sources(access)
    publish_derived(access)
    contracts = demo.register()
    store.put_edges(demo.lineage().graph.edges)
    events = [
        json.loads(line) for text in files.lineage_events().values() for line in text.splitlines() if line
    ]
    known.take(events, tenant="", now=demo.clock.now())
    flights = next(c for c in contracts if c.tables[0].name == "flights")
    runs = [demo.check(c) for c in contracts]
    runs += [demo.check(flights, {"month": str(month)}) for month in _MONTHS]
    publish_corrupted_december(access)
    runs.append(demo.check(flights, {"month": "12"}))
    for run in runs:
        telling.tell(run)
