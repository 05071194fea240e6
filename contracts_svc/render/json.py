"""A Verdict as plain data for JSON."""

from __future__ import annotations

from typing import Any

from contracts_svc.findings import Finding
from contracts_svc.impact import Absorbed, Impact
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Edge
from contracts_svc.render.finding import finding_json
from contracts_svc.verdict import Policy, Verdict, Waiver


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """The whole verdict; only what JSON can hold (None, bool, int, float, str, list, dict).

    - ``outcome``: PASS, WARN, BLOCK or COULD_NOT_CHECK; ``exit_code``; ``headline``: one line
    - ``reasons``: sentences, why this outcome; ``could_not_check``: sentences, what stood in the way
    - ``must_agree``: teams whose consumers break without a waiver
    - ``policy``: ``version``, and for ``breaks``, ``may_break``, ``unknown``, ``error_alone`` the outcome
    - ``findings``: each as :func:`finding_json` gives it, and

      - ``unread``: whether what changed is read by nobody, as far as the lineage knows
      - ``waiver``: null, or ``fingerprint``, ``approver``, ``reason``, ``expires`` (ISO 8601)
      - ``impacts``: ``level`` (BREAKS, MAY_BREAK, UNKNOWN, NOTIFY), ``direct`` (reads what changed
        itself), ``consumer`` (``name``, ``kind``, ``dataset``, ``team``, ``owner``, ``tribe``,
        ``contract``, ``channels`` of ``tool`` and ``address``), ``columns`` (of the consumer; empty:
        the whole dataset), ``path`` (edges), ``reason``
      - ``absorbed``: ``at`` (a column), ``path`` (edges), ``reason``

    - ``coverage``: ``datasets_known``, ``consumers``, ``unknown`` (sentences)

    An edge is ``source`` and ``target`` (columns), ``kind``, ``type``, ``expression``, ``origin``,
    ``reason``, ``seen`` (ISO 8601 or null); a column is ``dataset`` and ``column`` (null: the whole
    dataset); a dataset is ``namespace`` and ``name``.
    """
    return {
        "outcome": verdict.outcome.value,
        "exit_code": int(verdict.exit_code),
        "headline": verdict.headline,
        "reasons": list(verdict.reasons),
        "could_not_check": list(verdict.could_not_check),
        "must_agree": list(verdict.must_agree),
        "policy": _policy(verdict.policy),
        "findings": [_judged(verdict, f) for f in verdict.findings],
        "coverage": {
            "datasets_known": verdict.coverage.datasets_known,
            "consumers": verdict.coverage.consumers,
            "unknown": list(verdict.coverage.unknown),
        },
    }


def _judged(verdict: Verdict, finding: Finding) -> dict[str, Any]:
    waiver = verdict.waiver_of(finding)
    return {
        **finding_json(finding),
        "unread": finding in verdict.unread,
        "waiver": _waiver(waiver) if waiver else None,
        "impacts": [_impact(i) for i in verdict.impacts_of(finding)],
        "absorbed": [_absorbed(a) for a in verdict.absorbed if a.finding == finding],
    }


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "version": policy.version,
        "breaks": policy.breaks.value,
        "may_break": policy.may_break.value,
        "unknown": policy.unknown.value,
        "error_alone": policy.error_alone.value,
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "fingerprint": waiver.fingerprint,
        "approver": waiver.approver,
        "reason": waiver.reason,
        "expires": waiver.expires.isoformat(),
    }


def _impact(impact: Impact) -> dict[str, Any]:
    return {
        "level": impact.level.value,
        "direct": impact.direct,
        "consumer": _consumer(impact.consumer),
        "columns": list(impact.columns),
        "path": [_edge(e) for e in impact.path],
        "reason": impact.reason,
    }


def _absorbed(absorbed: Absorbed) -> dict[str, Any]:
    return {
        "at": _ref(absorbed.at),
        "path": [_edge(e) for e in absorbed.path],
        "reason": absorbed.reason,
    }


def _consumer(consumer: Consumer) -> dict[str, Any]:
    return {
        "name": consumer.name,
        "kind": consumer.kind.value,
        "dataset": _dataset(consumer.dataset),
        "team": consumer.team,
        "owner": consumer.owner,
        "tribe": consumer.tribe,
        "contract": consumer.contract,
        "channels": [{"tool": c.tool, "address": c.address} for c in consumer.channels],
    }


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "source": _ref(edge.source),
        "target": _ref(edge.target),
        "kind": edge.kind.value,
        "type": edge.type.value,
        "expression": edge.expression,
        "origin": edge.origin,
        "reason": edge.reason,
        "seen": edge.seen.isoformat() if edge.seen else None,
    }


def _ref(ref: ColumnRef) -> dict[str, Any]:
    return {"dataset": _dataset(ref.dataset), "column": ref.column}


def _dataset(dataset: DatasetId) -> dict[str, Any]:
    return {"namespace": dataset.namespace, "name": dataset.name}
