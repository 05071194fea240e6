"""Finding the lineage that a command names: SQL, OpenLineage events, dbt manifests, declarations."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from pathlib import Path, PurePosixPath

from contracts_svc.adapters import dbt, openlineage
from contracts_svc.cli.workspace import content, expand
from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.lineage import dbt_manifest
from contracts_svc.lineage.declared import Declaration, read_declarations
from contracts_svc.lineage.heard import Heard

SUFFIXES = (
    ".sql",
    ".jsonl",
    ".ndjson",
    "manifest.json",
    ".odps.yaml",
    ".odps.yml",
    ".subscription.yaml",
    ".subscription.yml",
    ".subscriptions.yaml",
    ".subscriptions.yml",
)
"""How the names end of the files that are lineage, in a folder or a git repository."""
CATALOG = "catalog.json"
"""What dbt writes beside a manifest."""
KINDS = (
    "SQL (.sql), OpenLineage events (.jsonl, .json), a manifest.json of dbt, a data product (.odps.yaml) or "
    "subscriptions (.subscription.yaml)"
)

_MANIFEST = re.compile(rb'"dbt_schema_version"\s*:\s*"[^"]*/manifest/')
_CATALOG = re.compile(rb'"dbt_schema_version"\s*:\s*"[^"]*/catalog/')
_EVENT = re.compile(rb'"(?:eventTime|producer)"\s*:')
_DECLARATION = re.compile(
    rb"""^(?:kind:[ \t]*["']?(?:DataProduct|Subscription)\b|subscriptions:|consumer:)""", re.MULTILINE
)


class _Kind(Enum):
    SQL = "sql"
    EVENTS = "events"
    EVENT_DOCUMENT = "event document"
    MANIFEST = "manifest"
    CATALOG = "catalog"
    DECLARATION = "declaration"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageSources:
    """All lineage that was found, as :func:`contracts_svc.flows.lineage.gather` takes it."""

    sql: Mapping[str, bytes] = field(default_factory=dict)
    heard: tuple[Heard, ...] = ()
    declarations: tuple[Declaration, ...] = ()


def from_paths(paths: Iterable[Path], now: datetime) -> LineageSources:
    """The lineage in files and folders. A file that was named must be lineage; in a folder, files that
    are something else are passed over. Raises UserMistake with every problem."""
    found = _Found(now)
    for path in paths:
        if path.is_dir():
            files = list(expand([path], (*SUFFIXES, ".json", ".yaml", ".yml"), "lineage"))
            before = found.count
            for file in files:
                found.file(file, named=False)
            if found.count == before and not found.problems:
                found.problems.append(Problem(None, f"{path} holds no lineage", f"lineage is {KINDS}"))
        else:
            found.file(path, named=True)
    if found.problems:
        raise UserMistake(found.problems)
    return found.sources()


def from_texts(texts: Mapping[str, bytes], now: datetime | None) -> LineageSources:
    """The lineage among the files of a commit (path -> content). What cannot be read is told as a gap
    of the lineage: it is not the fault of the change that is judged."""
    found = _Found(now)
    for name, text in texts.items():
        beside = str(PurePosixPath(name).with_name(CATALOG))
        found.text(name, text, catalog=texts.get(beside), named=False)
    if found.problems:
        found.heard.append(Heard(problems=tuple(found.problems)))
    return found.sources()


def sql_texts(texts: Mapping[str, bytes]) -> LineageSources:
    """The SQL among these texts (path -> content); what is no text is told as a gap."""
    return from_texts({name: text for name, text in texts.items() if name.lower().endswith(".sql")}, None)


@dataclass(slots=True)
class _Found:
    now: datetime | None
    sql: dict[str, bytes] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    declarations: list[Declaration] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.sql) + len(self.heard) + len(self.declarations)

    def sources(self) -> LineageSources:
        return LineageSources(sql=self.sql, heard=tuple(self.heard), declarations=tuple(self.declarations))

    def file(self, path: Path, *, named: bool) -> None:
        try:
            if path.suffix in (".jsonl", ".ndjson"):
                self._lines(path, named=named)
                return
            catalog = path.with_name(CATALOG)
            is_json = path.suffix == ".json"
            if is_json and not named and _kind(path.name, content(path), named=False) is None:
                return
            text = content(path, dbt_manifest.MAX_BYTES) if is_json else content(path)
            beside = content(catalog, dbt_manifest.MAX_BYTES) if is_json and catalog.is_file() else None
            self.text(str(path), text, catalog=beside, named=named)
        except UserMistake as error:
            self.problems += error.problems

    def text(self, name: str, text: bytes, *, catalog: bytes | None, named: bool) -> None:
        """Take in a text by what it is."""
        kind = _kind(name, text, named=named)
        try:
            if kind is _Kind.SQL:
                self._sql(name, text)
            elif kind is _Kind.EVENTS:
                self.heard.append(openlineage.read_events(text.splitlines(), name, self.now))
            elif kind is _Kind.EVENT_DOCUMENT:
                self.heard.append(openlineage.read_document(text, name, self.now))
            elif kind is _Kind.MANIFEST:
                self.heard.append(dbt.read_project(text, name, catalog))
            elif kind is _Kind.DECLARATION:
                self.declarations += read_declarations(text, name)
            elif named:
                self.problems.append(_no_lineage(name, kind))
        except UserMistake as error:
            self.problems += error.problems

    def _sql(self, name: str, text: bytes) -> None:
        try:
            text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            column = error.start - (text.rfind(b"\n", 0, error.start) + 1) + 1
            at = Location(name, line, column)
            raise UserMistake.of(
                "the file is not UTF-8, so its SQL is not read", "save it as UTF-8", at
            ) from None
        self.sql[name] = text.removeprefix(codecs.BOM_UTF8)

    def _lines(self, path: Path, *, named: bool) -> None:
        """Events are read line by line: such a file may be of any length."""
        head = content(path)
        if named or _EVENT.search(head):
            with path.open("rb") as stream:
                lines = openlineage.lines_of(stream)
                self.heard.append(openlineage.read_events(lines, str(path), self.now))


def _kind(name: str, text: bytes, *, named: bool) -> _Kind | None:
    """What a file is; by its name, and where names say little by what it holds."""
    lower = name.lower()
    if lower.endswith(".sql"):
        return _Kind.SQL
    if lower.endswith((".jsonl", ".ndjson")):
        return _Kind.EVENTS if named or _EVENT.search(text) else None
    if lower.endswith((".yaml", ".yml")):
        known = named or lower.endswith(SUFFIXES) or _DECLARATION.search(text)
        return _Kind.DECLARATION if known else None
    if lower.endswith(".json"):
        if _MANIFEST.search(text):
            return _Kind.MANIFEST
        if _CATALOG.search(text):
            return _Kind.CATALOG
        return _Kind.EVENT_DOCUMENT if _EVENT.search(text) else None
    return None


def _no_lineage(name: str, kind: _Kind | None) -> Problem:
    if kind is _Kind.CATALOG:
        return Problem(None, f"{name} is dbt's catalog", "give the manifest.json beside it: both are read")
    return Problem(None, f"{name} is no lineage", f"give {KINDS}")
