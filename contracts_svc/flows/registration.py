"""Take a version into the registry, once it is known whom it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.compat.history import merged, pinned, pins_of
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.deliver import post
from contracts_svc.flows.history import Earlier
from contracts_svc.flows.preflight import ContractChange, Preflight, Sides, preflight
from contracts_svc.flows.register import Reader
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.tenant_lineage import TenantLineage
from contracts_svc.model import Contract
from contracts_svc.policy import Policies
from contracts_svc.ports import FileVersion, PatternInclusion
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.ports_store import Actor, Store
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from contracts_svc.routing_announce import announcements
from contracts_svc.verdict import Outcome, Verdict, Waiver

_ATTEMPTS = 5
"""How often a version is judged again because another one came in between."""

Patterns = Callable[[], AbstractContextManager[PatternInclusion | None]]
Allowed = Callable[[Contract, bytes | None], None]
"""(the new version, the text of the latest one) -> None; raises what refuses the change."""


class Taken(UserMistake):
    """What is registered already stands in the way."""

    http_status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """How a registration ended. ``kept``: the version is in the registry; ``new``: since now.

    ``judged`` is None when these same bytes were there already.
    """

    contract: Contract
    kept: bool
    new: bool
    judged: Preflight | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What the version comes to."""
        return self.judged.verdict if self.judged else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """Judges versions by what is registered, and keeps those that may be."""

    store: Store
    lineage: StoredLineage
    read: Reader
    policies: Policies
    patterns: Patterns
    waivers: Sequence[Waiver] = ()
    """Beside those that the store keeps."""
    outbox: OutboxStore | None = None
    """Over the same database as ``store``: where versions announce themselves. None: they do not."""
    routes: Callable[[], RouteFile] = lambda: DEFAULT_ROUTES

    def register(
        self, text: bytes, file: str, *, now: datetime, by: Actor, allowed: Allowed, dry_run: bool = False
    ) -> Registration:
        """Keep a version unless it is incompatible: then it comes back with the verdict, not kept.

        The same bytes again change nothing. Raises UserMistake, Taken, CouldNotCheck, and what
        ``allowed`` raises.
        """
        new = self.read(text, file)
        for _ in range(_ATTEMPTS):
            latest = self.store.contract_text(new.id)
            allowed(new, latest)
            there = self.store.contract_text(new.id, new.version)
            if there == text:
                return Registration(contract=new, kept=True, new=False)
            if there is not None:
                raise Taken.of(
                    f"version {new.version} of contract {new.id} is registered with another content",
                    "a version never changes: raise `version` in the contract",
                    at=new.place("version"),
                )
            if latest is not None and self.store.contract_rows([new.id])[new.id].retired is not None:
                raise Taken.of(
                    f"contract {new.id} is retired",
                    "give the contract that follows it an id of its own",
                    at=new.place("id"),
                )
            old = None if latest is None else self.store.versions(new.id)[-1]
            judged = self.judge(old, new, now=now)
            passes = judged.verdict.outcome in (Outcome.PASS, Outcome.WARN)
            if not passes or dry_run:
                return Registration(contract=new, kept=False, new=passes, judged=judged)
            done = self._keep(new, text, old, now, by, judged)
            if done is not None:
                return Registration(contract=new, kept=True, new=done, judged=judged)
        raise CouldNotCheck(
            f"contract {new.id}", "other versions of it were registered meanwhile", "try it again"
        )

    def judge(
        self, old: Contract | None, new: Contract, *, now: datetime, mode: Mode | None = None
    ) -> Preflight:
        """What a new version means to whoever reads the old one, by the stored lineage."""
        path = new.at.file
        tenant = new.tenant or ""
        known = [] if old is None else [c for c in self.store.contracts() if (c.tenant or "") == tenant]
        others = {c.id: c for c in known if c.id != new.id}
        base = list(others.values()) if old is None else [*others.values(), old]
        head = [*others.values(), new]
        # Contracts came in under names of files that may be the same.
        sides = Sides(
            base={c.id: c for c in base},
            head={c.id: c for c in head},
            changed=(ContractChange(path=path, old=old, new=new),),
        )
        with self.patterns() as inclusion:
            return preflight(
                sides,
                TenantLineage(stored=self.lineage, tenant=tenant, contracts=base, promised=head),
                now=now,
                mode=mode,
                earlier=None if old is None else self._earlier(old, head),
                policies=self.policies,
                waivers=[w for w in (*self.store.waivers(now), *self.waivers) if w.contract in ("", new.id)],
                inclusion=inclusion,
            )

    def _earlier(self, old: Contract, head: Sequence[Contract]) -> Earlier:
        declared = pinned((p.contract, p.version, p.consumer) for p in self.lineage.pins(old.tenant or ""))
        pins, _ = pins_of(head)

        def versions(path: str) -> Iterator[FileVersion]:
            for contract in reversed(self.store.versions(old.id)):
                text = self.store.contract_text(old.id, contract.version)
                if text is not None:
                    yield FileVersion(commit=contract.version, path=contract.at.file, text=text)

        return Earlier(versions=versions, read=self.read, pins=merged(pins, declared))

    def _keep(
        self,
        new: Contract,
        text: bytes,
        old: Contract | None,
        now: datetime,
        by: Actor,
        judged: Preflight,
    ) -> bool | None:
        """Keep the version, and have it announced to those whom it breaks; whether it is new, or None when
        it was judged against what is no more."""
        told = announcements(new, old.version, judged.verdict, now) if old is not None else ()

        def work() -> bool:
            try:
                # Whoever registers a version of the same contract waits here until we are done.
                added = self.store.put_contract(new, text, now, by)
            except UserMistake as error:
                raise Taken(error.problems) from None
            before = [v for v in self.store.versions(new.id) if v.version != new.version]
            if added and (before[-1] if before else None) != old:
                raise _Moved
            if added and told and self.outbox is not None:
                post(self.outbox, told, now, self.routes())
            return added

        try:
            return self.store.atomically(work)
        except _Moved:
            return None


class _Moved(Exception):
    """Another version came in between."""
