"""The file of the GitHub App: which repositories are whose, and who of GitHub speaks for whom.

repositories:
  - {match: octo/*, tenant: shop}
people:
  finance: {users: [ada], teams: [octo/finance]}
administrators: {users: [root]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypeVar

from contracts_svc.compat.modes import Mode
from contracts_svc.errors import UserMistake
from contracts_svc.github.check_run import Conclusion
from contracts_svc.github.names import RepositoryName
from contracts_svc.odcs.fields import NodeReader, shown
from contracts_svc.odcs.yaml_nodes import Form, Node, parse

_FORM = Form(noun="GitHub file", start="people: {finance: {users: [ada]}}", may_be_empty=True)
_KEYS = ("repositories", "people", "administrators")
_REPOSITORY_KEYS = ("match", "tenant", "could_not_check", "public_names", "dialect", "mode")
_MATCH = re.compile(r"[A-Za-z0-9_.*?-]+/[A-Za-z0-9_.*?-]+\Z")
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?\Z")
_TEAM = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9_-]{0,99}))/([A-Za-z0-9_.-]{1,100})\Z")
_CONCLUSIONS = {"failure": Conclusion.FAILURE, "neutral": Conclusion.NEUTRAL}
_MODES = {m.value.lower(): m for m in Mode}
_Word = TypeVar("_Word")


class PublicNames(StrEnum):
    """Which consumers a public repository may be told by name."""

    OWN = "own"
    """Those whose contracts it holds itself."""
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRule:
    """What holds for the repositories that ``match`` (a glob of ``owner/name``, in any letter case)."""

    match: str = "*/*"
    tenant: str = ""
    could_not_check: Conclusion = Conclusion.FAILURE
    public_names: PublicNames = PublicNames.OWN
    dialect: str = "duckdb"
    mode: Mode | None = None

    def fits(self, repository: RepositoryName) -> bool:
        """Whether the repository is meant."""
        return fnmatchcase(str(repository).casefold(), self.match.casefold())


@dataclass(frozen=True, slots=True, order=True)
class TeamName:
    """A team of an organisation on GitHub."""

    organisation: str
    slug: str

    def __str__(self) -> str:
        return f"{self.organisation}/{self.slug}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Some people of GitHub, and teams of them."""

    users: tuple[str, ...] = ()
    teams: tuple[TeamName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HubConfig:
    """The whole file. Of several rules that fit, the first one counts; a repository that none fits is not
    served."""

    rules: tuple[RepositoryRule, ...] = (RepositoryRule(),)
    people: Mapping[str, Party] = field(default_factory=dict)
    """The name of a team or person in contracts and policies -> who speaks for them."""
    administrators: Party = field(default_factory=Party)

    def rule_of(self, repository: RepositoryName) -> RepositoryRule | None:
        """What holds for a repository; None: it is not served."""
        return next((rule for rule in self.rules if rule.fits(repository)), None)

    def party(self, name: str) -> Party:
        """Who speaks for a team or person of the contracts; nobody where none is configured."""
        wanted = _plain(name)
        return next((p for n, p in self.people.items() if _plain(n) == wanted), Party())


def read_hub_config(text: bytes, file: str) -> HubConfig:
    """The file's text as a HubConfig. Raises UserMistake with every mistake at its place."""
    fields = NodeReader(file)
    root = parse(text, file, _FORM)
    if root.value is None:
        return HubConfig()
    nodes = fields.known(root, _KEYS, "the file")
    rules = (
        [_rule(n, fields) for n in fields.entries(nodes["repositories"], "'repositories'")]
        if ("repositories" in nodes)
        else [RepositoryRule()]
    )
    people = (
        {
            name: _party(n, fields, f"'{name}'")
            for name, n in fields.mapping(nodes["people"], "'people'").items()
        }
        if "people" in nodes
        else {}
    )
    administrators = (
        _party(nodes["administrators"], fields, "'administrators'") if "administrators" in nodes else Party()
    )
    if fields.problems:
        raise UserMistake(fields.problems)
    return HubConfig(rules=tuple(rules), people=people, administrators=administrators)


def _rule(node: Node, fields: NodeReader) -> RepositoryRule:
    nodes = fields.known(node, _REPOSITORY_KEYS, "an entry of 'repositories'")
    fields.required(node, nodes, ("match",), "an entry of 'repositories'")
    texts = {
        k: fields.text(n, f"'{k}'") or "" for k, n in nodes.items() if k in ("match", "tenant", "dialect")
    }
    match = texts.get("match", "")
    if match and not _MATCH.match(match):
        fields.wrong(
            nodes["match"], f"'match' cannot be {shown(nodes['match'])}", "write owner/name; '*' fits any"
        )
    if "dialect" in texts and texts["dialect"].lower() not in _dialects():
        fields.wrong(
            nodes["dialect"],
            f"{shown(nodes['dialect'])} is no SQL dialect",
            f"one of {', '.join(_dialects())}",
        )
    concluded = _choice(nodes, "could_not_check", _CONCLUSIONS, fields)
    names = _choice(nodes, "public_names", {n.value: n for n in PublicNames}, fields)
    return RepositoryRule(
        match=match or "-/-",
        tenant=texts.get("tenant", ""),
        could_not_check=concluded or Conclusion.FAILURE,
        public_names=names or PublicNames.OWN,
        dialect=texts.get("dialect", "duckdb"),
        mode=_choice(nodes, "mode", _MODES, fields),
    )


def _choice(
    nodes: Mapping[str, Node], key: str, options: Mapping[str, _Word], fields: NodeReader
) -> _Word | None:
    return fields.choice(nodes[key], options, f"'{key}'") if key in nodes else None


def _party(node: Node, fields: NodeReader, subject: str) -> Party:
    nodes = fields.known(node, ("users", "teams"), subject)
    users = _matching(nodes.get("users"), _LOGIN, fields, "a user", "write the login, as in ada")
    teams = _matching(
        nodes.get("teams"), _TEAM, fields, "a team", "write organisation/team, as in octo/finance"
    )
    split = (team.partition("/") for team in teams)
    return Party(users=tuple(users), teams=tuple(TeamName(owner, slug) for owner, _, slug in split))


def _matching(
    node: Node | None, form: re.Pattern[str], fields: NodeReader, noun: str, hint: str
) -> Sequence[str]:
    found: list[str] = []
    for child in fields.entries(node, f"the list of {noun}s") if node is not None else ():
        text = (fields.text(child, noun) or "").removeprefix("@")
        if form.match(text):
            found.append(text)
        elif text:
            fields.wrong(child, f"{shown(child)} is no name of {noun}", hint)
    return found


def _dialects() -> list[str]:
    from sqlglot import Dialects

    return sorted(d.value for d in Dialects if d.value)


def _plain(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
