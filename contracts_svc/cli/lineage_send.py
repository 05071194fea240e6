"""``contracts lineage send``"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from contracts_svc import settings
from contracts_svc.adapters.openlineage import MAX_DOCUMENT, lines_of
from contracts_svc.adapters.service_client import ServiceClient
from contracts_svc.cli.output import count, print_json
from contracts_svc.cli.workspace import content
from contracts_svc.errors import ExitCode, UserMistake
from contracts_svc.lineage.json_text import Unreadable, parsed


def run(files: Sequence[Path], service: str, token: str, format: str) -> ExitCode:
    """Send every event of the files. Raises CouldNotCheck where the service cannot be reached.

    An event that the service refuses is told and stops none of the others.
    """
    set_ = settings.load()
    url = service or set_.service_url
    if not url:
        raise UserMistake.of("no service is given", "give --service, or set CONTRACTS_SERVICE_URL")
    client = ServiceClient(url, token or set_.service_token.get_secret_value())
    sent, refused, told = 0, [], []
    try:
        for place, event in _events(files):
            try:
                answer = client.send_event(event)
            except UserMistake as error:
                refused.append(f"{place}: {error}")
                continue
            sent += 1
            problems = answer.get("problems")
            told += [
                f"{place}: {p['message']}" for p in problems or () if isinstance(p, dict) and "message" in p
            ]
    finally:
        client.close()
    code = ExitCode.MISTAKE if refused else ExitCode.OK
    if format == "json":
        print_json(code, {"sent": sent, "refused": refused, "not_understood": told})
        return code
    for line in refused:
        print(f"refused: {line}")
    for line in told:
        print(f"not understood: {line}")
    print(f"{count(sent, 'event')} sent" + (f", {len(refused)} refused" if refused else ""))
    return code


def _events(files: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """(place, event) of every event."""
    for file in files:
        if file.suffix in (".jsonl", ".ndjson"):
            content(file)  # a file that cannot be read is told as everywhere
            with file.open("rb") as stream:
                for number, line in enumerate(lines_of(stream), start=1):
                    if line.strip():
                        yield f"{file}:{number}", line
            continue
        try:
            document = parsed(content(file, MAX_DOCUMENT), MAX_DOCUMENT)
        except Unreadable as error:
            raise UserMistake.of(f"{file} cannot be read: {error.reason}", "give events as JSON") from None
        events = document if isinstance(document, list) else [document]
        for number, event in enumerate(events, start=1):
            yield f"{file}, event {number}", json.dumps(event).encode()
