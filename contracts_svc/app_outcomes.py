"""Wires who is told of every run of a check: an endpoint of OpenLineage, and the metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from contracts_svc.adapters.openlineage_endpoint import OpenLineageEndpoint
from contracts_svc.errors import CouldNotCheck
from contracts_svc.lineage.servers import dataset_of
from contracts_svc.model import Contract, Table
from contracts_svc.render.run_event import run_event
from contracts_svc.runs import Run
from contracts_svc.settings import Settings

if TYPE_CHECKING:
    from contracts_svc.check_metrics import CheckMetrics

PRODUCER = "urn:contracts-svc"


class Outcomes:
    """Tells of runs. That nobody could be told never changes what a run found.

    Raises UserMistake where the settings name no web address.
    """

    def __init__(self, settings: Settings, metrics: CheckMetrics | None = None) -> None:
        url, key = settings.openlineage_url, settings.openlineage_api_key.get_secret_value()
        self._endpoint = OpenLineageEndpoint(url, key) if url else None
        self._metrics = metrics

    def tell(self, contract: Contract, table: Table, run: Run) -> Iterator[CouldNotCheck]:
        """Tell of a run; what could not be told, and why."""
        if self._metrics is not None:
            self._metrics.ran(run)
        if self._endpoint is None:
            return
        dataset = dataset_of(contract, table)
        try:
            self._endpoint.send(run_event(run, dataset.namespace, dataset.name, PRODUCER))
        except CouldNotCheck as error:
            yield error
