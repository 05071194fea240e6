"""What a message says: to an owner, and to a stakeholder.

An owner gets what is needed to repair it: checks, figures, sample rows, places. A stakeholder gets
what it means for *their* tables and columns, in their names, and who is on it: no rows, no checks, no
values. All text is neutral; each receiver escapes and lays it out in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts_svc.alerts import Incident, Section, Transition
from contracts_svc.findings import Severity
from contracts_svc.incidents import COULD_NOT_CHECK, natural
from contracts_svc.lineage.graph import Consumer, ConsumerKind, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.model import NOWHERE, Contract
from contracts_svc.routing_reach import Affected, Path
from contracts_svc.runs import WHOLE_TABLE, Result

UNROUTED = "unrouted"
"""The receiver of a message to a team that gives no channel: it stays visible, it is not dropped."""

MOST_LINES = 10
"""How many lines or checks of one sort a message lists; of the rest it gives the number."""
MOST_ROWS = 5
"""How many sample rows a message shows for one check."""
LONGEST_TITLE = 120
"""Characters."""

Message = tuple[str, tuple[Section, ...]]
"""Title and sections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """A team and where it is reached."""

    team: str
    receiver: str
    channel: str
    url: str = ""
    """A link to the channel, for people."""
    tribe: str = ""

    @property
    def reached(self) -> str:
        """As in ``#finance on Slack``."""
        if self.receiver == UNROUTED:
            return "no channel known"
        return f"{self.channel} on {self.receiver.capitalize()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A stakeholder team, which of its consumers are affected, and by which of the transitions."""

    recipient: Recipient
    affected: tuple[Affected, ...]
    transitions: tuple[Transition, ...]
    still_open: tuple[Incident, ...] = ()
    """Incidents told of earlier that affect the team as well and are not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What happened to one dataset: transitions that are all openings or all endings."""

    table: str
    dataset: DatasetId
    over: bool
    transitions: tuple[Transition, ...]
    owner: Recipient
    contract: Contract | None = None
    told: tuple[Told, ...] = ()
    own: tuple[Affected, ...] = ()
    """The owner's own consumers that are affected."""
    still_open: tuple[Incident, ...] = ()
    names: Mapping[DatasetId, str] = field(default_factory=dict)
    """What the readers of a dataset call it."""
    explained: tuple[Incident, ...] = ()
    """Incidents further down that this one is the cause of."""


# --- to the owner ---------------------------------------------------------------------------------


def for_owner(story: Story) -> Message:
    """The message to whoever has to repair it, or has done so."""
    what = _columns_of(t.incident for t in story.transitions)
    subject = f"{story.table}: {_listed(what)}" if what else story.table
    verb = "is" if len(what) <= 1 else "are"
    sections = [_check(t, story.over) for t in story.transitions[:MOST_LINES]]
    if rest := story.transitions[MOST_LINES:]:
        sections.append(Section(f"And {len(rest)} more checks", _cut(t.incident.check for t in rest)))
    sections += _who_is_affected(story)
    if story.explained:
        lines = (f"{i.table}: {i.evidence.check.title or i.check}" for i in story.explained)
        sections.append(Section("Explains as well", _cut(dict.fromkeys(lines))))
    if story.transitions[0].incident.check == COULD_NOT_CHECK:
        return _unchecked(story, sections)
    if story.over:
        title = f"{subject} {verb} as promised again"
        if story.still_open:
            sections.append(Section("Still not as promised", _cut(map(_still, story.still_open))))
    else:
        title = f"{subject} {verb} not as promised{_since_words(story.transitions)}"
        sections.append(Section("What to do next", _next_steps(story)))
    return _short(title), tuple(sections)


def _unchecked(story: Story, sections: list[Section]) -> Message:
    """Nobody knows whether the data is right: neither "wrong" nor "right again" may be said."""
    (transition,) = story.transitions
    if story.over:
        return _short(f"{story.table} can be checked again"), ()
    result = transition.incident.evidence
    why = (f"Check: {result.check.title or result.check.id}", f"Reason: {result.reason or 'not known'}")
    lasting = (f"Last tried: {_time(transition.incident.seen)}", "Whether the data is right is not known.")
    title = f"{story.table} {transition.reason}"
    return _short(title), (Section("What could not be checked", (*why, *lasting)),)


def _check(transition: Transition, over: bool) -> Section:
    incident, result = transition.incident, transition.incident.evidence
    lines = [f"Check: {incident.check} ({incident.severity.value})"]
    if over:
        lines.append(f"Before: {result.found or result.outcome.value}. Now: {transition.reason}")
        lines.append(f"Lasted: {_period(incident)}")
    else:
        lines += _figures(incident)
        if transition.before is not None:
            lines.append(f"Changed: {transition.reason}")
    at = result.check.at
    if at != NOWHERE:
        lines.append(f"Promised at: {at.file}:{at.line}")
    rows = () if over else result.samples[:MOST_ROWS]
    if rows:
        lines.append(f"Sample rows: {len(rows)} of those that fail")
    return Section(result.check.title or incident.check, tuple(lines), rows)


