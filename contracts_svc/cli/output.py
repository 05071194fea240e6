"""Printing: rich for people, JSON for programs, and severities in the same colours everywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.findings import Finding, Severity
from contracts_svc.render.json_text import json_text

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


def print_json(code: ExitCode, body: dict[str, Any]) -> None:
    """One JSON document on stdout; ``exit_code`` is always in it."""
    print(json_text({"exit_code": int(code), **body}))


def emit(text: str, output: Path | None = None) -> None:
    """Print a rendered result, or write it to a file as UTF-8. Raises UserMistake."""
    if output is None:
        print(text)
        return
    try:
        output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise UserMistake.of(f"{output} cannot be written: {error.strerror}", "name another file") from error


def print_findings(findings: tuple[Finding, ...]) -> None:
    """Findings as text: place, severity, rule, message; below it why and how to make it safe."""
    for finding in findings:
        label = finding.severity.value
        graded = paint(label, STYLES[finding.severity]) + finding.graded.removeprefix(label)
        print(f"{finding.at}: {graded} [{finding.rule}] {finding.message}")
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
