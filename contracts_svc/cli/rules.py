"""``contracts rules``: every rule, check kind, receiver, setting and policy key, from their tables."""

from __future__ import annotations

from contracts_svc import settings
from contracts_svc.adapters.receivers import RECEIVERS
from contracts_svc.cli.output import folded, paint, print_json
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import FAMILIES, RULES
from contracts_svc.drift import DRIFT_RULES
from contracts_svc.errors import ExitCode
from contracts_svc.lineage.sql_findings import SQL_RULES
from contracts_svc.odcs import LINT_RULES
from contracts_svc.policy_read import key_rows
from contracts_svc.quality.kinds import KINDS

Section = tuple[str, list[tuple[str, str]]]

_MODES = (Mode.BACKWARD, Mode.FORWARD, Mode.FULL)
"""A transitive mode says the same of each version, and NONE is always info."""


def sections() -> list[Section]:
    """Title, then id and purpose of each row, for text and docs."""
    return [
        *(
            (
                f"Compatibility rules: {family} (severity in {', '.join(_MODES)})",
                [(r.id, f"{r.purpose} ({', '.join(r.severities[m] for m in _MODES)})") for r in rules],
            )
            for family, rules in FAMILIES.items()
        ),
        ("Rules on changed SQL", [(r.id, f"{r.purpose} ({r.severity})") for r in SQL_RULES]),
        ("Rules on changed schema sources", [(r.id, f"{r.purpose} ({r.severity})") for r in DRIFT_RULES]),
        ("Lint rules", [(r.id, r.purpose) for r in LINT_RULES]),
        ("Check kinds", [(k.key, f"{k.purpose} (from {k.source})") for k in KINDS]),
        ("Receivers", [(name, row.purpose) for name, row in RECEIVERS.items()]),
        ("Keys of contracts-policy.yaml", key_rows()),
        (
            "Settings (environment, or contracts.toml without the prefix, in lower case)",
            [
                (n, text + (f" (default: {default})" if default else ""))
                for n, default, text in settings.rows()
            ],
        ),
    ]


def run(format: str) -> ExitCode:
    """Print the tables."""
    family_of = {r.id: family for family, rules in FAMILIES.items() for r in rules}
    if format == "json":
        print_json(
            ExitCode.OK,
            {
                "compatibility": [
                    {
                        "id": r.id,
                        "purpose": r.purpose,
                        "family": family_of[r.id],
                        "severities": {m.value: s and s.value for m, s in r.severities.items()},
                    }
                    for r in RULES
                ],
                "sql": [{"id": r.id, "purpose": r.purpose, "severity": r.severity.value} for r in SQL_RULES],
                "drift": [
                    {"id": r.id, "purpose": r.purpose, "severity": r.severity.value} for r in DRIFT_RULES
                ],
                "lint": [{"id": r.id, "purpose": r.purpose} for r in LINT_RULES],
                "checks": [{"key": k.key, "purpose": k.purpose, "source": k.source} for k in KINDS],
                "receivers": [{"name": n, "purpose": r.purpose} for n, r in RECEIVERS.items()],
                "policy": [{"name": n, "meaning": text} for n, text in key_rows()],
                "settings": [
                    {"name": n, "default": default, "meaning": text} for n, default, text in settings.rows()
                ],
            },
        )
        return ExitCode.OK
    for title, rows in sections():
        print(paint(title, "bold"))
        for name, text in rows:
            print(folded(f"  {name:<34} {text}", " " * 37))
        print()
    return ExitCode.OK
