"""Rules for servers: where the data is and how it is laid out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts_svc.compat.rule import (
    ERROR,
    INFO,
    WARNING,
    Draft,
    Rule,
    Scope,
    both_ways,
    loosens,
    parts,
    shown,
)
from contracts_svc.compat.sameness import same
from contracts_svc.findings import Change
from contracts_svc.model import CustomProperty, Json, Server

_ADDRESS = (
    "location",
    "endpointUrl",
    "host",
    "port",
    "account",
    "catalog",
    "database",
    "schema",
    "project",
    "dataset",
    "bucket",
    "path",
    "topic",
    "stream",
    "serviceName",
)
"""Fields of the standard's server types that say where the data is."""
_FORMAT = ("format", "compression", "encoding")
_DELIMITER = ("delimiter", "header", "quoteChar", "escapeChar", "lineDelimiter")
_KEEP_OLD = "publish to both for a while: keep this server and add the new one under another name"


def server_added(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"server {change.key} ({change.new.type}) is added",
        why="readers may choose it; those of the other servers do not notice",
        fix="nothing to do",
    )


def server_removed(change: Change, scope: Scope) -> Draft | None:
    return Draft(
        message=f"server {change.key} ({change.old.type}) is removed",
        why="whoever reads from there finds no data any more",
        fix="keep the server until its readers have moved to another one",
    )


def server_type_changed(change: Change, scope: Scope) -> Draft | None:
    if change.old.type == change.new.type:
        return None
    return Draft(
        message=f"server {change.key}: type {change.old.type} -> {change.new.type}",
        why="readers connect in another way and write another dialect",
        fix=_KEEP_OLD,
        values=parts(change, ("type",)),
    )


def server_location_changed(change: Change, scope: Scope) -> Draft | None:
    changed = _differing(change, _ADDRESS)
    if not changed or change.old.type != change.new.type:
        return None
    return Draft(
        message=f"server {change.key}: {_listed(changed)}",
        why="readers look in the old place, where new data no longer arrives; old data is not in the new one",
        fix=_KEEP_OLD,
        values=_values(changed),
    )


def server_format_changed(change: Change, scope: Scope) -> Draft | None:
    return _layout(
        change,
        _FORMAT,
        why="readers cannot decode the files, or lose the types that the old format carried",
    )


def server_delimiter_changed(change: Change, scope: Scope) -> Draft | None:
    return _layout(
        change, _DELIMITER, why="readers split the lines in the old way and get wrong or too few values"
    )


def _layout(change: Change, names: tuple[str, ...], why: str) -> Draft | None:
    changed = _differing(change, names)
    if not changed:
        return None
    return Draft(
        message=f"server {change.key}: {_listed(changed)}", why=why, fix=_KEEP_OLD, values=_values(changed)
    )


def server_environment_changed(change: Change, scope: Scope) -> Draft | None:
    if change.old.environment == change.new.environment:
        return None
    return Draft(
        message=f"server {change.key}: environment {shown(change.old.environment)} -> "
        f"{shown(change.new.environment)}",
        why="what was taken for production data may be test data now, or the other way round",
        fix="add a server for the other environment instead",
        values=parts(change, ("environment",)),
    )


def server_settings_changed(change: Change, scope: Scope) -> Draft | None:
    known = {*_ADDRESS, *_FORMAT, *_DELIMITER}
    others = {*change.old.fields, *change.new.fields} - known
    changed = _differing(change, sorted(others))
    if not changed or change.old.type != change.new.type:
        return None
    return Draft(
        message=f"server {change.key}: {_listed(changed)}",
        why="readers that connect with the old settings may be refused or read something else",
        fix="tell readers before the old settings stop working",
        values=_values(changed),
    )


def server_words_changed(change: Change, scope: Scope) -> Draft | None:
    old, new = change.old, change.new
    names = ("server", "id", "description", "extra")
    texts = [n for n in names if not same(getattr(old, n), getattr(new, n))]
    if not same(_own_properties(old), _own_properties(new)):
        texts.append("customProperties")
    if not same(old.fields, new.fields) and _same_place(old, new):
        texts.append("location")
    if not texts:
        return None
    return Draft(
        message=f"server {change.key} is described otherwise ({', '.join(texts)})",
        why="the data is where it was, as it was",
        fix="nothing to do",
        values=parts(change, (*names, "custom", "fields") if _same_place(old, new) else (*names, "custom")),
    )


def _own_properties(server: Server) -> list[CustomProperty]:
    return [c for c in server.custom if c.property not in _DELIMITER]


def _settings(server: Server) -> Mapping[str, Json]:
    """What the server says of itself; CSV options may stand in custom properties."""
    custom = {c.property: c.value for c in server.custom if c.property in _DELIMITER}
    return {**custom, **server.fields}


def _differing(change: Change, names: Iterable[str]) -> list[tuple[str, Json, Json]]:
    old, new = _settings(change.old), _settings(change.new)
    return [(n, old.get(n), new.get(n)) for n in names if _plain(old.get(n)) != _plain(new.get(n))]


def _same_place(old: Server, new: Server) -> bool:
    return all(_plain(old.fields.get(n)) == _plain(new.fields.get(n)) for n in {*old.fields, *new.fields})


def _plain(value: Json) -> Json:
    """A folder is the same with and without a slash at its end; a port the same as text."""
    return str(value).rstrip("/") if isinstance(value, str | int) else value


def _values(changed: list[tuple[str, Json, Json]]) -> tuple[Json, Json]:
    return {n: old for n, old, _ in changed}, {n: new for n, _, new in changed}


def _listed(changed: list[tuple[str, Json, Json]]) -> str:
    return ", ".join(f"{name} {shown(old)} -> {shown(new)}" for name, old, new in changed)


_ITSELF = "the opposite is the same change the other way round"
_CHANGED = ("server.changed",)

RULES = (
    Rule(
        id="server-added",
        purpose="Checks that an added server is known.",
        on=("server.added",),
        severities=both_ways(INFO),
        handler=server_added,
        mirror="server-removed",
    ),
    Rule(
        id="server-removed",
        purpose="Checks that no server is removed that somebody reads from.",
        on=("server.removed",),
        severities=loosens(ERROR),
        handler=server_removed,
        mirror="server-added",
    ),
    Rule(
        id="server-type-changed",
        purpose="Checks that a server stays of its type.",
        on=_CHANGED,
        severities=both_ways(ERROR),
        handler=server_type_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="server-location-changed",
        purpose="Checks that the data stays where readers look for it.",
        on=_CHANGED,
        severities=both_ways(ERROR),
        handler=server_location_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="server-format-changed",
        purpose="Checks that files keep their format.",
        on=_CHANGED,
        severities=both_ways(ERROR),
        handler=server_format_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="server-delimiter-changed",
        purpose="Checks that lines of text are separated as before.",
        on=_CHANGED,
        severities=both_ways(ERROR),
        handler=server_delimiter_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="server-environment-changed",
        purpose="Checks that a server stays in its environment.",
        on=_CHANGED,
        severities=both_ways(WARNING),
        handler=server_environment_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="server-settings-changed",
        purpose="Checks that readers can connect with the settings they have.",
        on=_CHANGED,
        severities=both_ways(WARNING),
        handler=server_settings_changed,
        mirror=_ITSELF,
    ),
    Rule(
        id="server-words-changed",
        purpose="Checks that a server described otherwise is still the same.",
        on=_CHANGED,
        severities=both_ways(INFO),
        handler=server_words_changed,
        mirror=_ITSELF,
    ),
)
