"""Where the pages of the service are, as paths: for messages, checks on GitHub, and the pages themselves."""

from __future__ import annotations

from urllib.parse import quote, urlencode


def contract(contract_id: str, table: str = "") -> str:
    """The page of a contract, at one of its tables where one is named."""
    return f"/contracts/{_part(contract_id)}" + _query(table=table)


def run(run_id: str) -> str:
    """The page of a run."""
    return f"/runs/{_part(run_id)}"


def incident(fingerprint: str) -> str:
    """The page of an incident."""
    return f"/incidents/{_part(fingerprint)}"


def lineage(dataset: str, column: str = "") -> str:
    """The page of what a dataset, or one of its columns, is made of and who reads it."""
    return "/lineage" + _query(dataset=dataset, column=column)


def pull(repository: str, number: int) -> str:
    """The page of a pull request; ``repository`` is ``OWNER/NAME``."""
    return f"/pulls/{quote(repository)}/{number}"


def changelog(contract_id: str, old: str, new: str = "") -> str:
    """The page of what changed between two versions of a contract."""
    return "/changelog" + _query(contract=contract_id, old=old, new=new)


def badge(contract_id: str) -> str:
    """The picture that says whether a contract is kept."""
    return f"/api/v1/contracts/{_part(contract_id)}/badge.svg"


def _part(text: str) -> str:
    # Ids may hold slashes, and half a character.
    return quote(text, safe=":", errors="replace")


def _query(**given: str) -> str:
    found = urlencode({k: v for k, v in given.items() if v}, errors="replace")
    return f"?{found}" if found else ""
