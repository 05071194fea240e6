"""Footers, and heads of text files, as JSON values, to be kept with the figures of their files."""

from __future__ import annotations

import marshal
from collections.abc import Collection, ItemsView, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b

from contracts_svc.files import PARQUET, Bound, Bounds, DataFile, Footer, Reading, StoredColumn
from contracts_svc.model import Json

_FORMAT = "4"


def key(columns: Collection[str], reading: Reading = PARQUET) -> str:
    """Under which a footer is kept that tells the bounds of these columns, or a head read in this way."""
    asked = (reading.way,) if reading.text else sorted(c.casefold() for c in columns)
    text = "\0".join((_FORMAT, *asked))
    return "footer-" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def to_json(footer: Footer) -> Json:
    """All that a footer or a head says, but for the file it is of."""
    return {
        "complete": footer.complete,
        "rows": footer.rows,
        "columns": [[c.name, c.type, c.nullable, c.id] for c in footer.columns],
        "bounds": {name: _bounds_to_json(b) for name, b in footer.bounds.items()},
    }


def from_json(file: DataFile, kept: Json) -> Footer | None:
    """The footer of a file as it was kept; None for what is no such text."""
    try:
        return Footer(
            file=file,
            rows=None if kept["rows"] is None else int(kept["rows"]),
            columns=_columns(tuple(map(tuple, kept["columns"]))),
            complete=bool(kept["complete"]),
            bounds=packed({name: _bounds(b) for name, b in kept["bounds"].items()}),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError):
        return None


@lru_cache(maxsize=64)
def _columns(kept: tuple[tuple[Json, ...], ...]) -> tuple[StoredColumn, ...]:
    # Files of one table mostly share one schema, which is there once.
    return tuple(StoredColumn(name=n, type=t, nullable=x, id=i) for n, t, x, i in kept)


class _Packed(Mapping[str, Bounds]):
    """Bounds by column, as bytes: a tenth of what the values take."""

    __slots__ = ("_bytes",)

    def __init__(self, bounds: Mapping[str, Bounds]) -> None:
        self._bytes = marshal.dumps({name: _bounds_to_json(b) for name, b in bounds.items()})

    def _all(self) -> dict[str, Bounds]:
        return {name: _bounds(b) for name, b in marshal.loads(self._bytes).items()}

    def __getitem__(self, name: str) -> Bounds:
        return _bounds(marshal.loads(self._bytes)[name])

    def __iter__(self) -> Iterator[str]:
        return iter(marshal.loads(self._bytes))

    def __len__(self) -> int:
        return len(marshal.loads(self._bytes))

    def items(self) -> ItemsView[str, Bounds]:
        """Name and bounds of each column."""
        return self._all().items()


def packed(bounds: Mapping[str, Bounds]) -> Mapping[str, Bounds]:
    """The same bounds in little memory, since a table may have very many files; to read them takes longer."""
    return _Packed(bounds) if bounds else {}


def _bounds_to_json(bounds: Bounds) -> Json:
    if bounds.within is not None:
        return [bounds.nulls, "bytes", *(raw.hex() for raw in bounds.within)]
    if bounds.least is None or bounds.most is None:
        return [bounds.nulls]
    return [bounds.nulls, _KIND[type(bounds.least)], _text(bounds.least), _text(bounds.most)]


_KIND: Mapping[type, str] = {int: "int", Decimal: "decimal", date: "date", datetime: "datetime"}


def _text(value: Bound) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _bounds(kept: Json) -> Bounds:
    nulls, *ends = kept
    if not ends:
        return Bounds(nulls=nulls)
    kind, low, high = ends
    match kind:
        case "bytes":
            return Bounds(nulls=nulls, within=(bytes.fromhex(low), bytes.fromhex(high)))
        case "int":
            return Bounds(nulls=nulls, least=int(low), most=int(high))
        case "decimal":
            return Bounds(nulls=nulls, least=Decimal(low), most=Decimal(high))
        case "date":
            return Bounds(nulls=nulls, least=date.fromisoformat(low), most=date.fromisoformat(high))
        case "datetime":
            return Bounds(nulls=nulls, least=datetime.fromisoformat(low), most=datetime.fromisoformat(high))
    raise ValueError(kind)
