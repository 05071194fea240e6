"""Which times of a table's past are not to be learned from, as its incidents and silences tell.

What somebody acknowledged or silenced is known to be odd: it is no example of what is usual. What
somebody resolved by hand, of a check that compares with history, is the new usual: the figures before it
began are forgotten, and it is learned anew from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from contracts_svc.alerts import IncidentState, Transition
from contracts_svc.routes.matchers import matches_all
from contracts_svc.routes.silences import Silence

T = TypeVar("T")

_FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another, both included."""

    begins: datetime
    ends: datetime = _FOREVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Lessons:
    """What of the past counts."""

    odd: tuple[Span, ...] = ()
    """Nothing of these times does."""
    anew: Mapping[str, datetime] = field(default_factory=dict)
    """Check id -> from when on its figures count."""

    def kept(self, check: str, points: Iterable[T], at: Callable[[T], datetime]) -> tuple[T, ...]:
        """Those of a check's points that count."""
        start = self.anew.get(check)
        return tuple(
            p
            for p in points
            if (start is None or at(p) >= start) and not any(s.begins <= at(p) <= s.ends for s in self.odd)
        )


def lessons(
    transitions: Iterable[Transition],
    silences: Iterable[Silence],
    labels: Sequence[Mapping[str, str]],
) -> Lessons:
    """What the past of a table teaches.

    ``transitions`` are those of all its incidents, oldest first; ``silences`` also those that are over.
    ``labels`` are those that alerts about the table can have: what mutes any of them counts.
    """
    odd: list[Span] = []
    anew: dict[str, datetime] = {}
    acknowledged: dict[str, datetime] = {}
    """Fingerprint -> since when the incident was open that somebody acknowledged."""
    for moved in transitions:
        after = moved.incident
        if after.state is IncidentState.ACKNOWLEDGED:
            acknowledged.setdefault(after.fingerprint, after.opened)
        if after.state is not IncidentState.RESOLVED:
            continue
        since = acknowledged.pop(after.fingerprint, None)
        if since is not None:
            # The run that passed is fine again.
            odd.append(Span(since, after.seen))
        if after.resolved_by:
            anew[after.check] = after.opened
    odd += [Span(since) for since in acknowledged.values()]
    odd += [
        Span(s.begins, s.ends) for s in silences if any(matches_all(s.matchers, given) for given in labels)
    ]
    accepted = set(anew.values())
    # What was taken to be the new usual is not odd, though somebody was on it before.
    return Lessons(odd=tuple(s for s in odd if s.begins not in accepted), anew=anew)
