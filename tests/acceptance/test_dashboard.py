"""The dashboard asks for figures that there are, by labels that they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from contracts_svc.api.metrics import Metrics
from contracts_svc.app_alerts_metrics import AlertMetrics
from contracts_svc.check_metrics import CheckMetrics
from contracts_svc.loops_metrics import LoopMetrics
from contracts_svc.runs import Outcome
from contracts_svc.scheduler_metrics import SchedulerMetrics
from tests.support import ROOT

DASHBOARD = json.loads((ROOT / "contracts_svc/deploy/grafana/contracts.json").read_text(encoding="utf-8"))
_FIGURE = re.compile(r"\b(contracts_[a-z_]+)(\{[^}]*\})?")
_BY = re.compile(r"by \(([^)]*)\)")


def targets() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']}: {target['legendFormat']}", target["expr"]


@pytest.fixture(scope="module")
def figures() -> dict[str, set[str]]:
    """Name of each figure -> its labels."""
    registry = CollectorRegistry()
    for make in (Metrics, SchedulerMetrics, LoopMetrics, CheckMetrics, AlertMetrics):
        make(registry)
    found: dict[str, set[str]] = {}
    for collector in set(registry._names_to_collectors.values()):
        labels: tuple[str, ...] = getattr(collector, "_labelnames", ())
        for name in registry._get_names(collector):
            found[name] = {*labels, *(("le",) if name.endswith("_bucket") else ())}
    return found


@pytest.mark.parametrize(("title", "expression"), [pytest.param(t, e, id=t) for t, e in targets()])
def test_every_figure_is_one_of_ours_by_labels_that_it_has(
    title: str, expression: str, figures: dict[str, set[str]]
) -> None:
    asked = _FIGURE.findall(expression)
    assert asked
    for name, chosen in asked:
        assert name in figures, name
        grouped = {label.strip() for by in _BY.findall(expression) for label in by.split(",")}
        picked = set(re.findall(r"(\w+)=", chosen))
        assert grouped | picked <= figures[name], name
        for outcome in re.findall(r'outcome="([^"]*)"', chosen):
            assert outcome in {o.value for o in Outcome}


def test_panels_do_not_lie_over_one_another_and_say_what_they_show() -> None:
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    assert len({p["id"] for p in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
