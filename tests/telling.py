"""Dispatch at work without a store or a network: groups, a clock, and what was sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta

from contracts_svc.alerts import Audience, IncidentState, Notification
from contracts_svc.findings import Severity
from contracts_svc.routes.dispatch import joined, receive
from contracts_svc.routes.flush import World, flush, sent
from contracts_svc.routes.groups import Group, Message
from contracts_svc.routes.silences import Silence
from contracts_svc.routes.timing import DEFAULT_ROUTES
from contracts_svc.routes.tree import RouteFile
from tests.alerts_world import NOON


def note(
    *incidents: str,
    over: bool = False,
    team: str = "finance",
    dataset: str = "flights",
    severity: Severity = Severity.ERROR,
    audience: Audience = Audience.STAKEHOLDER,
    version: str = "",
    channel: str | None = None,
) -> Notification:
    """What ``routing.notifications`` makes of incidents, in short."""
    state = IncidentState.RESOLVED if over else IncidentState.OPEN
    return Notification(
        key=f"{audience.value}/{team}/{dataset}/{','.join(incidents)}/{state.value}/{version}",
        audience=audience,
        team=team,
        receiver="slack",
        channel=f"#{team}" if channel is None else channel,
        title=f"{dataset} {'is right again' if over else 'is wrong'}: {', '.join(incidents)}",
        severity=severity,
        sections=(),
        labels={
            "state": state.value,
            "severity": severity.value,
            "audience": audience.value,
            "squad": team,
            "dataset": dataset,
        },
        incidents=incidents,
        created=NOON,
    )


class Telling:
    """Receives alerts and sends what is due. ``takes`` says whether a message arrives."""

    def __init__(self, routes: RouteFile = DEFAULT_ROUTES) -> None:
        self.routes = routes
        self.silences: tuple[Silence, ...] = ()
        self.groups: dict[str, Group] = {}
        self.now = NOON
        self.sent: list[tuple[datetime, Message]] = []
        self.takes: Callable[[Message], bool] = lambda message: True

    def hear(
        self, *notifications: Notification, over: Collection[str] = (), explained: Mapping[str, str] = {}
    ) -> None:
        changed = receive(
            self.groups.values(),
            notifications,
            now=self.now,
            routes=self.routes,
            over=over,
            explained=explained,
        )
        self._keep(changed)

    def until(self, at: datetime) -> None:
        """Let time pass, and look whenever a group says so."""
        while (due := self.next()) is not None and due <= at:
            self.now = max(self.now, due)
            for group in [g for g in self.groups.values() if g.due is not None and g.due <= self.now]:
                self._look(group)
        self.now = at

    def after(self, **passed: float) -> None:
        self.until(self.now + timedelta(**passed))

    def next(self) -> datetime | None:
        return min((g.due for g in self.groups.values() if g.due is not None), default=None)

    def world(self) -> World:
        firing: dict[str, tuple[dict[str, str], ...]] = {}
        for group in self.groups.values():
            labels = [dict(group.labels_of(e)) for e in group.entries if e.firing]
            firing[group.recipient] = (*firing.get(group.recipient, ()), *labels)
        return World(routes=self.routes, silences=self.silences, firing=firing)

    def told(self) -> list[tuple[float, str, str]]:
        """Seconds since noon, team or receiver, title."""
        return [
            (
                (at - NOON).total_seconds(),
                m.receiver if m.receiver != "contract" else m.notification.team,
                m.notification.title,
            )
            for at, m in self.sent
        ]

    def _look(self, group: Group) -> None:
        found = flush(group, self.world(), self.now)
        assert found.message is not None or found.group.due is None or found.group.due > self.now, (
            "time must move on"
        )
        self._keep([found.group])
        if found.escalated is not None:
            other = joined(self.groups.get(found.escalated.key), found.escalated, self.routes)
            self._keep([other])
        if found.message is not None:
            assert self.takes(found.message)
            self.sent.append((self.now, found.message))
            self._keep([sent(self.groups[group.key], self.now, routes=self.routes)])

    def _keep(self, groups: Iterable[Group]) -> None:
        for group in groups:
            if group.entries:
                self.groups[group.key] = group
            else:
                self.groups.pop(group.key, None)
