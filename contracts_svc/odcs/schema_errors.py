"""What the standard's JSON Schema says is wrong, each mistake once.

A JSON Schema reports one mistake many times over: every branch of a oneOf, every key beside a bad one
as "unevaluated". Here alternatives are decided for the branch that the author most likely meant, and
what only follows from another mistake is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import jsonschema_rs as js

from contracts_svc.model import Json

Path: TypeAlias = tuple[str | int, ...]

_Kind = js.ValidationErrorKind
_NOTES = {"title", "description", "default", "deprecated", "examples"}
_ABOUT_WHOLE_LISTS = {"minItems", "maxItems", "uniqueItems", "contains"}


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong at one place of a document.

    ``keyword`` is the JSON Schema keyword that failed, or one of our own: ``unknownKey`` (``names``: the
    key), ``requiredOne`` (one of ``names`` is needed), ``onlyOne`` (only one of ``names`` may be there),
    ``needsLogicalType``. ``names`` holds what the keyword names: keys, types, options, a pattern, a limit.
    """

    path: Path
    keyword: str
    names: tuple[str, ...] = ()
    instance: Json = field(default=None, compare=False)
    definition: str = field(default="", compare=False)
    """The name of the standard's definition that asks for it, as in ``StableId``."""
    said: str = field(default="", compare=False)
    """What the validator says; for keywords that have no words of our own."""
    keys: Keys | None = field(default=None, compare=False)
    """Of an unknown key: which keys are known there."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that the standard knows for one element."""

    allowed: frozenset[str]
    elsewhere: Mapping[str, tuple[str, ...]]
    """Keys that would be allowed on a condition -> those conditions, as in ``type: kafka``."""


