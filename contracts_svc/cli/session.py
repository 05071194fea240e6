"""``contracts session``"""

from __future__ import annotations

from contracts_svc import app
from contracts_svc.cli.output import print_json
from contracts_svc.cli.token import actor, opened_store
from contracts_svc.errors import ExitCode


def show(format: str) -> ExitCode:
    """Every session that has not run out."""
    with opened_store() as store:
        sessions = store.sessions(app.SystemClock().now())
    if format == "json":
        rows = [
            {
                "name": s.name,
                "tenant": s.tenant,
                "scopes": list(s.scopes),
                "created": s.created.isoformat(),
                "expires": s.expires.isoformat(),
            }
            for s in sessions
        ]
        print_json(ExitCode.OK, {"sessions": rows})
        return ExitCode.OK
    for session in sessions:
        tenant = f" of tenant {session.tenant}" if session.tenant else ""
        print(f"{session.name}{tenant}: {', '.join(session.scopes)}, until {session.expires:%Y-%m-%d %H:%MZ}")
    if not sessions:
        print("nobody is logged in")
    return ExitCode.OK


def end(name: str, format: str) -> ExitCode:
    """End every session of a person."""
    with opened_store() as store:
        ended = store.end_sessions(name, app.SystemClock().now(), actor())
    if format == "json":
        print_json(ExitCode.OK, {"name": name, "ended": ended})
    else:
        print(f"{ended} session{'' if ended == 1 else 's'} of {name} ended")
    return ExitCode.OK
