"""How errors look: one text and one JSON shape for each of the four kinds that never mix."""

from __future__ import annotations

import hashlib
import json
import sys
import traceback
from typing import Any

from contracts_svc.cli.terminal import spelt
from contracts_svc.errors import CouldNotCheck, ExitCode, UserMistake


def report(error: Exception, *, as_json: bool, debug: bool) -> int:
    """Print what went wrong to stderr (as JSON to stdout when asked for) and return the exit code."""
    if isinstance(error, UserMistake):
        return _tell(error.exit_code, "mistake", mistake_json(error), str(error), as_json)
    if isinstance(error, CouldNotCheck):
        return _tell(error.exit_code, "could_not_check", cause_json(error), str(error), as_json)
    import typer.exceptions

    if isinstance(error, typer.exceptions.TyperException):
        return _usage(error, as_json)
    if isinstance(error, typer.exceptions.Abort):
        print("stopped", file=sys.stderr)
        return 130
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has seen enough (`| head`): no error of ours.
        sys.stdout = None
        return int(ExitCode.OK)
    return _bug(error, as_json, debug)


def mistake_json(error: UserMistake) -> dict[str, Any]:
    """The problems of a user's mistake, as every JSON output of ours writes them."""
    return {
        "problems": [
            {
                "file": p.at.file if p.at else None,
                "line": p.at.line if p.at else None,
                "column": p.at.column if p.at else None,
                "message": p.message,
                "hint": p.hint,
            }
            for p in error.problems
        ]
    }


def cause_json(error: CouldNotCheck) -> dict[str, Any]:
    """Why something could not be checked, as every JSON output of ours writes it."""
    return {
        "what": error.what,
        "cause": error.cause,
        "hint": error.hint,
        "retryable": error.retryable,
    }


def _tell(code: ExitCode, kind: str, detail: dict[str, Any], text: str, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"exit_code": int(code), "error": {"kind": kind, **detail}}, indent=2))
    else:
        print(spelt(text), file=sys.stderr)
    return int(code)


def _usage(error: Any, as_json: bool) -> int:
    if as_json:
        detail = mistake_json(UserMistake.of(error.format_message()))
        return _tell(ExitCode.MISTAKE, "mistake", detail, "", True)
    from typer.rich_utils import rich_format_error

    rich_format_error(error)
    return int(ExitCode.MISTAKE)


def _bug(error: Exception, as_json: bool, debug: bool) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""
    # The same defect gives the same id, so that reports of it can be told together.
    number = hashlib.sha256(f"{type(error).__name__}{place}".encode()).hexdigest()[:8]
    text = (
        f"a bug of ours, report id {number}: {type(error).__name__}: {error}\n"
        "    run it again with `contracts --debug ...` and report the traceback"
    )
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    detail = {"report_id": number, "type": type(error).__name__, "message": str(error)}
    return _tell(ExitCode.BUG, "bug", detail, text, as_json)
