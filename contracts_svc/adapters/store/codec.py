"""Frozen dataclasses to JSON text and back, driven by their annotations.

A field that a stored document lacks gets its default, and one that the class no longer has is passed
over, so that documents written by other versions of the code can be read.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from contracts_svc.model import Json

T = TypeVar("T")


def dumps(value: object) -> str:
    """The value as JSON text."""
    return json.dumps(encode(value), ensure_ascii=True, separators=(",", ":"))


def loads(kind: type[T], text: str) -> T:
    """A value of this class from its JSON text."""
    key: Any = kind
    decode: Callable[[Json], T] = _decoder(key)
    return decode(json.loads(text))


def encode(value: object) -> Json:
    """Dataclasses and what they hold as JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): encode(v) for k, v in value.items()}
    if isinstance(value, tuple | list | set | frozenset):
        return [encode(v) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


Decoder = Callable[[Any], Any]


@cache
def _decoder(kind: Any) -> Decoder:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _optional(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        of_value = _decoder(arguments[1])
        return lambda v: {k: of_value(x) for k, x in v.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    if kind is datetime:
        return datetime.fromisoformat
    return lambda v: v


def _optional(arguments: tuple[Any, ...]) -> Decoder:
    inner = [_decoder(a) for a in arguments if a is not type(None)]
    if len(inner) > 1:
        raise TypeError(f"a document cannot tell which of {arguments} it holds")
    return lambda v: None if v is None else inner[0](v)


def _tuple(arguments: tuple[Any, ...]) -> Decoder:
    if arguments[1:] == (Ellipsis,):
        one = _decoder(arguments[0])
        return lambda v: tuple(one(x) for x in v)
    parts = [_decoder(a) for a in arguments]
    return lambda v: tuple(decode(x) for decode, x in zip(parts, v, strict=True))


def _dataclass(kind: type) -> Decoder:
    hints = typing.get_type_hints(kind)
    fields = {f.name: _decoder(hints[f.name]) for f in dataclasses.fields(kind) if f.init}
    return lambda v: kind(**{name: fields[name](x) for name, x in v.items() if name in fields})
