"""How a query reaches a column: by its name, through structs, and into arrays and maps.

A column inside an array has many values in a row. They are gathered into one list, over which a check
asks whether any breaks the promise; a row then counts once, and all checks still share one scan.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from contracts_svc.model import Column
from contracts_svc.quality import text_values

ELEMENT = "element"
"""What one value of a list is called in an expression over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How one column is read."""

    value: exp.Expr
    """Its value. Where there are ``elements``: made from one of them, which is called ``element``."""
    elements: exp.Expr | None = None
    raw: exp.Expr | None = None
    """Of text files: what the value is made from, a text or (``json``) a JSON value."""
    json: bool = False
    parent: exp.Expr | None = None

    def into(self, column: Column, child: Column) -> Reach:
        """How a child of ``column``, which this reaches, is read."""
        if child in column.columns:
            return self._field(child)
        many = self._parts(column, child)
        listed = many if self.elements is None else _flat(self.elements, many)
        element = exp.column(ELEMENT)
        if not self.json:
            return Reach(value=element, elements=listed)
        # A map's keys are plain text already.
        json = child is not column.map_key
        value = text_values.value_of(element, child, json=json)
        return Reach(value=value, elements=listed, raw=element, json=json)

    def _field(self, child: Column) -> Reach:
        name = child.stored_name
        if self.raw is not None and self.json:
            raw = _call("json_extract", self.raw, text_values.pointer(name))
            value = text_values.value_of(raw, child, json=True)
            return Reach(
                value=value,
                elements=self.elements,
                raw=raw,
                json=True,
                parent=text_values.json_text(self.raw),
            )
        value = _call("struct_extract", self.value, exp.Literal.string(name))
        return Reach(value=value, elements=self.elements, parent=self.value)

    def _parts(self, column: Column, child: Column) -> exp.Expr:
        """The elements of an array, or the keys or values of a map, as a list."""
        if not (self.json and self.raw is not None):
            if child is column.map_key:
                return _call("map_keys", self.value)
            return _call("map_values", self.value) if child is column.map_value else self.value.copy()
        kind = exp.EQ(
            this=_call("json_type", self.raw),
            expression=exp.Literal.string("ARRAY" if child is column.items else "OBJECT"),
        )
        if child is column.map_key:
            parts = _call("json_keys", self.raw)
        else:
            path = "$[*]" if child is column.items else "$.*"
            parts = _call("json_extract", self.raw, exp.Literal.string(path))
        return exp.Case(ifs=[exp.If(this=kind, true=parts)])


def any_element(elements: exp.Expr, test: exp.Expr) -> exp.Expr:
    """True for a row in which the test holds for one of the elements at least."""
    found = _call("len", _call("list_filter", elements, _lambda(test)))
    return exp.GT(this=found, expression=exp.Literal.number(0))


def each_element(elements: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The list of what ``value`` makes of each element."""
    return _call("list_transform", elements, _lambda(value))


def _flat(elements: exp.Expr, inner: exp.Expr) -> exp.Expr:
    """The list of all elements of the lists that ``inner`` makes of each element."""
    return _call("flatten", each_element(elements, inner))


def _lambda(body: exp.Expr) -> exp.Expr:
    return exp.Lambda(this=body.copy(), expressions=[exp.to_identifier(ELEMENT)])


def _call(function: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=function, expressions=[a.copy() for a in arguments])