def _figures(incident: Incident) -> list[str]:
    result = incident.evidence
    lines = [f"Expected: {result.expected}"] if result.expected else []
    if result.found:
        lines.append(f"Found: {result.found}")
    if count := _count(result):
        lines.append(f"Failing rows: {count}")
    lines.append(f"Since: {incident.since}, first seen {_time(incident.opened)}")
    worst = sorted((p for p in result.breakdown if p.failing), key=lambda p: -p.failing)
    if len(worst) > 1:
        parts = [f"{p.where}: {p.failing:,}" for p in worst[:MOST_LINES]]
        more = len(worst) - len(parts)
        lines.append("Where: " + "; ".join(parts) + (f"; and {more} more" if more else ""))
    return lines


def _who_is_affected(story: Story) -> list[Section]:
    lines = [f"{story.owner.team} (you): {_reached(story.own)}"] if story.own else []
    for told in story.told:
        known = "" if told.recipient.receiver != UNROUTED else ", so nobody could be told"
        lines.append(f"{told.recipient.team} ({told.recipient.reached}{known}): {_reached(told.affected)}")
    heading = "Who hears that it is over" if story.over else "Who is affected and told"
    return [Section(heading, _cut(lines))] if lines else []


def _reached(affected: Iterable[Affected]) -> str:
    return "; ".join(_columns_reached(a.consumer, a.columns) for a in affected)


def _columns_reached(consumer: Consumer, columns: Sequence[str]) -> str:
    if not columns:
        return _whole(consumer)
    if _has_plain_name(consumer):
        return _listed([f"{consumer.name}.{c}" for c in columns])
    return f"{_listed([_quoted(c) for c in columns])} of {_whole(consumer)}"


def _next_steps(story: Story) -> tuple[str, ...]:
    file = story.contract.at.file if story.contract else ""
    command = f"contracts check {file or story.transitions[0].incident.contract}"
    places = {_place(p.where) for t in story.transitions for p in t.incident.evidence.breakdown}
    if len(places) == 1:
        parts = places.pop().replace(", ", "/").split("/")
        command += "".join(f" --partition {p}" for p in parts if p)
    return (
        f"Repair and publish {story.table} again, then check it: {command}",
        "If the data is right and the promise is wrong, change the contract in a pull request:"
        " its consumers are asked there.",
    )


def _still(incident: Incident) -> str:
    return f"{incident.evidence.check.title or incident.check} (since {incident.since})"


# --- to a stakeholder -----------------------------------------------------------------------------


def for_stakeholder(story: Story, told: Told) -> Message:
    """The message to a team whose data is made from what is wrong."""
    whose = _listed([a.consumer.name for a in told.affected], most=2)
    effects = _effects(story, told)
    wrong = _wrong_lines(story, [t.incident for t in told.transitions])
    if story.over:
        return _over_for_stakeholder(story, told, whose, effects, wrong)
    worst = min((t.incident.severity for t in told.transitions), key=lambda s: s.rank)
    verb = ("is" if len(told.affected) == 1 else "are") if worst is Severity.ERROR else "may be"
    title = f"{whose} {verb} affected by wrong data in {story.table}{_since_words(told.transitions)}"
    return _short(title), (
        Section("What of yours is affected", effects),
        Section("What is wrong", wrong),
        Section("Who is on it", _on_it(story)),
    )


def _over_for_stakeholder(
    story: Story, told: Told, whose: str, effects: tuple[str, ...], wrong: tuple[str, ...]
) -> Message:
    until = max(t.at for t in told.transitions)
    began = min(t.incident.opened for t in told.transitions)
    sections = [
        Section("What of yours was affected", effects),
        Section("What was wrong", (*wrong, f"Lasted: {_lasting(began, until)}")),
    ]
    if told.still_open:
        stays = "stays" if len(told.affected) == 1 else "stay"
        title = f"{story.table} is only partly right again: {whose} {stays} affected"
        sections.append(Section("What is still wrong", _wrong_lines(story, told.still_open)))
        sections.append(Section("Who is on it", _on_it(story)))
        return _short(title), tuple(sections)
    again = f"What was made from {story.table} in that time may have to be made again: "
    sections.append(Section("What to do next", (again + _reached(told.affected),)))
    return _short(f"{story.table} is right again: it is over for {whose}"), tuple(sections)


def _effects(story: Story, told: Told) -> tuple[str, ...]:
    paths = ((one.consumer, path) for one in told.affected for path in one.paths)
    return _cut(dict.fromkeys(_effect(story, consumer, path) for consumer, path in paths))


_WHOLE_EFFECT = {
    EdgeType.FILTER: "Which rows {target} has is decided by {source}",
    EdgeType.JOIN: "Which rows of {target} are matched is decided by {source}",
    EdgeType.GROUP_BY: "How the rows of {target} are grouped is decided by {source}",
    EdgeType.SORT: "The order of {target} is decided by {source}",
}


