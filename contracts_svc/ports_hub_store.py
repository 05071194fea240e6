"""What the GitHub App needs of a store: deliveries, the work that they ask for, and what was said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from contracts_svc.github.names import RepositoryName
from contracts_svc.github.work import Work
from contracts_svc.ports_lineage import ServiceStore
from contracts_svc.ports_outbox import OutboxStore
from contracts_svc.waivers import Waiver


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A webhook that came. ``id`` is the same when GitHub sends it again."""

    id: str
    event: str
    action: str = ""
    repository: str = ""


class WorkState(StrEnum):
    """How a piece of work stands; what is done is forgotten."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"
    """Given up, until it is asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRow:
    """A piece of work as it stands. ``asked`` counts how often it was asked for: what is asked for while
    it is under way is done once more after it."""

    id: int
    work: Work
    state: WorkState
    asked: int
    attempts: int
    since: datetime
    """When it was first asked for and not yet done."""
    worker: str = ""
    not_before: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRepository:
    """A repository that the App is installed for. ``looked`` is the commit of its default branch that was
    looked at last, ``head`` that up to which all contracts were registered; empty: none."""

    name: RepositoryName
    installation_id: int
    head: str = ""
    looked: str = ""
    default_branch: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedHead:
    """The check of a pull request at one commit. ``asked`` are the changes, by their fingerprints, that
    asked for agreement; ``ended`` None: it is under way, or was cut off."""

    head: str
    started: datetime
    ended: datetime | None = None
    conclusion: str = ""
    asked: tuple[str, ...] = ()
    report: str = ""
    """The whole report: JSON, as `contracts preflight --format json` writes it; empty: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What somebody said of a pull request beside its reviews: pressed the button at ``head``, or (with a
    reason) overrode it. ``seen`` are the changes that asked for agreement there."""

    user: str
    head: str
    at: datetime
    reason: str = ""
    seen: tuple[str, ...] = ()

    @property
    def is_override(self) -> bool:
        """Whether it lets a break through without the agreement of those whom it breaks."""
        return bool(self.reason)


class HubStore(Protocol):
    """Keeps what the GitHub App must remember. Raises CouldNotCheck."""

    # --- deliveries and work ---

    def deliver(self, delivered: Delivered, works: Iterable[Work], now: datetime) -> bool:
        """Keep a delivery and the work that it asks for, together; False, and nothing is asked for, when
        it came before."""
        ...

    def ask(self, works: Iterable[Work], now: datetime) -> None:
        """Ask for work. What waits already under the same key is asked for once."""
        ...

    def claim_work(self, worker: str, now: datetime, until: datetime) -> WorkRow | None:
        """Begin the work that waits longest; None: there is none now. Nobody else gets it before
        ``until``; what a worker that died had begun is begun anew after that."""
        ...

    def end_work(self, row: WorkRow, now: datetime) -> bool:
        """The attempt ``row`` has done it; False, and nothing is changed, when it is not under way."""
        ...

    def put_off_work(self, row: WorkRow, not_before: datetime, error: str) -> bool:
        """The attempt ``row`` did not do it, and another is to come."""
        ...

    def fail_work(self, row: WorkRow, error: str, now: datetime) -> bool:
        """The attempt ``row`` was the last one."""
        ...

    def hold_back(self, installation_id: int, until: datetime) -> None:
        """Begin no work of this installation before then: GitHub asks to be left alone."""
        ...

    def open_work(self, state: WorkState | None = None, limit: int = 100) -> tuple[WorkRow, ...]:
        """Work that is not done, the longest asked for first."""
        ...

    def count_work(self) -> Mapping[WorkState, int]:
        """How many pieces of work there are in each state."""
        ...

    def prune_deliveries(self, before: datetime, *, batch: int = 1_000) -> int:
        """Forget deliveries from before that moment; how many there were."""
        ...

    # --- repositories ---

    def put_repository(self, repository: RepositoryName, installation_id: int, now: datetime) -> None:
        """The App is installed for it."""
        ...

    def remove_repository(self, repository: RepositoryName, now: datetime) -> None:
        """The App is not installed for it any more: the work that waits for it is forgotten."""
        ...

    def repositories(self) -> tuple[KnownRepository, ...]:
        """Those that the App is installed for, by name."""
        ...

    def repository(self, name: RepositoryName) -> KnownRepository | None:
        """The one of this name, if the App is installed for it."""
        ...

    def registered(self, repository: RepositoryName, branch: str, looked: str, *, head: str) -> None:
        """The default branch was looked at up to this commit, and registered whole up to ``head``."""
        ...

    def due_repositories(self, now: datetime, before: datetime) -> tuple[KnownRepository, ...]:
        """Those that were not asked for here since ``before``; asking again gives them no second time,
        whichever process asks."""
        ...

    def claim_contract(self, contract_id: str, repository: RepositoryName, path: str) -> RepositoryName:
        """Say that a contract comes from this repository; whose it is: of those that are served, the first
        that said so."""
        ...

    def contracts_from(self, repository: RepositoryName) -> Mapping[str, str]:
        """Contract id -> its path, of the contracts that come from a repository."""
        ...

    # --- pull requests ---

    def begin_head(
        self, repository: RepositoryName, number: int, head: str, now: datetime
    ) -> tuple[str, ...]:
        """The check of a pull request at this commit begins; other commits whose checks never ended."""
        ...

    def end_head(
        self,
        repository: RepositoryName,
        number: int,
        head: str,
        now: datetime,
        *,
        conclusion: str,
        asked: Iterable[str] | None = None,
        report: str = "",
    ) -> None:
        """The check at this commit has ended. ``asked`` None: what was known of that stays. A ``report``
        takes the place of those at other commits."""
        ...

    def heads(self, repository: RepositoryName, number: int) -> tuple[CheckedHead, ...]:
        """The checks of a pull request, the last begun first, at most 500."""
        ...

    def pulls_asking(self, fingerprints: Iterable[str]) -> tuple[tuple[RepositoryName, int], ...]:
        """The pull requests whose last check asked for agreement to one of these changes."""
        ...

    def say(self, repository: RepositoryName, number: int, said: Said) -> bool:
        """Keep what somebody said; False when it is there already."""
        ...

    def said(self, repository: RepositoryName, number: int) -> tuple[Said, ...]:
        """What was said of a pull request beside its reviews, oldest first."""
        ...

    def sign(self, repository: RepositoryName, number: int, waivers: Iterable[Waiver], now: datetime) -> None:
        """What is agreed to in a pull request now, as waivers; what was and is not is taken back."""
        ...

    def signed(
        self, repository: RepositoryName, now: datetime, number: int | None = None
    ) -> tuple[Waiver, ...]:
        """The waivers of the sign-offs in a repository (or one pull request of it) that are in force."""
        ...

    def was_asked(self, repository: RepositoryName, number: int) -> frozenset[tuple[str, str]]:
        """The (fingerprint, approver) that were asked for agreement in a pull request."""
        ...

    def note_asked(
        self, repository: RepositoryName, number: int, asked: Iterable[tuple[str, str]], now: datetime
    ) -> None:
        """These were asked."""
        ...


class HubServiceStore(ServiceStore, OutboxStore, HubStore, Protocol):
    """All that the running service must remember, the GitHub App included."""
