"""JSON Schemas as contracts, as far as a contract can say what they say; for comparing verdicts only.

A schema becomes one column, ``value``. Raises NotExpressible with the kind of what no contract can say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from contracts_svc.model import Column, Contract, Table
from tests.suites.forms import (
    ANYTHING,
    NULL,
    Form,
    Json,
    NotExpressible,
    Nothing,
    both,
    common,
    either,
    holds,
    inhabited,
    of_values,
    one_of,
)

LIMITS = {
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems"),
    "object": ("minProperties", "maxProperties"),
    "boolean": (),
}
STRUCTURE = {
    "array": ("items", "additionalItems"),
    "object": ("properties", "required", "additionalProperties"),
}
SPELT = {"boolean": "BOOLEAN", "integer": "BIGINT", "number": "DOUBLE", "string": "VARCHAR"}
"""In a union, of which only a physical type can be."""
BEYOND = (
    "if",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "propertyNames",
    "unevaluatedProperties",
    "prefixItems",
)
"""Keywords that are kinds of their own, when they say anything."""


def forms(old: Json, new: Json) -> tuple[Form, Form]:
    """The forms of two versions. Raises NotExpressible."""
    before, after = form(old, old), form(new, new)
    if any(b.type == a.type == "object" and a.closed and not b.closed for b, a in beside(before, after)):
        raise NotExpressible("open content closed")
    if any(_only_absent(b, a) for b, a in beside(before, after)):
        raise NotExpressible("absent or null")
    return before, after


def _only_absent(old: Form, new: Form) -> bool:
    """Whether a property that could be null can still be left out, but be null no more."""
    shared = old.properties.keys() & new.properties.keys() - new.required
    return any(old.properties[n].nullable and not new.properties[n].nullable for n in shared)


def beside(old: Form, new: Form) -> Iterator[tuple[Form, Form]]:
    """Every part of one form with the same part of the other."""
    yield old, new
    for name in old.properties.keys() & new.properties.keys():
        yield from beside(old.properties[name], new.properties[name])
    for one, other in ((old.items, new.items), (old.values, new.values)):
        if one is not None and other is not None:
            yield from beside(one, other)


def contract(found: Form) -> Contract:
    """A contract with one column that holds what the form lets through."""
    column = _column(found, "value", "value", required=not found.nullable)
    return Contract(
        api_version="v3.2.0", id="c", version="1.0.0", tables=(Table(name="t", columns=(column,)),)
    )


def form(schema: Json, root: Json, trail: tuple[str, ...] = ()) -> Form:
    """The form of a schema in the document ``root``; ``trail`` is the references on the way to it."""
    if isinstance(schema, bool):
        if schema:
            return ANYTHING
        raise Nothing
    if "$ref" in schema:
        target = schema["$ref"]
        if target in trail:
            raise NotExpressible("recursion")
        return form(_resolved(target, root), root, (*trail, target))
    found = _own(schema, root, trail)
    for part in schema.get("allOf", ()):
        # A negation says something about values of a type, which its neighbours may state.
        if isinstance(part, dict) and set(part) - {"description"} == {"not"}:
            continue
        found = both(found, form(part, root, trail))
    for word, joined in (("anyOf", either), ("oneOf", one_of)):
        if word in schema:
            found = both(found, joined(_branches(schema[word], root, trail)))
    negations = [s["not"] for s in (schema, *schema.get("allOf", ())) if isinstance(s, dict) and "not" in s]
    for negated in negations:
        found = without(found, negated, root, trail)
    return inhabited(found)


def _resolved(target: str, root: Json) -> Json:
    if not target.startswith("#"):
        raise NotExpressible("reference")
    at = root
    for name in target.removeprefix("#").split("/")[1:]:
        at = at[name.replace("~1", "/").replace("~0", "~")]
    return at


def _branches(schemas: Iterable[Json], root: Json, trail: tuple[str, ...]) -> list[Form]:
    found = []
    for schema in schemas:
        try:
            found.append(form(schema, root, trail))
        except Nothing:
            continue
    return found


def _own(schema: Mapping[str, Json], root: Json, trail: tuple[str, ...]) -> Form:
    """What the schema says beside its combinations of other schemas."""
    for word in BEYOND:
        if schema.get(word) not in (None, True, {}):
            raise NotExpressible(word)
    if any(s not in (True, {}) for s in schema.get("patternProperties", {}).values()):
        raise NotExpressible("patternProperties")
    enum = schema.get("enum", [schema["const"]] if "const" in schema else None)
    written = schema.get("type")
    types = [written] if isinstance(written, str) else list(written or ())
    if "number" in types:
        types = [t for t in types if t != "integer"]
    if enum is not None:
        found = of_values(enum, types)
        return replace(found, limits=_limits(found.type, schema)) if found.type in LIMITS else found
    if not types:
        if any(word in schema for words in (*LIMITS.values(), *STRUCTURE.values()) for word in words):
            return _of_untyped(schema)
        return ANYTHING
    kinds = [t for t in types if t != "null"]
    if not kinds:
        return NULL
    if len(kinds) > 1:
        return either([Form(type=k) if k == "boolean" else _typed(k, schema, root, trail) for k in kinds])
    return replace(_typed(kinds[0], schema, root, trail), nullable="null" in types)


def _of_untyped(schema: Mapping[str, Json]) -> Form:
    """Limits that bind only values of a type that is not stated: all numbers' limits say number."""
    stated = {t for t, words in LIMITS.items() if any(w in schema for w in words)}
    if stated == {"integer", "number"}:
        return Form(nullable=True, limits=_limits("number", schema))
    raise NotExpressible("limits without a type")


