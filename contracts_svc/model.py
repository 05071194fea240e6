"""The words of a data contract: an ODCS document as frozen values.

Names follow the Open Data Contract Standard (ODCS) v3. Every element keeps the place it was written
at, and the places of its fields; places never take part in equality, so two contracts that say the
same are equal however they are laid out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

from contracts_svc.errors import Location

Json: TypeAlias = Any
"""None, bool, int, float, str, list of Json, or dict of str to Json."""

NOWHERE = Location("", 0, 0)


def _no_places() -> Mapping[str, Location]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """Anything in a contract that was written at a place.

    ``extra`` holds the fields of the standard that have no attribute here, under their ODCS names.
    """

    extra: Mapping[str, Json] = field(default_factory=dict)
    at: Location = field(default=NOWHERE, compare=False, repr=False)
    places: Mapping[str, Location] = field(default_factory=_no_places, compare=False, repr=False)
    """ODCS field name -> where its key is written; ``logicalTypeOptions.minimum`` of a type's options,
    ``roles.0`` of the first role."""

    def place(self, odcs_field: str) -> Location:
        """Where the field is written, or where the element begins when it is not written."""
        return self.places.get(odcs_field, self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomProperty(Element):
    """``customProperties``: a key and any value."""

    property: str
    value: Json
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRule(Element):
    """One entry of ``quality``. ``operators`` maps mustBe... names to values; all of them hold."""

    type: str = "library"
    id: str | None = None
    name: str | None = None
    description: str | None = None
    metric: str | None = None
    operators: Mapping[str, Json] = field(default_factory=dict)
    unit: str | None = None
    arguments: Mapping[str, Json] = field(default_factory=dict)
    query: str | None = None
    engine: str | None = None
    implementation: Json = None
    dimension: str | None = None
    severity: str | None = None
    schedule: str | None = None
    scheduler: str | None = None
    business_impact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship(Element):
    """A foreign key. ``source`` and ``target`` are references as written, one per key column.

    ``source`` is empty when the relationship stands at a column, which is then the source.
    """

    type: str = "foreignKey"
    id: str | None = None
    source: tuple[str, ...] = ()
    target: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Element):
    """A property of a table, or of another column (``path`` is dotted then).

    ``path`` of an array's element is ``name[]``, of a map's parts ``name{key}`` and ``name{value}``.
    """

    name: str
    path: str
    id: str | None = None
    physical_name: str | None = None
    business_name: str | None = None
    description: str | None = None
    logical_type: str | None = None
    logical_type_options: Mapping[str, Json] = field(default_factory=dict)
    physical_type: str | None = None
    required: bool = False
    unique: bool = False
    primary_key: bool = False
    primary_key_position: int = -1
    partitioned: bool = False
    partition_key_position: int = -1
    classification: str | None = None
    critical: bool = False
    """``criticalDataElement``"""
    deprecated: bool = False
    enum: tuple[Json, ...] = ()
    """The ``value`` of every entry of ``enum`` (ODCS 3.2)."""
    tags: tuple[str, ...] = ()
    custom: tuple[CustomProperty, ...] = ()
    quality: tuple[QualityRule, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    columns: tuple[Column, ...] = ()
    """Fields, when the logical type is object."""
    items: Column | None = None
    """Element, when the logical type is array."""
    map_key: Column | None = None
    map_value: Column | None = None

    def walk(self) -> Iterator[Column]:
        """This column, then everything nested in it, depth first, in written order."""
        yield self
        for child in self.children():
            yield from child.walk()

    def children(self) -> tuple[Column, ...]:
        """The columns directly inside this one."""
        parts = (self.items, self.map_key, self.map_value)
        return self.columns + tuple(p for p in parts if p is not None)

    @property
    def stored_name(self) -> str:
        """The column's name in the data: ``physicalName``, else ``name``."""
        return self.physical_name or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Element):
    """One entry of ``schema``."""

    name: str
    id: str | None = None
    physical_name: str | None = None
    physical_type: str | None = None
    logical_type: str | None = None
    business_name: str | None = None
    description: str | None = None
    granularity: str | None = None
    """``dataGranularityDescription``"""
    deprecated: bool = False
    tags: tuple[str, ...] = ()
    custom: tuple[CustomProperty, ...] = ()
    columns: tuple[Column, ...] = ()
    quality: tuple[QualityRule, ...] = ()
    relationships: tuple[Relationship, ...] = ()

    def walk(self) -> Iterator[Column]:
        """Every column, nested ones too, depth first, in written order."""
        for column in self.columns:
            yield from column.walk()

    def column(self, path: str) -> Column | None:
        """The column with this dotted path, or None."""
        if len(self.columns) <= _FEW:
            return next((c for c in self.walk() if c.path == path), None)
        return _by_path(_Same(self)).get(path)

    @property
    def primary_key(self) -> tuple[Column, ...]:
        """The top-level key columns, in key order."""
        keys = [c for c in self.columns if c.primary_key]
        return tuple(sorted(keys, key=lambda c: c.primary_key_position))


