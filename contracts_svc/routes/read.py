"""The text of a route file -> a RouteFile, or every mistake in it with its place.

The file is written as Alertmanager's: ``route``, ``receivers``, ``inhibit_rules``, ``time_intervals``.
Sections of its own are ``channels`` (see :mod:`.channels`), ``incidents`` and ``digest`` (see
:mod:`.read_sections`). Its ``global`` and ``templates`` are for Alertmanager alone, and are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from contracts_svc.errors import Problem, UserMistake
from contracts_svc.odcs.fields import Fields
from contracts_svc.odcs.yaml_nodes import parse
from contracts_svc.routes import intervals
from contracts_svc.routes.channels import SLACK, ChannelSpec, kind_of_tool
from contracts_svc.routes.durations import duration
from contracts_svc.routes.intervals import IntervalError, TimeInterval
from contracts_svc.routes.matchers import Matcher, MatcherError, Op, matcher
from contracts_svc.routes.matchers import parse as parse_matchers
from contracts_svc.routes.options import Kinds, check_options
from contracts_svc.routes.read_sections import read_digest, read_handling
from contracts_svc.routes.tree import (
    GROUP_INTERVAL,
    GROUP_WAIT,
    REPEAT_INTERVAL,
    Escalation,
    InhibitRule,
    ReceiverSpec,
    Route,
    RouteFile,
)

CONTRACT = "contract"
"""The receiver that every file has: where the contract's own ``support`` channels say."""

_FILE_KEYS = (
    "route", "receivers", "channels", "inhibit_rules", "time_intervals", "mute_time_intervals", "incidents",
    "digest", "global", "templates",
)  # fmt: skip
_ROUTE_KEYS = (
    "receiver", "match", "match_re", "matchers", "continue", "group_by", "group_wait", "group_interval",
    "repeat_interval", "mute_time_intervals", "active_time_intervals", "labels", "routes",
)  # fmt: skip
_INHIBIT_KEYS = tuple(
    f"{side}_{form}" for side in ("source", "target") for form in ("match", "match_re", "matchers")
)
_INTERVAL_KEYS = ("times", "weekdays", "days_of_month", "months", "years", "location")


def read(text: bytes, file: str, kinds: Kinds) -> RouteFile:
    """The routes in ``text``. ``kinds`` are the kinds of receivers that there are, with their options.

    Raises UserMistake with every problem: a name that is not defined, a receiver that escalates to
    itself in the end, a matcher that is none. A route that nothing can reach is a warning.
    """
    return _Reader(Fields(parse(text, file), file), kinds).read()


