"""The files that ship with the demo: contracts, SQL, the pull request, lineage events, checks.

In a checkout the example contracts are the top-level folders ``contracts/`` and ``checks/``; in a
built wheel these same folders lie beside this module (see ``package-dir`` in pyproject.toml).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_CHECKOUT = _HERE.parent.parent


def contracts_folder() -> Path:
    """The folder of the example contracts."""
    return _first(_HERE / "contracts", _CHECKOUT / "contracts")


def checks_folder() -> Path:
    """The folder of the example custom checks."""
    return _first(_HERE / "checks", _CHECKOUT / "checks")


def contracts() -> Mapping[str, bytes]:
    """File name -> text of every example contract."""
    return _texts(contracts_folder(), ".odcs.yaml")


def sql() -> Mapping[str, bytes]:
    """File name -> text of the SQL that builds the derived tables."""
    return _texts(_HERE / "sql", ".sql")


def pull_request() -> Mapping[str, bytes]:
    """File name -> text of the contracts as the demo's pull request leaves them."""
    return _texts(_HERE / "pull_request", ".odcs.yaml")


def lineage_events() -> Mapping[str, bytes]:
    """File name -> OpenLineage events, one JSON object a line."""
    return _texts(_HERE / "lineage", ".jsonl")


def policy() -> Mapping[str, bytes]:
    """File name -> text of the policy that the demo's pull request is judged by."""
    return _texts(_HERE, "contracts-policy.yaml")


def _first(*folders: Path) -> Path:
    found = next((f for f in folders if f.is_dir()), None)
    if found is None:
        raise FileNotFoundError(f"the demo's folder {folders[0].name}/ is not in this installation")
    return found


def _texts(folder: Path, suffix: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name.endswith(suffix)}
