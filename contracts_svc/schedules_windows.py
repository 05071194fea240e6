"""The text of a file of maintenance windows, in which no check is begun by itself."""

from __future__ import annotations

from contracts_svc.errors import UserMistake
from contracts_svc.odcs.fields import Fields
from contracts_svc.odcs.yaml_nodes import parse
from contracts_svc.routes.intervals import TimeInterval
from contracts_svc.routes.read import time_intervals


def read_windows(text: bytes, file: str) -> tuple[TimeInterval, ...]:
    """The windows of a file with one key, ``time_intervals``, written as in a route file.

    Raises UserMistake with every problem and its place.
    """
    root = Fields(parse(text, file), file)
    root.only(("time_intervals",))
    found = time_intervals(root)
    if root.problems:
        raise UserMistake(root.problems)
    return found