class _Reader:
    def __init__(self, root: Fields, kinds: Kinds) -> None:
        self._root = root
        self._kinds = kinds
        self._receivers: dict[str, ReceiverSpec] = {}
        self._intervals: dict[str, tuple[TimeInterval, ...]] = {}
        self._warnings: list[Problem] = []

    def read(self) -> RouteFile:
        root = self._root
        root.only(_FILE_KEYS)
        self._read_receivers()
        channels = self._channels()
        for key in ("mute_time_intervals", "time_intervals"):
            for entry in root.mappings(key):
                self._read_interval(entry)
        inhibit = tuple(self._inhibit(entry) for entry in root.mappings("inhibit_rules"))
        handling, digest = read_handling(root.mapping("incidents")), read_digest(root.mapping("digest"))
        route = root.mapping("route")
        if route is None:
            root.problem("route", "a route file needs a 'route'", "write 'route: {receiver: contract}'")
            raise UserMistake(root.problems)
        tree = self._route(route, None)
        if root.problems:
            raise UserMistake(root.problems)
        return RouteFile(
            root=tree,
            receivers=self._receivers,
            intervals=self._intervals,
            inhibit=inhibit,
            channels=channels,
            handling=handling,
            digest=digest,
            warnings=tuple(self._warnings),
        )

    def _read_interval(self, entry: Fields) -> None:
        entry.only(("name", "time_intervals"))
        name = entry.text("name", required=True)
        if name in self._intervals:
            entry.problem("name", f"a second time interval is called {name!r}", "give each its own name")
        self._intervals[name] = time_intervals(entry)

    # --- receivers ------------------------------------------------------------------------------

    def _read_receivers(self) -> None:
        self._receivers[CONTRACT] = ReceiverSpec(name=CONTRACT, kind=CONTRACT)
        entries: dict[str, Fields] = {}
        for entry in self._root.mappings("receivers"):
            name = entry.text("name", required=True)
            if name in entries or name == CONTRACT:
                entry.problem("name", f"a second receiver is called {name!r}", "give each its own name")
            entries[name] = entry
            self._receivers[name] = self._receiver(name, entry)
        for name, entry in entries.items():
            self._check_escalation(name, entry)

    def _receiver(self, name: str, entry: Fields) -> ReceiverSpec:
        kind = entry.text("type") or CONTRACT
        known_kind = kind == CONTRACT or kind in self._kinds
        if not known_kind:
            known = ", ".join(sorted(self._kinds))
            entry.problem("type", f"no kind of receiver is called {kind!r}", f"known: {known}")
        escalation = entry.mapping("escalate")
        others = ("name", "type", "escalate")
        return ReceiverSpec(
            name=name,
            kind=kind,
            options=check_options(entry, self._kinds.get(kind, ()), others) if known_kind else {},
            escalation=self._escalation(escalation) if escalation else None,
        )

    def _channels(self) -> tuple[ChannelSpec, ...]:
        found: list[ChannelSpec] = []
        for entry in self._root.mappings("channels"):
            spec = self._channel(entry)
            same = (spec.tool, spec.channel, spec.workspaces)
            if any(same == (s.tool, s.channel, s.workspaces) for s in found):
                entry.problem(None, "a second entry is for the same channels", "remove one")
            found.append(spec)
        return tuple(found)

    def _channel(self, entry: Fields) -> ChannelSpec:
        tool = entry.text("tool", required=True).lower()
        kind = kind_of_tool(tool, self._kinds)
        others = ("tool", "channel", "workspaces") if tool == SLACK else ("tool", "channel")
        options = [o for o in self._kinds.get(kind, ()) if o.name not in others]
        return ChannelSpec(
            tool=tool,
            kind=kind,
            channel=entry.text("channel"),
            workspaces=entry.texts("workspaces") if tool == SLACK else (),
            options=check_options(entry, options, others),
        )

    def _escalation(self, entry: Fields) -> Escalation:
        entry.only(("after", "to"))
        after = self._duration(entry, "after", None)
        if after is None:
            entry.problem("after", "an escalation needs a time 'after'", "write for instance 'after: 30m'")
        return Escalation(after=after or timedelta(), receiver=entry.text("to", required=True))

    def _check_escalation(self, name: str, entry: Fields) -> None:
        seen = [name]
        spec = self._receivers[name]
        where = entry.mapping("escalate")
        while spec.escalation and where:
            to = spec.escalation.receiver
            if to not in self._receivers:
                if spec.name == name:
                    self._unknown_receiver(where, "to", to)
                return
            if to in seen:
                chain = " -> ".join([*seen[seen.index(to) :], to])
                where.problem("to", f"receivers escalate in a loop: {chain}", "end the chain somewhere")
                return
            seen.append(to)
            spec = self._receivers[to]

    def _unknown_receiver(self, entry: Fields, key: str, name: str) -> None:
        entry.unknown(key, "receiver", name, self._receivers, "receivers")

    # --- routes ---------------------------------------------------------------------------------

    def _route(self, entry: Fields, parent: Route | None) -> Route:
        entry.only(_ROUTE_KEYS)
        receiver = entry.text("receiver") or (parent.receiver if parent else "")
        if not receiver:
            entry.problem(
                "receiver", "the root route needs a receiver", "write for instance 'receiver: contract'"
            )
        elif "receiver" in entry and receiver not in self._receivers:
            self._unknown_receiver(entry, "receiver", receiver)
        matchers = _matchers(entry, "")
        if parent is None and (matchers or entry.flag("continue")):
            entry.problem(
                "matchers" if matchers else "continue",
                "the root route takes every alert: it has no matchers and no 'continue'",
                "move them to a route under 'routes'",
            )
        group_by, by_all = self._group_by(entry, parent)
        labels = dict(parent.labels) if parent else {}
        labels |= entry.texts_by_key("labels")
        route = Route(
            key=f"{parent.key}/{_shown(matchers)}" if parent else "{}",
            receiver=receiver,
            matchers=matchers,
            carry_on=entry.flag("continue"),
            group_by=group_by,
            group_by_all=by_all,
            group_wait=self._wait(entry, "group_wait", parent.group_wait if parent else GROUP_WAIT),
            group_interval=self._wait(
                entry, "group_interval", parent.group_interval if parent else GROUP_INTERVAL, least=1
            ),
            repeat_interval=self._wait(
                entry, "repeat_interval", parent.repeat_interval if parent else REPEAT_INTERVAL, least=1
            ),
            mute=self._interval_names(entry, "mute_time_intervals"),
            active=self._interval_names(entry, "active_time_intervals"),
            labels=tuple(sorted(labels.items())),
        )
        return _with_children(route, self._children(entry, route))

    def _children(self, entry: Fields, route: Route) -> tuple[Route, ...]:
        children: list[Route] = []
        for child in entry.mappings("routes"):
            taken = next((c for c in children if not c.matchers and not c.carry_on), None)
            if taken is not None:
                # No mistake in Alertmanager, whose files are to mean the same here.
                self._warnings.append(
                    child.noted(
                        "nothing reaches this route: one above it has no matchers and takes everything",
                        "give that one matchers, or 'continue: true', or move it to the end",
                    )
                )
            children.append(self._route(child, route))
        return tuple(children)

    def _group_by(self, entry: Fields, parent: Route | None) -> tuple[tuple[str, ...], bool]:
        if "group_by" not in entry:
            return (parent.group_by, parent.group_by_all) if parent else ((), False)
        names = entry.texts("group_by")
        if "..." in names and len(names) > 1:
            entry.problem("group_by", "'...' groups by every label and stands alone", "remove the others")
        if len(set(names)) < len(names):
            entry.problem("group_by", "a label stands twice in group_by", "remove one")
        return ((), True) if "..." in names else (tuple(sorted(set(names))), False)

    def _interval_names(self, entry: Fields, key: str) -> tuple[str, ...]:
        names = entry.texts(key)
        for name in names:
            if name not in self._intervals:
                entry.unknown(key, "time interval", name, self._intervals, "time_intervals")
        return names

    def _wait(self, entry: Fields, key: str, default: timedelta, least: int = 0) -> timedelta:
        found = self._duration(entry, key, default) or timedelta()
        if key in entry and found < timedelta(seconds=least):
            entry.problem(key, f"{key} cannot be zero", "write for instance '5m'")
        return found

    def _duration(self, entry: Fields, key: str, default: timedelta | None) -> timedelta | None:
        text = entry.text(key)
        if not text:
            return default
        found = duration(text)
        if found is None:
            entry.problem(key, f"{text!r} is no duration", "write for instance 30s, 5m, 1h30m, 4h or 2d")
            return default
        return found

    # --- inhibition -----------------------------------------------------------------------------

    def _inhibit(self, entry: Fields) -> InhibitRule:
        entry.only((*_INHIBIT_KEYS, "equal"))
        return InhibitRule(
            source=_matchers(entry, "source_"),
            target=_matchers(entry, "target_"),
            equal=entry.texts("equal"),
        )


