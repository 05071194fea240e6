"""What the use cases need of a store, as small Protocols: each user names the one that serves it.

:class:`Store` is all of them, over one database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol, TypeVar

from contracts_svc.alerts import Audience, Incident, Transition
from contracts_svc.lineage.graph import Channel, ColumnRef, Edge, Graph
from contracts_svc.model import Contract, Json
from contracts_svc.runs import Outcome, Run
from contracts_svc.verdict import Waiver

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who makes a change, and from where: ``cli``, ``api 10.1.2.3``, ``webhook`` ..."""

    who: str
    where: str


SERVICE = Actor(who="contracts", where="service")
"""The service itself: what it does by itself, with nobody asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One change: who made it, what it was, when, and from where."""

    number: int
    """Counts up; the order of the changes."""
    at: datetime
    actor: Actor
    action: str
    """``registered``, ``retired``, ``created``, ``revoked``, ``ended`` ..."""
    kind: str
    """What kind of thing was changed: ``contract``, ``waiver``, ``subscription``, ``token``."""
    subject: str
    """Which one, by its id."""
    detail: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRow:
    """What lists show of a contract: of its latest version."""

    id: str
    version: str
    tenant: str = ""
    name: str = ""
    status: str = ""
    """As the contract says."""
    domain: str = ""
    owner: str = ""
    squad: str = ""
    tribe: str = ""
    tags: tuple[str, ...] = ()
    file: str = ""
    """Its path where people edit it."""
    added: datetime
    hash: str
    """SHA-256 of the version's bytes, hexadecimal."""
    retired: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractFilter:
    """Which contracts; what is None does not matter. All that is given must hold."""

    tenant: str | None = None
    owner: str | None = None
    squad: str | None = None
    tribe: str | None = None
    domain: str | None = None
    tag: str | None = None
    status: str | None = None
    text: str | None = None
    """A part of the id or the name, in any case."""
    retired: bool | None = False
    """None: both."""


EVERY_CONTRACT = ContractFilter()
"""All that are not retired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChanges:
    """Which contracts of a tenant are others than they were."""

    number: int
    """Of the last change, counted for each tenant: all up to it is told, and nothing that came later."""
    contracts: tuple[Contract, ...] = ()
    """The latest versions of those in use."""
    gone: tuple[str, ...] = ()
    """The ids of those that are not in use any more."""


class ContractStore(Protocol):
    """Keeps versions of contracts. A version never changes, and nothing is deleted."""

    def put_contract(self, contract: Contract, text: bytes, now: datetime, by: Actor = SERVICE) -> bool:
        """Keep a version; False when these same bytes are already there. UserMistake when the
        version is there with other bytes: versions never change."""
        ...

    def contracts(self) -> tuple[Contract, ...]:
        """The latest version of every contract that is not retired, by id."""
        ...

    def versions(self, contract_id: str) -> tuple[Contract, ...]:
        """Every version of a contract, oldest first; none for an unknown id."""
        ...

    def contract(self, contract_id: str) -> Contract | None:
        """The latest version of a contract, retired or not; None for an unknown id."""
        ...

    def contract_text(self, contract_id: str, version: str | None = None) -> bytes | None:
        """The bytes of a version (None: the latest) as they were given; None when there is none."""
        ...

    def contracts_changed(self, after: datetime, until: datetime) -> tuple[str, ...]:
        """The ids of the contracts in use of which a version was registered in that time, by id."""
        ...

    def contracts_since(self, tenant: str, number: int) -> ContractChanges:
        """What is other than it was at the change with that number; 0: all contracts. Costs what changed."""
        ...

    def list_contracts(
        self, wanted: ContractFilter = EVERY_CONTRACT, *, after: str = "", limit: int = 100
    ) -> tuple[ContractRow, ...]:
        """Contracts by id, those that come after the id ``after``, at most ``limit``."""
        ...

    def contract_rows(self, ids: Iterable[str]) -> Mapping[str, ContractRow]:
        """What lists show of the contracts with these ids, retired ones too; unknown ones are left out."""
        ...

    def lock_contract(self, contract_id: str) -> None:
        """Nobody else changes this contract, or what hangs on it by this too, until the transaction ends
        that this is part of (see :meth:`Store.atomically`)."""
        ...

    def retire_contract(self, contract_id: str, now: datetime, by: Actor) -> bool:
        """Take a contract out of use; False when it is already. UserMistake for an unknown id."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A part of the lineage. ``complete`` is False when it was cut at the limit."""

    graph: Graph
    complete: bool = True
    leaving: tuple[Edge, ...] = ()
    """Of an impact's part: who else reads columns of the datasets that it starts at or comes to. Of each
    origin's edges from one dataset to another it is the one that was seen last."""


class DeprecationStore(Protocol):
    """Keeps since when columns and tables are deprecated: the time until they may be removed runs."""

    def put_deprecated(self, contract_id: str, elements: Iterable[tuple[str, str]], now: datetime) -> None:
        """These (table, column or empty) are deprecated in the latest version, and nothing else of it is.
        The time of what was deprecated before runs on."""
        ...

    def deprecated_since(self, contract_ids: Iterable[str]) -> Mapping[tuple[str, str, str], date]:
        """Contract, table, column -> since when it is deprecated."""
        ...


