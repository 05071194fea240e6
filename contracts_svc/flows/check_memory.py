"""What earlier runs found: figures and footers of files that are as they were then."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
        ids = {f.path: split.unit_id((f,)) for f in files}
        kept = self._recall(ids.values())
        found: dict[str, Footer] = {}
        for file in files:
            footer = kept_footers.from_json(file, kept.get(ids[file.path], {}).get(self._key))
            if footer is not None:
                found[file.path] = footer
        missing = [f for f in files if f.path not in found]
        for footer in storage.footers(missing, reading, columns):
            found[footer.file.path] = footer
            self._new.add(ids[footer.file.path])
        self._footers = {ids[path]: footer for path, footer in found.items()}
        return tuple(found[f.path] for f in files)

    def new_files(self, files: Sequence[DataFile]) -> tuple[DataFile, ...]:
        """Those that no earlier run read, as they are now. Raises UserMistake when nothing is kept."""
        if self.store is None or self.fresh:
            raise UserMistake.of(
                "which files are new is told by what earlier runs kept, which is not to be used here",
                "leave out --full, and name a file in the setting CONTRACTS_STATES_FILE",
            )
        known = self._recall(split.unit_id((f,)) for f in files)
        return tuple(f for f in files if split.unit_id((f,)) not in known)

    def recall(self, parts: Parts) -> Mapping[str, Mapping[str, Json]]:
        """What is kept of these parts."""
        return self._recall(parts.ids_of_units())

    def keep(
        self, parts: Parts, read: Collection[str], *, whole: bool, changed: Collection[str] = ()
    ) -> None:
        """Keep the figures of the units that were read and have no ``changed`` file, and forget files that
        are gone if the ``whole`` table was listed. Where that cannot be done, the next run reads again."""
        if self.store is None:
            return
        settled = _settled(parts, self.listed, changed)
        found: dict[str, dict[str, Json]] = {unit: {} for unit in (*read, *self._new) if unit in settled}
        for (unit, key), value in parts.values.items():
            if unit in found:
                found[unit][key] = value
        for unit in found:
            if unit in self._footers:
                found[unit][self._key] = kept_footers.to_json(self._footers[unit])
        with suppress(CouldNotCheck):
            self.store.put_states(self.place, found, parts.ids_of_units() if whole else None)

    def _recall(self, units: Iterable[str]) -> Mapping[str, Mapping[str, Json]]:
        if self.store is None or self.fresh:
            return {}
        try:
            return self.store.states(self.place, list(units))
        except CouldNotCheck:
            return {}


def _settled(parts: Parts, listed: datetime, changed: Collection[str]) -> frozenset[str]:
    """The units whose files have been as they are for long enough."""
    units: dict[str, tuple[DataFile, ...]] = {split.unit_id((f,)): (f,) for f in parts.layout.files}
    units |= {split.unit_id(unit): unit for each in parts.aparts for unit in each.units}
    return frozenset(
        name
        for name, files in units.items()
        if all(
            f.modified is not None and f.modified + SETTLED < listed and f.path not in changed for f in files
        )
    )
