"""A mapping that never changes, and whose changed copies share nearly all of it with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

_FEWEST = 64
"""Changes that are kept beside the rest however few that is."""


class Layered(Mapping[K, V]):
    """What differs from a great dictionary is kept in a small one over it.

    A changed copy costs the small one; once that has more entries than the square root of the great one,
    both are made one. So it costs the square root of the size at most, on the average.
    """

    __slots__ = ("_base", "_over", "_size")

    def __init__(self, base: dict[K, V]) -> None:
        """``base`` is kept, and not to be changed any more."""
        self._base: dict[K, V] = base
        self._over: dict[K, V | None] = {}
        self._size = len(base)

    def but(self, changes: Mapping[K, V | None]) -> Layered[K, V]:
        """The same with these values; None: without that key."""
        if not changes:
            return self
        over = {**self._over, **changes}
        found: Layered[K, V] = Layered(self._base)
        if len(over) > _FEWEST and len(over) ** 2 > len(self._base):
            whole = dict(self._base)
            for key, value in over.items():
                if value is None:
                    whole.pop(key, None)
                else:
                    whole[key] = value
            return Layered(whole)
        found._over = over
        found._size = self._size + sum((value is not None) - (key in self) for key, value in changes.items())
        return found

    def __getitem__(self, key: K) -> V:
        if key in self._over:
            value = self._over[key]
            if value is None:
                raise KeyError(key)
            return value
        return self._base[key]

    def get(self, key: K, default: V | None = None) -> V | None:  # type: ignore[override]
        """The value, else ``default``. As it is of every mapping, only faster."""
        if key in self._over:
            value = self._over[key]
            return default if value is None else value
        return self._base.get(key, default)

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._base if key not in self._over)
        yield from (key for key, value in self._over.items() if value is not None)

    def __len__(self) -> int:
        return self._size
