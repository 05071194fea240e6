"""The one comment on a pull request, short, and the summary of its check run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from contracts_svc.findings import Change
from contracts_svc.github.signoff import SignOff, State
from contracts_svc.impact import Impact, Level
from contracts_svc.lineage.graph import Consumer
from contracts_svc.render.markdown import escape
from contracts_svc.verdict import Verdict

MARKER = "<!-- contracts-svc: verdict -->"
"""The first line of our comment, by which we find it again. Nobody sees it."""
LONGEST_COMMENT = 65_536
_MOST = 20
"""Consumers, or names, in one list before the rest is only counted."""
_COLUMNS = 5
_URL = "/:?#@!$&*+,;=%-._~"
_SHOWN = (Level.BREAKS, Level.MAY_BREAK, Level.UNKNOWN)
_WORDS = {Level.BREAKS: "breaks", Level.MAY_BREAK: "may break", Level.UNKNOWN: "may be affected"}


def brief(verdict: Verdict, signed: SignOff | None = None) -> str:
    """The headline, the consumers that break, who must agree and what has been agreed, as Markdown."""
    parts = [f"**{escape(verdict.headline)}**"]
    parts += listed("", _consumers(verdict))
    parts += listed("Could not check", map(escape, verdict.could_not_check))
    if signed:
        parts += _signed(signed)
    elif verdict.must_agree:
        parts += listed("Must agree", map(escape, verdict.must_agree))
    agreed = [f"{escape(w.approver)}: {escape(_path(f.change, f.rule))}" for w, f in verdict.waived]
    parts += listed("Waived", agreed)
    return "\n\n".join(parts)


def comment_body(verdict: Verdict, signed: SignOff | None = None, link: str = "") -> str:
    """The comment: marker, the brief, and where the whole report is."""
    return framed(brief(verdict, signed), link)


def mistake_body(sentences: Iterable[str], link: str = "") -> str:
    """The comment on a pull request that came to no verdict."""
    return framed("\n\n".join(["**No verdict yet**", *listed("", map(escape, sentences))]), link)


def untouched_body() -> str:
    """What the comment of an earlier push becomes when no contract is touched any more."""
    return f"{MARKER}\nNo contract is touched any more."


def framed(text: str, link: str) -> str:
    """A comment of ours with this Markdown: marker, text, link; within what GitHub takes."""
    tail = f"\n\n[The whole report]({quote(link, safe=_URL)})" if link else ""
    room = LONGEST_COMMENT - len(MARKER) - len(tail) - 100
    if len(text.encode()) > room:
        # A cut through the middle of an escape would be markup again: whole lines only.
        kept = text.encode()[:room].decode("utf-8", "ignore").rpartition("\n")[0]
        text = f"{kept}\n\nToo long to show here." if kept else "Too long to show here."
    return f"{MARKER}\n{text}{tail}"


def _consumers(verdict: Verdict) -> list[str]:
    found: defaultdict[Consumer, list[Impact]] = defaultdict(list)
    for impact in verdict.impacts:
        if impact.level in _SHOWN and not verdict.ruling_of(impact.finding).waived:
            found[impact.consumer].append(impact)
    by_level = sorted(found.items(), key=lambda item: (min(i.level.rank for i in item[1]), item[0].name))
    return [_consumer(consumer, impacts) for consumer, impacts in by_level]


def _consumer(consumer: Consumer, impacts: Sequence[Impact]) -> str:
    worst = min((i.level for i in impacts), key=lambda level: level.rank)
    counted = [i for i in impacts if i.level is worst]
    paths = list(dict.fromkeys(_path(i.finding.change, i.finding.rule) for i in counted))
    more = f" and {len(paths) - _COLUMNS} more" if len(paths) > _COLUMNS else ""
    team = f" ({consumer.team})" if consumer.team else ""
    return f"{escape(f'{consumer.name}{team}')} {_WORDS[worst]}: {escape(', '.join(paths[:_COLUMNS]))}{more}"


def _signed(signed: SignOff) -> list[str]:
    lines: defaultdict[State, dict[str, None]] = defaultdict(dict)
    for standing in signed.standings:
        what = escape(standing.path)
        said = {
            State.OPEN: escape(standing.approver),
            State.AGREED: f"{escape(standing.approver)} ({escape(standing.by)}): {what}",
            State.OBJECTED: f"{escape(standing.approver)} ({escape(standing.by)}): {what}",
            State.OVERRIDDEN: f"{what}: {escape(standing.reason)}",
        }[standing.state]
        lines[standing.state][said] = None
    parts = listed("Overridden by an administrator", lines[State.OVERRIDDEN])
    parts += listed("Must agree", lines[State.OPEN])
    parts += listed("Asks for a change", lines[State.OBJECTED])
    parts += listed("Agreed", lines[State.AGREED])
    told = (f"{escape(n)}: no person or team of GitHub is configured" for n in signed.unknown)
    return parts + listed("Cannot be asked here", told)


def listed(title: str, lines: Iterable[str]) -> list[str]:
    """A list under a title, as parts of Markdown; the first 20 lines, the others counted."""
    every = [f"- {line}" for line in lines]
    if not every:
        return []
    shown = every[:_MOST] + ([f"- and {len(every) - _MOST} more"] if len(every) > _MOST else [])
    return [f"{title}:"] * bool(title) + ["\n".join(shown)]


def _path(change: Change | None, rule: str) -> str:
    return change.path if change else rule
