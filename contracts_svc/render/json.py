"""A Verdict as plain data for JSON."""

from __future__ import annotations

from typing import Any

from contracts_svc.findings import Finding
from contracts_svc.impact import Absorbed, Coverage, Impact
from contracts_svc.impact_coverage import Unseen
from contracts_svc.lineage.graph import ColumnRef, Consumer, DatasetId, Edge
from contracts_svc.render.finding import finding_json
from contracts_svc.verdict import Policy, Verdict, Waiver


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """The whole verdict; only what JSON can hold (None, bool, int, float, str, list, dict).

    - ``outcome``: PASS, WARN, BLOCK or COULD_NOT_CHECK; ``exit_code``; ``headline``: one line
    - ``reasons``: sentences, why this outcome; ``could_not_check``: sentences, what stood in the way
    - ``must_agree``: those whose waiver a blocked change lacks: owners of consumers, and names
    - ``decided_at``: the moment of the decision (ISO 8601)
    - ``policy``: the organisation's: ``version``, ``mode``, and for ``breaks``, ``may_break``,
      ``unknown``, ``error_alone``, ``major_version_with_old_alive`` the outcome; ``deprecation_days``
    - ``findings``: each as :func:`finding_json` gives it, and

      - ``outcome``: what it leads to under the policy of its contract; ``waived``: whether waivers lift it
      - ``waivers``: those in force: ``fingerprint``, ``approver``, ``reason``, ``expires`` (ISO 8601)
      - ``must_agree``: who has not agreed to it; ``too_early``: why it is removed before its time, or null
      - ``unread``: whether what changed is read by nobody, as far as the lineage knows
      - ``impacts``: ``level`` (BREAKS, MAY_BREAK, UNKNOWN, NOTIFY), ``direct`` (reads what changed
        itself), ``consumer`` (``name``, ``kind``, ``dataset``, ``team``, ``owner``, ``tribe``,
        ``contract``, ``channels`` of ``tool`` and ``address``), ``columns`` (of the consumer; empty:
        the whole dataset), ``path`` (edges), ``reason``
      - ``absorbed``: ``at`` (a column), ``path`` (edges), ``reason``

    - ``on_base``: fingerprints of changes that the base branch has made already; they do not count
    - ``coverage``: ``datasets_known``, ``consumers``, ``readers`` (datasets that read what changed),
      ``columns_unknown`` (readers), ``quiet`` and ``stale`` (``reader``, ``source``, ``seen``),
      ``unresolved`` and ``unknown`` (sentences)

    ``verdict.schema.json`` beside this module is its JSON Schema.

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
        "decided_at": verdict.decided_at.isoformat() if verdict.decided_at else None,
        "policy": _policy(verdict.policy),
        "findings": [_judged(verdict, f) for f in verdict.findings],
        "on_base": [f.fingerprint for f in verdict.on_base],
        "coverage": _coverage(verdict.coverage),
    }


def _judged(verdict: Verdict, finding: Finding) -> dict[str, Any]:
    ruling = verdict.ruling_of(finding)
    return {
        **finding_json(finding),
        "outcome": ruling.outcome.value,
        "waived": ruling.waived,
        "waivers": [_waiver(w) for w in ruling.agreed],
        "must_agree": list(ruling.missing),
        "too_early": ruling.early or None,
        "unread": verdict.is_unread(finding),
        "impacts": [_impact(i) for i in verdict.impacts_of(finding)],
        "absorbed": [_absorbed(a) for a in verdict.absorbed_of(finding)],
    }


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        "datasets_known": coverage.datasets_known,
        "consumers": coverage.consumers,
        "readers": coverage.readers,
        "columns_unknown": list(coverage.columns_unknown),
        "quiet": [_unseen(u) for u in coverage.quiet],
        "stale": [_unseen(u) for u in coverage.stale],
        "unresolved": list(coverage.unresolved),
        "unknown": list(coverage.unknown),
    }


def _unseen(unseen: Unseen) -> dict[str, Any]:
    return {"reader": unseen.reader, "source": unseen.source, "seen": unseen.seen.isoformat()}


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "version": policy.version,
        "mode": policy.mode.value,
        "breaks": policy.breaks.value,
        "may_break": policy.may_break.value,
        "unknown": policy.unknown.value,
        "error_alone": policy.error_alone.value,
        "major_version_with_old_alive": policy.major_version_with_old_alive.value,
        "deprecation_days": policy.deprecation_days,
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
