"""dbt's manifest.json and catalog.json as values: what a project builds, of what, and who owns it.

The manifest is read in all its forms from version 2 (dbt 0.20) to 12 (dbt 1.8 and later), see
https://docs.getdbt.com/reference/artifacts/manifest-json. Only what lineage needs is taken, and a part
of another shape than expected is told and left out: the versions differ in much that matters to nobody
here, and later ones will differ again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.lineage.graph import Channel
from contracts_svc.lineage.json_text import Unreadable, parsed
from contracts_svc.model import Json

MAX_BYTES = 200_000_000
"""Longest manifest or catalog taken; that of a project of some 5,000 models has about 100 MB."""
OLDEST, NEWEST = 2, 12
"""Versions of the manifest's schema that have been tried."""

_VERSION = re.compile(r"/manifest/v(\d{1,9})(?:\.json)?$")
_MAX_PROBLEMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One node, source or exposure of a manifest.

    ``name`` is its table's parts (database, schema, identifier) as dbt names it, empty for what makes
    no table (a test, an ephemeral model, an exposure). ``columns`` are those that somebody documented
    (name -> type or None): all of them only where ``enforced`` (a dbt contract).
    """

    id: str
    kind: str
    """``model``, ``seed``, ``snapshot``, ``source``, ``test``, ``exposure``, ..."""
    title: str
    name: tuple[str, ...] = ()
    relation: str = ""
    """How SQL writes it, which may be a call: ``read_csv('s3://lake/raw.csv')``."""
    columns: Mapping[str, str | None] = field(default_factory=dict)
    enforced: bool = False
    parents: tuple[str, ...] = ()
    sql: str = ""
    """The compiled query; "" where the manifest has none."""
    language: str = "sql"
    team: str = ""
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says. ``resources`` maps dbt's unique ids, in the order of the file."""

    version: int
    dbt_version: str
    adapter: str
    """``postgres``, ``snowflake``, ``bigquery``, ...; "" where it is not said."""
    generated: datetime | None
    resources: Mapping[str, Resource]
    problems: tuple[Problem, ...] = ()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many resources there are of each kind, sources and exposures apart."""
        return Counter(r.kind for r in self.resources.values() if r.kind not in ("source", "exposure"))

    def parent_edges(self) -> Iterator[tuple[str, str]]:
        """Every (parent, child) of which both are in the manifest."""
        for resource in self.resources.values():
            yield from ((p, resource.id) for p in resource.parents if p in self.resources)

    def tables_above(self, id: str) -> tuple[str, ...]:
        """The nearest resources above one that are tables: ephemeral models, metrics and the like are
        passed through."""
        found: dict[str, None] = {}
        seen = {id}
        todo = list(reversed(self.resources[id].parents))
        while todo:
            parent = todo.pop()
            if parent in seen or parent not in self.resources:
                continue
            seen.add(parent)
            if self.resources[parent].name:
                found.setdefault(parent)
            else:
                todo += reversed(self.resources[parent].parents)
        return tuple(found)


Catalog = Mapping[str, Mapping[str, str]]
"""dbt's unique id -> every column of the table as the warehouse has it -> type."""


