"""Mistakes of a document in the words of the contract, at their places in the text."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable

from contracts_svc.errors import Location, Problem
from contracts_svc.model import Json
from contracts_svc.odcs.schema_errors import Keys, Mistake, Path
from contracts_svc.odcs.yaml_nodes import Node

_NOUNS = {
    "schema": "table",
    "properties": "column",
    "items": "array element",
    "key": "map key",
    "value": "map value",
    "quality": "quality rule",
    "servers": "server",
    "team": "team member",
    "members": "team member",
    "support": "support channel",
    "roles": "role",
    "slaProperties": "SLA property",
    "customProperties": "custom property",
    "relationships": "relationship",
    "authoritativeDefinitions": "authoritative definition",
    "enum": "enum entry",
    "synonyms": "synonym",
    "verifiedStatements": "verified statement",
    "constraints": "constraint",
}
_LABELS = ("name", "server", "property", "username", "channel", "role", "id")
"""What an element is called by, the first that it has."""
_TYPES = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "array": "a list",
    "object": "a mapping",
    "null": "nothing",
}
_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_FORMS = {
    "StableId": "letters, digits, '_' and '-', as in 'flight_id'",
    "ShorthandReference": "table.column, or schema/<table id>/properties/<column id>",
    "FullyQualifiedReference": "table.column, or schema/<table id>/properties/<column id>",
}
_LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "more than",
    "exclusiveMaximum": "less than",
}
_SIZES = {"minItems": "at least", "maxItems": "at most"}
_OTHER_NAMES = {
    # Names that people bring from other standards and tools -> the ODCS name.
    "nullable": "required",
    "isNullable": "required",
    "isUnique": "unique",
    "isPrimary": "primaryKey",
    "isPrimaryKey": "primaryKey",
    "primary": "primaryKey",
    "type": "logicalType",
    "columns": "properties",
    "fields": "properties",
    "tables": "schema",
    "models": "schema",
    "owner": "team",
    "stakeholders": "team",
    "servicelevels": "slaProperties",
    "metric": "rule",
    "rule": "metric",
}
_OTHER_TYPES = {
    # Type names of databases and programming languages -> the logical type of ODCS.
    **dict.fromkeys(("varchar", "char", "text", "str", "uuid"), "string"),
    **dict.fromkeys(("int", "bigint", "smallint", "tinyint", "long", "short"), "integer"),
    **dict.fromkeys(("double", "float", "real", "decimal", "numeric"), "number"),
    **dict.fromkeys(("datetime", "timestamptz", "timestamp_ntz"), "timestamp"),
    **dict.fromkeys(("struct", "record", "row", "json"), "object"),
    **dict.fromkeys(("list", "set"), "array"),
    "bool": "boolean",
}
MOST_CONDITIONS = 3
"""Shown in a hint; of more, the keys that fit are shown instead."""


def problem(mistake: Mistake, root: Node, file: str) -> Problem:
    """The mistake as a person reads it: where, what, and what to do."""
    return _Words(mistake, root, file).problem()


class _Words:
    def __init__(self, mistake: Mistake, root: Node, file: str) -> None:
        self.mistake = mistake
        self.file = file
        self.parent, self.node = _find(root, mistake.path)

    def problem(self) -> Problem:
        tell: dict[str, Callable[[], Problem]] = {
            "required": self._required,
            "requiredOne": self._required_one,
            "onlyOne": self._only_one,
            "not": self._not,
            "unknownKey": self._unknown_key,
            "needsLogicalType": self._needs_logical_type,
            "type": self._type,
            "enum": self._enum,
            "pattern": self._pattern,
        }
        return tell.get(self.mistake.keyword, self._other)()

    # -- keys -----------------------------------------------------------------------------------

    def _required(self) -> Problem:
        key = self.mistake.names[0]
        return self._here(f"{self._element()} needs '{key}'", f"add '{key}: ...'")

    def _required_one(self) -> Problem:
        names = ", ".join(dict.fromkeys(self.mistake.names))
        return self._here(f"{self._element()} needs one of: {names}", "add one of these keys")

    def _only_one(self) -> Problem:
        names = self.mistake.names
        listed = " and ".join(f"'{name}'" for name in names)
        return self._at_key(
            names[-1], f"{listed} exclude each other", "keep one; write a rule for each of the others"
        )

    def _not(self) -> Problem:
        if not self.mistake.names:
            return self._other()
        key = self.mistake.names[0]
        hint = "remove it: the column is the source" if key == "from" else "remove it"
        return self._at_key(key, f"'{key}' does not belong to {self._element()}", hint)

    def _unknown_key(self) -> Problem:
        key = self.mistake.names[0]
        keys = self.mistake.keys or Keys(frozenset(), {})
        if key in keys.elsewhere:
            return self._misplaced_key(key, keys)
        meant = _meant(key, keys)
        if meant:
            return self._at_key(key, f"unknown key '{key}'; did you mean '{meant}'?", f"write '{meant}'")
        way_out = "remove it"
        if "customProperties" in keys.allowed:
            way_out += ", or make it an entry of customProperties"
        known = ", ".join(sorted(keys.allowed))
        return self._at_key(key, f"unknown key '{key}'", f"{way_out}; {self._element()} has: {known}")

    def _misplaced_key(self, key: str, keys: Keys) -> Problem:
        conditions = keys.elsewhere[key]
        decider = conditions[0].split(":")[0]
        actual = self.mistake.instance.get(decider)
        has = (
            f"'{decider}: {actual}'" if isinstance(actual, str) else f"{self._element()} without '{decider}'"
        )
        if len(conditions) <= MOST_CONDITIONS:
            hint = f"it goes with {' or '.join(repr(c) for c in conditions)}"
        else:
            hint = f"keys that go with it: {', '.join(sorted(keys.allowed))}"
        return self._at_key(key, f"'{key}' does not go with {has}", hint)

    def _needs_logical_type(self) -> Problem:
        line, column = self.parent.keys["logicalTypeOptions"] if self.parent else (1, 1)
        return Problem(
            Location(self.file, line, column),
            "'logicalTypeOptions' needs 'logicalType' beside it",
            "add 'logicalType: ...': the type decides which options there are",
        )

    # -- values ---------------------------------------------------------------------------------

    def _type(self) -> Problem:
        names = [n for n in dict.fromkeys(self.mistake.names) if n != "null"]
        if "number" in names:
            names = [name for name in names if name != "integer"]
        wanted = " or ".join(_TYPES.get(name, name) for name in names)
        message = f"{self._subject()} must be {wanted}, not {_described(self.mistake.instance)}"
        return self._here(message, self._type_hint())

    def _type_hint(self) -> str:
        wanted, value, written = self.mistake.names, self.mistake.instance, self.node.text
        if self.mistake.definition == "RelationshipSchemaLevel":
            return "write one reference for 'from' and one for 'to', or a list for each"
        if value is None:
            return "write a value, or remove the key"
        if "string" in wanted and not isinstance(value, (dict, list)):
            return f"put it in quotes: '{written}'"
        if "boolean" in wanted and isinstance(value, str):
            meant = _BOOLEANS.get(value.lower(), "true or false")
            return f"write {meant}, without quotes"
        if isinstance(value, str) and set(wanted) & {"integer", "number"} and _is_number(value):
            return f"remove the quotes: {value}"
        if "array" in wanted:
            return "write a list: each entry on its own line, beginning with '- '"
        if "object" in wanted:
            return "write a mapping: 'key: value' lines" + (
                ", without '- '" if isinstance(value, list) else ""
            )
        return ""

    def _enum(self) -> Problem:
        options, value = self.mistake.names, self.mistake.instance
        message = f"{self._subject()} cannot be {_described(value)}"
        meant = _meant_value(value, options) if isinstance(value, str) else None
        if meant and len(options) > 1:
            message += f"; did you mean '{meant}'?"
        return self._here(message, f"write {'one of: ' if len(options) > 1 else ''}{', '.join(options)}")

    def _pattern(self) -> Problem:
        form = _FORMS.get(self.mistake.definition, f"text that matches {self.mistake.names[0]}")
        return self._here(f"{self._subject()} cannot be {_described(self.mistake.instance)}", f"write {form}")

    def _other(self) -> Problem:
        mistake, subject = self.mistake, self._subject()
        limit = mistake.names[0] if mistake.names else ""
        if mistake.keyword in _LIMITS:
            return self._here(f"{subject} must be {_LIMITS[mistake.keyword]} {limit}", "")
        if mistake.keyword in _SIZES:
            return self._here(f"{subject} must have {_SIZES[mistake.keyword]} {limit} entries", "")
        if mistake.keyword == "uniqueItems":
            return self._here(f"{subject} holds the same entry twice", "remove one of them")
        said = f": {mistake.said}" if mistake.said else ""
        return self._here(f"{subject} does not fit the standard{said}", "")

    # -- places and names -----------------------------------------------------------------------

    def _here(self, message: str, hint: str) -> Problem:
        last = self.mistake.path[-1] if self.mistake.path else None
        if self.node.value is None and not self.node.text and isinstance(last, str) and self.parent:
            line, column = self.parent.keys[last]  # nothing is written: show the key
        else:
            line, column = self.node.line, self.node.column
        return Problem(Location(self.file, line, column), message, hint)

    def _at_key(self, key: str, message: str, hint: str) -> Problem:
        line, column = self.node.keys.get(key, (self.node.line, self.node.column))
        return Problem(Location(self.file, line, column), message, hint)

    def _subject(self) -> str:
        """What a value is called: its key, or its place in a list."""
        path = self.mistake.path
        if not path:
            return "the contract"
        last = path[-1]
        if isinstance(last, str):
            return f"'{last}'"
        owner = str(path[-2])
        return _with_article(_NOUNS[owner]) if owner in _NOUNS else f"entry {last + 1} of '{owner}'"

    def _element(self) -> str:
        """What a mapping is called, with its name if it has one."""
        path, value = self.mistake.path, self.mistake.instance
        if not path:
            return "the contract"
        if path == ("team",):
            return "the team"
        key = path[-1] if isinstance(path[-1], str) else path[-2]
        noun = _NOUNS.get(str(key))
        if noun is None:
            return f"'{key}'"
        if not isinstance(value, dict):
            return _with_article(noun)
        kind = value.get("type")
        suffix = f" of type {kind}" if isinstance(kind, str) and noun in ("server", "quality rule") else ""
        label = next((value[k] for k in _LABELS if isinstance(value.get(k), str)), None)
        return f"the {noun} '{label}'{suffix}" if label else _with_article(noun) + suffix


def _find(root: Node, path: Path) -> tuple[Node | None, Node]:
    """The node at a path, and the one around it."""
    parent, node = None, root
    for step in path:
        child = node.child(step)
        if child is None:
            break
        parent, node = node, child
    return parent, node


def _meant(key: str, keys: Keys) -> str | None:
    other = _OTHER_NAMES.get(key)
    if other in keys.allowed:
        return other
    return _close(key, [*keys.allowed, *keys.elsewhere])


def _meant_value(value: str, options: Collection[str]) -> str | None:
    other = _OTHER_TYPES.get(value.lower().split("(")[0], "")
    return other if other in options else _close(value, options)


def _close(text: str, options: Iterable[str]) -> str | None:
    """The option that the author most likely meant, or None."""
    by_lower = {option.lower(): option for option in sorted(options)}
    plain = text.lower().replace("_", "").replace("-", "")
    if plain in by_lower:
        return by_lower[plain]
    close = difflib.get_close_matches(plain[:60], by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


def _described(value: Json) -> str:
    if isinstance(value, str):
        shown = (value if len(value) <= 40 else value[:37] + "...").replace("\n", " ")
        return f"'{shown}'"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, (int, float)):
        return f"the number {value}" if abs(value) < 1e15 else "a large number"
    return "a list" if isinstance(value, list) else "a mapping"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _with_article(noun: str) -> str:
    return f"{'an' if noun.startswith(('a', 'e', 'SLA')) else 'a'} {noun}"
