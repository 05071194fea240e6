"""Who may answer alerts from where they are told: people by their id in Slack or their e-mail address.

The file ``CONTRACTS_PEOPLE`` says who they are and which squads they act for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from contracts_svc.errors import UserMistake
from contracts_svc.odcs.fields import Fields
from contracts_svc.odcs.yaml_nodes import parse

_SLACK_ID = re.compile(r"[UW][A-Z0-9]{2,30}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,200}@[^@\s]{1,200}")
_KEYS = ("name", "slack", "email", "squads", "tenant", "admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """A person who answers alerts."""

    name: str
    """What others see: ``ada is on it``."""
    slack: tuple[str, ...] = ()
    """Ids of a member, one for each workspace."""
    email: str = ""
    squads: frozenset[str] = frozenset()
    tenant: str = ""
    admin: bool = False
    """May do what any squad of the tenant may."""

    def owns(self, squad: str) -> bool:
        """Whether the person may act for a squad."""
        return self.admin or (bool(squad) and squad in self.squads)


@dataclass(frozen=True, slots=True)
class Responders:
    """All of them."""

    by_slack: Mapping[str, Responder] = field(default_factory=dict)
    by_email: Mapping[str, Responder] = field(default_factory=dict)

    @classmethod
    def of(cls, people: Iterable[Responder]) -> Responders:
        """Those who are named by something that tells them apart."""
        found = tuple(people)
        return cls(
            by_slack={i: p for p in found for i in p.slack},
            by_email={p.email.lower(): p for p in found if p.email},
        )


def read(text: bytes, file: str) -> Responders:
    """The people in ``text``. Raises UserMistake with every problem: one without an id and an address, one
    that is named twice, a key that is none."""
    root = Fields(parse(text, file), file)
    root.only(("people",))
    people: list[Responder] = []
    taken: dict[str, str] = {}
    for entry in root.mappings("people"):
        person = _person(entry)
        people.append(person)
        for key, name in (*(("slack", i) for i in person.slack), ("email", person.email.lower())):
            if name and name in taken:
                entry.problem(key, f"{name!r} is {taken[name]!r} already", "name each id and address once")
            taken[name] = person.name
    if "people" not in root:
        root.problem(None, "'people' is missing", "write 'people: [{name: ada, slack: U012AB3CD, …}]'")
    if root.problems:
        raise UserMistake(root.problems)
    return Responders.of(people)


def _person(entry: Fields) -> Responder:
    entry.only(_KEYS)
    name, email = entry.text("name", required=True), entry.text("email")
    ids = entry.texts("slack") if entry.is_list("slack") else tuple(filter(None, [entry.text("slack")]))
    for found in ids:
        if not _SLACK_ID.fullmatch(found):
            hint = "open the person's profile in Slack, and choose 'Copy member ID'"
            entry.problem("slack", f"{found!r} is no id of a member of Slack", hint)
    if email and not _EMAIL.fullmatch(email):
        entry.problem("email", f"{email!r} is no e-mail address", "write 'email: ada@example.com'")
    if not ids and not email:
        entry.problem(None, f"nothing tells who {name!r} is", "give 'slack' (a member's id) or 'email'")
    return Responder(
        name=name,
        slack=ids,
        email=email,
        squads=frozenset(entry.texts("squads")),
        tenant=entry.text("tenant"),
        admin=entry.flag("admin"),
    )