def _typed(kind: str, schema: Mapping[str, Json], root: Json, trail: tuple[str, ...]) -> Form:
    found = Form(type=kind, limits=_limits(kind, schema))
    if kind == "array":
        return _array(found, schema, root, trail)
    if kind == "object":
        return _object(found, schema, root, trail)
    return found


def _limits(kind: str, schema: Mapping[str, Json]) -> dict[str, Json]:
    limits = {w: schema[w] for w in LIMITS[kind] if w in schema and schema[w] is not False}
    # In draft 4 the exclusive bounds are flags of the others.
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if limits.get(exclusive) is True:
            del limits[exclusive]
            if bound in limits:
                limits[exclusive] = limits.pop(bound)
    return limits


def _array(found: Form, schema: Mapping[str, Json], root: Json, trail: tuple[str, ...]) -> Form:
    items = schema.get("items", True)
    if not isinstance(items, list):
        inner = form(items, root, trail)
        return replace(found, items=None if inner == ANYTHING else inner)
    # Entries by position are a list of one type when they are all alike.
    alike = {repr(f): f for f in (form(i, root, trail) for i in items)}
    further = schema.get("additionalItems", True)
    if further is False:
        found = both(found, Form(type="array", limits={"maxItems": len(items)}))
    else:
        last = form(further, root, trail)
        alike[repr(last)] = last
    if len(alike) > 1:
        raise NotExpressible("items by position")
    (inner,) = alike.values()
    return replace(found, items=None if inner == ANYTHING else inner)


def _object(found: Form, schema: Mapping[str, Json], root: Json, trail: tuple[str, ...]) -> Form:
    properties = {n: form(s, root, trail) for n, s in schema.get("properties", {}).items()}
    further = schema.get("additionalProperties", True)
    values = None
    if not isinstance(further, bool) and form(further, root, trail) != ANYTHING:
        if properties:
            raise NotExpressible("typed additional properties")
        values = form(further, root, trail)
    return replace(
        found,
        properties=properties,
        required=frozenset(schema.get("required", ())),
        values=values,
        closed=further is False,
    )


def without(found: Form, negated: Json, root: Json, trail: tuple[str, ...]) -> Form:
    """What is left of the form without what another schema lets through."""
    try:
        gone = form(negated, root, trail)
    except Nothing:
        return found
    if gone == ANYTHING:
        raise Nothing
    if found.enum is not None:
        left = tuple(v for v in found.enum if not holds(gone, v))
        return replace(found, enum=left, nullable=found.nullable and not gone.nullable)
    if found.type is not None and gone.type is not None and common(found.type, gone.type) is None:
        return found
    if found.type == gone.type == "string" and gone.enum is not None and not gone.limits:
        listed = "|".join(re.escape(v) for v in gone.enum)
        return both(found, Form(type="string", nullable=True, limits={"pattern": f"^(?!(?:{listed})$)"}))
    opposites: dict[str, Callable[[Json], tuple[str, Json]]] = {
        "minLength": lambda n: ("maxLength", n - 1),
        "maxLength": lambda n: ("minLength", n + 1),
        "minimum": lambda n: ("exclusiveMaximum", n),
        "exclusiveMinimum": lambda n: ("maximum", n),
        "maximum": lambda n: ("exclusiveMinimum", n),
        "exclusiveMaximum": lambda n: ("minimum", n),
    }
    alone = replace(gone, limits={}) == Form(type=found.type) and len(gone.limits) == 1
    if found.type is None or not alone or not gone.limits.keys() <= opposites.keys():
        raise NotExpressible("not")
    ((name, limit),) = gone.limits.items()
    word, value = opposites[name](limit)
    return both(found, Form(type=found.type, nullable=True, limits={word: value}))


def _column(of: Form, name: str, path: str, *, required: bool) -> Column:
    limits = dict(of.limits)
    # A contract says of a column that it is not NULL; that a property is there at all, its object says.
    there = {n for n in of.required if n not in of.properties or of.properties[n].nullable}
    if there:
        limits["required"] = sorted(there)
    columns = tuple(
        _column(f, n, f"{path}.{n}", required=n in of.required and not f.nullable)
        for n, f in of.properties.items()
    )
    parts: dict[str, Any] = {}
    if of.items is not None:
        parts["items"] = _column(of.items, "", f"{path}[]", required=not of.items.nullable)
    if of.values is not None:
        parts["map_key"] = Column(name="", path=f"{path}{{key}}", logical_type="string", required=True)
        parts["map_value"] = _column(of.values, "", f"{path}{{value}}", required=not of.values.nullable)
    branches = [f"{kind} {SPELT[kind]}" for kind in sorted(of.union)]
    stored = f"UNION({', '.join(branches)})" if branches else "NULL" if of.type == "null" else None
    return Column(
        name=name,
        path=path,
        physical_type=stored,
        logical_type="map" if of.values is not None else None if of.type == "null" else of.type,
        logical_type_options=limits,
        required=required,
        enum=of.enum or (),
        columns=columns,
        **parts,
    )
