"""Post-publish, for data that does not lie in files: warehouses, databases, topics."""

from __future__ import annotations

from dataclasses import replace

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.check_scope import Scope
from contracts_svc.model import Contract, Server, Table
from contracts_svc.ports import Clock, OtherSources
from contracts_svc.quality import elsewhere
from contracts_svc.quality.kind import TargetOf
from contracts_svc.quality.plan import plan
from contracts_svc.runs import Result, Run


def check_elsewhere(
    contract: Contract,
    table: Table,
    server: Server,
    scope: Scope,
    *,
    others: OtherSources | None,
    clock: Clock,
    target_of: TargetOf,
) -> Run:
    """Check one table where another engine reads it.

    Raises UserMistake for a part of the table: only all of it can be asked for.
    """
    if not scope.whole:
        raise UserMistake.of(
            f"of a {server.type} server the whole table is checked, and not only {scope}",
            "leave out --partition, --since and --new-files-only",
            server.at,
        )
    started = clock.now()
    planned = plan(contract, table, target_of=target_of)
    results: tuple[Result, ...]
    try:
        if others is None:
            raise CouldNotCheck(f"{server.type} servers", "are not set up here", retryable=False)
        asked = elsewhere.document(contract, table, server, planned)
        answers = elsewhere.answers(others.measure(asked, server.server, table.name))
        results = elsewhere.results(planned, table, answers, clock.now())
    except CouldNotCheck as error:
        cause = f"{error.what}: {error.cause}" + (f" ({error.hint})" if error.hint else "")
        results = elsewhere.errored(planned, cause)
    rows = next((r.rows for r in results if r.rows is not None), None)
    run = Run(
        contract=planned.contract,
        version=planned.version,
        table=planned.table,
        server=server.server,
        scope=str(scope),
        started=started,
        finished=clock.now(),
        results=results,
        unsupported=planned.unsupported,
    )
    return replace(run, rows=rows)
