"""Contracts in the database. The bytes as given are the truth; everything else is read from them."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

from sqlalchemy import Connection, Row, Select, and_, bindparam, or_, select
from sqlalchemy.sql.elements import ColumnElement

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.part import Part, batches, insert_on, note, rows_with
from contracts_svc.errors import UserMistake
from contracts_svc.model import Contract
from contracts_svc.ports_store import (
    EVERY_CONTRACT,
    SERVICE,
    Actor,
    ContractChanges,
    ContractFilter,
    ContractRow,
)
from contracts_svc.versions import precedence

ReadContract = Callable[[bytes, str], Contract]
"""Text and file name -> Contract; raises UserMistake."""

KEPT_READ = 2_000
"""How many versions stay read in memory: reading one takes some milliseconds."""

_TEXTS_AT_ONCE = 500
"""How many texts are in memory at a time that nobody has read yet."""

_CONTRACTS, _VERSIONS, _TAGS = tables.contracts, tables.contract_versions, tables.contract_tags
_LATEST = and_(_VERSIONS.c.contract_id == _CONTRACTS.c.id, _VERSIONS.c.version == _CONTRACTS.c.latest)
_CHANGES = tables.contract_changes
_VERSION = (_VERSIONS.c.id, _VERSIONS.c.hash, _VERSIONS.c.file)

# Statements that many requests run are made once: to make one costs more than to run it.
_JOINED = (
    select(*_VERSION).join(_CONTRACTS, _CONTRACTS.c.id == _VERSIONS.c.contract_id).order_by(_VERSIONS.c.id)
)
_IN_USE = _JOINED.where(_LATEST, _CONTRACTS.c.retired.is_(None))
_ALL_OF_ONE = _JOINED.where(_CONTRACTS.c.contract == bindparam("contract_id"))
_TEXT = (
    select(_VERSIONS.c.text)
    .join(_CONTRACTS, _CONTRACTS.c.id == _VERSIONS.c.contract_id)
    .where(_CONTRACTS.c.contract == bindparam("contract_id"))
)
_LATEST_TEXT, _ONE_TEXT = _TEXT.where(_LATEST), _TEXT.where(_VERSIONS.c.version == bindparam("number"))
_SINCE = (
    select(*_VERSION, _CONTRACTS.c.contract, _CONTRACTS.c.changed)
    .add_columns(_CONTRACTS.c.retired.is_not(None).label("retired"))
    .join(_CONTRACTS, _CONTRACTS.c.id == _VERSIONS.c.contract_id)
    .where(_LATEST, _CONTRACTS.c.tenant == bindparam("of_tenant"), _CONTRACTS.c.changed > bindparam("number"))
)
_WITH_TEXT = select(*_VERSION, _VERSIONS.c.text)
_LOCKED = select(_CONTRACTS).where(_CONTRACTS.c.contract == bindparam("contract_id")).with_for_update()
_HASH = select(_VERSIONS.c.hash).where(
    _VERSIONS.c.contract_id == bindparam("of_contract"), _VERSIONS.c.version == bindparam("number")
)
_NEW_VERSION = _VERSIONS.insert().returning(_VERSIONS.c.id)
_NEW_LATEST = (
    _CONTRACTS.update().where(_CONTRACTS.c.id == bindparam("of_contract")).values(latest=bindparam("number"))
)
_CHANGED = (
    _CONTRACTS.update()
    .where(_CONTRACTS.c.contract == bindparam("contract_id"))
    .values(changed=bindparam("number"))
)


class Contracts(Part):
    """:class:`contracts_svc.ports_store.ContractStore`"""

    def __init__(self, database: Database, read: ReadContract) -> None:
        super().__init__(database)
        self._read = read
        self._kept: OrderedDict[tuple[str, str], Contract] = OrderedDict()
        # What somebody else holds costs no memory here, and need not be read again.
        self._held: WeakValueDictionary[tuple[str, str], Contract] = WeakValueDictionary()
        self._lock = Lock()

    def put_contract(self, contract: Contract, text: bytes, now: datetime, by: Actor = SERVICE) -> bool:
        """Keep a version. Raises UserMistake when it is there with another text."""

        def work(connection: Connection) -> bool:
            added = _put(connection, contract, text, now, by)
            if added:
                self._count(contract.tenant or "", contract.id)
            return added

        added = self.database.write(work)
        # Whoever registers a version has just read it; should the transaction be undone, nobody asks for it.
        self._remember((hashlib.sha256(text).hexdigest(), contract.at.file), contract)
        return added

    def contracts(self) -> tuple[Contract, ...]:
        """The latest version of every contract that is not retired, by id."""
        found = self._contracts(_IN_USE)
        return tuple(sorted(found, key=lambda c: c.id))

    def versions(self, contract_id: str) -> tuple[Contract, ...]:
        """Every version of a contract, oldest first by semantic versioning; none for an unknown id."""
        found = self._contracts(_ALL_OF_ONE, contract_id=contract_id)
        return tuple(sorted(found, key=lambda c: precedence(c.version)))

    def contract(self, contract_id: str) -> Contract | None:
        """The latest version of a contract, retired or not; None for an unknown id."""
        return next(iter(self._contracts(_ALL_OF_ONE.where(_LATEST), contract_id=contract_id)), None)

    def contracts_since(self, tenant: str, number: int) -> ContractChanges:
        """What is other than it was at the change with that number; 0: all contracts. Costs what changed."""
        values = {"of_tenant": tenant, "number": number}
        # In one statement: whatever it does not see has a greater number than all that it sees.
        rows: list[Row[Any]] = self.database.read(lambda c: list(c.execute(_SINCE, values)))
        found = self._of([r for r in rows if not r.retired])
        return ContractChanges(
            number=max((r.changed for r in rows), default=number),
            contracts=tuple(sorted(found, key=lambda c: c.id)),
            gone=tuple(sorted(r.contract for r in rows if r.retired)),
        )

    def contract_text(self, contract_id: str, version: str | None = None) -> bytes | None:
        """The bytes of a version (None: the latest) as they were given; None when there is none."""
        query = _LATEST_TEXT if version is None else _ONE_TEXT
        values = {"contract_id": contract_id} | ({} if version is None else {"number": version})
        found = self.database.read(lambda c: c.scalar(query, values))
        return None if found is None else bytes(found)

    def contracts_changed(self, after: datetime, until: datetime) -> tuple[str, ...]:
        """The ids of the contracts in use of which a version was registered in that time, by id."""
        query = (
            select(_CONTRACTS.c.contract)
            .join(_VERSIONS, _VERSIONS.c.contract_id == _CONTRACTS.c.id)
            .where(_CONTRACTS.c.retired.is_(None), _VERSIONS.c.added > after, _VERSIONS.c.added <= until)
            .distinct()
            .order_by(_CONTRACTS.c.contract)
        )
        return tuple(self.database.read(lambda c: c.scalars(query).all()))

    def list_contracts(
        self, wanted: ContractFilter = EVERY_CONTRACT, *, after: str = "", limit: int = 100
    ) -> tuple[ContractRow, ...]:
        """Contracts by id, those that come after the id ``after``, at most ``limit``."""

        def work(connection: Connection) -> tuple[ContractRow, ...]:
            query = _ROWS.where(*_conditions(wanted), _CONTRACTS.c.contract > after)
            rows = connection.execute(query.order_by(_CONTRACTS.c.contract).limit(limit)).all()
            tags = _tags(connection, [r.id for r in rows])
            return tuple(_row(r, tags.get(r.id, ())) for r in rows)

        return self.database.read(work)

    def contract_rows(self, ids: Iterable[str]) -> Mapping[str, ContractRow]:
        """What lists show of the contracts with these ids, retired ones too; unknown ones are left out."""
        wanted = tuple(dict.fromkeys(ids))

        def work(connection: Connection) -> Mapping[str, ContractRow]:
            rows = list(rows_with(connection, _ROWS, _CONTRACTS.c.contract, wanted))
            tags = _tags(connection, [r.id for r in rows])
            return {r.contract: _row(r, tags.get(r.id, ())) for r in rows}

        return self.database.read(work)

    def lock_contract(self, contract_id: str) -> None:
        """Nobody else changes this contract, or what hangs on it, until the transaction ends that this is
        part of (see :meth:`contracts_svc.ports_store.Store.atomically`)."""
        self.database.write(lambda c: _locked(c, contract_id))

    def retire_contract(self, contract_id: str, now: datetime, by: Actor) -> bool:
        """Take a contract out of use; False when it is already. Raises UserMistake for an unknown id."""

        def work(connection: Connection) -> bool:
            there = _locked(connection, contract_id)
            if there is None:
                raise UserMistake.of(f"no contract {contract_id!r} is registered", "check the id")
            if there.retired is not None:
                return False
            connection.execute(_CONTRACTS.update().where(_CONTRACTS.c.id == there.id).values(retired=now))
            note(connection, now, by, "retired", "contract", contract_id)
            self._count(there.tenant, contract_id)
            return True

        return self.database.write(work)

    def _contracts(self, query: Select[Any], **values: str) -> list[Contract]:
        """The contracts of these versions, in the order they came; only unread ones are fetched whole."""
        return self._of(self.database.read(lambda c: list(c.execute(query, values))))

    def _of(self, versions: Sequence[Row[Any]]) -> list[Contract]:
        """The contracts of these rows of versions, which never change."""
        kept = ((r.id, self._known((r.hash, r.file))) for r in versions)
        known = {id_: contract for id_, contract in kept if contract is not None}
        unread = [r.id for r in versions if r.id not in known]
        for some in batches(unread, _TEXTS_AT_ONCE):
            for row in self.database.read(
                lambda c, some=some: list(rows_with(c, _WITH_TEXT, _VERSIONS.c.id, some))  # type: ignore[misc]
            ):
                known[row.id] = self._parsed((row.hash, row.file), bytes(row.text))
        return [known[r.id] for r in versions]

    def _count(self, tenant: str, contract_id: str) -> None:
        """A contract was changed: give the change its number. At last, since whoever has the number before
        it must be done then."""

        def work(connection: Connection) -> None:
            counted = _counted(connection.dialect.name)
            number = connection.execute(counted, {"tenant": tenant, "latest": 1}).scalar_one()
            connection.execute(_CHANGED, {"contract_id": contract_id, "number": number})

        self.database.at_last((_CHANGES, contract_id), work)

    def _known(self, key: tuple[str, str]) -> Contract | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._held.get(key)

    def _parsed(self, key: tuple[str, str], text: bytes) -> Contract:
        found = self._read(text, key[1])
        self._remember(key, found)
        return found

    def _remember(self, key: tuple[str, str], contract: Contract) -> None:
        with self._lock:
            self._kept[key] = self._held[key] = contract
            if len(self._kept) > KEPT_READ:
                self._kept.popitem(last=False)


def _put(connection: Connection, contract: Contract, text: bytes, now: datetime, by: Actor) -> bool:
    hash_ = hashlib.sha256(text).hexdigest()
    # The row of the contract is what two registrations of it wait at.
    row = {"contract": contract.id, "tenant": contract.tenant or "", "latest": contract.version, "changed": 0}
    contract_id = connection.execute(_first(connection.dialect.name), row).scalar()
    latest = contract.version
    if contract_id is None:
        there = _locked(connection, contract.id)
        assert there is not None
        contract_id, latest = there.id, there.latest
        known = connection.scalar(_HASH, {"of_contract": contract_id, "number": contract.version})
        if known == hash_:
            return False
        _refuse(contract, there, known)
    row = {"contract_id": contract_id, "file": contract.at.file, "text": text, "hash": hash_, "added": now}
    version_id = connection.execute(_NEW_VERSION, row | _shown(contract)).scalar_one()
    tags = [{"version_id": version_id, "tag": t} for t in dict.fromkeys(contract.tags)]
    if tags:
        connection.execute(_TAGS.insert(), tags)
    if contract.version != latest and precedence(contract.version) >= precedence(latest):
        connection.execute(_NEW_LATEST, {"of_contract": contract_id, "number": contract.version})
    detail = {"version": contract.version, "hash": hash_}
    note(connection, now, by, "registered", "contract", contract.id, detail)
    return True


def _locked(connection: Connection, contract_id: str) -> Row[Any] | None:
    return connection.execute(_LOCKED, {"contract_id": contract_id}).first()


@lru_cache
def _first(dialect: str) -> Any:
    """Adds a contract, and gives its number unless it is there."""
    statement = insert_on(dialect, _CONTRACTS).on_conflict_do_nothing(index_elements=["contract"])
    return statement.returning(_CONTRACTS.c.id)


@lru_cache
def _counted(dialect: str) -> Any:
    """Counts a change of a tenant's contracts, and gives its number."""
    further = {"latest": _CHANGES.c.latest + 1}
    statement = insert_on(dialect, _CHANGES).on_conflict_do_update(index_elements=["tenant"], set_=further)
    return statement.returning(_CHANGES.c.latest)


