"""Where the data of a table lies, and whether checks may read there: anybody may write a location."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import unquote

from contracts_svc.errors import UserMistake
from contracts_svc.files import S3_SCHEMES
from contracts_svc.model import Contract, Server, Table

LocationOf = Callable[[Contract, Table, Server], str]
"""Where a server keeps a table."""


IN_FILES = ("s3", "local", "custom")
"""Types of servers whose files are read in place."""


def is_elsewhere(server: Server) -> bool:
    """Whether the data of a server is not in files that are read in place."""
    return server.type.lower() not in IN_FILES


def location_of(contract: Contract, table: Table, server: Server) -> str:
    """Where a server keeps a table: its ``location`` (or ``path``), with {model} or {table} filled in.

    Of a server whose data is not in files, its address. Raises UserMistake when the server has neither.
    """
    if is_elsewhere(server):
        return address_of(server)
    written = server.fields.get("location") or server.fields.get("path")
    if not isinstance(written, str):
        raise UserMistake.of(
            f"the server {server.server} of {contract.title} does not say where the files are",
            "give it a location, as in s3://bucket/{table}/*.parquet",
            server.at,
        )
    return written.replace("{model}", table.name).replace("{table}", table.name)


def address_of(server: Server) -> str:
    """Of a server whose data is not in files: ``postgres://host/database``."""
    names = ("host", "account", "database", "catalog", "project")
    parts = [str(server.fields[n]) for n in names if server.fields.get(n)]
    return f"{server.type.lower()}://{'/'.join(parts)}"


def within(prefixes: Sequence[str]) -> LocationOf:
    """Locations that lie under one of these prefixes, in which ``{tenant}`` is the contract's tenant; no
    prefixes: all of them. Of any other, UserMistake."""

    def location(contract: Contract, table: Table, server: Server) -> str:
        found = location_of(contract, table, server)
        require(found, contract, server, prefixes)
        return found

    return location if prefixes else location_of


def require(location: str, contract: Contract, server: Server, prefixes: Sequence[str]) -> None:
    """Raise UserMistake for a location that lies under none of the prefixes."""
    tenant = contract.tenant or ""
    usable = [p.replace("{tenant}", tenant) for p in prefixes if tenant or "{tenant}" not in p]
    if prefixes and not any(is_under(location, p) for p in usable):
        raise UserMistake.of(
            f"the server {server.server} of {contract.title} is not where checks may read: {location}",
            f"they may under {', '.join(usable) or 'no location'} (CONTRACTS_ALLOWED_LOCATIONS)",
            server.at,
        )


def is_under(location: str, prefix: str) -> bool:
    """Whether a location lies in a folder, or in part of it: of ``s3://lake/a`` too, ``s3://lake/ab`` not."""
    found, allowed = _plain(location), _plain(prefix)
    if found is None or allowed is None:
        return False
    return found == allowed or found.startswith(allowed if allowed.endswith("/") else f"{allowed}/")


def _plain(location: str) -> str | None:
    """One spelling of a location; None where it leads up, so that nobody can say where to."""
    scheme, separator, rest = location.partition("://")
    scheme = scheme.lower()
    if not separator:
        # A relative path is not known to lie anywhere but in the working folder.
        scheme, rest = ("file" if location.startswith("/") else "relative"), location
    elif scheme in S3_SCHEMES:
        scheme = "s3"
    elif scheme == "file":
        rest = "/" + unquote(rest.partition("/")[2])
    parts = rest.split("/")
    if ".." in parts:
        return None
    return f"{scheme}://" + "/".join(p for p in parts if p not in ("", "."))
