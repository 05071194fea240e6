"""Silences: what somebody said not to tell of for a while, and why.

A silence keeps back that something is wrong, not that it is over: who was told of an incident before
it was silenced hears its end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from contracts_svc.errors import Problem, UserMistake
from contracts_svc.routes.matchers import Matcher, MatcherError, Op, matches_all, parse

LONGEST = timedelta(days=90)
"""What is to be quiet for longer is not silenced but mended, or its promise is changed."""
_LONGEST_REASON = 1_000

SQUAD, TENANT = "squad", "tenant"
"""Labels that decide who may silence what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts whose labels satisfy all ``matchers`` are not told from ``begins`` up to ``ends``."""

    id: str
    matchers: tuple[Matcher, ...]
    author: str
    reason: str
    begins: datetime
    ends: datetime

    def active(self, at: datetime) -> bool:
        """Whether it is in force at that moment."""
        return self.begins <= at < self.ends

    def mutes(self, labels: Mapping[str, str], at: datetime) -> bool:
        """Whether it keeps an alert with these labels back at that moment."""
        return self.active(at) and matches_all(self.matchers, labels)

    def ended(self, now: datetime) -> Silence:
        """The same, over now; one that is over already stays as it is."""
        return self if self.ends <= now else replace(self, ends=now, begins=min(self.begins, now))


def silence(
    texts: Sequence[str],
    *,
    author: str,
    reason: str,
    begins: datetime,
    ends: datetime,
    now: datetime,
    of_tenant: str | None = None,
) -> Silence:
    """A new silence. ``texts`` are matchers, as ``severity="warning"``; all must hold. With ``of_tenant``
    only alerts of that tenant are kept back, "" being those of none.

    Raises UserMistake with every problem. Matchers that an alert without any label satisfies would
    silence everything there is, and are refused.
    """
    problems: list[Problem] = []
    matchers: list[Matcher] = []
    for text in texts:
        try:
            matchers += parse(text)
        except MatcherError as error:
            hint = "write for instance 'dataset=\"flights\"'"
            problems.append(Problem(None, f"{text!r} is no matcher: {error}", hint))
    if not problems and matches_all(matchers, {}):
        hint = "name at least one label that an alert must have, as in 'squad=menu'"
        problems.append(Problem(None, "this would silence every alert", hint))
    if not author.strip():
        problems.append(Problem(None, "nobody is named who silences it", "say who"))
    if not reason.strip() or len(reason) > _LONGEST_REASON:
        problem = f"a silence needs a reason of at most {_LONGEST_REASON:,} characters"
        problems.append(Problem(None, problem, "say why, for those who wonder later"))
    if ends <= max(begins, now):
        problems.append(Problem(None, "the silence would be over before it begins", "name a later end"))
    elif ends - begins > LONGEST:
        hint = "mend what is wrong, or change its promise in a pull request"
        problems.append(Problem(None, f"a silence lasts at most {LONGEST.days} days", hint))
    if problems:
        raise UserMistake(problems)
    if of_tenant is not None:
        matchers.append(Matcher(TENANT, Op.EQUAL, of_tenant))
    ordered = tuple(sorted(set(matchers)))
    parts = [*map(str, ordered), author, reason, begins.isoformat(), ends.isoformat()]
    name = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
    return Silence(id=name, matchers=ordered, author=author, reason=reason, begins=begins, ends=ends)


def value_of(silence: Silence, label: str) -> str | None:
    """The one value that alerts must have of a label for this silence; None: they may have several."""
    return next((m.value for m in silence.matchers if m.name == label and m.op is Op.EQUAL), None)


def silenced(labels: Mapping[str, str], silences: Iterable[Silence], at: datetime) -> Silence | None:
    """The silence that keeps an alert with these labels back at that moment, or None."""
    return next((s for s in silences if s.mutes(labels, at)), None)
