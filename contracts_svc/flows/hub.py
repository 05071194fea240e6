"""What the GitHub App works with, and how it judges a branch of a repository by the service's lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts_svc.compat.history import pinned
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.branch import Judge, KnownLineage, Patterns
from contracts_svc.flows.drift import Derive
from contracts_svc.flows.jobs import job_findings
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.preflight import Sides
from contracts_svc.flows.register import Reader
from contracts_svc.flows.rulebook import Rulebook, rulebook
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.flows.tenant_lineage import TenantLineage
from contracts_svc.github.config import HubConfig, PublicNames, RepositoryRule
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.public import Visible
from contracts_svc.lineage.graph import ColumnRef, DatasetId
from contracts_svc.model import Contract
from contracts_svc.policy import Policies
from contracts_svc.policy_files import POLICY_FILE
from contracts_svc.ports import CodeHost, FileVersion
from contracts_svc.ports_github import Hub
from contracts_svc.ports_hub_store import HubServiceStore
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from contracts_svc.waivers import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class HubParts:
    """One GitHub App of a service. Safe for use by many threads.

    ``link_of`` is where the whole report on a pull request is; empty: nowhere. ``web`` is where people
    see repositories (``https://github.com``).
    """

    store: HubServiceStore
    hub: Hub
    lineage: StoredLineage
    read: Reader
    config: HubConfig = field(default_factory=HubConfig)
    policies: Policies = field(default_factory=Policies)
    """What a repository without a policy of its own is judged by."""
    patterns: Patterns = nullcontext
    derive: Derive | None = None
    """Reads schema sources that contracts name; without it, what becomes of them is not looked at."""
    link_of: Callable[[RepositoryName, int], str] = lambda repository, number: ""
    web: str = "https://github.com"
    routes: Callable[[], RouteFile] = lambda: DEFAULT_ROUTES

    def judge(
        self,
        repository: RepositoryName,
        rule: RepositoryRule,
        code: CodeHost,
        now: datetime,
        *,
        signed: Sequence[Waiver] = (),
    ) -> Judge:
        """What judges branches of a repository. ``signed`` are waivers beside those given by hand."""

        def lineage(base: str, head: str, sides: Sides) -> KnownLineage:
            before, after = (code.texts(commit, (".sql",)) for commit in (base, head))
            jobs = job_findings(before, after, sides.base.values(), dialect=rule.dialect)
            parts = _WithWaivers(
                parts=self,
                lineage=TenantLineage(
                    stored=self.lineage,
                    tenant=rule.tenant,
                    contracts=tuple(sides.base.values()),
                    promised=tuple(sides.head.values()),
                ),
                now=now,
                signed=tuple(signed),
            )
            read = ((p.contract, p.version, p.consumer) for p in self.lineage.pins(rule.tenant))
            return KnownLineage(lineage=parts, jobs=jobs, pins=pinned(read))

        return Judge(
            read=self.reader(rule.tenant),
            lineage=lineage,
            rules=lambda texts: self.rules(texts, now),
            history=RegisteredHistory(store=self.store, repository=repository),
            mode=rule.mode,
            patterns=self.patterns,
            deprecated=self.store.deprecated_since,
            derive=self.derive,
        )

    def reader(self, tenant: str) -> Reader:
        """Reads contracts of one tenant; one that says that it is another's is a mistake."""

        def read(text: bytes, file: str) -> Contract:
            found = self.read(text, file)
            if (found.tenant or "") == tenant:
                return found
            said = f"tenant {found.tenant!r}" if found.tenant else "no tenant"
            mine = f"tenant {tenant!r}" if tenant else "no tenant"
            raise UserMistake.of(
                f"the contract says {said}, and this repository is of {mine}",
                f"write `tenant: {tenant}`" if tenant else "take `tenant` out",
                at=found.place("tenant"),
            )

        return read

    def rules(self, texts: Mapping[str, bytes], now: datetime) -> Rulebook:
        """The policy and waivers among these texts; without a policy of its own, that of the service."""
        found = rulebook(texts, now=now)
        return found if POLICY_FILE in texts else replace(found, policies=self.policies)

    def visible(self, repository: RepositoryName, rule: RepositoryRule, *, public: bool) -> Visible | None:
        """Which consumers may be named there; None: all.

        Of a public repository, those whose contracts were registered from it: what a pull request says of
        itself does not count.
        """
        if not public or rule.public_names is PublicNames.ALL:
            return None
        own = frozenset(self.store.contracts_from(repository))
        return lambda consumer: consumer.contract in own


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredHistory:
    """Implements :class:`contracts_svc.ports.FileHistory` by what was registered from a repository: all that
    its default branch has promised since the App is installed, and nothing that a branch only tried."""

    store: HubServiceStore
    repository: RepositoryName

    def history(self, commit: str, path: str) -> Iterator[FileVersion]:
        """The registered versions of the contract in this file, newest first. Raises CouldNotCheck."""
        paths = {at: contract for contract, at in self.store.contracts_from(self.repository).items()}
        if path not in paths:
            raise CouldNotCheck(
                f"the earlier versions of {path}",
                "the contract is not registered from this repository",
                "it is once its default branch holds it; until then use a mode without _TRANSITIVE",
                retryable=False,
            )
        for version in reversed(self.store.versions(paths[path])):
            text = self.store.contract_text(paths[path], version.version)
            if text is not None:
                yield FileVersion(commit=version.version, path=path, text=text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _WithWaivers:
    """The lineage of a tenant, with the waivers of its changes."""

    parts: HubParts
    lineage: TenantLineage
    now: datetime
    signed: tuple[Waiver, ...] = ()

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """What is downstream of ``starts``, and the waivers of these changes. Raises CouldNotCheck."""
        marks = frozenset(fingerprints)
        found, _ = self.lineage.part(starts, names, marks)
        return found, (*self._given(marks), *self.signed)

    def _given(self, fingerprints: frozenset[str]) -> tuple[Waiver, ...]:
        """Those in force that people of this tenant gave by the API."""
        store, tenant = self.parts.store, self.lineage.tenant
        found = [w for w in store.waivers(self.now) if w.fingerprint in fingerprints]
        rows = store.contract_rows({w.contract for w in found if w.contract})
        return tuple(
            w for w in found if not w.contract or (w.contract in rows and rows[w.contract].tenant == tenant)
        )