def _with_children(route: Route, children: tuple[Route, ...]) -> Route:
    return replace(route, routes=children) if children else route


def _matchers(entry: Fields, prefix: str) -> tuple[Matcher, ...]:
    """The old ``match`` and ``match_re`` and today's ``matchers`` of a mapping, by name."""
    found: list[Matcher] = []
    for name, value in entry.texts_by_key(f"{prefix}match").items():
        found.append(Matcher(name, Op.EQUAL, value))
    for name, value in entry.texts_by_key(f"{prefix}match_re").items():
        # Alertmanager keeps the old form's expressions anchored, and shows them so.
        with entry.problems_at(f"{prefix}match_re", MatcherError, "write a regular expression (RE2)"):
            found.append(matcher(name, Op.MATCHES, f"^(?:{value})$"))
    for text in entry.texts(f"{prefix}matchers"):
        with entry.problems_at(f"{prefix}matchers", MatcherError, "write for instance 'severity=\"error\"'"):
            found += parse_matchers(text)
    return tuple(sorted(found))


def _shown(matchers: Iterable[Matcher]) -> str:
    return "{" + ",".join(map(str, matchers)) + "}"


# --- time intervals -----------------------------------------------------------------------------

_RANGES = {
    "weekdays": intervals.weekday_range,
    "days_of_month": intervals.day_range,
    "months": intervals.month_range,
    "years": intervals.year_range,
}
_EXAMPLES: Mapping[str, str] = {
    "times": "{start_time: '09:00', end_time: '17:00'}",
    "weekdays": "'monday:friday'",
    "days_of_month": "'1:15' or '-3:-1'",
    "months": "'january:march' or '3'",
    "years": "'2026:2028'",
    "location": "'Europe/Berlin'",
}


def time_intervals(entry: Fields) -> tuple[TimeInterval, ...]:
    """The list ``time_intervals`` of a mapping; mistakes are added to its problems."""
    return tuple(_interval(each) for each in entry.mappings("time_intervals"))


def _interval(entry: Fields) -> TimeInterval:
    entry.only(_INTERVAL_KEYS)
    ranges: dict[str, tuple[tuple[int, int], ...]] = {}
    for key, read_range in _RANGES.items():
        with entry.problems_at(key, IntervalError, f"write for instance {_EXAMPLES[key]}"):
            ranges[key] = tuple(read_range(text) for text in entry.texts(key))
    location = entry.text("location") or "UTC"
    with entry.problems_at("location", IntervalError, f"write for instance {_EXAMPLES['location']}"):
        intervals.zone(location)
    return TimeInterval(times=tuple(_times(entry)), location=location, **ranges)


def _times(entry: Fields) -> Iterable[tuple[int, int]]:
    for each in entry.mappings("times"):
        each.only(("start_time", "end_time"))
        start, end = each.text("start_time", required=True), each.text("end_time", required=True)
        with each.problems_at("start_time", IntervalError, f"write for instance {_EXAMPLES['times']}"):
            yield intervals.clock_range(start, end)
