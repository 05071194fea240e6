"""Which attributes of the model are fields of the standard: what a diff compares and how it names it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from contracts_svc.compat.sameness import same
from contracts_svc.compat.service_levels import known_as
from contracts_svc.model import (
    Column,
    Contract,
    Element,
    Json,
    QualityRule,
    Relationship,
    Table,
)

# Model attribute -> ODCS field, for fields whose values are compared as a whole.
CONTRACT: Mapping[str, str] = {
    "api_version": "apiVersion",
    "id": "id",
    "version": "version",
    "status": "status",
    "name": "name",
    "tenant": "tenant",
    "domain": "domain",
    "data_product": "dataProduct",
    "description": "description",
    "tags": "tags",
}
TABLE: Mapping[str, str] = {
    "id": "id",
    "physical_name": "physicalName",
    "physical_type": "physicalType",
    "logical_type": "logicalType",
    "business_name": "businessName",
    "description": "description",
    "granularity": "dataGranularityDescription",
    "deprecated": "deprecated",
    "tags": "tags",
}
COLUMN: Mapping[str, str] = {
    "id": "id",
    "physical_name": "physicalName",
    "business_name": "businessName",
    "description": "description",
    "logical_type": "logicalType",
    "physical_type": "physicalType",
    "required": "required",
    "unique": "unique",
    "primary_key": "primaryKey",
    "primary_key_position": "primaryKeyPosition",
    "partitioned": "partitioned",
    "partition_key_position": "partitionKeyPosition",
    "classification": "classification",
    "critical": "criticalDataElement",
    "deprecated": "deprecated",
    "enum": "enum",
    "tags": "tags",
}
PART: Mapping[str, str] = {"name": "name", **COLUMN}
"""Of the element of an array and the parts of a map, which are matched by what they are."""

OPTION = "logicalTypeOptions."
"""How the field of a Change of one option begins."""
ORDER = "order"
"""The field of a change of the order in a list."""

Key = Callable[[Any], Hashable | None]
"""What two entries of a list have in common when they are versions of one another; None: no say."""

E = TypeVar("E")


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A list of small elements, compared entry by entry, each entry as a whole.

    ``keys`` are tried in turn; entries left over were removed or added.
    """

    attribute: str
    element: str
    odcs_field: str
    label: Callable[[Any], str]
    keys: tuple[Key, ...]


def stable_id(entry: Any) -> Hashable | None:
    """The ODCS ``id``, tagged so that it never meets a name."""
    value = entry.get("id") if isinstance(entry, Mapping) else getattr(entry, "id", None)
    value = value or (entry.extra.get("id") if isinstance(entry, Element) else None)
    return ("id", value) if value else None


