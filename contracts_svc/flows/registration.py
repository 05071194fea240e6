"""Take a version into the registry, once it is known whom it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime

from contracts_svc.compat.history import merged, pinned, pins_of
from contracts_svc.compat.modes import Mode
from contracts_svc.errors import CouldNotCheck, Problem, UserMistake
from contracts_svc.flows.deliver import post
from contracts_svc.flows.history import Earlier
from contracts_svc.flows.preflight import ContractChange, Preflight, Sides, preflight
from contracts_svc.flows.register import Reader
from contracts_svc.flows.stored_lineage import Ground, StoredLineage
from contracts_svc.flows.tenant_lineage import TenantLineage
from contracts_svc.model import Contract
from contracts_svc.policy import Policies, deprecated_in
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
Allowed = Callable[[Contract, Contract | None, bytes | None], None]
"""(the new version, the latest one, its text) -> None; raises what refuses the change."""


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
class _Given:
    """A version that is not registered yet, and the one before it."""

    new: Contract
    text: bytes
    old: Contract | None


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
            found = self.store.at_once(lambda: self._new(new, text, allowed))
            if found is None:
                return Registration(contract=new, kept=True, new=False)
            judged = self.judge(found.old, new, now=now)
            passes = judged.verdict.outcome in (Outcome.PASS, Outcome.WARN)
            if not passes or dry_run:
                return Registration(contract=new, kept=False, new=passes, judged=judged)
            done = self._keep(found, now, by, judged)
            if done is not None:
                return Registration(contract=new, kept=True, new=done, judged=judged)
        raise CouldNotCheck(
            f"contract {new.id}", "other versions of it were registered meanwhile", "try it again"
        )

    def register_all(
        self, texts: Mapping[str, bytes], *, tenant: str, now: datetime, by: Actor, allowed: Allowed
    ) -> tuple[tuple[Registration, ...], tuple[Problem, ...]]:
        """Keep the versions of one change set (path -> text), which are judged together: where both ends of
        a change were adapted, nobody breaks.

        What is wrong with one stops none of the others. One that breaks somebody is not kept, and comes
        back with the verdict on all of them. Raises CouldNotCheck, and is then to be done again.
        """
        problems: list[Problem] = []
        given: dict[str, _Given] = {}
        for path, text in sorted(texts.items()):
            try:
                new = self.read(text, path)
                found = self._new(new, text, allowed)
                if new.id in given:
                    raise Taken.of(f"another file has the id {new.id!r}, too", at=new.place("id"))
            except UserMistake as error:
                problems += error.problems
                continue
            if found is not None:
                given[new.id] = found
        if not given:
            return (), tuple(problems)
        judged = self._judged([(g.old, g.new) for g in given.values()], tenant=tenant, now=now, mode=None)
        verdict = judged.verdict
        blocked = {r.finding.contract for r in verdict.rulings if r.outcome is Outcome.BLOCK}
        done: list[Registration] = []
        for contract_id, each in given.items():
            if verdict.could_not_check or contract_id in blocked:
                done.append(Registration(contract=each.new, kept=False, new=False, judged=judged))
                continue
            kept = self._keep(each, now, by, judged)
            if kept is None:
                cause = "another version of it was registered meanwhile"
                raise CouldNotCheck(f"contract {contract_id}", cause, "try it again")
            done.append(Registration(contract=each.new, kept=True, new=kept, judged=judged))
        return tuple(done), tuple(problems)

    def _new(self, new: Contract, text: bytes, allowed: Allowed) -> _Given | None:
        """The version beside the one before it; None: these same bytes are there. Raises UserMistake."""
        latest = self.store.contract_text(new.id)
        if latest is None:
            allowed(new, None, None)
            return _Given(new=new, text=text, old=None)
        old = self.store.versions(new.id)[-1]
        allowed(new, old, latest)
        there = self.store.contract_text(new.id, new.version)
        if there == text:
            return None
        if there is not None:
            raise Taken.of(
                f"version {new.version} of contract {new.id} is registered with another content",
                "a version never changes: raise `version` in the contract",
                at=new.place("version"),
            )
        if self.store.contract_rows([new.id])[new.id].retired is not None:
            raise Taken.of(
                f"contract {new.id} is retired",
                "give the contract that follows it an id of its own",
                at=new.place("id"),
            )
        return _Given(new=new, text=text, old=old)

    def judge(
        self, old: Contract | None, new: Contract, *, now: datetime, mode: Mode | None = None
    ) -> Preflight:
        """What a new version means to whoever reads the old one, by the stored lineage."""
        return self._judged([(old, new)], tenant=new.tenant or "", now=now, mode=mode)

    def _judged(
        self,
        pairs: Sequence[tuple[Contract | None, Contract]],
        *,
        tenant: str,
        now: datetime,
        mode: Mode | None,
    ) -> Preflight:
        ids = {new.id for _, new in pairs}
        # Contracts came in under names of files that may be the same: here, each is called after its id.
        olds = [replace(old, at=replace(old.at, file=old.id)) for old, _ in pairs if old is not None]
        news = [new for _, new in pairs]
        ground = self.lineage.ground(tenant)
        by_id = {c.id: c for c in olds}
        # Of the others, those come with the lineage that it leads to.
        sides = Sides(
            base=by_id,
            head={c.id: c for c in news},
            changed=tuple(ContractChange(path=c.at.file, old=by_id.get(c.id), new=c) for c in news),
        )
        kept, deprecated = self.store.at_once(
            lambda: (self.store.waivers(now), self.store.deprecated_since(ids))
        )
        waivers = (*kept, *self.waivers)
        with self.patterns() as inclusion:
            return preflight(
                sides,
                TenantLineage(
                    stored=self.lineage, tenant=tenant, ground=ground, contracts=olds, promised=news
                ),
                now=now,
                mode=mode,
                earlier=self._earlier(ground, news) if olds else None,
                policies=self.policies,
                waivers=[w for w in waivers if w.contract == "" or w.contract in ids],
                deprecated=deprecated,
                inclusion=inclusion,
            )

    def _earlier(self, ground: Ground, news: Iterable[Contract]) -> Earlier:
        declared = pinned((p.contract, p.version, p.consumer) for p in ground.said.pins)
        pinning = {**ground.known.contracts.pinning, **{c.id: c for c in news}}
        pins, _ = pins_of(pinning[id_] for id_ in sorted(pinning))

        def versions(contract_id: str) -> Iterator[FileVersion]:
            for contract in reversed(self.store.versions(contract_id)):
                text = self.store.contract_text(contract_id, contract.version)
                if text is not None:
                    yield FileVersion(commit=contract.version, path=contract.at.file, text=text)

        return Earlier(versions=versions, read=self.read, pins=merged(pins, declared))

    def _keep(self, given: _Given, now: datetime, by: Actor, judged: Preflight) -> bool | None:
        """Keep the version, and have it announced to those whom it breaks; whether it is new, or None when
        it was judged against what is no more."""
        new, old = given.new, given.old
        told = announcements(new, old.version, judged.verdict, now) if old is not None else ()

        def work() -> bool:
            try:
                # Whoever registers a version of the same contract waits here until we are done.
                added = self.store.put_contract(new, given.text, now, by)
            except UserMistake as error:
                raise Taken(error.problems) from None
            if not added:
                return False
            versions = self.store.versions(new.id)
            before = [v for v in versions if v.version != new.version]
            if (before[-1] if before else None) != given.old:
                raise _Moved
            if versions[-1].version == new.version:
                self.store.put_deprecated(new.id, deprecated_in(new), now)
            if told and self.outbox is not None:
                post(self.outbox, told, now, self.routes())
            return True

        try:
            return self.store.atomically(work)
        except _Moved:
            return None


class _Moved(Exception):
    """Another version came in between."""