def looks_like_manifest(document: Json) -> bool:
    """Whether a JSON document is a dbt manifest of any version."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    version = metadata.get("dbt_schema_version") if isinstance(metadata, dict) else None
    return isinstance(version, str) and "/manifest/" in version


def read_manifest(text: bytes, file: str) -> Manifest:
    """Read a manifest.json; ``file`` is its name in problems. Raises UserMistake when it is none."""
    document = _document(text, file)
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not looks_like_manifest(document):
        raise UserMistake.of(
            f"{file} is no dbt manifest: metadata.dbt_schema_version does not say so",
            "give the manifest.json that dbt writes to its folder target/",
        )
    return _Reader(file, document, metadata).read()


def read_catalog(text: bytes, file: str) -> Catalog:
    """Read a catalog.json (of ``dbt docs generate``). Raises UserMistake when it is none."""
    document = _document(text, file)
    if not isinstance(document.get("nodes"), dict):
        raise UserMistake.of(
            f"{file} is no dbt catalog: it has no nodes", "give the file of `dbt docs generate`"
        )
    found: dict[str, Mapping[str, str]] = {}
    for key in ("nodes", "sources"):
        for id, node in _objects(document.get(key)):
            found[id] = {
                str(c.get("name") or name): str(c.get("type") or "")
                for name, c in _objects(node.get("columns"))
            }
    return found


def _document(text: bytes, file: str) -> Mapping[str, Json]:
    try:
        document = parsed(text, MAX_BYTES)
    except Unreadable as error:
        at = Location(file, error.line, error.column)
        raise UserMistake.of(error.reason, "is it a file of dbt, written to its end?", at) from None
    if not isinstance(document, dict):
        raise UserMistake.of(f"{file} is no JSON object", "is it a file of dbt?")
    return document


def _objects(value: Json) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """The entries of a mapping that are mappings themselves."""
    if isinstance(value, dict):
        yield from ((k, v) for k, v in value.items() if isinstance(v, dict))


@dataclass(slots=True)
class _Reader:
    file: str
    document: Mapping[str, Json]
    metadata: Mapping[str, Json]
    problems: dict[Problem, None] = field(default_factory=dict)
    owners: dict[str, Mapping[str, Json]] = field(default_factory=dict)
    """Group name -> its owner."""

    def read(self) -> Manifest:
        version = self._version()
        for _, group in _objects(self.document.get("groups")):
            owner = group.get("owner")
            if isinstance(owner, dict):
                self.owners[_text(group, "name")] = owner
        resources: dict[str, Resource] = {}
        # Metrics and semantic models only lead from exposures to models; `disabled` takes no part.
        for key in ("nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries"):
            for resource in self._section(key):
                resources[resource.id] = resource
        return Manifest(
            version=version,
            dbt_version=_text(self.metadata, "dbt_version"),
            adapter=_text(self.metadata, "adapter_type").lower(),
            generated=_time(self.metadata.get("generated_at")),
            resources=resources,
            problems=tuple(self.problems),
        )

    def _version(self) -> int:
        written = _text(self.metadata, "dbt_schema_version")
        match = _VERSION.search(written)
        version = int(match[1]) if match else 0
        if version < OLDEST:
            raise UserMistake.of(
                f"{self.file}: {written!r:.80} cannot be read", f"versions {OLDEST} to {NEWEST} are read"
            )
        if version > NEWEST:
            message = f"{self.file}: version {version} of the manifest is newer than those known here"
            self._problem(message, f"it is read as version {NEWEST}")
        return version

    def _section(self, key: str) -> Iterator[Resource]:
        section = self.document.get(key)
        if section is None:
            return
        if not isinstance(section, dict):
            self._problem(f"{self.file}: {key} is no object", "it is left out")
            return
        for id, entry in section.items():
            if isinstance(entry, dict):
                yield self._resource(id, key, entry)
            else:
                self._problem(f"{self.file}: {key}: {id!r:.80} is no object", "it is left out")

    def _resource(self, id: str, section: str, entry: Mapping[str, Json]) -> Resource:
        kind = _text(entry, "resource_type") or section.rstrip("s")
        config = _object(entry, "config")
        columns = {name: _text(c, "data_type") or None for name, c in _objects(entry.get("columns"))}
        compiled = _text(entry, "compiled_code") or _text(entry, "compiled_sql")
        contract = _object(entry, "contract") or _object(config, "contract")
        team, channels = self._owner(entry, config)
        return Resource(
            id=id,
            kind=kind,
            title=_text(entry, "label") or _text(entry, "name") or id,
            name=_table(entry, config, kind),
            relation=_text(entry, "relation_name"),
            columns=columns,
            enforced=contract.get("enforced") is True,
            parents=tuple(self._parents(id, entry)),
            sql=compiled if kind in ("model", "snapshot") else "",
            language=_text(entry, "language") or "sql",
            team=team,
            channels=channels,
        )

    def _parents(self, id: str, entry: Mapping[str, Json]) -> Iterator[str]:
        nodes = _object(entry, "depends_on").get("nodes") or []
        if not isinstance(nodes, list):
            self._problem(f"{self.file}: {id}: depends_on.nodes is no list", "its parents are not known")
            return
        yield from dict.fromkeys(n for n in nodes if isinstance(n, str))

    def _owner(
        self, entry: Mapping[str, Json], config: Mapping[str, Json]
    ) -> tuple[str, tuple[Channel, ...]]:
        """The owner of an exposure; of a model that of its group, else ``meta.owner``."""
        group = _text(entry, "group") or _text(config, "group")
        given = entry.get("owner") or self.owners.get(group)
        metas = (_object(entry, "meta"), _object(config, "meta"))
        given = given or next((m["owner"] for m in metas if m.get("owner")), None)
        if isinstance(given, str):
            return given, ()
        if not isinstance(given, dict):
            return group, ()
        mails = given.get("email")
        listed = mails if isinstance(mails, list) else [mails]
        channels = [Channel(tool="email", address=m) for m in listed if isinstance(m, str) and m]
        if _text(given, "slack"):
            channels.append(Channel(tool="slack", address=_text(given, "slack")))
        name = _text(given, "name") or group or next((c.address for c in channels), "")
        return name, tuple(channels)

    def _problem(self, message: str, hint: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.setdefault(Problem(None, message, hint))


_TABLES = frozenset({"model", "seed", "snapshot", "source"})


def _table(entry: Mapping[str, Json], config: Mapping[str, Json], kind: str) -> tuple[str, ...]:
    if kind not in _TABLES or config.get("materialized") == "ephemeral":
        return ()
    identifier = _text(entry, "identifier" if kind == "source" else "alias") or _text(entry, "name")
    parts: Iterable[str] = (_text(entry, "database"), _text(entry, "schema"), identifier)
    return tuple(p for p in parts if p)


def _object(entry: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def _text(entry: Mapping[str, Json], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def _time(value: Json) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