_FEW = 16


class _Same:
    """A table as a key: the same one, not an equal one, which takes as long to find out as to look it up."""

    __slots__ = ("table",)

    def __init__(self, table: Table) -> None:
        self.table = table

    def __hash__(self) -> int:
        return id(self.table)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.table is self.table


@lru_cache(maxsize=32)
def _by_path(of: _Same) -> Mapping[str, Column]:
    # Kept for a while: who asks for one column of a wide table asks for all of them.
    found: dict[str, Column] = {}
    for column in of.table.walk():
        found.setdefault(column.path, column)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Server(Element):
    """One entry of ``servers``. What only some types have (location, format, ...) is in ``fields``."""

    server: str
    type: str
    id: str | None = None
    description: str | None = None
    environment: str | None = None
    custom: tuple[CustomProperty, ...] = ()
    fields: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMember(Element):
    """One person of a team."""

    username: str
    name: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team(Element):
    """``team``, in both forms of the standard (an object, or just a list of members)."""

    name: str | None = None
    description: str | None = None
    members: tuple[TeamMember, ...] = ()
    custom: tuple[CustomProperty, ...] = ()

    def custom_value(self, key: str) -> str | None:
        """The custom property's value as text, for instance ``squad`` or ``tribe``."""
        return next((str(c.value) for c in self.custom if c.property == key), None)

    @property
    def owner(self) -> str | None:
        """The username of the first member whose role is owner, else of the first member."""
        owners = [m.username for m in self.members if (m.role or "").lower().endswith("owner")]
        return next(iter(owners or [m.username for m in self.members]), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportChannel(Element):
    """One entry of ``support``: where a team can be reached, and for what (``scope``)."""

    channel: str
    tool: str | None = None
    scope: str | None = None
    url: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlaProperty(Element):
    """One entry of ``slaProperties``."""

    property: str
    value: Json
    value_ext: Json = None
    unit: str | None = None
    element: str | None = None
    driver: str | None = None
    schedule: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Contract(Element):
    """An ODCS document."""

    api_version: str
    id: str
    version: str
    status: str | None = None
    name: str | None = None
    tenant: str | None = None
    domain: str | None = None
    data_product: str | None = None
    description: Json = None
    tables: tuple[Table, ...] = ()
    servers: tuple[Server, ...] = ()
    team: Team | None = None
    support: tuple[SupportChannel, ...] = ()
    sla: tuple[SlaProperty, ...] = ()
    roles: tuple[Mapping[str, Json], ...] = ()
    tags: tuple[str, ...] = ()
    custom: tuple[CustomProperty, ...] = ()

    def table(self, name: str) -> Table | None:
        """The table of that name, or None."""
        return next((t for t in self.tables if t.name == name), None)

    @property
    def title(self) -> str:
        """What people call it: the name, else the id."""
        return self.name or self.id
