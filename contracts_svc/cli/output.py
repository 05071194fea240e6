"""Printing: rich for people, JSON for programs, and severities in the same colours everywhere."""

from __future__ import annotations

import shutil
import sys
import textwrap
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
        place, rest = f"{finding.at}: ", finding.graded.removeprefix(label)
        told = folded(f"{place}{label}{rest} [{finding.rule}] {finding.message}", "    ")
        if told.startswith(place + label):
            told = place + paint(label, STYLES[finding.severity]) + told[len(place + label) :]
        print(told)
        if finding.why:
            print(folded(f"    why: {finding.why}", "         "))
        if finding.fix:
            print(folded(f"    fix: {finding.fix}", "         "))


def folded(line: str, indent: str) -> str:
    """The line in as many as the terminal's width asks for, the further ones indented; as it is where
    stdout is no terminal, for programs that read line by line."""
    if not sys.stdout.isatty():
        return line
    width = shutil.get_terminal_size().columns
    # Words are kept whole, so that places and fixes can be copied.
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def width() -> int:
    """Columns that text is wrapped to: the terminal's, within what reads well; 80 where there is none."""
    return min(max(shutil.get_terminal_size().columns, 60), 120)


def paint(text: str, style: str) -> str:
    """The text in a style where stdout is a terminal, else as it is."""
    if not sys.stdout.isatty():
        return text
    codes = {"bold red": "1;31", "yellow": "33", "cyan": "36", "green": "32", "bold": "1", "dim": "2"}
    return f"\x1b[{codes[style]}m{text}\x1b[0m"


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
