"""What people decide, in the database: waivers, subscriptions, tokens; and the audit of it all."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from contracts_svc.adapters.store import tables
from contracts_svc.adapters.store.codec import dumps, encode, loads
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.part import Part, digest, insert, note
from contracts_svc.errors import UserMistake
from contracts_svc.model import Json
from contracts_svc.ports_store import TOKEN_SECONDS, Actor, AuditEntry, Subscription, Token
from contracts_svc.verdict import Waiver

_WAIVERS, _SUBSCRIPTIONS, _TOKENS, _AUDIT = (
    tables.waivers,
    tables.subscriptions,
    tables.tokens,
    tables.audit,
)


_TOKEN = select(_TOKENS.c.document).where(_TOKENS.c.hash == bindparam("secret"))
_IN_FORCE = (
    select(_WAIVERS.c.document)
    .where(_WAIVERS.c.expires > bindparam("now"), _WAIVERS.c.withdrawn.is_(None))
    .order_by(_WAIVERS.c.expires.desc(), _WAIVERS.c.id)
)
_SUBSCRIBED = select(_SUBSCRIPTIONS.c.document).where(_SUBSCRIPTIONS.c.ended.is_(None))


class Waivers(Part):
    """:class:`contracts_svc.ports_store.WaiverStore`"""

    def put_waiver(self, waiver: Waiver, now: datetime, by: Actor) -> bool:
        """Keep a waiver; False when it is there already, and not withdrawn."""

        def work(connection: Connection) -> bool:
            text = dumps(waiver)
            row = {"key": digest(text), "fingerprint": waiver.fingerprint}
            statement = insert(connection, _WAIVERS).on_conflict_do_update(
                index_elements=["key"], set_={"withdrawn": None}, where=_WAIVERS.c.withdrawn.is_not(None)
            )
            added = connection.execute(
                statement.returning(_WAIVERS.c.id), row | {"expires": waiver.expires, "document": text}
            ).scalar()
            if added is None:
                return False
            note(connection, now, by, "created", "waiver", waiver.fingerprint, encode(waiver))
            return True

        return self.database.write(work)

    def waivers(self, now: datetime) -> tuple[Waiver, ...]:
        """The waivers in force at that moment, the one that lasts longest first."""
        found = self.database.read(lambda c: c.scalars(_IN_FORCE, {"now": now}).all())
        return tuple(loads(Waiver, t) for t in found)

    def waiver_id(self, waiver: Waiver) -> str:
        """What a waiver is called."""
        return digest(dumps(waiver)).hex()

    def waiver(self, waiver_id: str) -> Waiver | None:
        """The waiver of that id, also when it is over or withdrawn."""
        query = select(_WAIVERS.c.document).where(_WAIVERS.c.key == _bytes(waiver_id))
        found = self.database.read(lambda c: c.scalar(query))
        return None if found is None else loads(Waiver, found)

    def withdraw_waiver(self, waiver_id: str, now: datetime, by: Actor) -> bool:
        """A waiver counts no more; False when it does not already."""
        there = (
            _WAIVERS.c.key == _bytes(waiver_id),
            _WAIVERS.c.withdrawn.is_(None),
            _WAIVERS.c.expires > now,
        )

        def work(connection: Connection) -> bool:
            statement = _WAIVERS.update().where(*there).values(withdrawn=now).returning(_WAIVERS.c.document)
            text = connection.scalar(statement)
            if text is None:
                return False
            waiver = loads(Waiver, text)
            note(connection, now, by, "withdrawn", "waiver", waiver.fingerprint, encode(waiver))
            return True

        return self.database.write(work)


def _bytes(waiver_id: str) -> bytes:
    """The key of a waiver; one that there is not for what is none."""
    try:
        return bytes.fromhex(waiver_id)
    except ValueError:
        return b""


class Subscriptions(Part):
    """:class:`contracts_svc.ports_store.SubscriptionStore`"""

    def put_subscription(self, subscription: Subscription, now: datetime, by: Actor) -> bool:
        """Keep a subscription as it is now; False when it is so already."""

        def work(connection: Connection) -> bool:
            text = dumps(subscription)
            there = _locked(connection, subscription.consumer, subscription.contract)
            if there is not None and there.ended is None and there.document == text:
                return False
            statement = insert(connection, _SUBSCRIPTIONS)
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["consumer", "contract"],
                    set_={"document": statement.excluded.document, "ended": None},
                ),
                {"consumer": subscription.consumer, "contract": subscription.contract, "document": text},
            )
            action = "changed" if there is not None and there.ended is None else "created"
            subject = f"{subscription.consumer} of {subscription.contract}"
            note(connection, now, by, action, "subscription", subject, encode(subscription))
            return True

        return self.database.write(work)

    def end_subscription(self, consumer: str, contract_id: str, now: datetime, by: Actor) -> bool:
        """End a subscription; False when there is none."""

        def work(connection: Connection) -> bool:
            there = _locked(connection, consumer, contract_id)
            if there is None or there.ended is not None:
                return False
            ended = _SUBSCRIPTIONS.update().where(_SUBSCRIPTIONS.c.id == there.id).values(ended=now)
            connection.execute(ended)
            subject = f"{consumer} of {contract_id}"
            note(connection, now, by, "ended", "subscription", subject, {"contract": contract_id})
            return True

        return self.database.write(work)

    def subscriptions(self, contract_id: str | None = None) -> tuple[Subscription, ...]:
        """Subscriptions that have not ended, by contract and consumer."""
        query = _SUBSCRIBED
        if contract_id is not None:
            query = query.where(_SUBSCRIPTIONS.c.contract == contract_id)
        found = self.database.read(lambda c: c.scalars(query).all())
        subscriptions = (loads(Subscription, t) for t in found)
        return tuple(sorted(subscriptions, key=lambda s: (s.contract, s.consumer)))


def _locked(connection: Connection, consumer: str, contract_id: str) -> Row[Any] | None:
    query = select(_SUBSCRIPTIONS).where(
        _SUBSCRIPTIONS.c.consumer == consumer, _SUBSCRIPTIONS.c.contract == contract_id
    )
    return connection.execute(query.with_for_update()).first()


_MOST_TRUSTED = 10_000


class Tokens(Part):
    """:class:`contracts_svc.ports_store.TokenStore`"""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._trusted: dict[str, tuple[float, Token]] = {}
        """Hash -> until when (of the monotonic clock), the token."""
        self._revocations = 0

    def put_token(self, token: Token, hash: str, by: Actor) -> None:
        """Keep a new token; ``hash`` is SHA-256 of its secret, hexadecimal."""

        def work(connection: Connection) -> None:
            row = {"id": token.id, "hash": hash, "owner": token.owner, "expires": token.expires}
            connection.execute(_TOKENS.insert(), row | {"revoked": None, "document": dumps(token)})
            detail = {"owner": token.owner, "scopes": list(token.scopes)}
            note(connection, token.created, by, "created", "token", token.id, detail)

        self.database.write(work)

    def token(self, hash: str) -> Token | None:
        """The token whose secret has this hash, whether it is still good or not; as it was at most
        :data:`TOKEN_SECONDS` ago, where another process revoked it."""
        known = self.token_looked_up(hash)
        if known is not None:
            return known
        asked = time.monotonic()
        revocations = self._revocations
        found = self.database.read(lambda c: c.scalar(_TOKEN, {"secret": hash}))
        if found is None:
            return None
        token = loads(Token, found)
        if len(self._trusted) >= _MOST_TRUSTED:
            self._trusted = {}
        # What was read before a revocation is of no use after it.
        if revocations == self._revocations:
            self._trusted[hash] = (asked + TOKEN_SECONDS, token)
        return token

    def token_looked_up(self, hash: str) -> Token | None:
        """The same where it was looked up just now, at once; None: it may be there or not."""
        until, token = self._trusted.get(hash, (0.0, None))
        return token if time.monotonic() < until else None

    def token_named(self, token_id: str) -> Token | None:
        """The token of that id, whether it is still good or not."""
        query = select(_TOKENS.c.document).where(_TOKENS.c.id == token_id)
        found = self.database.read(lambda c: c.scalar(query))
        return loads(Token, found) if found is not None else None

    def tokens(self) -> tuple[Token, ...]:
        """Every token, by owner and id."""
        found = self.database.read(lambda c: c.scalars(select(_TOKENS.c.document)).all())
        return tuple(sorted((loads(Token, t) for t in found), key=lambda t: (t.owner, t.id)))

    def revoke_token(self, token_id: str, now: datetime, by: Actor) -> bool:
        """Make a token useless; False when it is already. Raises UserMistake for an unknown id."""

        def work(connection: Connection) -> bool:
            query = select(_TOKENS.c.document).where(_TOKENS.c.id == token_id).with_for_update()
            text = connection.scalar(query)
            if text is None:
                raise UserMistake.of(f"there is no token {token_id!r}", "check the id")
            token = loads(Token, text)
            if token.revoked is not None:
                return False
            text = dumps(replace(token, revoked=now))
            connection.execute(
                _TOKENS.update().where(_TOKENS.c.id == token_id).values(revoked=now, document=text)
            )
            note(connection, now, by, "revoked", "token", token_id)
            return True

        done = self.database.write(work)
        self._revocations += 1
        self._trusted = {}
        return done


class Audit(Part):
    """:class:`contracts_svc.ports_store.AuditStore`"""

    def audit(
        self, kind: str | None = None, subject: str | None = None, *, after: int = 0, limit: int = 100
    ) -> tuple[AuditEntry, ...]:
        """Changes, oldest first, those after the number ``after``."""
        query = select(_AUDIT).where(_AUDIT.c.id > after)
        if kind is not None:
            query = query.where(_AUDIT.c.kind == kind)
        if subject is not None:
            query = query.where(_AUDIT.c.subject == subject)
        rows = self.database.read(lambda c: c.execute(query.order_by(_AUDIT.c.id).limit(limit)).all())
        return tuple(
            AuditEntry(
                number=r.id,
                at=r.at,
                actor=Actor(who=r.who, where=r.origin),
                action=r.action,
                kind=r.kind,
                subject=r.subject,
                detail=json.loads(r.detail),
            )
            for r in rows
        )

    def note(
        self,
        now: datetime,
        by: Actor,
        action: str,
        kind: str,
        subject: str,
        detail: Mapping[str, Json] | None = None,
    ) -> None:
        """Write down a change that no other part of the store writes down."""
        self.database.write(lambda c: note(c, now, by, action, kind, subject, detail))