def _refuse(contract: Contract, there: Row[Any], known: str | None) -> None:
    if there.tenant != (contract.tenant or ""):
        raise UserMistake.of(
            f"contract {contract.id} belongs to another tenant",
            "give the contract an id of its own, or the `tenant` that it has",
            at=contract.place("tenant"),
        )
    if there.retired is not None:
        raise UserMistake.of(
            f"contract {contract.id} is retired",
            "give the contract that follows it an id of its own",
            at=contract.place("id"),
        )
    if known is not None:
        raise UserMistake.of(
            f"version {contract.version} of contract {contract.id} is registered with another content",
            "a version never changes: raise `version` in the contract",
            at=contract.place("version"),
        )


def _shown(contract: Contract) -> dict[str, str]:
    team = contract.team
    return {
        "version": contract.version,
        "name": contract.name or "",
        "status": contract.status or "",
        "domain": contract.domain or "",
        "owner": (team.owner if team else None) or "",
        "squad": (team.custom_value("squad") or team.name if team else None) or "",
        "tribe": (team.custom_value("tribe") if team else None) or "",
    }


# --- reading ------------------------------------------------------------------------------------


def _rows() -> Select[Any]:
    v = _VERSIONS.c
    query = select(v.id, _CONTRACTS.c.contract, _CONTRACTS.c.tenant, _CONTRACTS.c.retired, v.version, v.name)
    query = query.add_columns(v.status, v.domain, v.owner, v.squad, v.tribe, v.file, v.added, v.hash)
    return query.select_from(_CONTRACTS).join(_VERSIONS, _LATEST)


