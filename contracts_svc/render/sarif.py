"""A Report as SARIF 2.1.0 (OASIS), which GitHub's code scanning and many editors show.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

from typing import Any

from contracts_svc.compat.rules import RULES
from contracts_svc.drift import DRIFT_RULES
from contracts_svc.findings import Suggestion
from contracts_svc.lineage.sql_findings import SQL_RULES
from contracts_svc.policy import Outcome
from contracts_svc.render import clean
from contracts_svc.render.json_text import json_text
from contracts_svc.render.places import as_uri
from contracts_svc.render.report import Note, Report

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Outcome.BLOCK: "error", Outcome.WARN: "warning", Outcome.PASS: "note"}
_PURPOSES = {rule.id: rule.purpose for rule in RULES} | {
    rule.id: rule.purpose for rule in (*SQL_RULES, *DRIFT_RULES)
}


def sarif_text(report: Report) -> str:
    """The report as one SARIF run, the level of each result by what it leads to.

    A change that waivers lift is a suppressed result. What could not be checked makes the run an
    unsuccessful one, with a notification each.
    """
    rules = list(dict.fromkeys(n.rule for n in report.notes))
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "contracts", "rules": [_rule(r) for r in rules]}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not report.could_not_check,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": f"could not check: {text}"}}
                    for text in report.could_not_check
                ],
            }
        ],
        "results": [_result(n, rules.index(n.rule)) for n in report.notes],
        "properties": {"headline": report.headline},
    }
    return json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule: str) -> dict[str, Any]:
    purpose = _PURPOSES.get(rule)
    return {"id": rule} | ({"shortDescription": {"text": purpose}} if purpose else {})


def _result(note: Note, index: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": note.rule,
        "ruleIndex": index,
        "level": _LEVELS[note.outcome],
        "message": {"text": note.text},
        "properties": {"outcome": note.outcome.value, "contract": note.contract, "subject": note.subject},
    }
    if note.at:
        region = {"startLine": note.at.line, "startColumn": note.at.column}
        place = {"artifactLocation": {"uri": as_uri(note.at.file)}, "region": region}
        result["locations"] = [{"physicalLocation": place}]
    if note.suggestion:
        result["fixes"] = [_fix(note.suggestion)]
    if note.fingerprint:
        result["partialFingerprints"] = {"contractChange/v1": note.fingerprint}
    if note.waivers:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": clean(f"{w.approver}: {w.reason}")}
            for w in note.waivers
        ]
    return result


def _fix(suggestion: Suggestion) -> dict[str, Any]:
    """Whole lines: from the start of the first to the start of the one after the last."""
    text = suggestion.text + "\n" if suggestion.text else ""
    region = {
        "startLine": suggestion.first,
        "startColumn": 1,
        "endLine": suggestion.last + 1,
        "endColumn": 1,
    }
    replacement = {"deletedRegion": region, "insertedContent": {"text": text}}
    place = {"uri": as_uri(suggestion.file)}
    return {"artifactChanges": [{"artifactLocation": place, "replacements": [replacement]}]}
