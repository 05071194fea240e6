"""Figures of checks, under documented names (:data:`NAMES`)."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, write_to_textfile

from contracts_svc.runs import Outcome, Run

NAMES: dict[str, str] = {
    "contracts_checks_total": "Checks that were judged, by dataset and outcome: passed, failed, warned, "
    "errored, skipped",
    "contracts_check_run_seconds": "Seconds that a run over a table took, by dataset",
    "contracts_check_files_total": "Files of the tables that were checked, by dataset and whether they were "
    "read or spared",
    "contracts_check_bytes_total": "Bytes of these files, likewise",
    "contracts_check_rows": "Rows of a dataset in its last run",
    "contracts_check_results": "Checks of a dataset in its last run, by outcome",
    "contracts_check_last_run_timestamp_seconds": "When a dataset was last checked",
    "contracts_check_published_timestamp_seconds": "When what was checked was last written",
    "contracts_check_freshness_seconds": "Age of the latest row when it was checked, by dataset and column, "
    "where the contract promises a latency",
}
"""Name of each figure -> what it tells."""

_SECONDS = (0.1, 0.5, 1, 5, 15, 60, 300, 900, 3_600)


class CheckMetrics:
    """The figures of one process, in a registry of the caller's. A dataset is ``contract`` and ``table``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        dataset = ["contract", "table"]
        self._checks = self._counter("contracts_checks", [*dataset, "outcome"])
        self._seconds = Histogram(
            "contracts_check_run_seconds",
            NAMES["contracts_check_run_seconds"],
            dataset,
            buckets=_SECONDS,
            registry=registry,
        )
        self._files = self._counter("contracts_check_files", [*dataset, "what"])
        self._bytes = self._counter("contracts_check_bytes", [*dataset, "what"])
        self._rows = self._gauge("contracts_check_rows", dataset)
        self._results = self._gauge("contracts_check_results", [*dataset, "outcome"])
        self._last = self._gauge("contracts_check_last_run_timestamp_seconds", dataset)
        self._published = self._gauge("contracts_check_published_timestamp_seconds", dataset)
        self._freshness = self._gauge("contracts_check_freshness_seconds", [*dataset, "column"])

    def ran(self, run: Run) -> None:
        """Take in a run."""
        dataset = (run.contract, run.table)
        for outcome in Outcome:
            count = sum(r.outcome is outcome for r in run.results)
            self._checks.labels(*dataset, outcome.value).inc(count)
            self._results.labels(*dataset, outcome.value).set(count)
        self._seconds.labels(*dataset).observe((run.finished - run.started).total_seconds())
        for what, files, size in (
            ("read", run.files_read, run.bytes_read),
            ("spared", run.files_spared, run.bytes_spared),
        ):
            self._files.labels(*dataset, what).inc(files)
            self._bytes.labels(*dataset, what).inc(size)
        if run.rows is not None:
            self._rows.labels(*dataset).set(run.rows)
        self._last.labels(*dataset).set(run.finished.timestamp())
        if run.published is not None:
            self._published.labels(*dataset).set(run.published.timestamp())
        for result in run.results:
            latest = result.values.get("latest") if result.check.kind == "freshness" else None
            if isinstance(latest, str):
                age = _age(latest, run.finished)
                self._freshness.labels(*dataset, result.check.columns[0]).set(age)

    def write(self, path: Path) -> None:
        """Write the registry as a text file, which node_exporter's textfile collector reads.

        It is there as a whole or not at all. Raises OSError.
        """
        write_to_textfile(str(path), self._registry)

    def _gauge(self, name: str, labels: list[str]) -> Gauge:
        return Gauge(name, NAMES[name], labels, registry=self._registry)

    def _counter(self, name: str, labels: list[str]) -> Counter:
        return Counter(name, NAMES[f"{name}_total"], labels, registry=self._registry)


def _age(latest: str, now: datetime) -> float:
    moment = datetime.fromisoformat(latest)
    return (now - (moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo))).total_seconds()
