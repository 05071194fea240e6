"""What those are told who must agree to a pull request's breaks, beside the request for their review."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import datetime

from contracts_svc.alerts import Audience, Notification, Section
from contracts_svc.findings import Severity
from contracts_svc.github.names import RepositoryName
from contracts_svc.impact import Impact
from contracts_svc.render import clean
from contracts_svc.routing_words import UNROUTED
from contracts_svc.verdict import Verdict

_MOST = 20


def requests_to_agree(
    verdict: Verdict,
    asked: Collection[tuple[str, str]],
    repository: RepositoryName,
    number: int,
    *,
    address: str,
    link: str,
    now: datetime,
) -> tuple[Notification, ...]:
    """One message to each team that is asked for the first time, where its consumers say that it is reached.

    ``asked`` are pairs of the change's fingerprint and who must agree to it; ``address`` is the pull
    request's, ``link`` that of the whole report. Saying the same again gives the same keys.
    """
    found: list[Notification] = []
    for approver in sorted({name for _, name in asked}):
        marks = {mark for mark, name in asked if name == approver}
        hit = [i for i in verdict.impacts if i.finding.fingerprint in marks and _is(i, approver)]
        channel = next((c for i in hit for c in i.consumer.channels), None)
        title = f"{repository}#{number} breaks what {approver} reads: do you agree?"
        lines = tuple(dict.fromkeys(_line(i) for i in hit)) or ("The policy asks for your agreement.",)
        more = (f"and {len(lines) - _MOST} more",) if len(lines) > _MOST else ()
        key = json.dumps([str(repository).casefold(), number, approver, sorted(marks)])
        found.append(
            Notification(
                key=hashlib.sha256(key.encode()).hexdigest(),
                audience=Audience.STAKEHOLDER,
                team=approver,
                receiver=(channel.tool or "slack").lower() if channel else UNROUTED,
                channel=channel.address if channel else "",
                title=clean(title),
                severity=Severity.ERROR,
                sections=(
                    Section("What breaks", tuple(map(clean, (*lines[:_MOST], *more)))),
                    Section("What to do", (f"Approve or request changes: {address}", *_report(link))),
                ),
                labels={
                    "severity": Severity.ERROR.value,
                    "audience": Audience.STAKEHOLDER.value,
                    "squad": approver,
                    "tribe": next((i.consumer.tribe for i in hit if i.consumer.tribe), ""),
                    "contract": next((i.finding.contract for i in hit), ""),
                    "dataset": next((i.finding.table or "" for i in hit), ""),
                },
                created=now,
            )
        )
    return tuple(found)


def _is(impact: Impact, approver: str) -> bool:
    return approver in (impact.consumer.team, impact.consumer.owner)


def _line(impact: Impact) -> str:
    what = impact.finding.change.path if impact.finding.change else impact.finding.rule
    return f"{impact.consumer.name}: {what} ({impact.finding.message})"


def _report(link: str) -> tuple[str, ...]:
    return (f"The whole report: {link}",) if link else ()
