"""Protobuf files as contracts, to measure our verdicts against suites for Protobuf.

A message is a table, an extension a column of the message that it extends, and an enum type a table of its
values. A field is a column whose stable id is its number; what it is stored as is its JSON name in text, and
its number on the wire. The type of a field that is a message stays a name: messages may hold themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from contracts_svc.compat.formats import format_type
from contracts_svc.model import Column, Contract, Server, Table

_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\]|\\.)*"|[\w.]+|[^\s\w]', re.DOTALL)
_LABELS = ("optional", "required", "repeated")
_OPEN = {"{": "}", "[": "]", "(": ")", "<": ">"}


@dataclass(frozen=True)
class Field:
    """A field as it is declared."""

    name: str
    number: str
    type: str
    label: str
    options: str
    where: tuple[str, int]
    """File, and the line on which its declaration begins."""
    extension_in: str | None = None
    """The full name of what an extension is declared in; extensions are told apart by it."""

    @property
    def full_name(self) -> str:
        return self.name if self.extension_in is None else f"{self.extension_in}.{self.name}"

    @property
    def json_name(self) -> str:
        """Stated, or the name in lower camel case."""
        stated = re.search(r'json_name = "(.*?)"', self.options)
        return stated[1] if stated else re.sub(r"_(\w)", lambda m: m[1].upper(), self.name)

    @property
    def required(self) -> bool:
        return self.label == "required" or "LEGACY_REQUIRED" in self.options


@dataclass
class Schema:
    """Every type of some files, by full name."""

    messages: dict[str, list[Field]] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)
    reserved: dict[str, set[str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    """Message or enum -> the file that declares it."""

    def field(self, message: str, number: str) -> Field | None:
        """The field of this number."""
        return next((f for f in self.messages.get(message, ()) if f.number == number), None)

    def at(self, file: str, line: int) -> tuple[str, str] | None:
        """The message and the number of the field that is declared there."""
        for message, fields in self.messages.items():
            for found in fields:
                if found.where == (file, line):
                    return message, found.number
        return None


class _Reader:
    def __init__(self, file: str, text: str, schema: Schema) -> None:
        found = [m for m in _TOKEN.finditer(text) if not m[0].startswith(("//", "/*"))]
        self.tokens = [(m[0], text.count("\n", 0, m.start()) + 1) for m in found]
        self.file, self.schema, self.at, self.package = file, schema, 0, ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][0]

    def until(self, *ends: str) -> list[str]:
        """The tokens up to one of these, brackets skipped as a whole; the end itself is consumed."""
        found: list[str] = []
        depth: list[str] = []
        while depth or self.tokens[self.at][0] not in ends:
            token = self.next()
            found.append(token)
            if depth and token == depth[-1]:
                depth.pop()
            elif token in _OPEN:
                depth.append(_OPEN[token])
        self.next()
        return found

    def body(self, scope: str, message: str | None, extends: bool = False) -> None:
        """Declarations up to the end of the block; fields belong to ``message``, or extend it."""
        while self.at < len(self.tokens):
            line = self.tokens[self.at][1]
            word = self.next()
            match word:
                case "}":
                    return
                case "package":
                    self.package = scope = "".join(self.until(";"))
                case "message":
                    self.message(scope)
                case "enum":
                    self.enum(_in(scope, self.next()))
                case "extend":
                    extended = self.until("{")[0]
                    self.body(scope, self.extended(extended), extends=True)
                case "oneof":
                    self.until("{")
                    self.body(scope, message, extends)
                case "service":
                    self.until("{")
                    self.until("}")
                case "reserved":
                    self.schema.reserved.setdefault(message or "", set()).update(
                        t.strip('"') for t in self.until(";")
                    )
                case "syntax" | "edition" | "import" | "option" | "extensions":
                    self.until(";")
                case ";":
                    pass
                case _ if message is not None:
                    self.field(word, scope if extends else None, message, line)

    def extended(self, name: str) -> str:
        return name if "." in name else _in(self.package, name)

    def message(self, scope: str) -> None:
        name = _in(scope, self.next())
        self.schema.messages.setdefault(name, [])
        self.schema.files[name] = self.file
        self.next()
        self.body(name, name)

    def enum(self, name: str) -> None:
        symbols = self.schema.enums.setdefault(name, [])
        self.schema.files[name] = self.file
        self.next()
        while (word := self.next()) != "}":
            if word != ";" and self.until(";")[:1] == ["="]:
                symbols.append(word)

    def field(self, word: str, extends: str | None, message: str, line: int) -> None:
        label, type_ = (word, self.next()) if word in _LABELS else ("", word)
        if type_ == "." or type_.startswith("."):
            type_ = type_.lstrip(".") or self.next()
        if type_ == "map" and self.tokens[self.at][0] == "<":
            self.next()
            type_ = f"map<{' '.join(self.until('>')).replace(' , ', ', ')}>"
        name = self.next()
        self.next()
        number = self.next()
        options = ""
        if type_ == "group":
            self.until("{")
            group = _in(extends or message, name)
            self.schema.messages.setdefault(group, [])
            self.body(group, group)
            name, type_ = name.lower(), name
        else:
            options = " ".join(self.until(";"))
        found = Field(name, number, type_, label, options, (self.file, line), extends)
        self.schema.messages.setdefault(message, []).append(found)


def _in(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


_UNSTABLE = re.compile(r"^package [\w.]+\.v\d+(alpha|beta)\d*;", re.MULTILINE)


def read(files: dict[str, str], stable_only: bool = False) -> Schema:
    """Every type of these files, but those in packages of unstable versions where told."""
    schema = Schema()
    for name in sorted(n for n in files if not (stable_only and _UNSTABLE.search(files[n]))):
        reader = _Reader(name, files[name], schema)
        reader.body("", None)
    return schema


Stored = Literal["json", "number"]


def contract(schema: Schema, stored: Stored, subject: str | None = None) -> Contract:
    """A contract of these types. ``subject`` is the message that a topic is of, whatever it is called."""
    tables = []
    for name, fields in schema.messages.items():
        columns = tuple(_column(f, name, schema, stored) for f in fields)
        table = "subject" if name == subject else name
        tables.append(Table(name=table, physical_name=name, columns=columns))
    for name, symbols in schema.enums.items():
        value = Column(name="value", path="value", physical_type="string", enum=tuple(symbols))
        tables.append(Table(name=name, columns=(value,)))
    server = Server(server="s", type="kafka", fields={"format": "protobuf"})
    return Contract(api_version="v3.2.0", id="c", version="1.0.0", tables=tuple(tables), servers=(server,))


def _column(of: Field, message: str, schema: Schema, stored: Stored) -> Column:
    known: dict[str, Any] = {
        "name": of.full_name,
        "path": of.full_name,
        "id": of.number,
        "physical_name": of.json_name if stored == "json" else of.number,
        "required": of.required,
    }
    if of.type.startswith("map<"):
        key, value = of.type[4:-1].split(", ")
        parts = [
            Column(name="", path=f"{of.full_name}{{{part}}}", **_type(t, message, schema))
            for part, t in (("key", key), ("value", value))
        ]
        return Column(logical_type="map", map_key=parts[0], map_value=parts[1], **known)
    if of.label == "repeated":
        items = Column(name="", path=of.full_name + "[]", **_type(of.type, message, schema))
        return Column(logical_type="array", items=items, **known)
    return Column(**known, **_type(of.type, message, schema))


def _type(name: str, message: str, schema: Schema) -> dict[str, Any]:
    if format_type(name, "protobuf") is not None and name not in ("enum", "message"):
        return {"physical_type": name}
    full = next((n for n in _scopes(name, message) if n in schema.messages or n in schema.enums), name)
    if full in schema.enums:
        return {"logical_type": "string", "physical_type": "enum", "enum": tuple(schema.enums[full])}
    return {"logical_type": "object", "physical_type": full}


def _scopes(name: str, scope: str) -> Iterator[str]:
    while scope:
        yield f"{scope}.{name}"
        scope = scope.rpartition(".")[0]
    yield name
