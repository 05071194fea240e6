"""Files on local disks, with what tells that they changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import UTC, datetime

from contracts_svc.adapters.storage.places import Place, is_wanted
from contracts_svc.files import ALL, DataFile, Partitions, hive_partition


def local_files(place: Place, partitions: Partitions = ALL) -> Iterator[DataFile]:
    """The files of a place, in no order, without those of folders that are not wanted. Raises OSError."""
    try:
        found = os.stat(place.top)
    except (FileNotFoundError, NotADirectoryError):
        return
    if not stat.S_ISDIR(found.st_mode):
        if not place.is_glob:
            yield _file(place.top, found)
        return
    meant = place.matches()
    for path, status in _below(place.top, frozenset(), partitions):
        if meant(path):
            yield _file(path, status)


def _below(
    folder: str, above: frozenset[tuple[int, int]], partitions: Partitions
) -> Iterator[tuple[str, os.stat_result]]:
    """Every file under a folder, links followed; a link to a folder that it lies in is not."""
    try:
        entries = list(os.scandir(folder))
        status = os.stat(folder)
    except FileNotFoundError:
        # Removed while the folders were looked at.
        return
    inside = above | {(status.st_dev, status.st_ino)}
    for entry in entries:
        try:
            found = entry.stat()
        except FileNotFoundError:
            continue
        path = f"{folder.rstrip('/')}/{entry.name}"
        if stat.S_ISREG(found.st_mode):
            yield path, found
        elif (
            stat.S_ISDIR(found.st_mode)
            and (found.st_dev, found.st_ino) not in inside
            and is_wanted(entry.name, partitions) is not False
        ):
            yield from _below(path, inside, partitions)


def _file(path: str, found: os.stat_result) -> DataFile:
    return DataFile(
        path=path,
        size=found.st_size,
        # A tool that copies may keep the time of the last change; it cannot keep the inode's own.
        version=f"{found.st_mtime_ns}-{found.st_ctime_ns}-{found.st_ino}-{found.st_size}",
        modified=datetime.fromtimestamp(max(found.st_mtime, 0), UTC),
        partition=hive_partition(path),
    )
