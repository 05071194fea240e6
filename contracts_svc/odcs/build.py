"""A valid document -> a Contract, with nothing of it lost.

Fields that the model has become attributes; every other field goes to ``extra`` under its ODCS name, so
that a comparison of two contracts sees it. The same happens to a field whose value is not of the type
that the model asks for, which the older versions of the standard let pass in places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts_svc.errors import Location
from contracts_svc.model import (
    Column,
    Contract,
    CustomProperty,
    Json,
    QualityRule,
    Relationship,
    Server,
    SlaProperty,
    SupportChannel,
    Table,
    Team,
    TeamMember,
)
from contracts_svc.odcs.yaml_nodes import Node

_TEXT: tuple[type, ...] = (str,)
_BOOL: tuple[type, ...] = (bool,)
_INT: tuple[type, ...] = (int,)
_MAPPING: tuple[type, ...] = (dict,)
_ANY: tuple[type, ...] = (object,)

# ODCS field -> attribute of the model and the types it may have. Same names are not repeated.
_Fields = Mapping[str, tuple[str, tuple[type, ...]]]


def _fields(*same: str, **renamed: str) -> dict[str, tuple[str, tuple[type, ...]]]:
    """Text fields: those that are called the same in the model, and those that are not."""
    names = {name: name for name in same} | renamed
    return {odcs: (ours, _TEXT) for odcs, ours in names.items()}


_CUSTOM: _Fields = _fields("property", "id") | {"value": ("value", _ANY)}
_ELEMENT = _fields(
    "name",
    "id",
    "description",
    physicalName="physical_name",
    physicalType="physical_type",
    logicalType="logical_type",
    businessName="business_name",
) | {"deprecated": ("deprecated", _BOOL)}
_TABLE: _Fields = _ELEMENT | _fields(dataGranularityDescription="granularity")
_COLUMN: _Fields = (
    _ELEMENT
    | _fields("classification")
    | {
        "logicalTypeOptions": ("logical_type_options", _MAPPING),
        "required": ("required", _BOOL),
        "unique": ("unique", _BOOL),
        "primaryKey": ("primary_key", _BOOL),
        "primaryKeyPosition": ("primary_key_position", _INT),
        "partitioned": ("partitioned", _BOOL),
        "partitionKeyPosition": ("partition_key_position", _INT),
        "criticalDataElement": ("critical", _BOOL),
    }
)
_QUALITY: _Fields = _fields(
    "type",
    "id",
    "name",
    "description",
    "metric",
    "unit",
    "query",
    "engine",
    "dimension",
    "severity",
    "schedule",
    "scheduler",
    businessImpact="business_impact",
) | {"arguments": ("arguments", _MAPPING), "implementation": ("implementation", _ANY)}
_OPERATORS = (
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
)
_SERVER: _Fields = _fields("server", "type", "id", "description", "environment")
_TEAM: _Fields = _fields("name", "description")
_MEMBER: _Fields = _fields("username", "name", "role")
_SUPPORT: _Fields = _fields("channel", "tool", "scope", "url", "description")
_SLA: _Fields = _fields("property", "unit", "element", "driver", "schedule", "id") | {
    "value": ("value", _ANY),
    "valueExt": ("value_ext", _ANY),
}
_CONTRACT: _Fields = _fields(
    "id",
    "version",
    "status",
    "name",
    "tenant",
    "domain",
    apiVersion="api_version",
    dataProduct="data_product",
) | {"description": ("description", _ANY)}


class _Element:
    """One mapping of the document on its way into a model value: what is not taken becomes ``extra``."""

    def __init__(self, node: Node, file: str) -> None:
        self.node = node
        self.file = file
        self.left: dict[str, Json] = dict(node.value)
        self.taken: dict[str, Any] = {}

    def attributes(self, fields: _Fields) -> None:
        """Take the fields that the model has as they are."""
        for odcs, (ours, types) in fields.items():
            if odcs in self.left and isinstance(self.left[odcs], types):
                if types is _INT and isinstance(self.left[odcs], bool):
                    continue
                self.taken[ours] = self.left.pop(odcs)

    def texts(self, odcs: str, ours: str) -> None:
        """Take a list of texts."""
        value = self.left.get(odcs)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            self.taken[ours] = tuple(self.left.pop(odcs))

    def elements(self, odcs: str, ours: str, build: Callable[[Node, str], Any]) -> None:
        """Take a list of mappings."""
        value = self.left.get(odcs)
        if isinstance(value, list) and all(isinstance(item, dict) for item in value):
            self.taken[ours] = tuple(build(child, self.file) for child in _entries(self.node, odcs))
            del self.left[odcs]

    def custom(self) -> None:
        self.elements("customProperties", "custom", _custom)

    def child(self, odcs: str) -> Node | None:
        """Take a mapping; its node."""
        if not isinstance(self.left.get(odcs), dict):
            return None
        del self.left[odcs]
        return self.node.child(odcs)

    def done(self) -> dict[str, Any]:
        """The arguments of the model value."""
        at = Location(self.file, self.node.line, self.node.column)
        places = {key: Location(self.file, line, column) for key, (line, column) in self.node.keys.items()}
        return self.taken | {"extra": self.left, "at": at, "places": places}


def _entries(node: Node, odcs: str) -> list[Node]:
    """The nodes of a list under a key."""
    of = node.child(odcs)
    return of.children if of is not None and isinstance(of.children, list) else []


def contract(node: Node, file: str) -> Contract:
    """The Contract that a document says; it must have passed the standard's JSON Schema."""
    element = _Element(node, file)
    element.attributes(_CONTRACT)
    element.texts("tags", "tags")
    element.custom()
    element.elements("schema", "tables", _table)
    element.elements("servers", "servers", _server)
    element.elements("support", "support", _support)
    element.elements("slaProperties", "sla", _sla)
    if isinstance(element.left.get("roles"), list):
        element.taken["roles"] = tuple(element.left.pop("roles"))
    team = node.child("team")
    if team is not None:
        element.taken["team"] = _team(team, file)
        del element.left["team"]
    arguments = element.done()
    for i, role in enumerate(_entries(node, "roles")):
        arguments["places"][f"roles.{i}"] = Location(file, role.line, role.column)
    return Contract(**arguments)


