"""What earlier runs found: figures and footers of files that are as they were then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.files import DataFile, Footer, Reading
from contracts_svc.flows.check_parts import Parts
from contracts_svc.model import Json
from contracts_svc.ports import Storage
from contracts_svc.quality import kept_footers, split

if TYPE_CHECKING:
    from contracts_svc.ports_store import StateStore

SETTLED = timedelta(seconds=2)
"""A file that was changed just before it was listed may change again in the same tick of its clock."""
_AT_ONCE = 1_000


@dataclass(slots=True)
class Memory:
    """What is known of one table on one server. Without a store, that is nothing."""

    store: StateStore | None
    place: str
    listed: datetime
    """When the files were listed, or a little before."""
    fresh: bool = False
    """Whether what was kept is not to be used, only kept again."""
    _footers: dict[str, Footer] = field(default_factory=dict)
    """By unit id."""
    _new: set[str] = field(default_factory=set)
    """The units whose footers were not kept before."""
    _key: str = ""

    def footers(
        self, storage: Storage, files: Sequence[DataFile], reading: Reading, columns: Collection[str]
    ) -> tuple[Footer, ...]:
        """The footers of the files; those that are kept are not read. Raises CouldNotCheck."""
        if self.store is None:
            return storage.footers(files, reading, columns)
        self._key = kept_footers.key(columns, reading)
        ids = {split.unit_id((f,)): f for f in files}
        for unit, kept in self._recall(ids):
            footer = kept_footers.from_json(ids[unit], kept.get(self._key))
            if footer is not None:
                self._footers[unit] = footer
        missing = {f.path: unit for unit, f in ids.items() if unit not in self._footers}
        lacking = [f for f in files if f.path in missing]
        for footer in storage.footers(lacking, reading, columns):
            unit = missing[footer.file.path]
            self._footers[unit] = footer
            self._new.add(unit)
        return tuple(self._footers[unit] for unit in ids)

    def new_files(self, files: Sequence[DataFile]) -> tuple[DataFile, ...]:
        """Those that no earlier run read, as they are now. Raises UserMistake when nothing is kept."""
        if self.store is None or self.fresh:
            raise UserMistake.of(
                "which files are new is told by what earlier runs kept, which is not to be used here",
                "leave out --full, and name a file in the setting CONTRACTS_STATES_FILE",
            )
        known = {unit for unit, _ in self._recall(split.unit_id((f,)) for f in files)}
        return tuple(f for f in files if split.unit_id((f,)) not in known)

    def recall(self, parts: Parts) -> Iterator[tuple[str, Mapping[str, Json]]]:
        """What is kept of the units of these parts, one after the other."""
        return self._recall(parts.ids_of_units())

    def keep(
        self, parts: Parts, read: Collection[str], *, whole: bool, changed: Collection[str] = ()
    ) -> None:
        """Keep the figures of the units that were read and have no ``changed`` file, and forget files that
        are gone if the ``whole`` table was listed. Where that cannot be done, the next run reads again."""
        if self.store is None:
            return
        settled = _settled(parts, self.listed, changed)
        units = sorted(settled.intersection((*read, *self._new)))
        with suppress(CouldNotCheck):
            if whole:
                self.store.put_states(self.place, {}, parts.ids_of_units())
            for some in _some(units):
                self.store.put_states(self.place, {unit: self._all(unit, parts) for unit in some})

    def _all(self, unit: str, parts: Parts) -> dict[str, Json]:
        """All that is known of a unit."""
        found = parts.values.of(unit)
        if unit in self._footers:
            found[self._key] = kept_footers.to_json(self._footers[unit])
        return found

    def _recall(self, units: Iterable[str]) -> Iterator[tuple[str, Mapping[str, Json]]]:
        if self.store is None or self.fresh:
            return
        with suppress(CouldNotCheck):
            for some in _some(units):
                yield from self.store.states(self.place, some).items()


def _settled(parts: Parts, listed: datetime, changed: Collection[str]) -> frozenset[str]:
    """The units whose files have been as they are for long enough."""
    good = {
        f.path
        for f in parts.layout.files
        if f.modified is not None and f.modified + SETTLED < listed and f.path not in changed
    }
    units = (unit for each in parts.aparts for unit in each.units)
    return frozenset(
        (
            *(unit for path, unit in parts.ids.items() if path in good),
            *(split.unit_id(unit) for unit in units if all(f.path in good for f in unit)),
        )
    )


def _some(units: Iterable[str]) -> Iterator[list[str]]:
    """The same, some at a time: what is kept of very many is more than fits into memory."""
    rest = iter(units)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
