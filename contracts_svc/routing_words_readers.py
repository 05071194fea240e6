"""What a message says to a stakeholder: what it means for *their* tables and columns, in their names, and who
is on it. No rows, no checks, no values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts_svc.alerts import Audience, Incident, IncidentState, Section, Transition
from contracts_svc.findings import Severity
from contracts_svc.lineage.graph import Consumer, Edge, EdgeKind, EdgeType
from contracts_svc.routes.channels import UNROUTED
from contracts_svc.routes.groups import WHO_IS_ON_IT
from contracts_svc.routing_phrases import (
    columns_reached,
    cut,
    how_bad,
    lasting,
    links,
    listed,
    place,
    reached,
    short,
    since_words,
    time,
    whole,
)
from contracts_svc.routing_reach import Path
from contracts_svc.routing_story import Message, Story, Told
from contracts_svc.runs import Check


def for_stakeholder(story: Story, told: Told) -> Message:
    """The message to a team whose data is made from what is wrong."""
    whose = listed([a.consumer.name for a in told.affected], most=2)
    effects = _effects(story, told)
    wrong = _wrong_lines(story, [t.incident for t in told.transitions])
    if story.over:
        return _over_for_stakeholder(story, told, whose, effects, wrong)
    worst = min((t.incident.severity for t in told.transitions), key=lambda s: s.rank)
    verb = ("is" if len(told.affected) == 1 else "are") if worst is Severity.ERROR else "may be"
    title = f"{whose} {verb} affected by wrong data in {story.table}{since_words(told.transitions)}"
    return short(title), (
        Section("What of yours is affected", effects),
        Section("What is wrong", wrong),
        Section(WHO_IS_ON_IT, _on_it(story, told.transitions)),
        *links(story, Audience.STAKEHOLDER),
    )


def _over_for_stakeholder(
    story: Story, told: Told, whose: str, effects: tuple[str, ...], wrong: tuple[str, ...]
) -> Message:
    until = max(t.at for t in told.transitions)
    began = min(t.incident.opened for t in told.transitions)
    sections = [
        Section("What of yours was affected", effects),
        Section("What was wrong", (*wrong, f"Lasted: {lasting(began, until)}")),
    ]
    if told.still_open:
        stays = "stays" if len(told.affected) == 1 else "stay"
        title = f"{story.table} is only partly right again: {whose} {stays} affected"
        sections.append(Section("What is still wrong", _wrong_lines(story, told.still_open)))
        sections.append(Section(WHO_IS_ON_IT, _on_it(story)))
        return short(title), tuple(sections)
    again = f"What was made from {story.table} in that time may have to be made again: "
    sections.append(Section("What to do next", (again + reached(told.affected),)))
    return short(f"{story.table} is right again: it is over for {whose}"), tuple(sections)


@dataclass(frozen=True, slots=True)
class _Effect:
    """What becomes of a target; ``pattern`` is a sentence with ``{target}`` and ``{source}``."""

    pattern: str
    target: str
    through: str


def _effects(story: Story, told: Told) -> tuple[str, ...]:
    """One sentence for each way in which something of theirs is affected, by however many columns."""
    sources: dict[_Effect, dict[str, None]] = {}
    for one in told.affected:
        for path in one.paths:
            column = path[0].source.column
            source = f"{story.table}.{column}" if column else story.table
            sources.setdefault(_effect(story, one.consumer, path), {})[source] = None
    return cut(
        e.pattern.format(target=e.target, source=listed(list(found), most=4)) + e.through
        for e, found in sources.items()
    )


_WHOLE_EFFECT = {
    EdgeType.FILTER: "Which rows {target} has is decided by {source}",
    EdgeType.JOIN: "Which rows of {target} are matched is decided by {source}",
    EdgeType.GROUP_BY: "How the rows of {target} are grouped is decided by {source}",
    EdgeType.SORT: "The order of {target} is decided by {source}",
}


def _effect(story: Story, consumer: Consumer, path: Path) -> _Effect:
    """As in ``carrier_scorecard.worst_dep_delay is made from flights.dep_delay``."""
    column = path[-1].target.column
    between = [_between(story, e) for e in path[:-1]]
    through = f" (through {', '.join(between)})" if between else ""
    target = whole(consumer)
    if column is not None:
        direct = all(e.kind is EdgeKind.DIRECT for e in path)
        pattern = "{target} is made from {source}" if direct else "{target} depends on {source}"
        target = columns_reached(consumer, (column,))
    elif path[-1].source.column is None and path[-1].type is EdgeType.UNKNOWN:
        pattern = "{target} reads {source}; which of its columns is not known"
    else:
        cause = next(e for e in path if e.target.column is None)
        pattern = _WHOLE_EFFECT.get(cause.type, "{target} as a whole depends on {source}")
    return _Effect(pattern, target, through)


def _between(story: Story, edge: Edge) -> str:
    name = story.names.get(edge.target.dataset, edge.target.dataset.name)
    return f"{name}.{edge.target.column}" if edge.target.column else name


_WRONG = {
    "accuracy": "has values that cannot be right",
    "completeness": "has values missing",
    "conformity": "has values that are not of the promised form",
    "consistency": "does not agree with other data",
    "coverage": "does not hold everything that it should",
    "timeliness": "is late",
    "uniqueness": "has duplicates",
}
"""ODCS quality dimension -> in plain words."""

_FORMS = (
    "enum", "invalid-values", "pattern", "format", "min-length", "max-length", "multiple-of",
    "logical-type", "physical-type", "value-type",
)  # fmt: skip
_WRONG_BY_KIND = {
    **dict.fromkeys(("required", "null-values", "missing-values"), _WRONG["completeness"]),
    **dict.fromkeys(
        ("minimum", "maximum", "exclusive-minimum", "exclusive-maximum"),
        "has values beyond what is promised",
    ),
    **dict.fromkeys(_FORMS, _WRONG["conformity"]),
    **dict.fromkeys(("unique", "duplicate-values"), _WRONG["uniqueness"]),
    "primary-key": "does not tell rows apart",
    "relationship": "names what other data does not know",
    **dict.fromkeys(("row-count", "throughput"), "does not have as many rows as it should"),
    **dict.fromkeys(("freshness", "frequency", "time-of-availability"), _WRONG["timeliness"]),
    "missing-column": "is not there",
    "table-present": "is not there",
}
"""Kind of check -> the same, where the promise names no dimension. Else it is just not kept."""

_PLURAL = {"has": "have", "is": "are", "does": "do", "names": "name"}


def _wrong_lines(story: Story, incidents: Sequence[Incident]) -> tuple[str, ...]:
    """One line for what is wrong with the same columns in the same way: the worst of it."""
    lines: dict[tuple[str, str, str], str] = {}
    for incident in incidents:
        columns = [f"{story.table}.{c}" for c in incident.columns]
        what = _wrong(incident.evidence.check, several=len(columns) > 1)
        where = place(incident.since)
        since = f"since {where}, " if where else ""
        subject = listed(columns) or story.table
        bad = how_bad(incident.evidence)
        text = f"{subject} {what}{bad}; {since}first seen {time(incident.opened)}"
        lines.setdefault((subject, what, where), text)
    return cut(lines.values())


def _wrong(check: Check, *, several: bool) -> str:
    by_kind = _WRONG_BY_KIND.get(check.kind, "is not as its contract promises")
    words = _WRONG.get(check.dimension or "", by_kind)
    verb, _, rest = words.partition(" ")
    return f"{_PLURAL[verb]} {rest}" if several else words


def _on_it(story: Story, transitions: Iterable[Transition] = ()) -> tuple[str, ...]:
    owner = story.owner
    where = "who gives no channel" if owner.receiver == UNROUTED else f"in {owner.reached}"
    # Somebody was, and is not any more.
    lapsed = [t.reason for t in transitions if t.before is IncidentState.ACKNOWLEDGED]
    before = [f"Nobody of them any more: it was {why}" for why in dict.fromkeys(lapsed)]
    return (f"{owner.team}, {where}", *before, "You hear here when it is over.")
