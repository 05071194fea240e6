"""Waivers: approvals of single changes, read from a YAML list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts_svc.errors import UserMistake
from contracts_svc.odcs.fields import NodeReader, shown
from contracts_svc.odcs.yaml_nodes import Form, Node, parse

_FORM = Form(noun="list of waivers", start="- fingerprint: 0123456789abcdef", root=list, may_be_empty=True)
_KEYS = ("fingerprint", "approver", "reason", "expires")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """An approval of one change, bound to its fingerprint: a changed change needs a new one.

    ``approver`` is a person or a team. ``expires`` carries its zone; from that moment on the waiver
    counts no more. ``contract`` is the id of the contract that is changed, where it is known.
    """

    fingerprint: str
    approver: str
    reason: str
    expires: datetime
    contract: str = ""


def read_waivers(text: bytes, file: str, *, now: datetime, most_days: int) -> tuple[Waiver, ...]:
    """The waivers in a YAML list of ``fingerprint``, ``approver``, ``reason`` and ``expires``.

    Raises UserMistake with every problem: a key that is missing or unknown, a text that is blank, a
    fingerprint that is none, an ``expires`` without zone or more than ``most_days`` after ``now``
    (with its zone). One that has expired is no mistake: it counts no more, and the verdict says so.
    """
    root = parse(text, file, _FORM)
    fields = NodeReader(file)
    found = [_waiver(n, fields, now + timedelta(days=most_days), most_days) for n in fields.entries(root, "")]
    if fields.problems:
        raise UserMistake(fields.problems)
    return tuple(w for w in found if w is not None)


def _waiver(node: Node, fields: NodeReader, latest: datetime, most_days: int) -> Waiver | None:
    nodes = fields.known(node, _KEYS, "a waiver")
    fields.required(node, nodes, _KEYS, "a waiver")
    # A fingerprint may look like a number, and is one as it is written.
    fingerprint = nodes["fingerprint"].text.strip() if "fingerprint" in nodes else None
    texts = {k: fields.text(n, f"'{k}'") for k, n in nodes.items() if k != "fingerprint"}
    approver, reason, expires = (texts.get(k) for k in _KEYS[1:])
    if fingerprint is not None and not _FINGERPRINT.match(fingerprint):
        fields.wrong(
            nodes["fingerprint"],
            f"{shown(nodes['fingerprint'])} is no fingerprint of a change",
            "copy the 16 characters that the pre-flight shows beside the change",
        )
        return None
    until = _instant(nodes["expires"], expires, fields, latest, most_days) if expires else None
    if not (fingerprint and approver and reason and until):
        return None
    return Waiver(fingerprint=fingerprint, approver=approver, reason=reason, expires=until)


def _instant(node: Node, text: str, fields: NodeReader, latest: datetime, most_days: int) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        fields.wrong(node, f"'expires' cannot be {shown(node)}", f"write a time, as in {_example(latest)}")
        return None
    if found.tzinfo is None:
        fields.wrong(
            node, f"'expires' has no time zone: {shown(node)}", f"write it with one, as in {_example(found)}"
        )
        return None
    if found > latest:
        fields.wrong(
            node,
            f"'expires' is more than {most_days} days from now",
            f"{_example(latest)} is the latest; the policy's waiver_days says so",
        )
        return None
    return found


def _example(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}Z"
