"""Data contracts as text: reading ODCS documents, and what is wrong in them that a schema cannot see."""

from contracts_svc.odcs.lint import LINT_RULES, LintRule, lint
from contracts_svc.odcs.read import SUPPORTED_VERSIONS, read
from contracts_svc.odcs.references import is_local, resolve

CONTRACT_SUFFIXES = (".odcs.yaml", ".odcs.yml")
"""How the names of contract files end."""

__all__ = [
    "CONTRACT_SUFFIXES",
    "LINT_RULES",
    "SUPPORTED_VERSIONS",
    "LintRule",
    "is_local",
    "lint",
    "read",
    "resolve",
]
