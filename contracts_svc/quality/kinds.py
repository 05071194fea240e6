"""The table of check kinds: one row each. The plan, the docs and the commands read it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from contracts_svc.quality import (
    kinds_anomaly,
    kinds_files,
    kinds_format,
    kinds_keys,
    kinds_lists,
    kinds_shape,
    kinds_sla,
    kinds_sql,
    kinds_text,
    kinds_time,
    kinds_values,
)
from contracts_svc.quality.kind import CheckKind, Merge, Origin
from contracts_svc.runs import Check

__all__ = ["KINDS", "KIND_OF", "CheckKind", "Merge", "Origin", "told_by_time"]

KINDS: tuple[CheckKind, ...] = (
    *kinds_shape.KINDS,
    *kinds_files.KINDS,
    *kinds_values.KINDS,
    *kinds_text.KINDS,
    *kinds_format.KINDS,
    *kinds_lists.KINDS,
    *kinds_keys.KINDS,
    *kinds_time.KINDS,
    *kinds_sla.KINDS,
    *kinds_sql.KINDS,
    *kinds_anomaly.KINDS,
)

BY_TIME = frozenset(
    {
        "freshness", "retention", "time-of-availability", "end-of-support", "end-of-life",
        kinds_anomaly.AGE, kinds_anomaly.VOLUME,
    }
)  # fmt: skip
"""Kinds that time alone can break: when the data was published does not tell since when they are."""


def told_by_time(check: Check) -> bool:
    """Whether a check can fail though the data is as it was when it passed."""
    return check.kind in BY_TIME


KIND_OF: Mapping[str, CheckKind] = MappingProxyType({k.key: k for k in KINDS})
"""Key -> row."""
