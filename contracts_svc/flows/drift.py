"""Drift of a change set: schema sources that it changes, and contracts that do not say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from contracts_svc.drift import SchemaSource, drift, source_of, table_in, unread
from contracts_svc.errors import CouldNotCheck, Problem, UserMistake
from contracts_svc.findings import Finding, ordered
from contracts_svc.flows.register import Reader
from contracts_svc.model import Contract, Table

TextsOf = Callable[[tuple[str, ...]], Mapping[str, bytes]]
"""Paths -> the contents of those files that there are, at one commit."""


Derive = Callable[[SchemaSource, bytes], bytes]
"""Reads a schema source: its text -> an ODCS document of what it says. Raises UserMistake, CouldNotCheck."""


def drift_findings(
    contracts: Mapping[str, Contract],
    texts: Mapping[str, bytes],
    base: TextsOf,
    head: TextsOf,
    *,
    read: Reader,
    derive: Derive,
) -> tuple[Finding, ...]:
    """What the contracts of the head (by path; ``texts`` are their texts) would have to say, and do not.

    Nothing is read, and no process started, unless a contract names a schema source. Raises UserMistake for
    one that is named wrongly.
    """
    sources, problems = _sources(contracts)
    if problems:
        raise UserMistake(problems)
    if not sources:
        return ()
    paths = tuple(sorted({source.path for _, _, source in sources}))
    before, after = base(paths), head(paths)
    found: list[Finding] = []
    for path, table, source in sources:
        if before.get(source.path) != after.get(source.path):
            found += _drift(
                contracts[path], table, source, before, after, texts[path].decode("utf-8"), read, derive
            )
    return ordered(found)


def _sources(
    contracts: Mapping[str, Contract],
) -> tuple[list[tuple[str, Table, SchemaSource]], list[Problem]]:
    sources: list[tuple[str, Table, SchemaSource]] = []
    problems: list[Problem] = []
    for path, contract in sorted(contracts.items()):
        for table in contract.tables:
            try:
                source = source_of(contract, table)
            except UserMistake as error:
                problems += error.problems
                continue
            if source is not None:
                sources.append((path, table, source))
    return sources, problems


def _drift(
    contract: Contract,
    table: Table,
    source: SchemaSource,
    before: Mapping[str, bytes],
    after: Mapping[str, bytes],
    text: str,
    read: Reader,
    derive: Derive,
) -> Iterator[Finding]:
    if source.path not in after:
        yield unread(contract, table, source, "the file is gone")
        return

    def said(texts: Mapping[str, bytes]) -> Table | None:
        if source.path not in texts:
            return None
        derived = read(derive(source, texts[source.path]), source.path)
        return table_in(derived.tables, table, source)

    try:
        new = said(after)
    except (UserMistake, CouldNotCheck) as error:
        yield unread(contract, table, source, _cause(error))
        return
    try:
        old = said(before)
    except (UserMistake, CouldNotCheck):
        old = None  # all that it says now is new
    if new is None:
        yield unread(contract, table, source, f"it says nothing of {source.name or table.name}")
        return
    yield from drift(contract, table, old, new, source, text)


def _cause(error: UserMistake | CouldNotCheck) -> str:
    return error.problems[0].message if isinstance(error, UserMistake) else error.cause
