"""The tree of routes, receivers and inhibition, read and resolved.

What it means is what Alertmanager means by it:
https://prometheus.io/docs/alerting/latest/configuration/#route-related-settings
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contracts_svc.errors import Problem
from contracts_svc.incidents import USUAL, Handling
from contracts_svc.routes.channels import ChannelSpec
from contracts_svc.routes.digests import DEFAULT_PLAN, Plan
from contracts_svc.routes.intervals import TimeInterval, any_contains
from contracts_svc.routes.matchers import Matcher, matches_all

Labels = Mapping[str, str]

GROUP_WAIT = timedelta(seconds=30)
GROUP_INTERVAL = timedelta(minutes=5)
REPEAT_INTERVAL = timedelta(hours=4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A place in the tree, with what it inherits filled in."""

    key: str
    """The matchers from the root to here; the same for the same place."""
    receiver: str
    matchers: tuple[Matcher, ...] = ()
    carry_on: bool = False
    """``continue``: later siblings are looked at even when this one matches."""
    group_by: tuple[str, ...] = ()
    group_by_all: bool = False
    """Every set of labels is a group of its own (``group_by: ['...']``)."""
    group_wait: timedelta = GROUP_WAIT
    """How long the first message of a group waits for more."""
    group_interval: timedelta = GROUP_INTERVAL
    """How long a group that was told waits before it tells what is new."""
    repeat_interval: timedelta = REPEAT_INTERVAL
    """How long before a group that has not changed is told again."""
    mute: tuple[str, ...] = ()
    """Names of time intervals in which nothing is sent."""
    active: tuple[str, ...] = ()
    """Names of time intervals outside which nothing is sent; none: always."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels that this route adds to what it sends."""
    routes: tuple[Route, ...] = ()

    def match(self, labels: Labels) -> tuple[Route, ...]:
        """The routes that take these labels: the deepest that match, in the order of the file.

        A route whose children match leaves it to them; the first child that matches ends the search
        unless it says ``continue``. Empty when this route does not match.
        """
        if not matches_all(self.matchers, labels):
            return ()
        found: list[Route] = []
        for child in self.routes:
            deeper = child.match(labels)
            found += deeper
            if deeper and not child.carry_on:
                break
        return tuple(found) or (self,)

    def group_of(self, labels: Labels) -> tuple[tuple[str, str], ...]:
        """The labels that a group of this route has in common, by name."""
        names = labels.keys() if self.group_by_all else [n for n in self.group_by if n in labels]
        return tuple((n, labels[n]) for n in sorted(names))

    def walk(self) -> Iterator[Route]:
        """This route and all below, parents first."""
        yield self
        for child in self.routes:
            yield from child.walk()


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """Whom to tell when nobody has acknowledged after some time."""

    after: timedelta
    receiver: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSpec:
    """A receiver by name: its kind (``slack``, ``webhook``, …) and what that kind needs."""

    name: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict)
    escalation: Escalation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """While a source alert is firing, target alerts with equal labels are not told."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def inhibits(self, target: Labels, sources: Iterable[Labels]) -> bool:
        """Whether one of the firing ``sources`` keeps ``target`` back.

        An alert that is source and target at once is not kept back by its like.
        """
        if not matches_all(self.target, target):
            return False
        both = matches_all(self.source, target)
        return any(
            matches_all(self.source, labels)
            and all(labels.get(n, "") == target.get(n, "") for n in self.equal)
            and not (both and matches_all(self.target, labels))
            for labels in sources
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteFile:
    """All that a route file says."""

    root: Route
    receivers: Mapping[str, ReceiverSpec]
    intervals: Mapping[str, tuple[TimeInterval, ...]] = field(default_factory=dict)
    inhibit: tuple[InhibitRule, ...] = ()
    channels: tuple[ChannelSpec, ...] = ()
    """What the channels are reached by that contracts name."""
    handling: Handling = USUAL
    """When incidents come back, flap, are told that they cannot be checked, or get worse."""
    digest: Plan = DEFAULT_PLAN
    warnings: tuple[Problem, ...] = ()
    """What may not be meant so."""

    def routes(self, labels: Labels) -> tuple[Route, ...]:
        """Where an alert with these labels goes; never empty."""
        return self.root.match(labels)

    def quiet(self, route: Route, at: datetime) -> str:
        """The name of the time interval that keeps this route quiet now, or ``""``."""
        for name in route.mute:
            if any_contains(self.intervals[name], at):
                return name
        if route.active and not any(any_contains(self.intervals[n], at) for n in route.active):
            return f"outside {', '.join(route.active)}"
        return ""

    def inhibited(self, target: Labels, firing: Sequence[Labels]) -> bool:
        """Whether a rule keeps ``target`` back while ``firing`` are."""
        return any(rule.inhibits(target, firing) for rule in self.inhibit)
