"""Does the work that webhooks ask for, one piece at a time; several may do so at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts_svc.errors import ContractsError, CouldNotCheck, UserMistake
from contracts_svc.flows.hub import HubParts
from contracts_svc.flows.hub_check import OneCheck
from contracts_svc.flows.hub_reconcile import reconcile
from contracts_svc.flows.hub_register import OneRegistration
from contracts_svc.github.config import RepositoryRule
from contracts_svc.github.work import Task
from contracts_svc.ports_github import NotInstalled, NotNow, Site
from contracts_svc.ports_hub_store import WorkRow

LEASE = timedelta(minutes=5)
"""How long what a worker began is its own. One piece of work takes less; should the worker die, another
begins it anew after that."""
MOST_ATTEMPTS = 8
"""How often a piece of work is begun: with the pauses between, for about twenty minutes."""
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=10)


def pause_after(attempts: int, asked: float | None = None) -> timedelta:
    """How long to wait after so many attempts: 5, 10, 20 … seconds, and at least what is asked for."""
    usual = min(_FIRST_PAUSE * (1 << min(attempts - 1, 20)), _LONGEST_PAUSE)
    return max(usual, min(timedelta(seconds=asked or 0), timedelta(hours=1)))


@dataclass(frozen=True, slots=True, kw_only=True)
class HubWorker:
    """Does work. ``name`` tells this worker from all others; ``log`` hears of what did not go well."""

    parts: HubParts
    name: str
    log: Callable[[str, Mapping[str, object]], None] = lambda said, facts: None

    def step(self, now: datetime) -> int:
        """Do the piece of work that waits longest; how many were done: 1, or 0 where none waits.

        Raises CouldNotCheck when the store cannot be reached.
        """
        row = self.parts.store.claim_work(self.name, now, now + LEASE)
        if row is None:
            return 0
        work = row.work
        facts: dict[str, object] = {"task": work.task.value, "repository": str(work.repository)}
        facts |= {"number": work.number, "attempt": row.attempts}
        try:
            self._do(row, now)
        except NotInstalled as error:
            self.parts.store.remove_repository(work.repository, now)
            self.parts.store.end_work(row, now)
            self.log("a repository is not ours to see any more", {**facts, "cause": str(error)})
        except ContractsError as error:
            self._not_done(row, error, now)
            self.log("work for GitHub was not done", {**facts, "cause": str(error)})
        except Exception as error:
            # A defect must not end the worker. It may depend on the moment, so that it is tried again.
            said = CouldNotCheck("the work", f"a defect of the service: {type(error).__name__}: {error}")
            self._not_done(row, said, now)
            self.log("a defect in work for GitHub", {**facts, "cause": repr(error)})
        else:
            self.parts.store.end_work(row, now)
            self.log("work for GitHub done", facts)
        return 1

    def _not_done(self, row: WorkRow, error: ContractsError, now: datetime) -> None:
        store = self.parts.store
        passing = isinstance(error, CouldNotCheck) and error.retryable
        if not passing or row.attempts >= MOST_ATTEMPTS:
            store.fail_work(row, str(error), now)
            return
        asked = error.pause if isinstance(error, NotNow) else None
        until = now + pause_after(row.attempts, asked)
        store.put_off_work(row, until, str(error))
        if asked and row.work.installation_id is not None:
            # Whatever else is sent for this installation would only make it worse.
            store.hold_back(row.work.installation_id, until)

    def _do(self, row: WorkRow, now: datetime) -> None:
        work, store = row.work, self.parts.store
        rule = self.parts.config.rule_of(work.repository)
        if rule is None:
            return  # not served any more
        if work.task is Task.REMOVED:
            store.remove_repository(work.repository, now)
            return
        if work.installation_id is not None:
            store.put_repository(work.repository, work.installation_id, now)
        known = store.repository(work.repository)
        if known is None:
            raise UserMistake.of(
                f"the App is not installed for {work.repository}",
                "install it there; what comes after that is done by itself",
            )
        link = self.parts.link_of(work.repository, work.number) if work.number is not None else ""
        with self.parts.hub.open(work.repository, known.installation_id, link) as site:
            self._with(site, row, rule, now)

    def _with(self, site: Site, row: WorkRow, rule: RepositoryRule, now: datetime) -> None:
        work = row.work
        last = row.attempts >= MOST_ATTEMPTS
        check = OneCheck(parts=self.parts, rule=rule, work=work, now=now, last_try=last)
        if work.task is Task.RECONCILE:
            reconcile(self.parts, rule, work, site, now)
        elif work.task in (Task.REGISTER, Task.INSTALLED):
            OneRegistration(parts=self.parts, rule=rule, repository=work.repository, now=now).do(site)
        elif work.task is Task.CHECK and work.number is not None:
            check.pull_request(site, work.number)
        elif work.task is Task.PRESS and work.number is not None and work.user and work.head:
            check.press(site, work.number, work.user, work.head, row.since)
        elif work.task is Task.CHECK_GROUP and work.before and work.head:
            check.group(site, work.before, work.head)
