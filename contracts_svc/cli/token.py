"""``contracts token``"""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from contracts_svc import app, settings
from contracts_svc.api.access import hash_of, new_secret, scopes_of
from contracts_svc.cli.output import print_json
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.ports_store import TOKEN_SECONDS, Actor, Token

if TYPE_CHECKING:
    from contracts_svc.adapters.store.store import DatabaseStore


def create(owner: str, scopes: Sequence[str], days: int, tenant: str, format: str) -> ExitCode:
    """Make a token; its secret is shown here and nowhere else."""
    scopes_of(scopes)  # refuses unknown ones
    if not owner.strip():
        raise UserMistake.of("nobody is named whose token it is", "say who, with --owner")
    now = app.SystemClock().now()
    secret = new_secret()
    token = Token(
        id=secrets.token_hex(6),
        owner=owner.strip(),
        scopes=tuple(dict.fromkeys(scopes)),
        created=now,
        expires=now + timedelta(days=days),
        tenant=tenant,
    )
    with opened_store() as store:
        store.put_token(token, hash_of(secret), actor())
    if format == "json":
        print_json(ExitCode.OK, {"token": secret, **_row(token)})
        return ExitCode.OK
    print(secret)
    print(f"token {token.id} of {token.owner}: {_line(token)}. It is not shown again.")
    return ExitCode.OK


def show(format: str) -> ExitCode:
    """Every token, without its secret."""
    with opened_store() as store:
        tokens = store.tokens()
    if format == "json":
        print_json(ExitCode.OK, {"tokens": [_row(t) for t in tokens]})
        return ExitCode.OK
    for token in tokens:
        print(f"{token.id}  {token.owner}: {_line(token)}")
    if not tokens:
        print("there are no tokens; make one: contracts token create --owner NAME --scope viewer")
    return ExitCode.OK


_REVOKED = f"is revoked; running services take it no more within {TOKEN_SECONDS:.0f} seconds"


def revoke(token_id: str, format: str) -> ExitCode:
    """Make a token useless."""
    with opened_store() as store:
        done = store.revoke_token(token_id, app.SystemClock().now(), actor())
    if format == "json":
        print_json(ExitCode.OK, {"id": token_id, "revoked": True, "changed": done})
    else:
        print(f"token {token_id} {_REVOKED if done else 'was revoked before'}")
    return ExitCode.OK


@contextmanager
def opened_store() -> Iterator[DatabaseStore]:
    """The store of the settings, for a while."""
    opened = app.store(settings.load())
    try:
        yield opened
    finally:
        opened.close()


def actor() -> Actor:
    """Who runs this command, for the audit."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        who = "unknown"
    return Actor(who=who, where="cli")


def _line(token: Token) -> str:
    tenant = f" of tenant {token.tenant}" if token.tenant else ""
    until = f"revoked {token.revoked:%Y-%m-%d}" if token.revoked else f"until {token.expires:%Y-%m-%d}"
    return f"{', '.join(token.scopes)}{tenant}, {until}"


def _row(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "owner": token.owner,
        "scopes": list(token.scopes),
        "tenant": token.tenant,
        "created": token.created.isoformat(),
        "expires": token.expires.isoformat(),
        "revoked": token.revoked.isoformat() if token.revoked else None,
    }
