"""How old lineage is: an edge that is not reported any more may have ended, and is never dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from contracts_svc.lineage.graph import Edge

OTHERS = "default"
"""The name under which a number of days counts for every source that has none of its own."""


class Age(StrEnum):
    """FRESH counts as it is; QUIET counts, and is named; STALE proves nothing any more, and is shown."""

    FRESH = "fresh"
    QUIET = "quiet"
    STALE = "stale"


def source_of(edge: Edge) -> str:
    """The kind of source an edge is known from: ``openlineage``, ``sql``, ``dbt``, ..."""
    return edge.origin.partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ages:
    """Judges edges by when they were last seen. ``now`` carries its zone.

    ``quiet_days`` and ``stale_days`` map a source of lineage to whole days, ``default`` to those of
    all others; None means never. An edge that carries no time, as one from a file of SQL, has no age:
    it is as fresh as its file. So is one from the future, which a clock that runs ahead makes.
    """

    now: datetime
    quiet_days: Mapping[str, int | None] = field(default_factory=lambda: {OTHERS: 30})
    stale_days: Mapping[str, int | None] = field(default_factory=dict)

    def of(self, edge: Edge) -> Age:
        """FRESH, QUIET or STALE."""
        if edge.seen is None:
            return Age.FRESH
        unseen = self.now - edge.seen
        source = source_of(edge)
        for age, days in ((Age.STALE, self.stale_days), (Age.QUIET, self.quiet_days)):
            limit = days.get(source, days.get(OTHERS))
            if limit is not None and unseen > timedelta(days=limit):
                return age
        return Age.FRESH