def freeze(value: Json) -> Hashable:
    """A value that can be a key of a dict; the order of keys in mappings does not matter."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(k), freeze(v)) for k, v in value.items()))
    if isinstance(value, list | tuple):
        return tuple(freeze(v) for v in value)
    return repr(value)


def measures(rule: QualityRule) -> tuple[Json, ...]:
    """What a quality rule looks at: its metric, query or implementation."""
    return (rule.type, rule.metric, rule.query, rule.engine, freeze(rule.implementation))


def _quality_label(rule: QualityRule) -> str:
    return rule.id or rule.metric or rule.name or rule.type


def _quality_name(rule: QualityRule) -> Hashable | None:
    return (rule.type, rule.name) if rule.name else None


def _relationship_label(relation: Relationship) -> str:
    return relation.id or " -> ".join(",".join(ends) for ends in (relation.source, relation.target) if ends)


QUALITY = Listed(
    "quality",
    "quality",
    "quality",
    _quality_label,
    (
        stable_id,
        lambda r: (measures(r), r.name, freeze(r.arguments)),
        lambda r: (measures(r), freeze(r.arguments)),
        lambda r: (measures(r), r.name),
        measures,
        _quality_name,
    ),
)
RELATIONSHIPS = Listed(
    "relationships",
    "relationship",
    "relationships",
    _relationship_label,
    (
        stable_id,
        lambda r: (r.type, r.source, r.target),
        lambda r: (r.type, r.source) if r.source else None,
        lambda r: (r.type, r.target),
        lambda r: (r.type, bool(r.source)),
    ),
)
CUSTOM = Listed(
    "custom", "custom", "customProperties", lambda c: str(c.property), (stable_id, lambda c: c.property)
)
SERVERS = Listed("servers", "server", "servers", lambda s: str(s.server), (stable_id, lambda s: s.server))
SUPPORT = Listed(
    "support",
    "support",
    "support",
    lambda s: str(s.channel),
    (stable_id, lambda s: (s.channel, s.tool), lambda s: (s.tool, s.scope)),
)
SLA = Listed(
    "sla",
    "sla",
    "slaProperties",
    lambda s: str(s.id or s.property),
    (
        stable_id,
        lambda s: (known_as(s.property), s.element, s.driver),
        lambda s: (known_as(s.property), s.element),
        lambda s: known_as(s.property),
    ),
)
ROLES = Listed(
    "roles",
    "role",
    "roles",
    lambda r: str(r.get("role") or r.get("id") or "role"),
    (stable_id, lambda r: r.get("role")),
)

CONTRACT_LISTS = (SERVERS, SUPPORT, SLA, ROLES, CUSTOM)
TABLE_LISTS = (QUALITY, RELATIONSHIPS, CUSTOM)
COLUMN_LISTS = (QUALITY, RELATIONSHIPS, CUSTOM)


def pairs(olds: Sequence[E], news: Sequence[E], keys: Sequence[Key]) -> dict[int, int]:
    """Index in ``olds`` -> index in ``news``. Two different ids never meet.

    Several entries with one key meet in the order of what they say, so that their order in the lists
    does not matter.
    """
    found: dict[int, int] = {}
    taken: set[int] = set()
    for key in keys:
        waiting = _by_key(news, key, taken)
        for value, mine in _by_key(olds, key, found.keys()).items():
            partners = waiting.get(value, [])
            if len(mine) > 1 or len(partners) > 1:
                mine = sorted(mine, key=lambda i: content(olds[i]))
                partners = sorted(partners, key=lambda j: content(news[j]), reverse=True)
            for i in mine:
                if partners and not _two_identities(olds[i], news[partners[-1]]):
                    found[i] = partners.pop()
                    taken.add(found[i])
    return found


def _by_key(entries: Sequence[Any], key: Key, done: Container[int]) -> dict[Hashable, list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for i, entry in enumerate(entries):
        value = None if i in done else key(entry)
        if value is not None:
            groups.setdefault(value, []).append(i)
    return groups


def _two_identities(old: Any, new: Any) -> bool:
    one, other = stable_id(old), stable_id(new)
    return one is not None and other is not None and one != other


def labels(names: Iterable[str]) -> list[str]:
    """Names made unique: the second ``a`` is ``a#2``."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


def keys_of(listed: Listed, entries: Sequence[Any]) -> list[str]:
    """What a Change names each entry of a list by: its label.

    Of several with one label, the second is ``a#2`` - counted by what they say, not by where they stand.
    """
    names = [listed.label(e) for e in entries]
    if len(set(names)) == len(names):
        return names
    by_content = sorted(range(len(names)), key=lambda i: content(entries[i]))
    unique = dict(zip(by_content, labels(names[i] for i in by_content), strict=True))
    return [unique[i] for i in range(len(names))]


def differing(old: Mapping[str, Json], new: Mapping[str, Json]) -> Iterator[tuple[str, Json, Json]]:
    """Key, old and new value of what differs between two mappings; None: not there, or null."""
    if not old and not new:
        return
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if not same(before, after):
            yield key, before, after


def extra_field(key: str, names: Mapping[str, str]) -> str:
    """How a Change names a key of ``extra``: beside a field that the model has, as ``extra.enum``."""
    return f"extra.{key}" if key in names.values() else key


def content(entry: Any) -> str:
    """All that an entry of a list says, as text."""
    return repr(canonical(entry))


def canonical(value: Any) -> Any:
    """The same value with the keys of every mapping sorted, so that its repr does not depend on them."""
    if isinstance(value, Mapping):
        return {k: canonical(value[k]) for k in sorted(value)}
    if isinstance(value, list):
        return [canonical(v) for v in value]
    if isinstance(value, tuple):
        return tuple(canonical(v) for v in value)
    if isinstance(value, Element) and not isinstance(value, Contract | Table | Column):
        changed = {f.name: canonical(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare}
        return dataclasses.replace(value, **changed)
    return value
