"""Where settings come from: one TOML file, and environment variables; and where in them something stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from contracts_svc.errors import Location, UserMistake

MAX_BYTES = 1_000_000
_AT = re.compile(r"\(at line (\d+), column (\d+)\)$")
_HEADER = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFile:
    """A file of settings; one that is not there holds none."""

    name: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""

    def place(self, keys: Sequence[str]) -> Location:
        """Where a key stands, as ``("s3_buckets", "raw", "region")``, or else the nearest one above it."""
        best, found = 0, Location(self.name, 1, 1)
        table: tuple[str, ...] = ()
        for number, line in enumerate(self.text.splitlines(), start=1):
            header = _HEADER.match(line)
            key, mark, _ = line.partition("=")
            if header:
                here = table = tuple(_bare(part) for part in header[1].split("."))
            elif mark and not line.lstrip().startswith("#"):
                here = (*table, *(_bare(part) for part in key.split(".")))
            else:
                continue
            shared = min(len(here), len(keys))
            if shared > best and here[:shared] == tuple(keys[:shared]):
                best, found = shared, Location(self.name, number, len(line) - len(line.lstrip()) + 1)
        return found


def read_file(path: Path, *, must_be_there: bool) -> SettingsFile:
    """The settings of a file. Raises UserMistake, with the place, when it cannot be read."""
    if not path.is_file() and not must_be_there:
        return SettingsFile()
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise UserMistake.of(f"{path} has more than {MAX_BYTES:,} bytes", "it is no file of settings")
        text = content.decode("utf-8-sig")
        return SettingsFile(name=str(path), values=tomllib.loads(text), text=text)
    except OSError as error:
        raise UserMistake.of(
            f"the file of settings {path} cannot be read: {error.strerror}", "see CONTRACTS_SETTINGS_FILE"
        ) from None
    except UnicodeDecodeError as error:
        raise UserMistake.of(f"{path} is not UTF-8: {error.reason}", "save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        found = _AT.search(said)
        at = Location(str(path), int(found[1]), int(found[2])) if found else Location(str(path), 1, 1)
        raise UserMistake.of(
            f"this is no TOML: {_AT.sub('', said).strip()}",
            "a setting is written as name = value; texts stand in quotes",
            at,
        ) from None


_WORDS = (
    ("int_", "is no whole number"),
    ("float_", "is no number"),
    ("bool_", "is neither true nor false"),
    ("string_", "is no text: in TOML, texts stand in quotes"),
    ("path_", "is no path: in TOML, paths stand in quotes"),
    ("list_", 'is no list: in TOML, write ["a", "b"]'),
    ("dict_", "is no table of names and values"),
    ("model_", "is no table of names and values"),
)
"""The beginning of what pydantic calls a mistake -> what is wrong with the value."""


def in_words(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What pydantic finds wrong with a value, as people say it. The value may be a secret that got there."""
    match kind:
        case "greater_than_equal":
            return f"it is too small: {context['ge']:,} is the least"
        case "less_than_equal":
            return f"it is too large: {context['le']:,} is the most"
        case "literal_error":
            return f"it is none of {str(context['expected']).replace(' or ', ', ')}"
    found = next((words for start, words in _WORDS if kind.startswith(start)), "")
    return f"it {found}" if found else message.removeprefix("Value error, ")


def similar(name: str, known: Collection[str], *, share: float = 0.7) -> str:
    """The known name that was probably meant; empty: none has that share of its letters in this order."""
    import difflib

    return next(iter(difflib.get_close_matches(name, known, n=1, cutoff=share)), "")


def misspelt(environment: Collection[str], prefix: str, known: Collection[str]) -> Mapping[str, str]:
    """Variables that are no setting, but so much like one that they must be meant for it -> that one.

    Others of the prefix may be anybody's: Kubernetes makes some for each of its services.
    """
    names = {f"{prefix}{name}".upper(): name for name in known}
    unknown = [v for v in environment if v.upper().startswith(prefix) and v not in names]
    found = {}
    for variable in unknown:
        rest = variable[len(prefix) :].lower()
        meant = similar(rest, known, share=0.85)
        # What only goes on after a known name may be a name of its own.
        if meant and abs(len(meant) - len(rest)) <= 1 and (meant == rest or not rest.startswith(meant)):
            found[variable] = f"{prefix}{meant}".upper()
    return found


def without_password(text: str) -> str:
    """An address as it may be shown: the password in it, and what stands behind its ?, are hidden."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return _HIDDEN
    if not parts.scheme or not parts.netloc:
        return text
    user, mark, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}{colon and f':{_HIDDEN}'}{mark}{host}"
    return urlunsplit(parts._replace(netloc=netloc, query=parts.query and _HIDDEN))


def _bare(key: str) -> str:
    return key.strip().strip("\"'")
