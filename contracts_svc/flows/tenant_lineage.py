"""The stored lineage of a tenant, as a pre-flight asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts_svc.errors import CouldNotCheck
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.stored_lineage import LIMIT, Ground, StoredLineage
from contracts_svc.lineage.graph import ColumnRef, DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.names import normal
from contracts_svc.lineage.servers import places_of
from contracts_svc.model import Contract
from contracts_svc.waivers import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantLineage:
    """A tenant's part of the stored lineage: :class:`contracts_svc.flows.preflight.LineageParts`.

    ``contracts`` are those that change as they are, of which some may not be registered; ``promised`` as they
    will be. ``ground`` is what is known, else what is known when it is asked.
    """

    stored: StoredLineage
    tenant: str
    contracts: Sequence[Contract]
    promised: Sequence[Contract]
    ground: Ground | None = None

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """What the store knows downstream; of waivers, none. Raises CouldNotCheck."""
        identities = Identities.of(self.contracts)
        also = {r.dataset: _places(r.dataset, identities) for r in starts}
        found = self.stored.part(
            starts,
            tenant=self.tenant,
            names=names,
            also=also,
            promised={**{c.id: None for c in self.contracts}, **{c.id: c for c in self.promised}},
            ground=self.ground,
        )
        if not found.complete:
            raise CouldNotCheck(
                "whom the change reaches",
                f"more than {LIMIT:,} columns are downstream of it",
                "change less at once",
                retryable=False,
            )
        return found.lineage, ()


def _places(dataset: DatasetId, identities: Identities) -> tuple[DatasetId, ...]:
    """The names that lineage may be kept under where the contract of a dataset is not registered."""
    found = identities.contract_of(dataset)
    return tuple(map(normal, places_of(*found))) if found else ()
