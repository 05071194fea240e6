"""A Run as plain data for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts_svc.render.finding import location_json
from contracts_svc.runs import Outcome, Result, Run


def run_json(run: Run) -> dict[str, Any]:
    """A run, as every JSON output of ours writes it."""
    return {
        "contract": run.contract,
        "version": run.version,
        "table": run.table,
        "server": run.server,
        "scope": run.scope,
        "started": run.started.isoformat(),
        "published": run.published.isoformat() if run.published else None,
        "seconds": round((run.finished - run.started).total_seconds(), 3),
        "files": run.files,
        "bytes": run.bytes,
        "files_read": run.files_read,
        "bytes_read": run.bytes_read,
        "files_spared": run.files_spared,
        "bytes_spared": run.bytes_spared,
        "rows": run.rows,
        "scans": run.scans,
        "exit_code": int(run.exit_code),
        "counts": outcome_counts(run.results),
        "results": [result_json(r) for r in run.results],
        "unsupported": [
            {"what": u.what, "reason": u.reason, "location": location_json(u.at)} for u in run.unsupported
        ],
    }


def outcome_counts(results: Sequence[Result]) -> dict[str, int]:
    """How many results there are of each outcome."""
    return {o.value: sum(r.outcome is o for r in results) for o in Outcome}


def result_json(result: Result) -> dict[str, Any]:
    """A result, as every JSON output of ours writes it."""
    return {
        "check": result.check.id,
        "kind": result.check.kind,
        "columns": list(result.check.columns),
        "outcome": result.outcome.value,
        "severity": result.check.severity.value,
        "dimension": result.check.dimension,
        "expected": result.expected,
        "found": result.found,
        "failing": result.failing,
        "rows": result.rows,
        "values": dict(result.values),
        "reason": result.reason,
        "samples": [dict(s) for s in result.samples],
        "breakdown": [{"where": b.where, "failing": b.failing} for b in result.breakdown],
        "location": location_json(result.check.at),
    }
