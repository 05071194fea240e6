"""A Gate as plain data for JSON."""

from __future__ import annotations

from typing import Any

from contracts_svc.errors import ExitCode
from contracts_svc.gate import Gate


def gate_json(gate: Gate) -> dict[str, Any]:
    """``open``; ``unknown``: nobody can tell; ``reasons``: sentences; ``contract``, ``tables``;
    ``incidents``: how many of each severity; ``checked``: when the last check ended, or null."""
    return {
        "open": gate.open,
        "unknown": gate.unknown,
        "reasons": list(gate.reasons),
        "contract": gate.contract,
        "tables": list(gate.tables),
        "incidents": {severity.value: number for severity, number in gate.incidents.items()},
        "checked": gate.checked.isoformat() if gate.checked else None,
    }


def gate_code(open: bool, unknown: bool) -> ExitCode:
    """What ``contracts gate`` ends with."""
    if open:
        return ExitCode.OK
    return ExitCode.COULD_NOT_CHECK if unknown else ExitCode.BROKEN