class Schema:
    """A compiled JSON Schema of the standard."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        self.root = dict(schema)
        self._validator = js.Draft201909Validator(self.root)
        self._validators: dict[Path, js.Validator] = {}

    def accepts(self, document: Json) -> bool:
        """Whether the document is valid."""
        return self._validator.is_valid(document)

    def mistakes(self, document: Json, most: int) -> tuple[Mistake, ...]:
        """Every mistake once; empty when the document is valid, and only then.

        The search ends soon after ``most`` mistakes are found: there may be more.
        """
        if self.accepts(document):
            return ()
        found: dict[Mistake, None] = {}
        for prefix, validator, value in self._pieces((), (), document):
            for error in validator.iter_errors(value):
                for leaf in self._leaves(error):
                    placed = replace(leaf, path=prefix + leaf.path)
                    found.setdefault(_about_logical_type(placed, document))
            if len(found) > most:
                break
        return tuple(_without_consequences(found)) or (Mistake((), "invalid"),)

    def _pieces(self, place: Path, prefix: Path, value: Json) -> Iterator[tuple[Path, js.Validator, Json]]:
        """The value without the entries of its lists, then those entries; each with its path in the document.

        All errors of a piece are made before the first is seen, each with a copy of what it is about:
        in small pieces that stays cheap however large the document is.
        """
        lists = self._lists(place, value) if isinstance(value, dict) else {}
        emptied: dict[str, Json] = {name: [] for name in lists}
        yield prefix, self._validator_at(place), {**value, **emptied} if emptied else value
        for name, entry_place in lists.items():
            for index, entry in enumerate(value[name]):
                yield from self._pieces(entry_place, (*prefix, name, index), entry)

    def _lists(self, place: Path, value: Mapping[str, Json]) -> dict[str, Path]:
        """The keys of ``value`` that hold lists whose entries can be judged one by one -> by which schema."""
        found = {}
        for name, condition, where in self._known(place, value, ""):
            if condition or not isinstance(value.get(name), list):
                continue
            schema_place = self._resolved(where)
            schema = _at(self.root, schema_place)
            if schema.get("type") == "array" and "items" in schema and not _ABOUT_WHOLE_LISTS & set(schema):
                entry = self._resolved((*schema_place, "items"))
                if entry[0] == "$defs":
                    found[name] = entry
        return found

    def _resolved(self, place: Path) -> Path:
        """Where a schema that is only a reference leads to."""
        schema = _at(self.root, place)
        return self._resolved(_target(schema)) if set(schema) - _NOTES == {"$ref"} else place

    def _validator_at(self, place: Path) -> js.Validator:
        if not place:
            return self._validator
        if place not in self._validators:
            reference = "#/" + "/".join(str(step) for step in place)
            self._validators[place] = js.Draft201909Validator(
                {"$ref": reference, "$defs": self.root["$defs"]}
            )
        return self._validators[place]

    # -- one leaf per mistake -------------------------------------------------------------------

    def _leaves(self, error: js.ValidationError) -> Iterator[Mistake]:
        kind = error.kind
        if isinstance(kind, (_Kind.OneOfNotValid, _Kind.AnyOf)):
            yield from self._best_branch(error, kind.context)
        elif isinstance(kind, _Kind.OneOfMultipleValid):
            yield from self._several_branches(error, kind.context)
        elif isinstance(kind, (_Kind.UnevaluatedProperties, _Kind.AdditionalProperties)):
            yield from self._unknown_keys(error, kind.unexpected)
        else:
            yield _mistake(error, kind.name, _names(kind))

    def _best_branch(
        self, error: js.ValidationError, branches: Sequence[Sequence[js.ValidationError]]
    ) -> Iterator[Mistake]:
        """The mistakes of the alternative that the author most likely meant."""
        here = tuple(error.instance_path)
        leaves = [[leaf for inner in branch for leaf in self._leaves(inner)] for branch in branches]
        flat = [leaf for branch in leaves for leaf in branch]
        if all(leaf.path == here and leaf.keyword == "required" for leaf in flat):
            yield _mistake(error, "requiredOne", (name for leaf in flat for name in leaf.names))
            return
        of_type = [b for b in leaves if not any(m.path == here and m.keyword == "type" for m in b)]
        if not of_type:
            types = (name for leaf in flat if leaf.keyword == "type" for name in leaf.names)
            yield _mistake(error, "type", types)
            return
        # A branch that was entered (its keys are there) has its mistakes further in.
        yield from min(of_type, key=lambda b: (sum(m.path == here for m in b), len(b)))

    def _several_branches(
        self, error: js.ValidationError, branches: Sequence[Sequence[js.ValidationError]]
    ) -> Iterator[Mistake]:
        """More than one alternative fits: the keys that make each of them fit exclude each other."""
        alternatives = _at(self.root, error.schema_path)
        fitting = [alt for errors, alt in zip(branches, alternatives, strict=True) if not errors]
        names = tuple(name for alt in fitting for name in alt.get("required", ()))
        if names:  # else they fit because what they speak of is missing, which is reported for itself
            yield _mistake(error, "onlyOne", names)

    # -- keys -----------------------------------------------------------------------------------

    def _unknown_keys(self, error: js.ValidationError, unexpected: Iterable[str]) -> Iterator[Mistake]:
        """The keys that the standard does not know there.

        Known keys are reported too, but only because of another mistake in the same element.
        """
        keys = self._keys(tuple(error.schema_path[:-1]), error.instance)
        for key in unexpected:
            if key not in keys.allowed:
                yield _mistake(error, "unknownKey", (key,), keys)

    def _keys(self, place: Path, instance: Json) -> Keys:
        allowed: set[str] = set()
        elsewhere: dict[str, list[str]] = {}
        for name, condition, _ in self._known(place, instance, ""):
            if condition:
                elsewhere.setdefault(name, []).append(condition)
            else:
                allowed.add(name)
        return Keys(frozenset(allowed), {name: tuple(dict.fromkeys(c)) for name, c in elsewhere.items()})

    def _known(self, place: Path, instance: Json, condition: str) -> Iterator[tuple[str, str, Path]]:
        """Every key that the schema at ``place``, with all it refers to, has for this element.

        With each comes what would have to hold for it ("" when the key is allowed as things are), and
        where the schema of its value is.
        """
        schema = _at(self.root, place)
        for name in schema.get("properties", ()):
            yield name, condition, (*place, "properties", name)
        if "$ref" in schema:
            yield from self._known(_target(schema), instance, condition)
        for word in ("allOf", "anyOf", "oneOf"):
            for index in range(len(schema.get(word, ()))):
                yield from self._known((*place, word, index), instance, condition)
        if "then" in schema:
            if not self._part((*place, "if")).is_valid(instance):
                condition = condition or _condition(schema["if"])
            yield from self._known((*place, "then"), instance, condition)

    @cached_property
    def _parts(self) -> js.ValidatorMap:
        return js.validator_map_for(self.root)

    def _part(self, place: Path) -> js.Validator:
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
        return self._parts["#/" + "/".join(steps)]


def _mistake(
    error: js.ValidationError, keyword: str, names: Iterable[str] = (), keys: Keys | None = None
) -> Mistake:
    path = error.schema_path
    definitions = [path[i + 1] for i, step in enumerate(path[:-1]) if step == "$defs"]
    return Mistake(
        path=tuple(error.instance_path),
        keyword=keyword,
        names=tuple(names),
        instance=error.instance,
        definition=str(definitions[-1]) if definitions else "",
        said=error.message,
        keys=keys,
    )


def _names(kind: js.ValidationErrorKind) -> tuple[str, ...]:
    match kind:
        case _Kind.Required():
            return (kind.property,)
        case _Kind.Type():
            return tuple(kind.types)
        case _Kind.Enum():
            return tuple(str(option) for option in kind.options)
        case _Kind.Pattern():
            return (kind.pattern,)
        case _Kind.Not():
            schema: Json = kind.schema
            return tuple(schema.get("required", ())) if isinstance(schema, dict) else ()
        case _:
            limit = getattr(kind, "limit", None)
            return () if limit is None else (str(limit),)


def _about_logical_type(mistake: Mistake, document: Json) -> Mistake:
    """Options without a logical type fail the conditions of every type at once: that is one mistake."""
    if "logicalTypeOptions" not in mistake.path:
        return mistake
    end = mistake.path.index("logicalTypeOptions")
    if "logicalType" in _at(document, mistake.path[:end]):
        return mistake
    return Mistake(mistake.path[: end + 1], "needsLogicalType")


def _without_consequences(mistakes: Iterable[Mistake]) -> Iterator[Mistake]:
    """Leave out keys that are only unknown because what decides about them is missing or wrong."""
    kept = tuple(mistakes)
    missing = {(*m.path, *m.names) for m in kept if m.keyword == "required"}
    wrong = missing | {m.path for m in kept}
    for mistake in kept:
        conditions = mistake.keys.elsewhere.get(mistake.names[0], ()) if mistake.keys else ()
        if not any((*mistake.path, _decider(condition)) in wrong for condition in conditions):
            yield mistake


def _decider(condition: str) -> str:
    """The key that a condition is about."""
    return condition.split(":")[0]


def _condition(schema: Json) -> str:
    """What an ``if`` asks for, as in ``type: kafka``, or ``logicalType: timestamp or time``."""
    alternatives = schema.get("anyOf", [schema])
    wanted: dict[str, list[str]] = {}
    for alternative in alternatives:
        for name, rule in alternative.get("properties", {}).items():
            if "const" in rule:
                wanted.setdefault(name, []).append(str(rule["const"]))
    return ", ".join(f"{name}: {' or '.join(values)}" for name, values in wanted.items()) or "other values"


def _target(schema: Json) -> Path:
    """The place that a ``$ref`` leads to."""
    return tuple(schema["$ref"].removeprefix("#/").split("/"))


def _at(value: Json, path: Iterable[str | int]) -> Json:
    for step in path:
        value = value[step]
    return value
