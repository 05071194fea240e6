"""Carry out a scheduled run: check the table, keep what was found, and move the incidents on.

The end of an attempt, its Run and the incidents are one transaction, which changes nothing when the
attempt is not under way any more: whatever dies, a scheduled run gives one Run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.incidents import USUAL, Handling
from contracts_svc.model import Contract, Server, Table
from contracts_svc.ports import Clock
from contracts_svc.ports_jobs import JobStore
from contracts_svc.ports_store import Store
from contracts_svc.quality.judge import judge
from contracts_svc.quality.kind import TargetOf
from contracts_svc.quality.plan import plan
from contracts_svc.quality.references import resolver
from contracts_svc.runs import WHOLE_TABLE, Measurement, Run
from contracts_svc.schedules_runs import RunState, ScheduledRun, back_off

CheckTable = Callable[[Contract, Table, Server, TargetOf, Mapping[str, str]], Run]
"""Checks a table, or some partitions of it, where a server keeps it:
:func:`contracts_svc.flows.check.check` on real parts."""
Tell = Callable[[Run, Handling], None]
"""Moves the incidents on by a run and writes down what is to be sent. It runs inside the transaction
that keeps the run, perhaps more than once, so it must do nothing that is not in the store."""

MOST_ATTEMPTS = 3
"""How often a run is begun in all before it is given up."""


class RunningStore(Store, JobStore, Protocol):
    """What a scheduled run needs of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """What scheduled runs are carried out with."""

    store: RunningStore
    clock: Clock
    check: CheckTable
    tell: Tell
    most_attempts: int = MOST_ATTEMPTS


def run_check(run: ScheduledRun, parts: Checking) -> RunState | None:
    """Carry out an attempt that was begun; how it ended, None when it was not under way any more.

    WAITING: it is to be tried again. What cannot be read makes a Run whose checks are ERRORED; a
    contract that does not say where its data is cannot be checked by trying again. Raises CouldNotCheck
    when the store cannot be reached: the attempt then ends by its heartbeat.
    """
    found = _subject(run, parts)
    if found is None:
        return _cancel(run, parts)
    contract, table = found
    try:
        server = _server(contract, run)
        done = parts.check(contract, table, server, _target_of(contract, parts), run.partition)
    except UserMistake as error:
        return give_up(run, str(error), parts)
    except CouldNotCheck as error:
        return failed(run, str(error), parts)
    return _keep(run, done, RunState.DONE, "", USUAL, parts)


def failed(run: ScheduledRun, why: str, parts: Checking) -> RunState | None:
    """End an attempt that came to nothing: it is tried again, later each time, or given up."""
    if run.attempts >= parts.most_attempts:
        return give_up(run, f"tried {run.attempts} times; the last time: {why}", parts)
    not_before = parts.clock.now() + back_off(run.attempts)
    kept = parts.store.wait_again(run, attempts=run.attempts, not_before=not_before, error=why)
    return RunState.WAITING if kept else None


def give_up(run: ScheduledRun, why: str, parts: Checking) -> RunState | None:
    """End a scheduled run for good, with a Run whose checks are all ERRORED; people hear of it at once."""
    found = _subject(run, parts)
    if found is None:
        return _cancel(run, parts)
    contract, table = found
    handling = replace(USUAL, errored_runs=1)
    return _keep(run, _errored(contract, table, why, parts), RunState.ERRORED, why, handling, parts)


class _Superseded(Exception):
    """Another attempt has taken the run over: nothing of this one is kept."""


def _keep(
    run: ScheduledRun, done: Run, state: RunState, error: str, handling: Handling, parts: Checking
) -> RunState | None:
    def work() -> None:
        run_id = parts.store.put_run(done)
        if not parts.store.finish(run, state, parts.clock.now(), run_id=run_id, error=error):
            raise _Superseded
        parts.tell(done, handling)

    try:
        parts.store.atomically(work)
    except _Superseded:
        return None
    return state


def _cancel(run: ScheduledRun, parts: Checking) -> RunState | None:
    gone = "the contract is retired, or has no such table any more"
    over = parts.store.finish(run, RunState.CANCELLED, parts.clock.now(), error=gone)
    return RunState.CANCELLED if over else None


def _subject(run: ScheduledRun, parts: Checking) -> tuple[Contract, Table] | None:
    """The contract and table as they are now; None when they are out of use."""
    contract = parts.store.contract(run.contract) if parts.store.in_use(run.contract) else None
    if contract is None:
        return None
    table = contract.table(run.table)
    return (contract, table) if table is not None else None


def _server(contract: Contract, run: ScheduledRun) -> Server:
    if not contract.servers:
        raise UserMistake.of(f"{contract.title} has no server, so there is no data to check")
    found = next((s for s in contract.servers if run.server in ("", s.server)), None)
    if found is None:
        names = ", ".join(s.server for s in contract.servers)
        raise UserMistake.of(f"{contract.title} has no server {run.server!r}", f"it has: {names}")
    return found


def _target_of(contract: Contract, parts: Checking) -> TargetOf:
    """Finds what relationships name: in other contracts only where there are any."""
    related = any(t.relationships or any(c.relationships for c in t.walk()) for t in contract.tables)
    others: Mapping[str, Contract] = {c.at.file: c for c in parts.store.contracts()} if related else {}
    return resolver(contract, others)


def _errored(contract: Contract, table: Table, why: str, parts: Checking) -> Run:
    planned = plan(contract, table, target_of=resolver(contract, {}))
    now = parts.clock.now()
    cause = f"the check of {table.name} could not be carried out: {why}"
    results = judge(planned, [Measurement(check=c.id, error=cause) for c in planned.checks], now)
    return Run(
        contract=contract.id,
        version=contract.version,
        table=table.name,
        server=contract.servers[0].server if contract.servers else "",
        scope=WHOLE_TABLE,
        started=now,
        finished=now,
        results=results,
        unsupported=planned.unsupported,
    )
