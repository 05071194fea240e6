"""See to what no webhook told of: deliveries get lost, and GitHub does not send them again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts_svc.flows.hub import HubParts
from contracts_svc.flows.hub_register import OneRegistration
from contracts_svc.github.config import RepositoryRule
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.work import Task, Work
from contracts_svc.ports_github import Site
from contracts_svc.ports_hub_store import HubStore

EVERY = timedelta(minutes=10)
KEEP_DELIVERIES = timedelta(days=7)
"""GitHub can be asked to send deliveries of the last three days again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """Asks for a look at every repository from time to time. Any number of processes may."""

    store: HubStore
    every: timedelta = EVERY

    def step(self, now: datetime) -> int:
        """Ask for those that are due; how many. Raises CouldNotCheck."""
        due = self.store.due_repositories(now, now - self.every)
        self.store.ask(
            (Work(task=Task.RECONCILE, repository=r.name, installation_id=r.installation_id) for r in due),
            now,
        )
        if due:
            self.store.prune_deliveries(now - KEEP_DELIVERIES)
        return len(due)


def reconcile(parts: HubParts, rule: RepositoryRule, work: Work, site: Site, now: datetime) -> None:
    """Look at one repository: its default branch, and every open pull request whose check is not the last
    word. Raises CouldNotCheck."""
    OneRegistration(parts=parts, rule=rule, repository=work.repository, now=now).do(site)
    open_ = {pull.number: pull.head_sha for pull in site.host.open_pulls()}
    parts.store.ask(
        (
            replace(work, task=Task.CHECK, number=number)
            for number in _unsettled(parts.store, work.repository, open_)
        ),
        now,
    )


def _unsettled(store: HubStore, repository: RepositoryName, open_: dict[int, str]) -> Iterator[int]:
    """Those with a head that was not checked to the end, without a verdict, or that wait for people."""
    for number, head in sorted(open_.items()):
        heads = store.heads(repository, number)
        last = heads[0] if heads else None
        if last is None or last.head != head or last.ended is None or not last.report or last.asked:
            yield number
