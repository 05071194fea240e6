"""Keys that must have a match in another table: of very many, hashes are compared first."""

from __future__ import annotations

from collections.abc import Mapping

from contracts_svc.flows.check_parts import Asker, Lost, just
from contracts_svc.model import Json
from contracts_svc.quality import fuse, orphans
from contracts_svc.quality.kinds_keys import SHOWN
from contracts_svc.quality.layout import Layout
from contracts_svc.runs import Check


def lost_of(check: Check, layout: Layout, asker: Asker) -> Lost | None:
    """The keys without a match, where there are too many to be joined at once; else None.

    Raises CouldNotCheck.
    """
    scan = fuse.own_query(check, layout)
    both = orphans.sides(check, layout, scan.query) if scan is not None else None
    if both is None or layout.rows is None:
        return None
    ours, theirs = both
    (counted,) = asker.rows(orphans.rows(theirs), (check.id,))
    if layout.rows + counted["n"] <= orphans.FEW_ROWS:
        return None
    kinds = [asker.rows(orphans.kinds(side), (check.id,)) for side in both]
    if not all(kinds):
        return None
    types, others = (tuple(str(v) for v in rows[0].values()) for rows in kinds)
    if not orphans.comparable(types, others):
        return None
    one, other = orphans.hashes(ours, types), orphans.hashes(theirs, others)
    found = asker.lacking(one, other, max(layout.rows, counted["n"]), (check.id,))
    return None if found is None else Lost(found, ours, types)


def orphans_of(lost: Lost, check: Check, layout: Layout, asker: Asker) -> dict[str, Json]:
    """What the check's own query would say. Raises CouldNotCheck."""
    scan = fuse.own_query(check, layout)
    assert scan is not None, "a check with lost keys asks for them"
    parts: list[Mapping[str, Json]] = []
    for query in lost.queries(scan.query):
        (one,) = fuse.read(scan, asker.rows(query, (check.id,)), just(check))
        parts.append(one.values)
    shown = sorted((o for p in parts for o in p["orphans"]), key=lambda o: -o["rows"])
    totals = {name: sum(p[name] for p in parts) for name in ("failing", "distinct")}
    return {**totals, "orphans": shown[:SHOWN]}