def _effect(story: Story, consumer: Consumer, path: Path) -> str:
    """One sentence: ``carrier_scorecard.worst_dep_delay is made from flights.dep_delay``."""
    source = path[0].source.column
    fills = {
        "source": f"{story.table}.{source}" if source else story.table,
        "target": _whole(consumer),
    }
    column = path[-1].target.column
    between = [_between(story, e) for e in path[:-1]]
    through = f" (through {', '.join(between)})" if between else ""
    if column is not None:
        verb = "is made from" if all(e.kind is EdgeKind.DIRECT for e in path) else "depends on"
        sentence = f"{_columns_reached(consumer, (column,))} {verb} {fills['source']}"
    elif path[-1].source.column is None and path[-1].type is EdgeType.UNKNOWN:
        sentence = f"{fills['target']} reads {fills['source']}; which of its columns is not known"
    else:
        cause = next(e for e in path if e.target.column is None)
        sentence = _WHOLE_EFFECT.get(cause.type, "{target} as a whole depends on {source}").format_map(fills)
    return sentence + through


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
"""ODCS quality dimension -> in plain words. A promise without one is just not kept."""


def _wrong_lines(story: Story, incidents: Sequence[Incident]) -> tuple[str, ...]:
    lines: dict[str, None] = {}
    for incident in incidents:
        columns = [f"{story.table}.{c}" for c in incident.columns]
        what = _WRONG.get(incident.evidence.check.dimension or "", "is not as its contract promises")
        how_bad = _how_bad(incident.evidence)
        where = _place(incident.since)
        since = f"since {where}, " if where else ""
        lines.setdefault(
            f"{_listed(columns) or story.table} {what}{how_bad}; {since}first seen {_time(incident.opened)}"
        )
    return _cut(lines)


def _on_it(story: Story) -> tuple[str, ...]:
    reached = story.owner.reached
    if story.owner.receiver == UNROUTED:
        return (f"{story.owner.team}, who gives no channel", "You hear here when it is over.")
    return (f"{story.owner.team}, in {reached}", "You hear here when it is over.")


# --- phrases --------------------------------------------------------------------------------------


def _whole(consumer: Consumer) -> str:
    if _has_plain_name(consumer):
        return consumer.name
    return f"the {consumer.kind.value} {_quoted(consumer.name)}"


def _has_plain_name(consumer: Consumer) -> bool:
    """Tables and jobs are known by a name; a dashboard has a title."""
    return consumer.kind in (ConsumerKind.CONTRACT, ConsumerKind.JOB)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _columns_of(incidents: Iterable[Incident]) -> list[str]:
    """All columns concerned; empty when some incident is about the table as a whole."""
    found = [i.columns for i in incidents]
    return list(dict.fromkeys(c for columns in found for c in columns)) if all(found) else []


def _listed(names: Sequence[str], most: int = 3) -> str:
    """``a, b and c``; what is more than ``most`` is a number."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _cut(lines: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(lines)
    more = len(kept) - MOST_LINES
    return (*kept[:MOST_LINES], f"and {more} more") if more > 0 else kept


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def _first(incidents: Iterable[Incident]) -> str:
    return min((i.since for i in incidents), key=natural)


def _since_words(transitions: Iterable[Transition]) -> str:
    place = _place(_first(t.incident for t in transitions))
    return f" since {place}" if place else ""


def _place(since: str) -> str:
    """The partition, without the path of a file; empty for a whole table or an unpartitioned file."""
    if since == WHOLE_TABLE:
        return ""
    return "/".join(p for p in since.split("/") if "=" in p)


def _count(result: Result) -> str:
    if result.failing is None:
        return ""
    if not result.rows:
        return f"{result.failing:,}"
    share = 100 * result.failing / result.rows
    return f"{result.failing:,} of {result.rows:,} ({'under 0.1' if share < 0.1 else f'{share:.1f}'} %)"


_AMOUNTS = (
    (0.995, "in nearly all rows"),
    (0.5, "in most rows"),
    (0.1, "in many rows"),
    (0.01, "in some rows"),
)


def _how_bad(result: Result) -> str:
    """As in `` in some rows, 1,204 of 28,135 (4.3 %)``."""
    if not result.failing or not result.rows:
        return ""
    share = result.failing / result.rows
    amount = next((words for least, words in _AMOUNTS if share >= least), "in few rows")
    return f" {amount}, {_count(result)}"


def _time(at: datetime) -> str:
    if at.tzinfo is None:
        return f"{at:%Y-%m-%d %H:%M}"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _period(incident: Incident) -> str:
    return _lasting(incident.opened, incident.resolved or incident.seen)


def _lasting(began: datetime, ended: datetime) -> str:
    return f"{_time(began)} to {_time(ended)} ({_duration(ended - began)})"


def _duration(length: timedelta) -> str:
    minutes = max(int(length.total_seconds() // 60), 0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or "under a minute"
