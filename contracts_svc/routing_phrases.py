"""Phrases that messages to owners and to readers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from contracts_svc import links as pages
from contracts_svc.alerts import Audience, Incident, Link, Section, Transition
from contracts_svc.incidents import natural
from contracts_svc.lineage.graph import Consumer, ConsumerKind
from contracts_svc.routing_reach import Affected
from contracts_svc.routing_story import LONGEST_TITLE, MOST_LINES, MOST_LINKS, Story
from contracts_svc.runs import WHOLE_TABLE, Result


def reached(affected: Iterable[Affected]) -> str:
    return "; ".join(columns_reached(a.consumer, a.columns) for a in affected)


def columns_reached(consumer: Consumer, columns: Sequence[str]) -> str:
    if not columns:
        return whole(consumer)
    if has_plain_name(consumer):
        return listed([f"{consumer.name}.{c}" for c in columns])
    return f"{listed([quoted(c) for c in columns])} of {whole(consumer)}"


def links(story: Story, audience: Audience) -> tuple[Section, ...]:
    """Where to look further."""
    first = story.transitions[0].incident
    found: list[Link] = []
    if story.public_url:
        base = story.public_url.rstrip("/")
        if audience is Audience.OWNER:
            for incident in [t.incident for t in story.transitions][:MOST_LINKS]:
                title = incident.evidence.check.title or incident.check
                found.append(Link(f"Incident: {title}", base + pages.incident(incident.fingerprint)))
        name = story.contract.title if story.contract else first.contract
        found.append(Link(f"Contract {name}", base + pages.contract(first.contract)))
    if audience is Audience.STAKEHOLDER and story.owner.url.startswith(("https://", "http://")):
        found.append(Link(f"Ask {story.owner.team}", story.owner.url))
    return (Section("Links", links=tuple(found)),) if found else ()


def still(incident: Incident) -> str:
    return f"{incident.evidence.check.title or incident.check} (since {incident.since})"


def whole(consumer: Consumer) -> str:
    if has_plain_name(consumer):
        return consumer.name
    return f"the {consumer.kind.value} {quoted(consumer.name)}"


def has_plain_name(consumer: Consumer) -> bool:
    """Tables and jobs are known by a name; a dashboard has a title."""
    return consumer.kind in (ConsumerKind.CONTRACT, ConsumerKind.JOB)


def quoted(name: str) -> str:
    return f'"{name}"'


def columns_of(incidents: Iterable[Incident]) -> list[str]:
    """All columns concerned; empty when some incident is about the table as a whole."""
    found = [i.columns for i in incidents]
    return list(dict.fromkeys(c for columns in found for c in columns)) if all(found) else []


def listed(names: Sequence[str], most: int = 3) -> str:
    """``a, b and c``; what is more than ``most`` is a number."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def cut(lines: Iterable[str]) -> tuple[str, ...]:
    kept = tuple(lines)
    more = len(kept) - MOST_LINES
    return (*kept[:MOST_LINES], f"and {more} more") if more > 0 else kept


def short(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def first(incidents: Iterable[Incident]) -> str:
    return min((i.since for i in incidents), key=natural)


def since_words(transitions: Iterable[Transition]) -> str:
    found = place(first(t.incident for t in transitions))
    return f" since {found}" if found else ""


def place(since: str) -> str:
    """The partition, without the path of a file; empty for a whole table or an unpartitioned file."""
    if since == WHOLE_TABLE:
        return ""
    return "/".join(p for p in since.split("/") if "=" in p)


def count(result: Result) -> str:
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


def how_bad(result: Result) -> str:
    """As in `` in some rows, 1,204 of 28,135 (4.3 %)``."""
    if not result.failing or not result.rows:
        return ""
    share = result.failing / result.rows
    amount = next((words for least, words in _AMOUNTS if share >= least), "in few rows")
    return f" {amount}, {count(result)}"


def time(at: datetime) -> str:
    if at.tzinfo is None:
        return f"{at:%Y-%m-%d %H:%M}"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def period(incident: Incident) -> str:
    return lasting(incident.opened, incident.resolved or incident.seen)


def lasting(began: datetime, ended: datetime) -> str:
    return f"{time(began)} to {time(ended)} ({duration(ended - began)})"


def duration(length: timedelta) -> str:
    minutes = max(int(length.total_seconds() // 60), 0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(parts) or "under a minute"
