"""Take a contract into the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.model import Contract
from contracts_svc.ports_store import ContractStore

Reader = Callable[[bytes, str], Contract]
"""Text and file name -> Contract; raises UserMistake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A contract that is in the registry; ``new`` is False when these bytes were there already."""

    contract: Contract
    new: bool


def register(text: bytes, file: str, *, read: Reader, store: ContractStore, now: datetime) -> Registered:
    """Read, validate and keep a contract version. Raises UserMistake.

    The same bytes again change nothing; other bytes under a version that is already there are refused,
    since versions never change.
    """
    contract = read(text, file)
    return Registered(contract=contract, new=store.put_contract(contract, text, now))
