"""Data was published: start the checks of the tables that it touches, once per happening."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.lineage.identity import Identities
from contracts_svc.model import Json
from contracts_svc.ports import Jobs
from contracts_svc.ports_store import Store
from contracts_svc.publish import Notice

CHECK = "check"
"""The kind of job that checks a table. Arguments: ``tenant``, ``contract``, ``table``, ``server`` (None:
the first), ``partition`` (a mapping; empty: the whole table), ``by``."""
MANUAL = 30
"""Priority of what somebody waits for; the higher goes first."""
PUBLISHED = 20
"""Priority of what was just published: it is most likely to be wrong."""
HEARD_DAYS = 30
"""How long a message is remembered; SQS delivers one for at most 14 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A check that was asked for."""

    job: str
    contract: str
    table: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What came of a notice."""

    started: tuple[Started, ...] = ()
    heard_before: int = 0
    """Happenings that an earlier message told of."""
    unmatched: tuple[str, ...] = ()
    """Datasets that no contract describes."""


def key_of(arguments: Mapping[str, Json]) -> str:
    """What makes two checks the same: all that is checked, but not who asked."""
    return json.dumps([CHECK, *(v for k, v in sorted(arguments.items()) if k != "by")], sort_keys=True)


def announce(notice: Notice, *, store: Store, jobs: Jobs, tenant: str, by: str, now: datetime) -> Announced:
    """Ask for a check of every table of the tenant that a notice touches.

    A happening that was heard of before starts nothing. However many files of a table are touched, one
    check waits for it (see :meth:`contracts_svc.ports.Jobs.defer`). Should we fail half-way, the message
    counts as not heard, so that sending it again starts the checks. Raises CouldNotCheck.
    """
    if not notice.touched:
        return Announced()
    identities = Identities.of(c for c in store.contracts() if (c.tenant or "") == tenant)
    ids = {f"{tenant}\x1f{t.id}": t for t in notice.touched}

    def work() -> Announced:
        new = store.hear(ids, now)
        touched = dict.fromkeys(identities.resolve(ids[i].dataset) for i in ids if i in new)
        started: list[Started] = []
        unmatched: list[str] = []
        for dataset in touched:
            found = identities.contract_of(dataset)
            if found is None:
                unmatched.append(str(dataset))
                continue
            contract, table = found
            arguments: dict[str, Json] = {
                "tenant": tenant,
                "contract": contract.id,
                "table": table.name,
                "server": None,
                "partition": {},
                "by": by,
            }
            job = jobs.defer(CHECK, arguments, key_of(arguments), PUBLISHED)
            started.append(Started(job=job, contract=contract.id, table=table.name))
        return Announced(started=tuple(started), heard_before=len(ids) - len(new), unmatched=tuple(unmatched))

    return store.atomically(work)
