"""What those are told who must agree to a pull request's breaks, beside the request for their review."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts_svc.alerts import Audience, Notification, Section
from contracts_svc.findings import Severity
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.signoff import Standing
from contracts_svc.impact import Impact
from contracts_svc.render import clean
from contracts_svc.routing_words import UNROUTED
from contracts_svc.verdict import Verdict

_MOST = 20
Pair = tuple[str, str]
"""The fingerprint of a change, and who must agree to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A pull request, as messages about it name it. ``address`` is where people see it, ``link`` where the
    whole report is."""

    repository: RepositoryName
    number: int
    address: str
    link: str
    now: datetime

    def __str__(self) -> str:
        return f"{self.repository}#{self.number}"


def requests_to_agree(
    verdict: Verdict, asked: Collection[Pair], occasion: Occasion
) -> tuple[Notification, ...]:
    """One message to each team that is asked for the first time, where its consumers say that it is
    reached. Saying the same again gives the same keys."""
    return tuple(
        _message(
            verdict,
            approver,
            [mark for mark, name in asked if name == approver],
            occasion,
            title=f"{occasion} breaks what {approver} reads: do you agree?",
            last=Section("What to do", (f"Approve or request changes: {occasion.address}",)),
        )
        for approver in sorted({name for _, name in asked})
    )


def told_of_override(
    verdict: Verdict, overridden: Sequence[Standing], occasion: Occasion
) -> tuple[Notification, ...]:
    """One message to each team whose agreement somebody did without, with the reason."""
    found: list[Notification] = []
    for approver in sorted({s.approver for s in overridden if s.approver}):
        mine = [s for s in overridden if s.approver == approver]
        who = ", ".join(sorted({s.by for s in mine}))
        reasons = tuple(dict.fromkeys(clean(s.reason) for s in mine))
        found.append(
            _message(
                verdict,
                approver,
                [s.fingerprint for s in mine],
                occasion,
                title=f"{who} overrode the agreement of {approver} to {occasion}",
                last=Section("Why", (*reasons, occasion.address)),
            )
        )
    return tuple(found)


def _message(
    verdict: Verdict, approver: str, marks: Sequence[str], occasion: Occasion, *, title: str, last: Section
) -> Notification:
    hit = [i for i in verdict.impacts if i.finding.fingerprint in marks and _is(i, approver)]
    channel = next((c for i in hit for c in i.consumer.channels), None)
    lines = tuple(dict.fromkeys(map(_line, hit))) or ("The policy asks for your agreement.",)
    more = (f"and {len(lines) - _MOST} more",) if len(lines) > _MOST else ()
    report = (Section("The whole report", (occasion.link,)),) if occasion.link else ()
    key = json.dumps([str(occasion).casefold(), title, sorted(marks)])
    return Notification(
        key=hashlib.sha256(key.encode()).hexdigest(),
        audience=Audience.STAKEHOLDER,
        team=approver,
        receiver=(channel.tool or "slack").lower() if channel else UNROUTED,
        channel=channel.address if channel else "",
        title=clean(title),
        severity=Severity.ERROR,
        sections=(
            Section("What breaks", tuple(map(clean, (*lines[:_MOST], *more)))),
            Section(last.heading, tuple(map(clean, last.lines))),
            *report,
        ),
        labels={
            "severity": Severity.ERROR.value,
            "audience": Audience.STAKEHOLDER.value,
            "squad": approver,
            "tribe": next((i.consumer.tribe for i in hit if i.consumer.tribe), ""),
            "contract": next((i.finding.contract for i in hit), ""),
            "dataset": next((i.finding.table or "" for i in hit), ""),
        },
        created=occasion.now,
    )


def _is(impact: Impact, approver: str) -> bool:
    return approver in (impact.consumer.team, impact.consumer.owner)


def _line(impact: Impact) -> str:
    what = impact.finding.change.path if impact.finding.change else impact.finding.rule
    return f"{impact.consumer.name}: {what} ({impact.finding.message})"
