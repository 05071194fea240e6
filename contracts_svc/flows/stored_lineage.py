"""Lineage that is kept in a store: what a question needs of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts_svc.findings import Finding
from contracts_svc.flows.lineage import Lineage
from contracts_svc.impact import Assessment, DatasetOf, assess
from contracts_svc.impact_age import assess_by_age
from contracts_svc.lineage.age import Ages
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.model import Contract, Table


def assess_part(
    lineage: Lineage,
    findings: Sequence[Finding],
    *,
    dataset_of: DatasetOf,
    promises: Mapping[DatasetId, tuple[Contract, Table]],
    ages: Ages,
) -> Assessment:
    """Judge findings by a lineage that may be a part of the whole."""
    return assess_by_age(
        lambda graph: assess(
            findings,
            dataset_of=dataset_of,
            graph=graph,
            consumers=lineage.consumers,
            promises=promises,
            ages=ages,
            extent=lineage.extent,
        ),
        lineage.graph,
        ages,
    )
