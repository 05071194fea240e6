"""What the GitHub App remembers of repositories and pull requests, in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select

from contracts_svc.adapters.store import tables_github as tables
from contracts_svc.adapters.store.codec import dumps, encode, loads
from contracts_svc.adapters.store.github import name_key
from contracts_svc.adapters.store.part import Part, digest, insert, note
from contracts_svc.github.names import RepositoryName
from contracts_svc.ports_hub_store import CheckedHead, KnownRepository, Said
from contracts_svc.ports_store import Actor
from contracts_svc.waivers import Waiver

_REPOSITORIES, _CONTRACTS = tables.github_repositories, tables.github_contracts
_CHECKS, _SAID = tables.github_checks, tables.github_said
_WAIVERS, _ASKED, _WORK = tables.github_waivers, tables.github_asked, tables.github_work
MOST_HEADS = 500
"""Commits of one pull request whose checks are looked at."""


class HubRepositories(Part):
    """The repositories of :class:`contracts_svc.ports_hub_store.HubStore`."""

    def put_repository(self, repository: RepositoryName, installation_id: int, now: datetime) -> None:
        """The App is installed for it."""
        row = {"repository": name_key(repository), "name": str(repository)}
        row |= {"head": "", "looked": "", "default_branch": ""}

        def work(connection: Connection) -> None:
            statement = insert(connection, _REPOSITORIES)
            again = {"name": str(repository), "installation_id": installation_id, "removed": None}
            connection.execute(
                statement.on_conflict_do_update(index_elements=["repository"], set_=again),
                row | {"installation_id": installation_id},
            )

        self.database.write(work)

    def remove_repository(self, repository: RepositoryName, now: datetime) -> None:
        """The App is not installed for it any more: the work that waits for it is forgotten."""
        name = name_key(repository)

        def work(connection: Connection) -> None:
            gone = _REPOSITORIES.update().where(_REPOSITORIES.c.repository == name).values(removed=now)
            connection.execute(gone)
            waiting = _WORK.c.state != "running"
            connection.execute(_WORK.delete().where(_WORK.c.repository == name, waiting))

        self.database.write(work)

    def repositories(self) -> tuple[KnownRepository, ...]:
        """Those that the App is installed for, by name."""
        query = select(_REPOSITORIES).where(_REPOSITORIES.c.removed.is_(None))
        rows = self.database.read(lambda c: c.execute(query.order_by(_REPOSITORIES.c.repository)).all())
        return tuple(map(_repository, rows))

    def repository(self, name: RepositoryName) -> KnownRepository | None:
        """The one of this name, if the App is installed for it."""
        there = (_REPOSITORIES.c.repository == name_key(name), _REPOSITORIES.c.removed.is_(None))
        row = self.database.read(lambda c: c.execute(select(_REPOSITORIES).where(*there)).first())
        return None if row is None else _repository(row)

    def registered(self, repository: RepositoryName, branch: str, looked: str, *, head: str) -> None:
        """The default branch was looked at up to this commit, and registered whole up to ``head``."""
        change = _REPOSITORIES.update().where(_REPOSITORIES.c.repository == name_key(repository))
        values = {"head": head, "looked": looked, "default_branch": branch}
        self.database.write(lambda c: c.execute(change.values(**values)))

    def due_repositories(self, now: datetime, before: datetime) -> tuple[KnownRepository, ...]:
        """Those that were not asked for here since ``before``."""
        there, last = _REPOSITORIES.c.removed.is_(None), _REPOSITORIES.c.reconciled
        # A time in the future is of a clock that was set back since.
        due = or_(last.is_(None), last <= before, last > now)
        change = _REPOSITORIES.update().where(there, due).values(reconciled=now).returning(*_REPOSITORIES.c)
        rows = self.database.write(lambda c: c.execute(change).all())
        return tuple(sorted(map(_repository, rows), key=lambda r: r.name))

    def claim_contract(self, contract_id: str, repository: RepositoryName, path: str) -> RepositoryName:
        """Say that a contract comes from this repository; whose it is: the first that is served."""
        row = {"contract": contract_id, "repository": name_key(repository), "name": str(repository)}
        mine = (_CONTRACTS.c.contract == contract_id, _CONTRACTS.c.repository == name_key(repository))

        served = select(_REPOSITORIES.c.repository).where(_REPOSITORIES.c.removed.is_(None))
        left = (_CONTRACTS.c.contract == contract_id, _CONTRACTS.c.repository.not_in(served))

        def work(connection: Connection) -> str:
            # A repository that was renamed, or whose contracts moved to another, is not served any more.
            connection.execute(_CONTRACTS.delete().where(*left))
            statement = insert(connection, _CONTRACTS).on_conflict_do_nothing(index_elements=["contract"])
            connection.execute(statement, row | {"path": path})
            connection.execute(_CONTRACTS.update().where(*mine).values(path=path))
            query = select(_CONTRACTS.c.name).where(_CONTRACTS.c.contract == contract_id)
            return str(connection.scalar(query))

        return RepositoryName.parse(self.database.write(work))

    def contracts_from(self, repository: RepositoryName) -> Mapping[str, str]:
        """Contract id -> its path, of the contracts that come from a repository."""
        query = select(_CONTRACTS).where(_CONTRACTS.c.repository == name_key(repository))
        rows = self.database.read(lambda c: c.execute(query.order_by(_CONTRACTS.c.contract)).all())
        return {r.contract: r.path for r in rows}


class HubPulls(Part):
    """The pull requests of :class:`contracts_svc.ports_hub_store.HubStore`."""

    def begin_head(
        self, repository: RepositoryName, number: int, head: str, now: datetime
    ) -> tuple[str, ...]:
        """The check of a pull request at this commit begins; other commits whose checks never ended."""
        of = _of(_CHECKS, repository, number)
        row = _pull(repository, number) | {"head": head, "name": str(repository), "started": now}
        row |= {"ended": None, "conclusion": "", "asked": "[]", "report": ""}
        left = select(_CHECKS.c.head).where(*of, _CHECKS.c.ended.is_(None), _CHECKS.c.head != head)

        def work(connection: Connection) -> tuple[str, ...]:
            last = connection.scalar(select(func.max(_CHECKS.c.begun)).where(*of)) or 0
            statement = insert(connection, _CHECKS)
            # What asked for agreement there still did: an approval of that commit is not forgotten.
            again = {"begun": last + 1, "started": now, "ended": None}
            connection.execute(
                statement.on_conflict_do_update(index_elements=["repository", "number", "head"], set_=again),
                row | {"begun": last + 1},
            )
            return tuple(connection.scalars(left.order_by(_CHECKS.c.begun)).all())

        return self.database.write(work)

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
        """The check at this commit has ended. ``asked`` None: what was known of that stays."""
        values = {"ended": now, "conclusion": conclusion, "report": report}
        values |= {} if asked is None else {"asked": json.dumps(sorted(asked))}
        of = _of(_CHECKS, repository, number)

        def work(connection: Connection) -> None:
            change = _CHECKS.update().where(*of, _CHECKS.c.head == head)
            connection.execute(change.values(**values))
            if report:
                # Reports may be large, and only the last one is shown.
                older = _CHECKS.update().where(*of, _CHECKS.c.head != head, _CHECKS.c.report != "")
                connection.execute(older.values(report=""))

        self.database.write(work)

    def heads(self, repository: RepositoryName, number: int) -> tuple[CheckedHead, ...]:
        """The checks of a pull request, the last begun first."""
        query = select(_CHECKS).where(*_of(_CHECKS, repository, number))
        query = query.order_by(_CHECKS.c.begun.desc()).limit(MOST_HEADS)
        return tuple(map(_head, self.database.read(lambda c: c.execute(query).all())))

    def pulls_asking(self, fingerprints: Iterable[str]) -> tuple[tuple[RepositoryName, int], ...]:
        """The pull requests whose last check asked for agreement to one of these changes."""
        wanted = frozenset(fingerprints)
        number = func.row_number().over(
            partition_by=(_CHECKS.c.repository, _CHECKS.c.number), order_by=_CHECKS.c.begun.desc()
        )
        last = select(_CHECKS.c.name, _CHECKS.c.number, _CHECKS.c.asked, number.label("place")).subquery()
        query = select(last.c.name, last.c.number, last.c.asked).where(
            last.c.place == 1, last.c.asked != "[]"
        )
        rows = self.database.read(lambda c: c.execute(query).all())
        found = {(r.name, r.number) for r in rows if not wanted.isdisjoint(json.loads(r.asked))}
        return tuple((RepositoryName.parse(name), pull) for name, pull in sorted(found))

    def say(self, repository: RepositoryName, number: int, said: Said) -> bool:
        """Keep what somebody said; False when it is there already."""
        document = dumps(said)
        kind = ("override", said.reason) if said.is_override else ("press",)
        key = digest(name_key(repository), str(number), said.head, said.user.casefold(), *kind)
        row = _pull(repository, number) | {"key": key, "document": document}

        def work(connection: Connection) -> bool:
            statement = insert(connection, _SAID).on_conflict_do_nothing(index_elements=["key"])
            if connection.scalar(statement.returning(_SAID.c.id), row) is None:
                return False
            where = f"github {repository}#{number}"
            detail = {"head": said.head, "reason": said.reason, "fingerprints": list(said.seen)}
            note(
                connection, said.at, Actor(who=said.user, where=where), kind[0], "pull_request", where, detail
            )
            return True

        return self.database.write(work)

    def said(self, repository: RepositoryName, number: int) -> tuple[Said, ...]:
        """What was said of a pull request beside its reviews, oldest first."""
        query = select(_SAID.c.document).where(*_of(_SAID, repository, number)).order_by(_SAID.c.id)
        return tuple(loads(Said, t) for t in self.database.read(lambda c: c.scalars(query).all()))

    def sign(self, repository: RepositoryName, number: int, waivers: Iterable[Waiver], now: datetime) -> None:
        """What is agreed to in a pull request now; what was and is not is taken back."""
        wanted = {_waiver_key(repository, number, w): w for w in waivers}
        query = select(_WAIVERS.c.key, _WAIVERS.c.document).where(*_of(_WAIVERS, repository, number))
        over = _WAIVERS.delete().where(*_of(_WAIVERS, repository, number), _WAIVERS.c.expires <= now)
        where = f"github {repository}#{number}"

        def work(connection: Connection) -> None:
            connection.execute(over)
            there = {bytes(r.key): r.document for r in connection.execute(query.with_for_update())}
            for key, waiver in sorted(wanted.items()):
                if key not in there:
                    row = _pull(repository, number) | {"key": key, "expires": waiver.expires}
                    statement = insert(connection, _WAIVERS).on_conflict_do_nothing(index_elements=["key"])
                    connection.execute(statement, row | {"document": dumps(waiver)})
                    _noted(connection, now, where, "created", waiver)
            for key in sorted(there.keys() - wanted.keys()):
                connection.execute(_WAIVERS.delete().where(_WAIVERS.c.key == key))
                _noted(connection, now, where, "ended", loads(Waiver, there[key]))

        self.database.write(work)

    def signed(
        self, repository: RepositoryName, now: datetime, number: int | None = None
    ) -> tuple[Waiver, ...]:
        """The waivers of the sign-offs in a repository (or one pull request of it) that are in force."""
        query = select(_WAIVERS.c.document).where(_WAIVERS.c.expires > now).order_by(_WAIVERS.c.id)
        query = query.where(_WAIVERS.c.repository == name_key(repository))
        query = query if number is None else query.where(_WAIVERS.c.number == number)
        found = [loads(Waiver, t) for t in self.database.read(lambda c: c.scalars(query).all())]
        return tuple(sorted(found, key=lambda w: (w.fingerprint, w.approver, w.reason)))

    def was_asked(self, repository: RepositoryName, number: int) -> frozenset[tuple[str, str]]:
        """The (fingerprint, approver) that were asked for agreement in a pull request."""
        query = select(_ASKED.c.fingerprint, _ASKED.c.approver).where(*_of(_ASKED, repository, number))
        rows = self.database.read(lambda c: c.execute(query).all())
        return frozenset((r.fingerprint, r.approver) for r in rows)

    def note_asked(
        self, repository: RepositoryName, number: int, asked: Iterable[tuple[str, str]], now: datetime
    ) -> None:
        """These were asked."""
        name = name_key(repository)
        rows = {digest(name, str(number), *pair): pair for pair in asked}

        def work(connection: Connection) -> None:
            for key, (fingerprint, approver) in sorted(rows.items()):
                row = _pull(repository, number) | {"key": key, "fingerprint": fingerprint}
                statement = insert(connection, _ASKED).on_conflict_do_nothing(index_elements=["key"])
                connection.execute(statement, row | {"approver": approver, "at": now})

        if rows:
            self.database.write(work)


def _pull(repository: RepositoryName, number: int) -> dict[str, Any]:
    return {"repository": name_key(repository), "number": number}


def _of(table: Any, repository: RepositoryName, number: int) -> tuple[Any, ...]:
    return table.c.repository == name_key(repository), table.c.number == number


def _waiver_key(repository: RepositoryName, number: int, waiver: Waiver) -> bytes:
    return digest(name_key(repository), str(number), waiver.fingerprint, waiver.approver, waiver.reason)


def _noted(connection: Connection, now: datetime, where: str, action: str, waiver: Waiver) -> None:
    by = Actor(who=waiver.approver, where=where)
    note(connection, now, by, action, "waiver", waiver.fingerprint, encode(waiver))


def _repository(row: Row[Any]) -> KnownRepository:
    return KnownRepository(
        name=RepositoryName.parse(row.name),
        installation_id=row.installation_id,
        head=row.head,
        looked=row.looked,
        default_branch=row.default_branch,
    )


def _head(row: Row[Any]) -> CheckedHead:
    return CheckedHead(
        head=row.head,
        started=row.started,
        ended=row.ended,
        conclusion=row.conclusion,
        asked=tuple(json.loads(row.asked)),
        report=row.report,
    )
