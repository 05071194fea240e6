"""What a message says to an owner: what is needed to repair it: checks, figures, sample rows, places.

All text is neutral; each receiver escapes and lays it out in its own way. What readers get is in
:mod:`.routing_words_readers`.
"""

from __future__ import annotations

from collections.abc import Sequence

from contracts_svc.alerts import Audience, Incident, Section, Transition
from contracts_svc.incidents import COULD_NOT_CHECK
from contracts_svc.incidents_background import Background
from contracts_svc.model import NOWHERE
from contracts_svc.routes.channels import UNROUTED
from contracts_svc.routing_phrases import (
    columns_of,
    count,
    cut,
    links,
    listed,
    period,
    place,
    reached,
    short,
    since_words,
    still,
    time,
)
from contracts_svc.routing_story import MOST_LINES, MOST_ROWS, Message, Recipient, Story, Told
from contracts_svc.routing_words_readers import for_stakeholder
from contracts_svc.runs import WHOLE_TABLE

__all__ = ["UNROUTED", "Message", "Recipient", "Story", "Told", "for_owner", "for_stakeholder"]


def for_owner(story: Story) -> Message:
    """The message to whoever has to repair it, or has done so."""
    what = columns_of(t.incident for t in story.transitions)
    subject = f"{story.table}: {listed(what)}" if what else story.table
    verb = "is" if len(what) <= 1 else "are"
    backgrounds = [story.background(t.incident) for t in story.transitions[:MOST_LINES]]
    sections = [_check(t, story.over, b) for t, b in zip(story.transitions, backgrounds, strict=False)]
    if rest := story.transitions[MOST_LINES:]:
        sections.append(Section(f"And {len(rest)} more checks", cut(t.incident.check for t in rest)))
    if not story.over and (likely := _likely(story, backgrounds)):
        sections.append(Section("Likely cause", likely))
    sections += _who_is_affected(story)
    if story.explained:
        lines = (f"{i.table}: {i.evidence.check.title or i.check}" for i in story.explained)
        sections.append(Section("Explains as well", cut(dict.fromkeys(lines))))
    if story.transitions[0].incident.check == COULD_NOT_CHECK:
        return _unchecked(story, sections)
    if story.over:
        title = f"{subject} {verb} as promised again"
        if story.still_open:
            sections.append(Section("Still not as promised", cut(map(still, story.still_open))))
    else:
        title = f"{subject} {verb} not as promised{since_words(story.transitions)}"
        sections.append(Section("What to do next", _next_steps(story)))
    return short(title), (*sections, *links(story, Audience.OWNER))


def _likely(story: Story, backgrounds: Sequence[Background]) -> tuple[str, ...]:
    """What may be the cause, of all that is wrong."""
    above = (story.causes.get(t.incident.cause) for t in story.transitions)
    upstream = [f"{still(i)} is wrong in {i.table}, which this is made from" for i in above if i is not None]
    return cut(dict.fromkeys([*upstream, *(c for b in backgrounds for c in b.causes)]))


def _unchecked(story: Story, sections: list[Section]) -> Message:
    """Nobody knows whether the data is right: neither "wrong" nor "right again" may be said."""
    (transition,) = story.transitions
    if story.over:
        return short(f"{story.table} can be checked again"), ()
    result = transition.incident.evidence
    why = (f"Check: {result.check.title or result.check.id}", f"Reason: {result.reason or 'not known'}")
    lasting = (f"Last tried: {time(transition.incident.seen)}", "Whether the data is right is not known.")
    title = f"{story.table} {transition.reason}"
    return short(title), (Section("What could not be checked", (*why, *lasting)),)


def _check(transition: Transition, over: bool, known: Background) -> Section:
    incident, result = transition.incident, transition.incident.evidence
    lines = [f"Check: {incident.check} ({incident.severity.value})"]
    if over:
        lines.append(f"Before: {result.found or result.outcome.value}. Now: {transition.reason}")
        lines.append(f"Lasted: {period(incident)}")
    else:
        lines += _figures(incident)
        lines += _last_good(known)
        if transition.before is not None:
            lines.append(f"Changed: {transition.reason}")
    at = result.check.at
    if at != NOWHERE:
        lines.append(f"Promised at: {at.file}:{at.line}")
    rows = () if over else result.samples[:MOST_ROWS]
    if rows:
        lines.append(f"Sample rows: {len(rows)} of those that fail")
    return Section(result.check.title or incident.check, tuple(lines), rows)


def _last_good(known: Background) -> list[str]:
    if not known.looked:
        return []
    if known.last_good is None:
        none = "none before it" if known.looked == 1 else f"none of the last {known.looked}"
        return [f"Last good run: {none}"]
    good = known.last_good
    scope = "" if good.scope == WHOLE_TABLE else f" on {good.scope}"
    return [f"Last good run: {time(good.at)}{scope}, by version {good.version}"]


def _figures(incident: Incident) -> list[str]:
    result = incident.evidence
    lines = [f"Expected: {result.expected}"] if result.expected else []
    if result.found:
        lines.append(f"Found: {result.found}")
    # Most checks say so in what they found.
    if (failing := count(result)) and f"{result.failing:,} of " not in result.found:
        lines.append(f"Failing rows: {failing}")
    lines.append(f"Since: {incident.since}, first seen {time(incident.opened)}")
    worst = sorted((p for p in result.breakdown if p.failing), key=lambda p: -p.failing)
    if len(worst) > 1:
        parts = [f"{p.where}: {p.failing:,}" for p in worst[:MOST_LINES]]
        more = len(worst) - len(parts)
        lines.append("Where: " + "; ".join(parts) + (f"; and {more} more" if more else ""))
    return lines


def _who_is_affected(story: Story) -> list[Section]:
    lines = [f"{story.owner.team} (you): {reached(story.own)}"] if story.own else []
    for told in story.told:
        known = "" if told.recipient.receiver != UNROUTED else ", so nobody could be told"
        lines.append(f"{told.recipient.team} ({told.recipient.reached}{known}): {reached(told.affected)}")
    heading = "Who hears that it is over" if story.over else "Who is affected and told"
    return [Section(heading, cut(lines))] if lines else []


def _next_steps(story: Story) -> tuple[str, ...]:
    file = story.contract.at.file if story.contract else ""
    command = f"contracts check {file or story.transitions[0].incident.contract}"
    places = {place(p.where) for t in story.transitions for p in t.incident.evidence.breakdown}
    if len(places) == 1:
        parts = places.pop().replace(", ", "/").split("/")
        command += "".join(f" --partition {p}" for p in parts if p)
    return (
        f"Repair and publish {story.table} again, then check it: {command}",
        "If the data is right and the promise is wrong, change the contract in a pull request:"
        " its consumers are asked there.",
    )
