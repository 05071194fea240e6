"""What people declared to the service, as lineage takes it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from functools import lru_cache

from contracts_svc.lineage.declared import Declaration, Reads, read_declarations
from contracts_svc.lineage.declared import Subscription as Declared
from contracts_svc.model import NOWHERE
from contracts_svc.ports_lineage import Product
from contracts_svc.ports_store import Subscription


def declarations(
    subscriptions: Iterable[Subscription], products: Iterable[Product], known: Container[str]
) -> tuple[Declaration, ...]:
    """Subscriptions to known contracts, and data products."""
    read = (d for p in products for d in _read(p.text, f"data product {p.id}"))
    return (*_declared(subscriptions, known), *read)


@lru_cache(maxsize=2_000)
def _read(text: bytes, name: str) -> tuple[Declaration, ...]:
    return read_declarations(text, name)


def _declared(subscriptions: Iterable[Subscription], known: Container[str]) -> tuple[Declared, ...]:
    return tuple(
        Declared(
            consumer=s.consumer,
            reads=Reads(contract=s.contract, version=s.version),
            team=s.team,
            channels=s.channels,
            columns=tuple((c, NOWHERE) for c in s.columns),
        )
        for s in subscriptions
        if s.contract in known
    )
