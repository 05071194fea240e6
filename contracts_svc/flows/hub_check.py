"""The check of a pull request by the GitHub App: judged, told, signed off, and remembered."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from contracts_svc.flows.branch import JudgedBranch
from contracts_svc.flows.deliver import post
from contracts_svc.flows.hub import HubParts
from contracts_svc.flows.pull_request import (
    Checked,
    End,
    Heard,
    Manner,
    Told,
    check_group,
    check_pull_request,
    order_of,
)
from contracts_svc.github.asking import Occasion, requests_to_agree, told_of_override
from contracts_svc.github.check_run import Conclusion, key_of, superseded
from contracts_svc.github.config import Party, RepositoryRule
from contracts_svc.github.events import PullRequest
from contracts_svc.github.signoff import Opinion, Override, People, SignOff, Stance, State
from contracts_svc.github.work import Task, Work
from contracts_svc.policy import Policies
from contracts_svc.ports_github import RepositoryHost, Site
from contracts_svc.ports_hub_store import Said
from contracts_svc.render.json import verdict_json
from contracts_svc.verdict import Verdict
from contracts_svc.waivers import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCheck:
    """One attempt at the check of one pull request."""

    parts: HubParts
    rule: RepositoryRule
    work: Work
    now: datetime
    last_try: bool = True

    def pull_request(self, site: Site, number: int) -> Checked | None:
        """Check it as it is now; None: it is not open. Raises CouldNotCheck, UserMistake.

        May be cut off anywhere and done again.
        """
        store, repository = self.parts.store, self.work.repository
        pull = site.host.pull(number)
        if not pull.is_open:
            if not pull.merged:
                store.sign(repository, number, (), self.now)
            return None
        for head in store.begin_head(repository, number, pull.head_sha, self.now):
            site.host.cancel_checks(head, key_of(number), superseded(pull.head_sha))
            self._ended(number, head, Conclusion.CANCELLED)
        policies: list[Policies] = []

        def judge(at: PullRequest) -> Told:
            found = self._judged(site, at)
            policies.append(found.rules.policies)
            verdict = found.done.verdict
            return Told(verdict=verdict, touched=bool(found.done.changed or verdict.findings))

        done = check_pull_request(
            site.host,
            number,
            judge,
            heard=lambda verdict: self._heard(site.host, number, verdict),
            manner=self._manner(number, public=pull.public),
            at=pull.head_sha,
            last_try=self.last_try,
            keep=lambda checked: self._sign(number, checked, policies),
        )
        if done.end is not End.COMPLETED:
            self._ended(number, pull.head_sha, Conclusion.CANCELLED)
            store.ask([replace(self.work, task=Task.CHECK)], self.now)
            return done
        report = json.dumps(verdict_json(done.verdict)) if done.verdict else ""
        # Where there is no verdict now, what asked for agreement is as unknown as before.
        asked = done.asked if done.verdict else None
        self._ended(number, done.head, done.conclusion or Conclusion.FAILURE, asked, report)
        if done.verdict is not None and done.signed is not None:
            self._tell(site.host, pull, done.verdict, done.signed)
        return done

    def press(self, site: Site, number: int, user: str, head: str, at: datetime) -> Checked | None:
        """Somebody pressed the button on the check of this commit: hear it, and check again."""
        store, repository = self.parts.store, self.work.repository
        seen = {h.head: h for h in store.heads(repository, number)}.get(head)
        if seen is not None and seen.ended is None:
            # It was cut off after GitHub had its end: what it asked for is found out first.
            self.pull_request(site, number)
            seen = {h.head: h for h in store.heads(repository, number)}.get(head)
        if seen is not None and seen.asked:
            store.say(repository, number, Said(user=user, head=head, at=at, seen=seen.asked))
        return self.pull_request(site, number)

    def group(self, site: Site, base: str, head: str) -> Checked:
        """Check what a merge queue is about to merge; what was agreed to in its pull requests counts."""
        signed = self.parts.store.signed(self.work.repository, self.now)
        judge = self.parts.judge(self.work.repository, self.rule, site.code, self.now, signed=signed)
        public = site.host.facts().public

        def judged() -> Told:
            return Told(verdict=judge.judge(site.code, base, head, self.now).done.verdict, touched=True)

        return check_group(
            site.host, head, judged, manner=self._manner(0, public=public), last_try=self.last_try
        )

    def _judged(self, site: Site, pull: PullRequest) -> JudgedBranch:
        parting = site.code.parting(pull.base_ref, pull.head_sha)
        judge = self.parts.judge(self.work.repository, self.rule, site.code, self.now)
        return judge.between(site.code, parting.merge_base, parting.tip, pull.head_sha, self.now)

    def _manner(self, number: int, *, public: bool) -> Manner:
        return Manner(
            link=self.parts.link_of(self.work.repository, number) if number else "",
            could_not_check=self.rule.could_not_check,
            buttons=True,
            visible=self.parts.visible(self.work.repository, self.rule, public=public),
        )

    # --- sign-off -----------------------------------------------------------------------------------

    def _heard(self, host: RepositoryHost, number: int, verdict: Verdict) -> Heard:
        store, config = self.parts.store, self.parts.config
        said = store.said(self.work.repository, number)
        overrides = [s for s in said if s.is_override]
        # Who overrode by the API was an administrator there when they did.
        administrators = _logins(host, config.administrators) | {s.user for s in overrides}
        return Heard(
            people=People(
                logins={name: _logins(host, config.party(name)) for name in verdict.must_agree},
                administrators=administrators,
            ),
            presses=[
                Opinion(user=s.user, stance=Stance.APPROVED, number=order_of(s.at), seen=frozenset(s.seen))
                for s in said
                if not s.is_override
            ],
            overrides=[Override(user=s.user, reason=s.reason, seen=frozenset(s.seen)) for s in overrides],
            seen={h.head: frozenset(h.asked) for h in store.heads(self.work.repository, number)},
        )

    def _sign(self, number: int, done: Checked, policies: Sequence[Policies]) -> None:
        """Keep what was agreed, so that a merge may count on it; without a verdict it stays as it was."""
        if done.verdict is None:
            return
        days = policies[-1].organisation.waiver_days
        waivers = _named(done.signed, done.verdict, self.now, days) if done.signed else ()
        self.parts.store.sign(self.work.repository, number, waivers, self.now)

    def _ended(
        self,
        number: int,
        head: str,
        conclusion: Conclusion,
        asked: Iterable[str] | None = None,
        report: str = "",
    ) -> None:
        self.parts.store.end_head(
            self.work.repository,
            number,
            head,
            self.now,
            conclusion=conclusion.value,
            asked=asked,
            report=report,
        )

    def _tell(self, host: RepositoryHost, pull: PullRequest, verdict: Verdict, signed: SignOff) -> None:
        """Ask those who must agree and were not asked yet: for a review, and where they are reached. Tell
        those whose agreement somebody did without."""
        store, repository, number = self.parts.store, self.work.repository, pull.number
        known = store.was_asked(repository, number)
        occasion = Occasion(
            repository=repository,
            number=number,
            address=f"{self.parts.web}/{repository}/pull/{number}",
            link=self.parts.link_of(repository, number),
            now=self.now,
        )
        asked = {(s.fingerprint, s.approver) for s in signed.standings if s.state is State.OPEN} - known
        if asked:
            parties = [self.parts.config.party(name) for name in sorted({name for _, name in asked})]
            author = (pull.author or "").casefold()
            users = {u for p in parties for u in p.users if u.casefold() != author}
            host.ask_for_review(number, users, {t for p in parties for t in p.teams})
        over = {(_OVERRIDDEN + s.fingerprint, s.approver): s for s in signed.overridden}
        told = [over[pair] for pair in sorted(over.keys() - known)]
        notices = (*requests_to_agree(verdict, asked, occasion), *told_of_override(verdict, told, occasion))
        if notices:
            post(store, notices, self.now, self.parts.routes())
        store.note_asked(repository, number, asked | (over.keys() - known), self.now)


_OVERRIDDEN = "override "
"""Before the fingerprint of a change, where what was told is that somebody overrode it."""


def _logins(host: RepositoryHost, party: Party) -> frozenset[str]:
    return frozenset(party.users).union(*(host.members(team) for team in party.teams))


def _named(signed: SignOff, verdict: Verdict, now: datetime, days: int) -> tuple[Waiver, ...]:
    """What was agreed, as waivers that say which contract they are about."""
    contracts = {f.fingerprint: f.contract for f in verdict.findings}
    return tuple(replace(w, contract=contracts.get(w.fingerprint, "")) for w in signed.waivers(now, days))
