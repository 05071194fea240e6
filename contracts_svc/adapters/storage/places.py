"""Locations of files: what they name, and which files below them match."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from contracts_svc.errors import UserMistake
from contracts_svc.files import S3_SCHEMES, Partitions

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Place:
    """A parsed location. ``prefix`` + ``path`` is an address; file systems want only ``path``."""

    remote: bool
    path: str
    """``bucket/key`` on S3, an absolute path on disk; globs still in it."""

    @property
    def prefix(self) -> str:
        return "s3://" if self.remote else ""

    @property
    def bucket(self) -> str:
        return self.path.partition("/")[0] if self.remote else ""

    @property
    def key(self) -> str:
        """What stands after the bucket."""
        return self.path.partition("/")[2] if self.remote else self.path

    @property
    def fixed(self) -> str:
        """What stands before the first wildcard."""
        return _WILDCARD.split(self.path, maxsplit=1)[0]

    @property
    def top(self) -> str:
        """The folder whose files are looked at: the longest one before the first wildcard."""
        if not self.is_glob:
            return self.path.rstrip("/") or ("" if self.remote else "/")
        return self.fixed.rpartition("/")[0] or ("" if self.remote else "/")

    @property
    def is_glob(self) -> bool:
        """Whether it has wildcards."""
        return _WILDCARD.search(self.path) is not None

    def matches(self) -> Callable[[str], bool]:
        """Tells whether the file of a path below ``top`` is meant."""
        wanted = re.compile(glob_pattern(self.path)) if self.is_glob else None
        start = len(self.top)

        def meant(path: str) -> bool:
            return not hidden(path[start:].strip("/")) and (wanted is None or bool(wanted.fullmatch(path)))

        return meant


def parse(location: str) -> Place:
    """What a location names. Raises UserMistake."""
    scheme, separator, rest = location.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return Place(False, _absolute(location))
    if scheme in S3_SCHEMES:
        path = rest.lstrip("/")
        if not path.partition("/")[0] or _WILDCARD.search(path.partition("/")[0]):
            raise UserMistake.of(
                f"the location {location} names no bucket", "write s3://bucket/folder/*.parquet"
            )
        return Place(True, path)
    if scheme == "file":
        return Place(False, _absolute("/" + unquote(rest.partition("/")[2])))
    raise UserMistake.of(
        f"the location {location} has a scheme that cannot be read", "s3://, file:// and local paths can"
    )


def _absolute(path: str) -> str:
    # Not resolved: a link stays the link, so that addresses look as the user wrote them.
    folder = "/" if path.endswith("/") else ""
    return os.path.abspath(path).replace(os.sep, "/").rstrip("/") + folder


def glob_pattern(glob: str) -> str:
    """The regular expression of a glob over whole paths."""
    out = ""
    for token in re.findall(r"/\*\*(?=/)|\*+|\?|\[[^]]+\]|.", glob, re.DOTALL):
        if token == "/**":
            out += "(?:/.*)?"
        elif token.startswith("**"):
            out += ".*"
        elif token == "*":
            out += "[^/]*"
        elif token == "?":
            out += "[^/]"
        elif len(token) > 1:
            body = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
            out += f"[^{body[1:]}]" if body[0] == "!" else f"[{body}]"
        else:
            out += re.escape(token)
    return out


def hidden(below: str) -> bool:
    """Whether a path below a location is one that Spark and Hive leave out."""
    *folders, name = below.split("/")
    return name.startswith((".", "_")) or any(
        f.startswith(".") or (f.startswith("_") and "=" not in f) for f in folders
    )


def is_wanted(folder: str, partitions: Partitions) -> bool | None:
    """Whether the files of a folder of this name are; None where its name tells of none of these keys."""
    key, equals, value = folder.partition("=")
    wanted = partitions.get(unquote(key)) if equals else None
    return None if wanted is None else wanted(unquote(value))
