"""Sign-off: who has to agree to a pull request's breaks, who has, and what that makes of the check.

A state machine without memory: the same verdict and opinions always give the same standing, in
whatever order and however often they were heard of. An agreement is bound to the change's fingerprint:
a changed change asks again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from contracts_svc.github.check_run import Conclusion, concluded
from contracts_svc.policy import Outcome
from contracts_svc.ruling import Ruling
from contracts_svc.verdict import Verdict
from contracts_svc.waivers import Waiver


class Stance(StrEnum):
    """What somebody said, in the words of GitHub's reviews. A comment takes nothing back."""

    APPROVED = "approved"
    CHANGES_REQUESTED = "changes_requested"
    DISMISSED = "dismissed"
    COMMENTED = "commented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What one person said of one state of the pull request: a review, or the press of a button.

    ``number`` orders the opinions of a person; the later counts. ``seen`` are the fingerprints of the
    changes that asked for agreement at the commit which the opinion is about.
    """

    user: str
    stance: Stance
    number: int
    seen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """An administrator lets a break through on their own responsibility. Needs a reason."""

    user: str
    reason: str
    seen: frozenset[str]


class State(StrEnum):
    """How it stands with one who must agree."""

    OPEN = "open"
    AGREED = "agreed"
    OBJECTED = "objected"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with one change and one of those who must agree to it.

    ``approver`` is the name that the contract or the policy has for them, ``by`` who spoke for them.
    """

    fingerprint: str
    path: str
    approver: str
    state: State
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """How it stands with all that must be agreed to.

    ``waiting`` are those who have not agreed to everything; ``unknown`` those of them for whom no
    person or team of GitHub is configured, so that only the waivers file can speak for them.
    """

    standings: tuple[Standing, ...]
    conclusion: Conclusion
    waiting: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def overridden(self) -> tuple[Standing, ...]:
        """What an administrator has let through."""
        return tuple(s for s in self.standings if s.state is State.OVERRIDDEN)

    def waivers(self, now: datetime, days: int) -> tuple[Waiver, ...]:
        """What was agreed, as waivers that run ``days`` from ``now`` (with its zone)."""
        lifted = (State.AGREED, State.OVERRIDDEN)
        return tuple(
            Waiver(
                fingerprint=s.fingerprint,
                approver=s.approver,
                reason=s.reason,
                expires=now + timedelta(days=days),
            )
            for s in self.standings
            if s.state in lifted
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who of GitHub speaks for whom: the name in a contract or policy -> logins.

    Names and logins are compared without regard to letter case and a leading ``@``.
    """

    logins: Mapping[str, frozenset[str]] = field(default_factory=dict)
    administrators: frozenset[str] = frozenset()

    def of(self, approver: str) -> frozenset[str]:
        """The logins that speak for this name; empty: none is configured."""
        wanted = _plain(approver)
        found = (logins for name, logins in self.logins.items() if _plain(name) == wanted)
        return frozenset(_plain(login) for logins in found for login in logins)

    def is_administrator(self, user: str) -> bool:
        """Whether this login may override."""
        return _plain(user) in {_plain(login) for login in self.administrators}


def asked(verdict: Verdict) -> frozenset[str]:
    """The fingerprints of the changes that ask for somebody's agreement."""
    return frozenset(r.finding.fingerprint for r in verdict.rulings if r.outcome is Outcome.BLOCK)


def sign_off(
    verdict: Verdict,
    opinions: Iterable[Opinion],
    people: People,
    *,
    author: str | None = None,
    overrides: Sequence[Override] = (),
    could_not_check: Conclusion = Conclusion.FAILURE,
) -> SignOff:
    """How it stands, by a verdict that already counts the waivers in force.

    Of each person the latest opinion counts, comments apart; nobody agrees to a pull request of their
    own. An objection of one member holds against the agreement of another. An override counts from an
    administrator who gives a reason, for the changes that they saw.
    """
    latest = _latest(opinions, author)
    valid = [o for o in overrides if o.reason.strip() and people.is_administrator(o.user)]
    standings = [
        _standing(ruling, approver, latest, people, valid)
        for ruling in _blocking(verdict)
        for approver in ruling.missing or ("",)
    ]
    open_ = [s for s in standings if s.state in (State.OPEN, State.OBJECTED)]
    waiting = tuple(dict.fromkeys(s.approver for s in open_ if s.approver))
    return SignOff(
        standings=tuple(s for s in standings if s.approver or s.state is State.OVERRIDDEN),
        conclusion=_conclusion(verdict, open_, could_not_check),
        waiting=waiting,
        unknown=tuple(name for name in waiting if not people.of(name)),
    )


def _blocking(verdict: Verdict) -> list[Ruling]:
    """One ruling for each change that blocks: one fingerprint may be found at several places."""
    blocking = (r for r in verdict.rulings if r.outcome is Outcome.BLOCK)
    return list({r.finding.fingerprint: r for r in blocking}.values())


def _latest(opinions: Iterable[Opinion], author: str | None) -> dict[str, Opinion]:
    by_user: defaultdict[str, list[Opinion]] = defaultdict(list)
    for opinion in opinions:
        if opinion.stance is not Stance.COMMENTED and _plain(opinion.user) != _plain(author or ""):
            by_user[_plain(opinion.user)].append(opinion)
    return {user: max(said, key=_order) for user, said in sorted(by_user.items())}


_STRICTNESS = (Stance.APPROVED, Stance.COMMENTED, Stance.DISMISSED, Stance.CHANGES_REQUESTED)


def _order(opinion: Opinion) -> tuple[int, int, list[str]]:
    # Of two with one number, the one that agrees to less: no order of hearing may decide.
    return opinion.number, _STRICTNESS.index(opinion.stance), sorted(opinion.seen)


def _standing(
    ruling: Ruling,
    approver: str,
    latest: Mapping[str, Opinion],
    people: People,
    overrides: Sequence[Override],
) -> Standing:
    change = ruling.finding.change
    mark = ruling.finding.fingerprint
    about = {
        "fingerprint": mark,
        "path": change.path if change else ruling.finding.rule,
        "approver": approver,
    }
    for override in overrides:
        if mark in override.seen:
            reason = f"override by {override.user}: {override.reason.strip()}"
            return Standing(**about, state=State.OVERRIDDEN, by=override.user, reason=reason)
    members = people.of(approver) if approver else frozenset()
    said = [o for user, o in latest.items() if user in members and mark in o.seen]
    for stance, state, words in (
        (Stance.CHANGES_REQUESTED, State.OBJECTED, "asks for a change"),
        (Stance.APPROVED, State.AGREED, "agreed in a review"),
    ):
        speaker = next((o.user for o in said if o.stance is stance), None)
        if speaker:
            return Standing(**about, state=state, by=speaker, reason=f"{speaker} {words}")
    return Standing(**about, state=State.OPEN)


def _conclusion(verdict: Verdict, open_: Sequence[Standing], could_not_check: Conclusion) -> Conclusion:
    if verdict.outcome is not Outcome.BLOCK:
        return concluded(verdict, could_not_check=could_not_check)
    if any(not s.approver for s in open_):
        return Conclusion.FAILURE  # nobody in particular could be asked
    if open_:
        return Conclusion.ACTION_REQUIRED
    rest = {r.outcome for r in verdict.rulings} - {Outcome.BLOCK}
    return Conclusion.NEUTRAL if Outcome.WARN in rest else Conclusion.SUCCESS


def _plain(name: str) -> str:
    return name.strip().removeprefix("@").casefold()
