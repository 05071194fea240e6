"""What the standard's JSON Schema lets pass in a contract, but nobody means."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from contracts_svc.findings import Finding, Severity, ordered
from contracts_svc.model import Contract
from contracts_svc.odcs import lint_rules as rules


@dataclass(frozen=True, slots=True)
class LintRule:
    """One row: what is checked, how bad a breach is and why it matters, and the function that looks."""

    id: str
    purpose: str
    severity: Severity
    why: str
    handler: Callable[[Contract], Iterable[rules.Remark]]


def lint(contract: Contract) -> tuple[Finding, ...]:
    """Everything that the rules notice, the worst first."""
    return ordered(
        Finding(
            rule=rule.id,
            severity=rule.severity,
            message=remark.message,
            at=remark.at,
            why=rule.why,
            fix=remark.fix,
            contract=contract.id,
        )
        for rule in LINT_RULES
        for remark in rule.handler(contract)
    )


LINT_RULES: tuple[LintRule, ...] = (
    LintRule(
        "lint-duplicate-table",
        "Checks that no two tables have the same name",
        Severity.ERROR,
        "Readers cannot tell which of the two is meant.",
        rules.duplicate_tables,
    ),
    LintRule(
        "lint-duplicate-column",
        "Checks that no two columns of a table or object have the same name",
        Severity.ERROR,
        "Readers cannot tell which of the two is meant.",
        rules.duplicate_columns,
    ),
    LintRule(
        "lint-duplicate-id",
        "Checks that no two elements of a list have the same id",
        Severity.ERROR,
        "An id tells a renamed element from a new one, and a reference leads to it.",
        rules.duplicate_ids,
    ),
    LintRule(
        "lint-duplicate-server",
        "Checks that no two servers have the same name",
        Severity.ERROR,
        "A check names its server.",
        rules.duplicate_servers,
    ),
    LintRule(
        "lint-primary-key",
        "Checks that each column of a composite primary key, and no other column, has a position in it",
        Severity.WARNING,
        "The order of a key matters to who sorts, partitions or joins by it.",
        rules.primary_key,
    ),
    LintRule(
        "lint-relationship-target",
        "Checks that relationships within the contract lead to tables and columns that it has",
        Severity.WARNING,
        "The foreign key cannot be checked, and lineage misses it.",
        rules.relationship_targets,
    ),
    LintRule(
        "lint-relationship-length",
        "Checks that a relationship has as many target columns as source columns",
        Severity.ERROR,
        "Each column of a foreign key points to one column of the other table.",
        rules.relationship_lengths,
    ),
    LintRule(
        "lint-pattern",
        "Checks that patterns are regular expressions",
        Severity.ERROR,
        "No engine can check it.",
        rules.patterns,
    ),
    LintRule(
        "lint-range",
        "Checks that lower bounds are not above upper bounds",
        Severity.ERROR,
        "No data can keep this promise.",
        rules.ranges,
    ),
    LintRule(
        "lint-quality-operator",
        "Checks that library and SQL quality rules have a metric and an operator",
        Severity.WARNING,
        "A rule that compares with nothing is never broken.",
        rules.quality_operator,
    ),
    LintRule(
        "lint-quality-level",
        "Checks that metrics about columns stand at columns",
        Severity.WARNING,
        "Nothing says which column to look at.",
        rules.quality_level,
    ),
    LintRule(
        "lint-quality-columns",
        "Checks that the columns that a quality rule names exist",
        Severity.ERROR,
        "The rule cannot be checked.",
        rules.quality_columns,
    ),
    LintRule(
        "lint-quality-arguments",
        "Checks that rules about invalid values say which values are valid",
        Severity.WARNING,
        "The rule cannot be checked.",
        rules.quality_arguments,
    ),
    LintRule(
        "lint-schedule",
        "Checks that schedules without another scheduler are cron expressions",
        Severity.WARNING,
        "The checks do not run then, but when the contract's other schedules or service levels say.",
        rules.schedules,
    ),
    LintRule(
        "lint-owner",
        "Checks that a team owns the contract",
        Severity.WARNING,
        "When the data breaks, nobody is told.",
        rules.owner,
    ),
    LintRule(
        "lint-support",
        "Checks that there is a support channel",
        Severity.WARNING,
        "Who reads the data does not know where to ask.",
        rules.support,
    ),
    LintRule(
        "lint-server-location",
        "Checks that locations of S3 servers are S3 addresses",
        Severity.ERROR,
        "The data cannot be found.",
        rules.server_location,
    ),
    LintRule(
        "lint-credentials",
        "Checks that no server holds a password or key",
        Severity.ERROR,
        "Everyone who can read the contract can use it.",
        rules.credentials,
    ),
)
"""Every rule, one row each: what the command line, the documentation and the tests read."""
