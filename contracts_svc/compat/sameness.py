"""Whether two values of a contract say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any


def same(one: Any, other: Any) -> bool:
    """Whether two values say the same: like ``==``, but 1, 1.0 and true are three values, and a
    not-a-number is itself.

    An element is compared with all that is in it, places left out.
    """
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if isinstance(one, str):
        return bool(one == other)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, n), getattr(other, n)) for n in _compared(kind))  # type: ignore[arg-type]  # classes are hashable
    return bool(one == other or (one != one and other != other))


@cache
def _compared(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind) if f.compare)