class LineageStore(Protocol):
    """Keeps lineage. The same edges give the same graph, however often and in what order they come."""

    def put_edges(self, edges: Iterable[Edge]) -> None:
        """Add lineage; an edge that is there already only gets the later ``seen``."""
        ...

    def edges(self) -> tuple[Edge, ...]:
        """All lineage, ordered by source and target."""
        ...

    def downstream(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """The edges that an effect on these columns (or, column None, datasets) can travel along."""
        ...

    def upstream(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """The edges that these columns (or, column None, datasets) are made along."""
        ...

    def impact_part(self, starts: Iterable[ColumnRef], *, limit: int = 100_000) -> Reached:
        """What :func:`contracts_svc.impact.assess` needs: the edges downstream, and those that tell
        what else makes the columns there. ``limit`` counts columns each way."""
        ...


class IncidentStore(Protocol):
    """Keeps incidents as they are now, and how they came to be so."""

    def put_incidents(self, incidents: Iterable[Incident], transitions: Iterable[Transition] = ()) -> None:
        """Keep these incidents as they are now, and the transitions that made them so, together. The
        same again changes nothing."""
        ...

    def incidents(self, resolved_since: datetime | None = None) -> tuple[Incident, ...]:
        """Incidents that are not resolved, and those resolved since a moment where one is given,
        longest open first."""
        ...

    def table_incidents(
        self, places: Collection[tuple[str, str]], resolved_since: datetime
    ) -> tuple[Incident, ...]:
        """As :meth:`incidents`, of these tables (contract id and table name)."""
        ...

    def named_incidents(self, fingerprints: Iterable[str]) -> tuple[Incident, ...]:
        """The incidents with these fingerprints, however they stand."""
        ...

    def incident(self, fingerprint: str, *, to_change: bool = False) -> Incident | None:
        """The incident of that fingerprint. ``to_change``: nobody else changes it until the transaction
        that this is part of ends (see :meth:`Store.atomically`)."""
        ...

    def transitions(self, fingerprint: str) -> tuple[Transition, ...]:
        """All that happened to an incident, oldest first."""
        ...

    def moves(self, after: int | None, *, limit: int = 1_000) -> tuple[int, tuple[Transition, ...]]:
        """The transitions of all incidents after a number, in order, and the number of the last of them.
        None: none, and the number of the last that there is."""
        ...

    def put_told(
        self, fingerprints: Iterable[str], audience: Audience, at: datetime
    ) -> Mapping[str, datetime]:
        """Somebody of this audience was told of these incidents. Those of which nobody was before: by
        fingerprint, when they were opened."""
        ...

    def told(self, fingerprints: Iterable[str]) -> Mapping[str, Mapping[Audience, datetime]]:
        """When somebody was first told of these incidents, since they were opened."""
        ...

    def table_transitions(self, contract_id: str, table: str, *, since: datetime) -> tuple[Transition, ...]:
        """All that happened to the incidents of a table since a moment, oldest first."""
        ...


RECENT = 10_000
"""Runs that are looked through for the latest ones of a tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One figure of a check, as one run found it."""

    at: datetime
    scope: str
    value: float
    outcome: Outcome


class RunStore(Protocol):
    """Keeps runs, their results, and figures over time."""

    def put_run(self, run: Run) -> str:
        """Keep a run; returns its id. The same run again changes nothing."""
        ...

    def id_of(self, run: Run) -> str:
        """The id of a run, whether it is kept or not."""
        ...

    def run(self, run_id: str) -> Run | None:
        """The run of that id."""
        ...

    def runs(
        self, contract_id: str, *tables: str, before: datetime | None = None, limit: int = 100
    ) -> tuple[Run, ...]:
        """Runs of these tables, the latest first, those that started before ``before``."""
        ...

    def recent_runs(
        self, tenant: str, *, before: datetime | None = None, limit: int = 100
    ) -> tuple[Run, ...]:
        """Runs of a tenant's contracts, the latest first, those that started before ``before``. Among the
        latest :data:`RECENT` of all tenants."""
        ...

    def ever_checked(self, places: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Those of these tables (contract id and table name) of which there is a run."""
        ...

    def measurements(
        self, contract_id: str, table: str, check: str, figure: str, *, since: datetime, limit: int = 10_000
    ) -> tuple[Point, ...]:
        """A figure of a check over time, oldest first; at most ``limit``, the latest."""
        ...

    def learned(
        self, contract_id: str, table: str, checks: Iterable[str], figure: str, *, since: datetime
    ) -> Mapping[str, tuple[Point, ...]]:
        """A figure of several checks over time, oldest first, by check id: nothing of a run of which any
        check failed."""
        ...


class WaiverStore(Protocol):
    """Keeps approvals."""

    def put_waiver(self, waiver: Waiver, now: datetime, by: Actor) -> bool:
        """Keep a waiver; False when it is there already, and not withdrawn."""
        ...

    def waivers(self, now: datetime) -> tuple[Waiver, ...]:
        """The waivers in force at that moment, the one that lasts longest first."""
        ...

    def waiver_id(self, waiver: Waiver) -> str:
        """What a waiver is called."""
        ...

    def waiver(self, waiver_id: str) -> Waiver | None:
        """The waiver of that id, also when it is over or withdrawn."""
        ...

    def withdraw_waiver(self, waiver_id: str, now: datetime, by: Actor) -> bool:
        """A waiver counts no more; False when it does not already."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Somebody who wants to be treated as a consumer of a contract."""

    consumer: str
    """Who reads, by a name of its own."""
    contract: str
    team: str = ""
    version: str = ""
    """Which version it was written for; empty: whatever comes."""
    columns: tuple[str, ...] = ()
    """What it reads, as ``table.column``; empty: not known."""
    channels: tuple[Channel, ...] = ()


class SubscriptionStore(Protocol):
    """Keeps subscriptions, one per consumer and contract."""

    def put_subscription(self, subscription: Subscription, now: datetime, by: Actor) -> bool:
        """Keep a subscription as it is now; False when it is so already."""
        ...

    def end_subscription(self, consumer: str, contract_id: str, now: datetime, by: Actor) -> bool:
        """End a subscription; False when there is none."""
        ...

    def subscriptions(self, contract_id: str | None = None) -> tuple[Subscription, ...]:
        """Subscriptions that have not ended, by contract and consumer."""
        ...


TOKEN_SECONDS = 2.0
"""How long a token may be taken for what it was without looking again: one that another process revoked is
good for that long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token without its secret, of which only a hash is kept."""

    id: str
    owner: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime
    tenant: str = ""
    revoked: datetime | None = None


class TokenStore(Protocol):
    """Keeps API tokens."""

    def put_token(self, token: Token, hash: str, by: Actor) -> None:
        """Keep a new token; ``hash`` is SHA-256 of its secret, hexadecimal."""
        ...

    def token(self, hash: str) -> Token | None:
        """The token whose secret has this hash, whether it is still good or not; as it was at most
        :data:`TOKEN_SECONDS` ago, where another process revoked it."""
        ...

    def token_looked_up(self, hash: str) -> Token | None:
        """The same where it was looked up just now, at once; None: it may be there or not."""
        ...

    def token_named(self, token_id: str) -> Token | None:
        """The token of that id, whether it is still good or not."""
        ...

    def tokens(self) -> tuple[Token, ...]:
        """Every token, by owner and id."""
        ...

    def revoke_token(self, token_id: str, now: datetime, by: Actor) -> bool:
        """Make a token useless; False when it is already. UserMistake for an unknown id."""
        ...


class AuditStore(Protocol):
    """Tells who changed what. Entries are written with the change, in one transaction."""

    def audit(
        self, kind: str | None = None, subject: str | None = None, *, after: int = 0, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Changes, oldest first, those after the number ``after``."""
        ...

    def note(
        self,
        now: datetime,
        by: Actor,
        action: str,
        kind: str,
        subject: str,
        detail: Mapping[str, Json] | None = None,
    ) -> None:
        """Write down a change that no other method writes down; with it, in one transaction."""
        ...


class HeardStore(Protocol):
    """Remembers which messages from outside were heard."""

    def hear(self, messages: Iterable[str], now: datetime) -> frozenset[str]:
        """Remember messages by their ids; those that were not known before."""
        ...


class StateStore(Protocol):
    """Keeps figures of files, so that files that did not change are not read again.

    What is kept may be forgotten at any time. Raises CouldNotCheck.
    """

    def states(self, place: str, units: Collection[str]) -> Mapping[str, Mapping[str, Json]]:
        """Unit -> figure -> value, of those of these units that are kept. A unit is a file, or some files,
        as they were; ``place`` says whose they are: its first line is the id of the contract."""
        ...

    def put_states(
        self, place: str, states: Mapping[str, Mapping[str, Json]], keep: Collection[str] | None = None
    ) -> None:
        """Keep these; where ``keep`` is given, forget the place's units that are not in it."""
        ...


class Store(
    ContractStore,
    DeprecationStore,
    LineageStore,
    IncidentStore,
    RunStore,
    WaiverStore,
    SubscriptionStore,
    TokenStore,
    AuditStore,
    StateStore,
    Protocol,
):
    """All that the service must remember. Raises CouldNotCheck when it cannot be reached."""

    def atomically(self, work: Callable[[], T]) -> T:
        """Run ``work``, all of whose changes are kept together, or none is. It may run more than once
        (when another change was in the way), so it must do nothing that cannot be repeated."""
        ...

    def at_once(self, work: Callable[[], T]) -> T:
        """Run ``work``, which only reads and does not take long: it costs less than to read one by one."""
        ...

    def close(self) -> None:
        """Let go of the database; the store cannot be used afterwards."""
        ...
