"""The facets of OpenLineage datasets that describe them: the latest of each, as one description.

https://openlineage.io/docs/spec/facets/dataset-facets: schema, ownership, symlinks, dataSource,
documentation. Where the people behind a dataset can be reached is in a facet of our own,
``contracts_support``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from contracts_svc.lineage.graph import Channel, DatasetId
from contracts_svc.lineage.heard import Described
from contracts_svc.model import Json

SUPPORT_FACET = "contracts_support"
"""The dataset facet that says where the people behind a dataset can be reached."""

DESCRIBING = ("schema", "ownership", "symlinks", "dataSource", "documentation", SUPPORT_FACET)
"""The facets that are kept."""

_TEAM = "team:"
_DEEPEST = 20
"""Levels of fields in fields that are described."""

Tell = Callable[[str], None]
"""Takes a problem."""


def _silent(message: str) -> None:
    """What is wrong was told when the event was read."""


@dataclass(slots=True)
class Facets:
    """The latest facet of each kind of each dataset; of two of one time the greater text, so that their
    order does not matter."""

    latest: dict[DatasetId, dict[str, tuple[tuple[str, str], Mapping[str, Json]]]] = field(
        default_factory=dict
    )
    seen: dict[DatasetId, datetime | None] = field(default_factory=dict)

    def keep(self, dataset: DatasetId, name: str, value: Mapping[str, Json], seen: datetime | None) -> None:
        """Keep a facet if it is the latest of its kind. ``seen`` is in UTC."""
        kept = self.latest.setdefault(dataset, {})
        time = seen.isoformat() if seen else ""
        before = kept.get(name)
        if before is None or time >= before[0][0]:
            rank = (time, _as_text(value))
            if before is None or rank > before[0]:
                kept[name] = (rank, value)
        last = self.seen.get(dataset)
        self.seen[dataset] = max((t for t in (last, seen) if t is not None), default=None)


def _as_text(value: Mapping[str, Json]) -> str:
    try:
        return json.dumps(value, sort_keys=True)
    except RecursionError:
        return ""


@dataclass(frozen=True, slots=True)
class Owners:
    """Who owns a dataset: a team, a person."""

    team: str
    owner: str


def described(facets: Facets) -> Iterator[Described]:
    """Every dataset that has a facet, in the order of the names. A facet that was deleted says nothing."""
    for dataset, kept in sorted(facets.latest.items(), key=lambda item: item[0]):
        live = {name: value for name, (_, value) in kept.items() if value.get("_deleted") is not True}
        owned = owners(live.get("ownership", {}), _silent)
        source = live.get("dataSource", {})
        documentation = _text(live.get("documentation", {}), "description")
        yield Described(
            dataset=dataset,
            columns=tuple(_fields(live.get("schema", {}).get("fields"), "", 0)),
            team=owned.team if owned else "",
            owner=owned.owner if owned else "",
            channels=tuple(support(live, _silent)),
            title=documentation.strip().split("\n")[0],
            location=_text(source, "uri") or _text(source, "name"),
            names=tuple(dict.fromkeys(_names(live.get("symlinks", {}), dataset))),
            seen=facets.seen[dataset],
        )


def _fields(value: Json, above: str, depth: int) -> Iterator[tuple[str, str]]:
    for entry in value if isinstance(value, list) and depth < _DEEPEST else ():
        if isinstance(entry, dict) and _text(entry, "name"):
            path = f"{above}{entry['name']}"
            yield path, _text(entry, "type")
            yield from _fields(entry.get("fields"), f"{path}.", depth + 1)


def _names(facet: Mapping[str, Json], dataset: DatasetId) -> Iterator[DatasetId]:
    identifiers = facet.get("identifiers")
    for entry in identifiers if isinstance(identifiers, list) else ():
        if isinstance(entry, dict):
            other = DatasetId(_text(entry, "namespace"), _text(entry, "name"))
            if other.name and other.namespace and other != dataset:
                yield other


def owners(facet: Mapping[str, Json], tell: Tell) -> Owners | None:
    """Who the ownership facet names: the owner called ``team:...`` is the team, else the first one."""
    listed = facet.get("owners") or []
    if not isinstance(listed, list):
        tell("the ownership facet's owners are no list")
        return None
    names = [_text(o, "name") for o in listed if isinstance(o, dict)]
    teams = [name.removeprefix(_TEAM) for name in names if name.startswith(_TEAM)]
    people = [name for name in names if name and not name.startswith(_TEAM)]
    if not teams and not people:
        return None
    return Owners(next(iter(teams or people)), next(iter(people), "").removeprefix("user:"))


def support(facets: Mapping[str, Json], tell: Tell) -> Iterator[Channel]:
    """The channels of the facet ``contracts_support``."""
    facet = facets.get(SUPPORT_FACET)
    if facet is None:
        return
    channels = (facet.get("channels") or []) if isinstance(facet, dict) else None
    if not isinstance(channels, list):
        tell(f"the {SUPPORT_FACET} facet's channels are no list")
        return
    for entry in channels:
        channel = entry.get("channel") if isinstance(entry, dict) else None
        if isinstance(channel, str) and channel:
            yield Channel(tool=_text(entry, "tool") or "slack", address=channel)
        else:
            tell(f"the {SUPPORT_FACET} facet has an entry without a channel")


def _text(parent: Mapping[str, Json], key: str) -> str:
    value = parent.get(key)
    return value if isinstance(value, str) else ""
