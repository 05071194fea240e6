"""A default branch has moved: what it holds now is what is promised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.flows.hub import HubParts
from contracts_svc.flows.register import Reader
from contracts_svc.flows.registration import Registration, Registry
from contracts_svc.flows.rulebook import Rulebook
from contracts_svc.github.check_run import check_of_error
from contracts_svc.github.config import RepositoryRule
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.work import Task, Work
from contracts_svc.model import Contract
from contracts_svc.odcs import CONTRACT_SUFFIXES
from contracts_svc.policy_files import POLICY_FILE, WAIVERS_FILE
from contracts_svc.ports_github import HostedCode, Site
from contracts_svc.ports_store import Actor
from contracts_svc.verdict import Outcome


@dataclass(slots=True)
class _Found:
    """What became of the contracts of one commit."""

    kept: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRegistration:
    """One attempt to take in what the default branch of a repository holds."""

    parts: HubParts
    rule: RepositoryRule
    repository: RepositoryName
    now: datetime

    def do(self, site: Site) -> None:
        """Register new versions, retire contracts whose files are gone, tell of both.

        Raises CouldNotCheck. May be cut off anywhere and done again. What is refused is told at the
        commit and tried again with the next push.
        """
        store = self.parts.store
        facts, known = site.host.facts(), store.repository(self.repository)
        tip = site.code.tip(facts.default_branch)
        if known is None or tip == known.looked:
            return
        found = self._taken(site.code, known.head, tip)
        if found.problems:
            report = check_of_error(UserMistake(found.problems))
            site.host.complete_check(site.host.start_check(tip, f"default-branch-{tip}"), report)
        store.registered(
            self.repository, facts.default_branch, tip, head=known.head if found.problems else tip
        )
        if found.kept or found.retired or not known.looked:
            # They are judged against what is promised now.
            pulls = site.host.open_pulls()
            installation = known.installation_id
            checks = (
                Work(
                    task=Task.CHECK,
                    repository=self.repository,
                    installation_id=installation,
                    number=pull.number,
                )
                for pull in pulls
            )
            store.ask(checks, self.now)

    def _taken(self, code: HostedCode, before: str, tip: str) -> _Found:
        texts = code.texts(tip, CONTRACT_SUFFIXES)
        earlier = code.texts(before, CONTRACT_SUFFIXES) if before else {}
        changed = {path: text for path, text in texts.items() if earlier.get(path) != text}
        found = _Found()
        by = Actor(who="github", where=f"github {self.repository}@{tip[:12]}")
        done, problems = self._registry(self._rules(code, before or tip, tip)).register_all(
            changed,
            tenant=self.rule.tenant,
            now=self.now,
            by=by,
            allowed=self._may,
        )
        found.kept += [each.contract.id for each in done if each.new]
        found.problems += [*problems, *(_refusal(each) for each in done if not each.kept)]
        self._retire(texts, changed, by, found)
        return found

    def _rules(self, code: HostedCode, before: str, tip: str) -> Rulebook:
        """The policy as it was before the push, and the waivers as they are now."""
        names = (POLICY_FILE, WAIVERS_FILE)
        texts = {n: t for n, t in code.texts(before, names).items() if n == POLICY_FILE}
        texts |= {n: t for n, t in code.texts(tip, names).items() if n == WAIVERS_FILE}
        try:
            return self.parts.rules(texts, self.now)
        except UserMistake:
            # What is wrong in them is told in pull requests; without them nothing is let through.
            return self.parts.rules({}, self.now)

    def _registry(self, rules: Rulebook) -> Registry:
        return Registry(
            store=self.parts.store,
            lineage=self.parts.lineage,
            read=self.parts.reader(self.rule.tenant),
            policies=rules.policies,
            patterns=self.parts.patterns,
            waivers=(*rules.waivers, *self.parts.store.signed(self.repository, self.now)),
            outbox=self.parts.store,
            routes=self.parts.routes,
        )

    def _may(self, new: Contract, old: Contract | None, latest: bytes | None) -> None:
        """Raises UserMistake for the contract of somebody else."""
        if old is not None:
            taken = (old.tenant or "") != self.rule.tenant
            if taken or (not self._from_here(new.id) and _squad(old) != _squad(new)):
                raise UserMistake.of(
                    f"the id {new.id!r} cannot be used: it is a contract of somebody else",
                    "give the contract an id of its own",
                    at=new.place("id"),
                )
        owner = self.parts.store.claim_contract(new.id, self.repository, new.at.file)
        if not owner.same(self.repository):
            raise UserMistake.of(
                f"the id {new.id!r} cannot be used: the contract comes from another repository",
                "give the contract an id of its own",
                at=new.place("id"),
            )

    def _from_here(self, contract_id: str) -> bool:
        return contract_id in self.parts.store.contracts_from(self.repository)

    def _retire(self, texts: Mapping[str, bytes], changed: Iterable[str], by: Actor, found: _Found) -> None:
        """Contracts that came from here and are in no file any more."""
        store, read = self.parts.store, self.parts.reader(self.rule.tenant)
        moved = set(changed)
        for contract_id, path in store.contracts_from(self.repository).items():
            if path in texts and (path not in moved or _id(texts[path], path, read) in (None, contract_id)):
                continue
            if store.contract_text(contract_id) is not None and store.retire_contract(
                contract_id, self.now, by
            ):
                found.retired.append(contract_id)


def _refusal(done: Registration) -> Problem:
    """Why a version was not registered, at the first place that stands in the way."""
    verdict, start = done.verdict, Location(done.contract.at.file, 1, 1)
    assert verdict is not None
    if verdict.outcome is Outcome.COULD_NOT_CHECK:
        return Problem(start, f"it was not registered: {'; '.join(verdict.could_not_check)}")
    blocking = (r for r in verdict.rulings if r.outcome is Outcome.BLOCK)
    mine = [r for r in blocking if r.finding.contract == done.contract.id]
    names = ", ".join(dict.fromkeys(n for r in mine for n in r.missing))
    hint = f"{names} must agree first" if names else "the policy lets nobody agree to it"
    hint += "; the version before counts until then"
    at = mine[0].finding.at if mine[0].finding.at.line else start
    return Problem(at, f"it was not registered: {mine[0].finding.message}", hint)


def _id(text: bytes, path: str, read: Reader) -> str | None:
    """The id of a contract; None where it cannot be read."""
    try:
        return read(text, path).id
    except UserMistake:
        return None


def _squad(contract: Contract) -> str:
    team = contract.team
    return ((team.custom_value("squad") or team.name or "") if team else "") or ""
