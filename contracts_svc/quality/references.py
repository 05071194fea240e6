"""References of relationships: ``table.column`` and ``other.odcs.yaml#/schema/t/properties/c``.

https://bitol-io.github.io/open-data-contract-standard/latest/references/ has both notations: by names
with dots, and by ids (here: ids, else names) with slashes, each with a contract's file before ``#``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from contracts_svc.model import Column, Contract, Table
from contracts_svc.quality.kind import TargetOf


def resolver(contract: Contract, others: Mapping[str, Contract]) -> TargetOf:
    """Finds what a reference in ``contract`` names, there or in the ``others`` (file -> contract).

    A file is found by its path, else by its last part where just one contract has it. A table that the
    contract itself does not have is looked for in the others, where just one has a table of that name.
    """

    def target_of(reference: str) -> tuple[Contract, Table, str] | None:
        file, mark, path = reference.rpartition("#")
        if mark and file:
            home = _by_file(file, others)
            return _within(home, path) if home is not None else None
        own = _within(contract, path)
        if own is not None:
            return own
        found = [t for c in others.values() if c.id != contract.id and (t := _within(c, path))]
        return found[0] if len({t[0].id for t in found}) == 1 else None

    return target_of


def _by_file(file: str, others: Mapping[str, Contract]) -> Contract | None:
    if file in others:
        return others[file]
    last = PurePosixPath(file).name
    found = [c for name, c in others.items() if PurePosixPath(name.replace("\\", "/")).name == last]
    return found[0] if len(found) == 1 else None


def _within(contract: Contract, path: str) -> tuple[Contract, Table, str] | None:
    """The table and column path that a reference without its file names in a contract."""
    slashed = path.strip("/").split("/")
    if slashed[0] == "schema" and len(slashed) > 1:
        table_key, column_keys = slashed[1], slashed[3::2]
    else:
        table_key, *column_keys = path.strip("/").split(".")
    table = next((t for t in contract.tables if table_key in (t.id, t.name)), None)
    if table is None or not column_keys:
        return None
    columns: tuple[Column, ...] = table.columns
    column: Column | None = None
    for key in column_keys:
        column = next((c for c in columns if key in (c.id, c.name)), None)
        if column is None:
            return None
        columns = column.columns
    return (contract, table, column.path) if column is not None else None
