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

__all__ = ["KINDS", "KIND_OF", "CheckKind", "Merge", "Origin"]

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

KIND_OF: Mapping[str, CheckKind] = MappingProxyType({k.key: k for k in KINDS})
"""Key -> row."""
