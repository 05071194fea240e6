"""Reads parts of a struct in Thrift's compact protocol, which Parquet's footers are written in.

Of pure Python, since Arrow's reader ends the process on some damaged footers, and files come from anybody.
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Spec = Mapping[int, "type | Spec"]
"""Field id -> what of it is wanted: a value (``int``, ``bytes``, or a ``list`` of bytes), or these fields of
a struct or of each struct of a list."""
DEEPEST = 50
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)


class Malformed(ValueError):
    """The bytes are no such struct."""


def read(data: bytes, spec: Spec) -> dict[int, Any]:
    """The wanted fields of the struct that these bytes are, as far as they are there. Raises Malformed.

    Integers, booleans and bytes are as they are, a struct is a dict, a list a list.
    """
    try:
        return _struct(data, 0, spec, 0)[0]
    except IndexError:
        raise Malformed("it ends too soon") from None


def _struct(data: bytes, at: int, spec: Spec, depth: int) -> tuple[dict[int, Any], int]:
    found: dict[int, Any] = {}
    number = 0
    while head := data[at]:
        at += 1
        kind = head & 15
        if head >> 4:
            number += head >> 4
        else:
            number, at = _integer(data, at)
        if number in spec:
            found[number], at = _value(data, at, kind, spec[number], depth)
        else:
            at = _skip(data, at, kind, depth)
    return found, at + 1


def _value(data: bytes, at: int, kind: int, spec: type | Spec, depth: int) -> tuple[Any, int]:
    if kind == _BINARY and spec is bytes:
        size, at = _varint(data, at)
        _has(data, at + size)
        return data[at : at + size], at + size
    if kind in _INTEGERS and spec is int:
        return _integer(data, at)
    if kind == _STRUCT and isinstance(spec, Mapping):
        return _struct(data, at, spec, _deeper(depth))
    if kind in (_LIST, _SET) and (spec is list or isinstance(spec, Mapping)):
        inner, size, at = _list_head(data, at)
        found = []
        for _ in range(size):
            value, at = _value(data, at, inner, bytes if spec is list else spec, _deeper(depth))
            found.append(value)
        return found, at
    raise Malformed("a field of another type than it should be")


def _list_head(data: bytes, at: int) -> tuple[int, int, int]:
    head = data[at]
    kind, size, at = head & 15, head >> 4, at + 1
    if size == 15:
        size, at = _varint(data, at)
    # Each element takes a byte or more.
    _has(data, at + size)
    return kind, size, at


def _skip(data: bytes, at: int, kind: int, depth: int) -> int:
    """Where the next field begins. The end of the data is looked at by whoever reads there."""
    if kind in _INTEGERS:
        while data[at] & 128:
            at += 1
        return at + 1
    if kind == _BINARY:
        size, at = _varint(data, at)
        _has(data, at + size)
        return at + size
    if kind in (_TRUE, _FALSE):
        return at
    if kind == _STRUCT:
        return _skip_struct(data, at, _deeper(depth))
    if kind in (_LIST, _SET):
        inner, size, at = _list_head(data, at)
        if inner in (_TRUE, _FALSE, _BYTE):
            return at + size
        for _ in range(size):
            at = _skip(data, at, inner, depth + 1)
        return at
    if kind == _BYTE:
        return at + 1
    if kind == _DOUBLE:
        return at + 8
    raise Malformed(f"a field of the type {kind}")


def _skip_struct(data: bytes, at: int, depth: int) -> int:
    while head := data[at]:
        at += 1
        if not head >> 4:
            _, at = _integer(data, at)
        at = _skip(data, at, head & 15, depth)
    return at + 1


def _deeper(depth: int) -> int:
    if depth >= DEEPEST:
        raise Malformed("it is nested too deeply")
    return depth + 1


def _has(data: bytes, end: int) -> None:
    if end > len(data):
        raise Malformed("it ends too soon")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    if byte < 128:
        return byte, at + 1
    value, shift = byte & 127, 7
    while True:
        at += 1
        byte = data[at]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at + 1
        shift += 7
        if shift > 63:
            raise Malformed("a number that is too long")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