def _table(node: Node, file: str) -> Table:
    element = _Element(node, file)
    element.attributes(_TABLE)
    element.texts("tags", "tags")
    element.custom()
    element.elements("properties", "columns", lambda child, f: _column(child, f, ""))
    element.elements("quality", "quality", _quality)
    element.elements("relationships", "relationships", _relationship)
    return Table(**element.done())


def _column(node: Node, file: str, prefix: str) -> Column:
    """A column whose path is ``prefix`` and its name."""
    return _column_at(node, file, prefix + str(node.value.get("name", "")))


def _column_at(node: Node, file: str, path: str) -> Column:
    element = _Element(node, file)
    element.attributes(_COLUMN)
    element.taken.setdefault("name", "")  # an array's element needs none
    element.taken["path"] = path
    element.texts("tags", "tags")
    element.custom()
    _enum(element)
    element.elements("quality", "quality", _quality)
    element.elements("relationships", "relationships", _relationship)
    element.elements("properties", "columns", lambda child, f: _column(child, f, f"{path}."))
    items = element.child("items")
    if items is not None:
        element.taken["items"] = _column_at(items, file, f"{path}[]")
    pair = element.child("map")
    for part in ("key", "value"):
        of_map = pair.child(part) if pair else None
        if of_map is not None and isinstance(of_map.value, dict):
            element.taken[f"map_{part}"] = _column_at(of_map, file, f"{path}{{{part}}}")
    arguments = element.done()
    options = node.child("logicalTypeOptions")
    for key, (line, column) in options.keys.items() if options else ():
        arguments["places"][f"logicalTypeOptions.{key}"] = Location(file, line, column)
    return Column(**arguments)


def _enum(element: _Element) -> None:
    """The values; the entries stay in ``extra`` where they say more than that."""
    entries = element.left.get("enum")
    if not isinstance(entries, list) or not all(isinstance(e, dict) and "value" in e for e in entries):
        return
    element.taken["enum"] = tuple(entry["value"] for entry in entries)
    if all(len(entry) == 1 for entry in entries):
        del element.left["enum"]


def _quality(node: Node, file: str) -> QualityRule:
    element = _Element(node, file)
    element.attributes(_QUALITY)
    element.taken["operators"] = {name: element.left.pop(name) for name in _OPERATORS if name in element.left}
    if element.taken.get("type", "library") == "library" and "metric" not in element.taken:
        element.attributes({"rule": ("metric", _TEXT)})  # what 3.0 calls the metric
    return QualityRule(**element.done())


def _relationship(node: Node, file: str) -> Relationship:
    element = _Element(node, file)
    element.attributes(_fields("type", "id"))
    for odcs, ours in (("from", "source"), ("to", "target")):
        if isinstance(element.left.get(odcs), str):
            element.taken[ours] = (element.left.pop(odcs),)
        else:
            element.texts(odcs, ours)
    return Relationship(**element.done())


def _custom(node: Node, file: str) -> CustomProperty:
    element = _Element(node, file)
    element.attributes(_CUSTOM)
    return CustomProperty(**{"property": "", "value": None} | element.done())


def _server(node: Node, file: str) -> Server:
    element = _Element(node, file)
    element.attributes(_SERVER)
    element.custom()
    roles = {"roles": element.left.pop("roles")} if "roles" in element.left else {}
    fields, element.left = element.left, roles
    return Server(**element.done(), fields=fields)


def _team(node: Node, file: str) -> Team:
    """Both forms: an object with members, or (older) just the list of members."""
    if isinstance(node.children, list):
        members = tuple(_member(child, file) for child in node.children)
        return Team(members=members, at=Location(file, node.line, node.column))
    element = _Element(node, file)
    element.attributes(_TEAM)
    element.elements("members", "members", _member)
    element.custom()
    return Team(**element.done())


def _member(node: Node, file: str) -> TeamMember:
    element = _Element(node, file)
    element.attributes(_MEMBER)
    element.taken.setdefault("username", "")  # 3.0 asks for none
    return TeamMember(**element.done())


def _support(node: Node, file: str) -> SupportChannel:
    element = _Element(node, file)
    element.attributes(_SUPPORT)
    return SupportChannel(**element.done())


def _sla(node: Node, file: str) -> SlaProperty:
    element = _Element(node, file)
    element.attributes(_SLA)
    return SlaProperty(**element.done())
