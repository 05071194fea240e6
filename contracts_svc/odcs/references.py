"""References between columns, in both notations of the standard.

``table.column`` (by names) and ``schema/TABLE_ID/properties/COLUMN_ID`` (by ids), each with a contract's
file and ``#`` before it when it leads to another contract:
https://bitol-io.github.io/open-data-contract-standard/latest/references
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from contracts_svc.model import Column, Contract, Table


def is_local(reference: str) -> bool:
    """Whether the reference stays within its contract."""
    file, anchor, _ = reference.partition("#")
    return not anchor or not file


def resolve(reference: str, contract: Contract) -> Table | Column | None:
    """What a local reference names, or None when the contract has no such thing.

    The notation with ids also finds elements by name, where they have no id.
    """
    path = reference.rpartition("#")[2].lstrip("/")
    if "/" not in path:
        return _walk(path.split("."), contract, lambda element, name: element.name == name)
    steps = path.split("/")
    if steps[0] != "schema" or any(step != "properties" for step in steps[2::2]):
        return None
    return _walk(steps[1::2], contract, _has_id)


def _has_id(element: Table | Column, wanted: str) -> bool:
    return (element.id or element.name) == wanted or element.name == wanted


def _walk(
    names: Sequence[str], contract: Contract, fits: Callable[[Table | Column, str], bool]
) -> Table | Column | None:
    found: Table | Column | None = None
    inside: Sequence[Table | Column] = contract.tables
    for name in names:
        found = next((element for element in inside if fits(element, name)), None)
        if found is None:
            return None
        inside = _inside(found)
    return found


def _inside(element: Table | Column) -> Sequence[Column]:
    """The columns that a path may go on with; an array's element is stepped over."""
    if isinstance(element, Column) and element.items is not None:
        return _inside(element.items)
    return element.columns