_ROWS, _TAGS_OF = _rows(), select(_TAGS)


def _conditions(wanted: ContractFilter) -> list[ColumnElement[bool]]:
    pairs: tuple[tuple[Any, str | None], ...] = (
        (_CONTRACTS.c.tenant, wanted.tenant),
        (_VERSIONS.c.owner, wanted.owner),
        (_VERSIONS.c.squad, wanted.squad),
        (_VERSIONS.c.tribe, wanted.tribe),
        (_VERSIONS.c.domain, wanted.domain),
        (_VERSIONS.c.status, wanted.status),
    )
    found = [column == value for column, value in pairs if value is not None]
    if wanted.tag is not None:
        found.append(_VERSIONS.c.id.in_(select(_TAGS.c.version_id).where(_TAGS.c.tag == wanted.tag)))
    if wanted.text is not None:
        columns = (_CONTRACTS.c.contract, _VERSIONS.c.name)
        found.append(or_(*(c.icontains(wanted.text, autoescape=True) for c in columns)))
    if wanted.retired is not None:
        there = _CONTRACTS.c.retired
        found.append(there.is_not(None) if wanted.retired else there.is_(None))
    return found


def _tags(connection: Connection, version_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for row in rows_with(connection, _TAGS_OF, _TAGS.c.version_id, version_ids):
        found[row.version_id] = (*found.get(row.version_id, ()), row.tag)
    return {k: tuple(sorted(v)) for k, v in found.items()}


def _row(row: Row[Any], tags: tuple[str, ...]) -> ContractRow:
    return ContractRow(
        id=row.contract,
        version=row.version,
        tenant=row.tenant,
        name=row.name,
        status=row.status,
        domain=row.domain,
        owner=row.owner,
        squad=row.squad,
        tribe=row.tribe,
        tags=tags,
        file=row.file,
        added=row.added,
        hash=row.hash,
        retired=row.retired,
    )
