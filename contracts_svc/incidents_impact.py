"""Severity by impact: what reaches somebody who matters is at least so bad, whatever its rule says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts_svc.alerts import Incident
from contracts_svc.findings import Severity
from contracts_svc.lineage.graph import Consumer
from contracts_svc.routes.matchers import Matcher, matches_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """An incident that reaches a consumer whose labels satisfy all matchers is at least so severe."""

    reached: tuple[Matcher, ...]
    to: Severity


def labels_of(consumer: Consumer) -> Mapping[str, str]:
    """What a consumer is known by in a route file."""
    return {
        "consumer": consumer.name,
        "kind": consumer.kind.value,
        "squad": consumer.team or consumer.owner,
        "tribe": consumer.tribe,
        "contract": consumer.contract,
        "dataset": consumer.dataset.name,
    }


def raised(
    incident: Incident, reached: Iterable[Consumer], raises: Iterable[Raise]
) -> tuple[Severity, str] | None:
    """The severity that an incident is raised to by whom it reaches, and why; None: it is so bad already."""
    rules = sorted(raises, key=lambda r: r.to.rank)
    consumers = list(reached)
    for rule in rules:
        if rule.to.rank >= incident.severity.rank:
            return None
        found = next((c for c in consumers if matches_all(rule.reached, labels_of(c))), None)
        if found is not None:
            return rule.to, f"it reaches {found.name}"
    return None
