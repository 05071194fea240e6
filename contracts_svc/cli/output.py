"""Printing: rich for people, JSON for programs, and severities in the same colours everywhere."""

from __future__ import annotations

import json
import sys
from typing import Any

from contracts_svc.errors import ExitCode
from contracts_svc.findings import Finding, Severity

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def print_json(code: ExitCode, body: dict[str, Any]) -> None:
    """One JSON document on stdout; ``exit_code`` is always in it."""
    print(json.dumps({"exit_code": int(code), **body}, indent=2, default=str, ensure_ascii=False))


def print_findings(findings: tuple[Finding, ...]) -> None:
    """Findings as text: place, severity, rule, message; below it why and how to make it safe."""
    for finding in findings:
        label = finding.severity.value
        print(f"{finding.at}: {paint(label, STYLES[finding.severity])} [{finding.rule}] {finding.message}")
        if finding.why:
            print(f"    why: {finding.why}")
        if finding.fix:
            print(f"    fix: {finding.fix}")


def paint(text: str, style: str) -> str:
    """The text in a style where stdout is a terminal, else as it is."""
    if not sys.stdout.isatty():
        return text
    codes = {"bold red": "1;31", "yellow": "33", "cyan": "36", "green": "32", "bold": "1", "dim": "2"}
    return f"\x1b[{codes[style]}m{text}\x1b[0m"


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
