"""The outbox in the database: what has to be told, until it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, or_, select

from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.part import Part, insert, note, rows_with
from contracts_svc.adapters.store.tables_incidents import periods
from contracts_svc.adapters.store.tables_outbox import (
    outbox_groups,
    outbox_incidents,
    outbox_messages,
    silences,
)
from contracts_svc.errors import UserMistake
from contracts_svc.model import Json
from contracts_svc.ports_outbox import Kept, MessageState
from contracts_svc.ports_store import SERVICE, Actor
from contracts_svc.routes.groups import Group, Message
from contracts_svc.routes.silences import TENANT, Silence, value_of

_GROUPS, _INCIDENTS, _MESSAGES = outbox_groups, outbox_incidents, outbox_messages
_LOCK = 7_219_044_811
"""Any number that nothing else locks by."""


class Outbox(Part):
    """:class:`contracts_svc.ports_outbox.OutboxStore`, without its silences."""

    def lock_outbox(self) -> None:
        """Inside a transaction: nobody else changes groups until its end."""

        def work(connection: Connection) -> None:
            # A writer of SQLite is alone anyway.
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))

        self.database.write(work)

    def groups(self, keys: Iterable[str] = (), incidents: Iterable[str] = ()) -> tuple[Group, ...]:
        """The groups with these keys, and those that hold one of these incidents, by key."""
        wanted, named = set(keys), set(incidents)

        def work(connection: Connection) -> tuple[Group, ...]:
            holding = select(_INCIDENTS.c.group_key)
            found = rows_with(connection, holding, _INCIDENTS.c.incident, sorted(named))
            every = wanted | {row.group_key for row in found}
            query = select(_GROUPS.c.key, _GROUPS.c.document)
            rows = rows_with(connection, query, _GROUPS.c.key, sorted(every))
            return tuple(loads(Group, r.document) for r in sorted(rows, key=lambda r: r.key))

        return self.database.read(work)

    def groups_of(self, recipients: Iterable[str]) -> tuple[Group, ...]:
        """The groups of these recipients."""
        names = sorted({_recipient(r) for r in recipients})
        query = select(_GROUPS.c.document)
        return self.database.read(
            lambda c: tuple(loads(Group, r.document) for r in rows_with(c, query, _GROUPS.c.recipient, names))
        )

    def every_group(self) -> tuple[Group, ...]:
        """All groups, by key."""
        query = select(_GROUPS.c.document).order_by(_GROUPS.c.key)
        return self.database.read(lambda c: tuple(loads(Group, t) for t in c.scalars(query)))

    def due_groups(self, now: datetime, limit: int) -> tuple[Group, ...]:
        """Groups that are to be looked at, the longest due first."""
        query = select(_GROUPS.c.document).where(_GROUPS.c.due <= now)
        query = query.order_by(_GROUPS.c.due, _GROUPS.c.key).limit(limit)
        return self.database.read(lambda c: tuple(loads(Group, t) for t in c.scalars(query)))

    def put_groups(self, groups: Iterable[Group]) -> None:
        """Keep these groups as they are now; those without entries are forgotten."""
        latest = {g.key: g for g in groups}
        if latest:
            self.database.write(lambda c: _put_groups(c, [g for _, g in sorted(latest.items())]))

    def put_message(self, message: Message) -> None:
        """Keep a message that is to be sent. One with the same key is sent again."""
        row = {
            "key": message.key,
            "group_key": message.group,
            "state": MessageState.WAITING.value,
            "attempts": message.attempts,
            "created": message.created,
            "taken_until": None,
            "settled": None,
            "reason": "",
            "document": dumps(message),
        }

        def work(connection: Connection) -> None:
            statement = insert(connection, _MESSAGES)
            again = {n: statement.excluded[n] for n in ("state", "attempts", "taken_until", "document")}
            connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=again), row)

        self.database.write(work)

    def replace_retries(self, group: str, keep: str = "") -> None:
        """The messages of a group that wait for another try are replaced, but the one of this key."""
        there = (_MESSAGES.c.group_key == group, _MESSAGES.c.state == MessageState.RETRY.value)
        change = _MESSAGES.update().where(*there, _MESSAGES.c.key != keep)
        self.database.write(lambda c: c.execute(change, {"state": MessageState.REPLACED.value}))

    def take(self, now: datetime, until: datetime, limit: int) -> tuple[Message, ...]:
        """Messages to be sent, in order; nobody else gets them before ``until``."""
        free = or_(_MESSAGES.c.taken_until.is_(None), _MESSAGES.c.taken_until <= now)
        query = select(_MESSAGES.c.id, _MESSAGES.c.document, _MESSAGES.c.attempts)
        query = query.where(_MESSAGES.c.state == MessageState.WAITING.value, free)
        query = query.order_by(_MESSAGES.c.id).limit(limit).with_for_update(skip_locked=True)

        def work(connection: Connection) -> tuple[Message, ...]:
            rows = connection.execute(query).all()
            if rows:
                ids = [r.id for r in rows]
                change = _MESSAGES.update().where(_MESSAGES.c.id.in_(ids))
                connection.execute(change.values(taken_until=until))
            return tuple(replace(loads(Message, r.document), attempts=r.attempts) for r in rows)

        return self.database.write(work)

    def settle(
        self,
        key: str,
        state: MessageState,
        now: datetime,
        *,
        attempts: int,
        reason: str = "",
        again: datetime | None = None,
    ) -> None:
        """Write down how the message of this key stands now, if it was waiting or dead."""
        row: dict[str, Any] = {"state": state.value, "settled": now, "attempts": attempts}
        row |= {"reason": _storable(reason), "taken_until": again}
        # Two may have sent it, one of them late: what is sent stays so.
        open_states = (MessageState.WAITING.value, MessageState.DEAD.value)
        change = _MESSAGES.update().where(_MESSAGES.c.key == key, _MESSAGES.c.state.in_(open_states))
        self.database.write(lambda c: c.execute(change, row))

    def messages(
        self, state: MessageState | None = None, *, after: int = 0, limit: int = 100
    ) -> tuple[Kept, ...]:
        """Messages in the order in which they were made."""
        query = select(_MESSAGES).where(_MESSAGES.c.id > after)
        if state is not None:
            query = query.where(_MESSAGES.c.state == state.value)
        return self._listed(query.order_by(_MESSAGES.c.id).limit(limit))

    def message(self, key: str) -> Kept | None:
        """The message whose key begins so; None when there is none, or more than one."""
        found = self._listed(
            select(_MESSAGES).where(_MESSAGES.c.key.startswith(key, autoescape=True)).limit(2)
        )
        return found[0] if len(found) == 1 else None

    def outbox_counts(self) -> dict[MessageState, int]:
        """How many messages there are in each state."""
        query = select(_MESSAGES.c.state, func.count()).group_by(_MESSAGES.c.state)
        found = dict(self.database.read(lambda c: [(r[0], r[1]) for r in c.execute(query)]))
        return {state: found.get(state.value, 0) for state in MessageState}

    def outbox_due(self) -> datetime | None:
        """When there is something to do next; None: nothing is waiting."""
        waiting = _MESSAGES.c.state == MessageState.WAITING.value
        queries = (
            select(func.min(_GROUPS.c.due)),
            select(func.min(func.coalesce(_MESSAGES.c.taken_until, _MESSAGES.c.created))).where(waiting),
        )
        found = self.database.read(lambda c: [c.scalar(q) for q in queries])
        return min((t for t in found if t is not None), default=None)

    def period_done(self, name: str) -> bool:
        """Whether what is done once in this period is done."""
        query = select(periods.c.name).where(periods.c.name == name)
        return self.database.read(lambda c: c.scalar(query)) is not None

    def end_period(self, name: str, now: datetime) -> bool:
        """What is done once in this period is done now; False when somebody else has done it."""

        def work(connection: Connection) -> bool:
            statement = insert(connection, periods).on_conflict_do_nothing(index_elements=["name"])
            row = {"name": name, "at": now}
            return connection.execute(statement.returning(periods.c.name), row).scalar() is not None

        return self.database.write(work)

    def _listed(self, query: Select[Any]) -> tuple[Kept, ...]:
        rows = self.database.read(lambda c: c.execute(query).all())
        return tuple(_kept_row(r) for r in rows)


class Silences(Part):
    """:class:`contracts_svc.ports_outbox.SilenceStore`"""

    def put_silence(self, silence: Silence, now: datetime, by: Actor = SERVICE) -> bool:
        """Keep a silence; False when it is there already."""
        row = {"id": silence.id, "ends": silence.ends, "document": dumps(silence)}

        def work(connection: Connection) -> bool:
            statement = insert(connection, silences).on_conflict_do_nothing(index_elements=["id"])
            if connection.execute(statement.returning(silences.c.id), row).scalar() is None:
                return False
            note(connection, now, by, "created", "silence", silence.id, _said(silence))
            return True

        return self.database.write(work)

    def silences(self, now: datetime) -> tuple[Silence, ...]:
        """The silences that are in force at that moment or begin later, by their end."""
        query = (
            select(silences.c.document).where(silences.c.ends > now).order_by(silences.c.ends, silences.c.id)
        )
        return self.database.read(lambda c: tuple(loads(Silence, t) for t in c.scalars(query)))

    def silence(self, silence_id: str) -> Silence | None:
        """The silence of that id, also when it is over."""
        query = select(silences.c.document).where(silences.c.id == silence_id)
        found = self.database.read(lambda c: c.scalar(query))
        return None if found is None else loads(Silence, found)

    def end_silence(self, silence_id: str, now: datetime, by: Actor) -> bool:
        """End a silence now; False when it is over already. UserMistake for an unknown id."""

        def work(connection: Connection) -> bool:
            there = silences.c.id == silence_id
            text = connection.scalar(select(silences.c.document).where(there))
            if text is None:
                raise UserMistake.of(
                    f"no silence is called {silence_id!r}", "see `contracts silence list` for those there are"
                )
            before = loads(Silence, text)
            after = before.ended(now)
            if after == before:
                return False
            row = {"ends": after.ends, "document": dumps(after)}
            connection.execute(silences.update().where(there), row)
            note(connection, now, by, "ended", "silence", silence_id, _said(before))
            return True

        return self.database.write(work)


def _said(silence: Silence) -> dict[str, Json]:
    """What the audit says of a silence; ``tenant`` is whose it is."""
    return {
        "matchers": [str(m) for m in silence.matchers],
        "reason": silence.reason,
        "tenant": value_of(silence, TENANT) or "",
    }


def _put_groups(connection: Connection, groups: list[Group]) -> None:
    keys = [g.key for g in groups]
    kept = [g for g in groups if g.entries]
    for start in range(0, len(keys), 1_000):
        some = keys[start : start + 1_000]
        connection.execute(_INCIDENTS.delete().where(_INCIDENTS.c.group_key.in_(some)))
    gone = [g.key for g in groups if not g.entries]
    for start in range(0, len(gone), 1_000):
        connection.execute(_GROUPS.delete().where(_GROUPS.c.key.in_(gone[start : start + 1_000])))
    if not kept:
        return
    statement = insert(connection, _GROUPS)
    new = {name: statement.excluded[name] for name in ("due", "document")}
    rows = [
        {"key": g.key, "recipient": _recipient(g.recipient), "due": g.due, "document": dumps(g)} for g in kept
    ]
    connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=new), rows)
    # Also by cause: when that is over, what waited for it is looked for.
    holds = {(g.key, i) for g in kept for e in g.entries for i in (e.incident, e.cause) if i}
    named = [{"group_key": key, "incident": incident} for key, incident in sorted(holds)]
    connection.execute(_INCIDENTS.insert(), named)


def _recipient(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _kept_row(row: Row[Any]) -> Kept:
    return Kept(
        number=row.id,
        message=loads(Message, row.document),
        state=MessageState(row.state),
        reason=row.reason,
        settled=row.settled,
    )


def _storable(text: str) -> str:
    """What others say of a failed send, without what a database cannot keep."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:1_000]
