"""The keys under which datasets and columns are found in the database."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from contracts_svc.adapters.store.part import digest
from contracts_svc.lineage.graph import DatasetId

DEEPEST = 32
"""How deep fields lie inside one another as far as is known; what lies deeper counts as lying there."""

_PARTS = ("[]", "{key}", "{value}")
"""The parts of arrays and maps: see :class:`contracts_svc.model.Column`."""


@lru_cache(maxsize=20_000)
def dataset_key(dataset: DatasetId) -> bytes:
    """The key of a dataset."""
    return digest(dataset.namespace, dataset.name)


def column_key(dataset: DatasetId, path: str) -> bytes:
    """The key of a column, or with an empty path of the dataset as a whole."""
    if not path:
        return _whole_key(dataset)
    key = dataset_key(dataset)
    # The columns of a dataset lie together in the index: they are mostly asked for, and added, at once.
    return key[:8] + blake2b(key + path.encode("utf-8", "surrogatepass"), digest_size=16).digest()


@lru_cache(maxsize=20_000)
def _whole_key(dataset: DatasetId) -> bytes:
    key = dataset_key(dataset)
    return key[:8] + blake2b(key, digest_size=16).digest()


def ancestors(path: str) -> tuple[str, ...]:
    """What a column lies in, the outermost (the dataset as a whole, the empty path) first.

    >>> ancestors("orders[].price")
    ('', 'orders', 'orders[]')
    """
    if not path:
        return ()
    if "." not in path and not path.endswith(_PARTS):
        return ("",)
    found = [""]
    segments = path.split(".", DEEPEST)
    for n, segment in enumerate(segments[:DEEPEST]):
        before = ".".join((*segments[:n], ""))
        name = segment
        stems = [name]
        while name.endswith(_PARTS):
            name = next(name[: -len(p)] for p in _PARTS if name.endswith(p))
            stems.append(name)
        found += [before + s for s in reversed(stems[:DEEPEST]) if s]
    return tuple(a for a in found if a != path)
