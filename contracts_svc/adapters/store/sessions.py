"""Sessions of people in the database: only the hash of each secret."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select

from contracts_svc.adapters.store.codec import dumps, loads
from contracts_svc.adapters.store.part import Part, note
from contracts_svc.adapters.store.tables_sessions import sessions as _SESSIONS
from contracts_svc.ports_people import Session
from contracts_svc.ports_store import Actor

_FORGOTTEN_AT_ONCE = 100


class Sessions(Part):
    """:class:`contracts_svc.ports_people.SessionStore`"""

    def put_session(self, session: Session, hash: str, by: Actor) -> None:
        """Keep a new session; some of those that ran out before it began are forgotten."""
        old = select(_SESSIONS.c.hash).where(_SESSIONS.c.expires <= session.created)

        def work(connection: Connection) -> None:
            forgotten = connection.scalars(old.order_by(_SESSIONS.c.hash).limit(_FORGOTTEN_AT_ONCE)).all()
            if forgotten:
                connection.execute(_SESSIONS.delete().where(_SESSIONS.c.hash.in_(forgotten)))
            row = {"hash": hash, "expires": session.expires, "document": dumps(session)}
            connection.execute(_SESSIONS.insert(), row)
            note(connection, session.created, by, "began", "session", session.name, _detail(session))

        self.database.write(work)

    def session(self, hash: str) -> Session | None:
        """The session whose secret has this hash, whether it has run out or not."""
        query = select(_SESSIONS.c.document).where(_SESSIONS.c.hash == hash)
        found = self.database.read(lambda c: c.scalar(query))
        return loads(Session, found) if found is not None else None

    def end_session(self, hash: str, now: datetime, by: Actor) -> bool:
        """End a session; False when there is none."""

        def work(connection: Connection) -> bool:
            ended = _SESSIONS.delete().where(_SESSIONS.c.hash == hash).returning(_SESSIONS.c.document)
            text = connection.scalar(ended)
            if text is None:
                return False
            session = loads(Session, text)
            note(connection, now, by, "ended", "session", session.name, _detail(session))
            return True

        return self.database.write(work)

    def sessions(self, now: datetime) -> tuple[Session, ...]:
        """The sessions that have not run out, by name and the time they began."""
        query = select(_SESSIONS.c.document).where(_SESSIONS.c.expires > now)
        found = self.database.read(lambda c: c.scalars(query).all())
        return tuple(sorted((loads(Session, t) for t in found), key=lambda s: (s.name, s.created)))

    def end_sessions(self, name: str, now: datetime, by: Actor) -> int:
        """End every session of who is called so; how many there were that had not run out."""

        def work(connection: Connection) -> int:
            query = select(_SESSIONS.c.hash, _SESSIONS.c.document).where(_SESSIONS.c.expires > now)
            rows = connection.execute(query.order_by(_SESSIONS.c.hash)).all()
            theirs = [(row.hash, s) for row in rows if (s := loads(Session, row.document)).name == name]
            for hash_, session in theirs:
                connection.execute(_SESSIONS.delete().where(_SESSIONS.c.hash == hash_))
                note(connection, now, by, "ended", "session", name, _detail(session))
            return len(theirs)

        return self.database.write(work)


def _detail(session: Session) -> dict[str, object]:
    return {"subject": session.subject, "tenant": session.tenant, "scopes": list(session.scopes)}
