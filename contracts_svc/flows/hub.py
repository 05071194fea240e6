"""What the GitHub App works with, and how it judges a branch of a repository by the service's lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts_svc.compat.history import pinned
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.flows.branch import Judge, KnownLineage, Patterns
from contracts_svc.flows.drift import Derive
from contracts_svc.flows.jobs import job_findings
from contracts_svc.flows.lineage import Lineage
from contracts_svc.flows.preflight import Sides
from contracts_svc.flows.register import Reader
from contracts_svc.flows.rulebook import Rulebook, rulebook
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.github.config import HubConfig, PublicNames, RepositoryRule
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.public import Visible
from contracts_svc.lineage.graph import ColumnRef, DatasetId
from contracts_svc.model import Contract
from contracts_svc.policy import Policies
from contracts_svc.policy_fields import POLICY_FILE
from contracts_svc.ports import CodeHost, FileHistory
from contracts_svc.ports_github import Hub
from contracts_svc.ports_hub_store import HubServiceStore
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from contracts_svc.waivers import Waiver

_CUT = Problem(
    None, "more is reachable than the service looks at for one question: who else reads is unknown"
)


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
    """Reads the schemas that contracts are made of; without it, what becomes of them is not looked at."""
    app_id: int | None = None
    link_of: Callable[[RepositoryName, int], str] = lambda repository, number: ""
    web: str = "https://github.com"
    routes: Callable[[], RouteFile] = lambda: DEFAULT_ROUTES

    def judge(
        self,
        rule: RepositoryRule,
        code: CodeHost,
        now: datetime,
        *,
        history: FileHistory | None = None,
        signed: Sequence[Waiver] = (),
    ) -> Judge:
        """What judges branches of a repository. ``signed`` are waivers beside those given by hand."""

        def lineage(base: str, head: str, sides: Sides) -> KnownLineage:
            before, after = (code.texts(commit, (".sql",)) for commit in (base, head))
            jobs = job_findings(before, after, sides.base.values(), dialect=rule.dialect)
            read = (
                (s.contract, s.version, s.consumer)
                for s in self.store.subscriptions()
                if s.version and s.contract in {c.id for c in sides.base.values()}
            )
            parts = TenantLineage(parts=self, tenant=rule.tenant, now=now, signed=tuple(signed))
            return KnownLineage(lineage=parts, jobs=jobs, pins=pinned(read))

        return Judge(
            read=self.reader(rule.tenant),
            lineage=lineage,
            rules=lambda texts: self.rules(texts, now),
            history=history,
            mode=rule.mode,
            patterns=self.patterns,
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
class TenantLineage:
    """Implements :class:`contracts_svc.flows.preflight.LineageParts` by the lineage of one tenant."""

    parts: HubParts
    tenant: str
    now: datetime
    signed: tuple[Waiver, ...] = ()

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """What is downstream of ``starts``, and the waivers of these changes. Raises CouldNotCheck."""
        found = self.parts.lineage.part(starts, tenant=self.tenant, names=tuple(names))
        lineage = found.lineage
        if not found.complete:
            lineage = replace(lineage, problems=(*lineage.problems, _CUT))
        return lineage, (*self._given(frozenset(fingerprints)), *self.signed)

    def _given(self, fingerprints: frozenset[str]) -> tuple[Waiver, ...]:
        """Those in force that people of this tenant gave by the API."""
        store = self.parts.store
        found = [w for w in store.waivers(self.now) if w.fingerprint in fingerprints]
        rows = store.contract_rows({w.contract for w in found if w.contract})
        return tuple(
            w
            for w in found
            if not w.contract or (w.contract in rows and rows[w.contract].tenant == self.tenant)
        )
