"""The text of a policy file -> Policies, or every mistake in it with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import FAMILIES, RULES
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.lineage.age import OTHERS
from contracts_svc.odcs.fields import NodeReader, close, short
from contracts_svc.odcs.yaml_nodes import Form, Node, parse
from contracts_svc.policy import Match, Outcome, Override, Policies, Policy

_FORM = Form(noun="policy", start="version: 1")
_OUTCOMES = {o.value.lower(): o for o in (Outcome.BLOCK, Outcome.WARN, Outcome.PASS)}
_SEVERITIES = {s.value: s for s in Severity}
_MODES = {m.value.lower(): m for m in Mode}
_NEVER = "never"
_MATCH = ("tenant", "domain", "squad", "contract")
_IDS = {rule.id: None for rule in RULES}

Take = Callable[[Node, NodeReader, str], Any]
"""(the value's node, where mistakes go, the key in quotes) -> the value, or None after a mistake."""


def _text(node: Node, fields: NodeReader, key: str) -> str | None:
    if isinstance(node.value, int) and not isinstance(node.value, bool):
        return str(node.value)
    return fields.text(node, key)


def _mode(node: Node, fields: NodeReader, key: str) -> Mode | None:
    return fields.choice(node, _MODES, key)


def _outcome(node: Node, fields: NodeReader, key: str) -> Outcome | None:
    return fields.choice(node, _OUTCOMES, key)


def _days(node: Node, fields: NodeReader, key: str) -> int | None:
    return fields.whole(node, key)


def _days_by_source(node: Node, fields: NodeReader, key: str) -> Mapping[str, int | None] | None:
    """Days for every source, or a mapping of sources with ``default`` for the others."""
    if not isinstance(node.value, dict):
        return {OTHERS: _days_or_never(node, fields, key)}
    return {
        source: _days_or_never(child, fields, f"'{short(source)}'")
        for source, child in fields.mapping(node, key).items()
    }


def _days_or_never(node: Node, fields: NodeReader, key: str) -> int | None:
    return None if node.value == _NEVER else fields.whole(node, key, instead=_NEVER)


def _names(node: Node, fields: NodeReader, key: str) -> tuple[str, ...]:
    found = (fields.text(n, f"an entry of {key}") for n in fields.entries(node, key))
    return tuple(dict.fromkeys(name for name in found if name))


def _severities(node: Node, fields: NodeReader, key: str) -> Mapping[str, Severity]:
    """Rule id -> severity; an id beats a glob, a glob beats a family."""
    found: list[tuple[int, list[str], Severity]] = []
    for name, child in fields.mapping(node, key).items():
        severity = fields.choice(child, _SEVERITIES, f"'{short(name)}'")
        rank, ids = _rules(name)
        if not ids:
            meant = close(name, [*_IDS, *FAMILIES])
            question = f"; did you mean '{meant}'?" if meant else ""
            families = ", ".join(FAMILIES)
            hint = f"`contracts rules` lists the rules; families: {families}; globs as in 'column-*'"
            fields.wrong(node.keys[name], f"no rule or family '{short(name)}'{question}", hint)
        elif severity is not None:
            found.append((rank, ids, severity))
    by_rank = sorted(found, key=lambda item: item[0])
    return {rule: severity for _, ids, severity in by_rank for rule in ids}


def _rules(name: str) -> tuple[int, list[str]]:
    if name in _IDS:
        return 2, [name]
    if name in FAMILIES:
        return 0, [r.id for r in FAMILIES[name]]
    return 1, [i for i in _IDS if any(c in name for c in "*?[") and fnmatchcase(i, name)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a policy file. ``name`` is also the field of Policy that it sets."""

    name: str
    purpose: str
    take: Take
    everywhere: bool = True
    """Whether it may also stand in an override."""


KEYS: tuple[Key, ...] = (
    Key(
        name="version",
        purpose="Which policy this is, for people: a number or text. Required; shown in every verdict",
        take=_text,
        everywhere=False,
    ),
    Key(name="mode", purpose="The compatibility mode: who must be able to go on", take=_mode),
    Key(
        name="severities",
        purpose="Rule id, glob or family: error, warning or info. An id beats a glob, a glob a family. "
        "What is set here also caps what the rule's impacts lead to: warning warns, info passes",
        take=_severities,
    ),
    Key(name="breaks", purpose="What a consumer that breaks leads to: block, warn or pass", take=_outcome),
    Key(name="may_break", purpose="The same, for one that may break", take=_outcome),
    Key(name="unknown", purpose="The same, for one of which it is not known", take=_outcome),
    Key(
        name="error_alone",
        purpose="What an error leads to that affects nobody the lineage knows",
        take=_outcome,
    ),
    Key(
        name="major_version_with_old_alive",
        purpose="The most that a change leads to in a new major version while the repository keeps the "
        "old one (same id, old version) in a file of its own",
        take=_outcome,
    ),
    Key(
        name="deprecation_days",
        purpose="Days that a column or table must have been deprecated (custom property "
        "deprecatedSince: a date) before it may be removed; 0: none",
        take=_days,
    ),
    Key(
        name="must_agree",
        purpose="Whose waivers lift a block: consumers (the owner of each one that breaks), and names",
        take=_names,
    ),
    Key(
        name="waiver_days", purpose="The longest that a waiver may run, in days", take=_days, everywhere=False
    ),
    Key(
        name="not_seen_days",
        purpose="Days after which lineage that is not reported any more is named: a number or never, or "
        "one per source (openlineage, sql, default)",
        take=_days_by_source,
        everywhere=False,
    ),
    Key(
        name="stale_days",
        purpose="Days after which such lineage is stale: shown, and what it leads to is unknown",
        take=_days_by_source,
        everywhere=False,
    ),
)
"""Every key of a policy file but ``overrides``. Reader, documentation and tests read this tuple."""

_OVERRIDES = "overrides"
_EVERYWHERE = {k.name: k for k in KEYS if k.everywhere}


def key_rows() -> list[tuple[str, str]]:
    """Name and purpose (with the default) of every key, for help and documentation."""
    usual = Policy()
    rows = [(k.name, f"{k.purpose} (default: {_default(getattr(usual, k.name))})") for k in KEYS[1:]]
    overrides = (
        f"A list of {{match: {{{', '.join(_MATCH)}: glob}}, key: value, ...}}: what differs for some "
        f"contracts. The narrowest match wins: {' < '.join(_MATCH)}"
    )
    return [(KEYS[0].name, KEYS[0].purpose), *rows, (_OVERRIDES, overrides)]


def _default(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value[OTHERS]) if OTHERS in value else "none"
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return value.value.lower() if isinstance(value, Outcome) else str(value)


def read_policy(text: bytes, file: str) -> Policies:
    """The policy in ``text``; ``file`` is its name in locations.

    Raises UserMistake with every problem: YAML, keys and rules that are unknown, values that do not
    fit, each at its line and column.
    """
    root = parse(text, file, _FORM)
    fields = NodeReader(file)
    by_name = {k.name: k for k in KEYS}
    nodes = fields.known(root, [*by_name, _OVERRIDES], "a policy")
    fields.required(root, nodes, ["version"], "a policy")
    listed = nodes.pop(_OVERRIDES, None)
    settings = _taken(nodes, by_name, fields)
    overrides = [_override(n, fields) for n in fields.entries(listed, "'overrides'")] if listed else []
    if fields.problems:
        raise UserMistake(fields.problems)
    # Sorted by how narrow they match; among equals the order of the file stays.
    ranked = sorted((o for o in overrides if o is not None), key=lambda o: o.match.rank)
    return Policies(organisation=Policy(**settings), overrides=tuple(ranked))


def _taken(nodes: Mapping[str, Node], keys: Mapping[str, Key], fields: NodeReader) -> dict[str, Any]:
    found = {name: keys[name].take(node, fields, f"'{name}'") for name, node in nodes.items()}
    return {name: value for name, value in found.items() if value is not None}


def _override(node: Node, fields: NodeReader) -> Override | None:
    top_only = [k.name for k in KEYS if not k.everywhere]
    for name in top_only:
        if name in node.keys:
            fields.wrong(
                node.keys[name], f"'{name}' counts for all contracts", "write it outside 'overrides'"
            )
    nodes = fields.known(node, ["match", *_EVERYWHERE, *top_only], "an override")
    nodes = {k: n for k, n in nodes.items() if k not in top_only}
    fields.required(node, nodes, ["match"], "an override")
    matched = nodes.pop("match", None)
    settings = _taken(nodes, _EVERYWHERE, fields)
    if matched is None:
        return None
    globs = fields.known(matched, _MATCH, "'match'")
    texts = {name: fields.text(child, f"'{name}'") for name, child in globs.items()}
    if isinstance(matched.value, dict) and not matched.value:
        fields.wrong(matched, "'match' names nothing", f"name one or more of: {', '.join(_MATCH)}")
    return Override(match=Match(**{k: v for k, v in texts.items() if v}), settings=settings)
