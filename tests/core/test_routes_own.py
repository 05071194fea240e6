"""Routes, inhibition and time intervals as Alertmanager's documentation says they work: cases of our own.

The routes are also given to Alertmanager's own tool, where it is there: see tests/adapters/test_amtool.py.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts_svc.routes.read import read
from contracts_svc.routes.tree import RouteFile

RECEIVERS = "\nreceivers: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}]\n"

# What is said of a tree, the tree, and who gets an alert with these labels.
ROUTES: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "the deepest match wins, and the first sibling ends the search",
        """
  receiver: a
  routes:
    - matchers: ['squad="menu"']
      receiver: b
      routes:
        - matchers: ['severity="error"']
          receiver: c
        - matchers: ['severity=~"error|warning"']
          receiver: d
    - matchers: ['squad=~"menu|finance"']
      receiver: e
""",
        (
            ("", "a"),
            ("squad=menu", "b"),
            ("squad=menu severity=error", "c"),
            ("squad=menu severity=warning", "d"),
            ("squad=menu severity=info", "b"),
            ("squad=finance severity=error", "e"),
            ("severity=error", "a"),
        ),
    ),
    (
        "continue looks at later siblings, at its own level only",
        """
  receiver: a
  routes:
    - matchers: ['severity="error"']
      receiver: b
      continue: true
      routes:
        - matchers: ['squad="menu"']
          receiver: c
        - matchers: ['squad=~"me.*"']
          receiver: d
    - matchers: ['severity=~"error|warning"']
      receiver: d
    - receiver: e
""",
        (
            ("severity=error", "b,d"),
            ("severity=error squad=menu", "c,d"),
            ("severity=error squad=meal", "d,d"),
            ("severity=warning squad=menu", "d"),
            ("squad=menu", "e"),
            ("", "e"),
        ),
    ),
    (
        "a child that continues and a sibling that does not match: the child alone",
        """
  receiver: a
  routes:
    - matchers: ['x="1"']
      continue: true
      receiver: b
    - matchers: ['x="2"']
      continue: true
      receiver: c
    - matchers: ['y!=""']
      receiver: d
""",
        (
            ("x=1", "b"),
            ("x=2 y=z", "c,d"),
            ("x=1 y=z", "b,d"),
            ("x=3", "a"),
            ("y=z", "d"),
        ),
    ),
    (
        "a label that is not there is the empty text",
        """
  receiver: a
  routes:
    - matchers: ['squad=""']
      receiver: b
    - matchers: ['tribe!="core"']
      receiver: c
    - matchers: ['domain=~".*"', 'env!~".+"']
      receiver: d
    - matchers: ['env=~"prod|"']
      receiver: e
""",
        (
            ("tribe=core", "b"),
            ("squad=menu", "c"),
            ("squad=menu tribe=core", "d"),
            ("squad=menu tribe=core env=prod", "e"),
            ("squad=menu tribe=core env=test", "a"),
        ),
    ),
    (
        "an expression matches the whole value, and its case and dots count",
        """
  receiver: a
  routes:
    - matchers: ['dataset=~"fl.ghts"']
      receiver: b
    - matchers: ['dataset=~"(?i)weather"']
      receiver: c
    - match_re: {dataset: "or|orders"}
      receiver: d
    - matchers: ['dataset!~"[a-z_]+"']

      receiver: e
""",
        (
            ("dataset=flights", "b"),
            ("dataset=all_flights", "a"),
            ("dataset=WEATHER", "c"),
            ("dataset=orders", "d"),
            ("dataset=or", "d"),
            ("dataset=order", "a"),
            ("dataset=Airports", "e"),
        ),
    ),
    (
        "the old form and the new one together all have to hold; receivers are inherited",
        """
  receiver: a
  routes:
    - match: {squad: menu}
      match_re: {severity: "error|warning"}
      matchers: ['env!="test"', 'region=~"eu-.*"']

      receiver: b
      routes:
        - matchers: ['severity="warning"']
        - matchers: ['severity="error"']
          receiver: c
          routes:
            - matchers: ['region="eu-west"']
""",
        (
            ("squad=menu severity=warning region=eu-west", "b"),
            ("squad=menu severity=error region=eu-west", "c"),
            ("squad=menu severity=error region=eu-east", "c"),
            ("squad=menu severity=error region=eu-east env=test", "a"),
            ("squad=menu severity=error region=us-east", "a"),
            ("squad=finance severity=error region=eu-west", "a"),
        ),
    ),
    (
        "a route without matchers takes all that comes to it; what stands below it gets nothing",
        """
  receiver: a
  routes:
    - receiver: b
      continue: true
    - receiver: c
    - matchers: ['severity="error"']
      receiver: d
""",
        (("severity=error", "b,c"), ("", "b,c")),
    ),
)


def labels_of(text: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in text.split())


def file_of(tree: str) -> str:
    return f"route:{tree.rstrip()}{RECEIVERS}"


def test_alerts_take_the_routes_that_the_documentation_says() -> None:
    rows = [(about, tree, labels, who) for about, tree, cases in ROUTES for labels, who in cases]
    wrong = []
    for about, tree, labels, who in rows:
        found = read(file_of(tree).encode(), "routes.yaml", {}).routes(labels_of(labels))
        if (got := ",".join(r.receiver for r in found)) != who:
            wrong.append(f"{about}: {labels!r} goes to {got}, not {who}")
    assert len(rows) == 38
    assert not wrong, "\n".join(wrong)


def inherited() -> RouteFile:
    return read(
        file_of("""
  receiver: a
  group_by: [dataset]
  group_wait: 1m
  group_interval: 2m
  repeat_interval: 1d
  labels: {team: all}
  routes:
    - matchers: [x="1"]
      group_by: ['...']
      group_wait: 0s
      routes:
        - matchers: [y="1"]
          group_by: []
          repeat_interval: 2d
""").encode(),
        "routes.yaml",
        {},
    )


def test_what_a_route_does_not_say_is_its_parents() -> None:
    file = inherited()
    for labels, grouped, wait, repeat in (
        ("", (("dataset", "d"),), 60, 86_400),
        ("x=1", (("dataset", "d"), ("x", "1")), 0, 86_400),
        ("x=1 y=1", (), 0, 172_800),
    ):
        given = {**labels_of(labels), "dataset": "d"}
        (route,) = file.routes(given)
        assert route.group_of(given) == grouped
        assert (route.group_wait.total_seconds(), route.repeat_interval.total_seconds()) == (wait, repeat)
        assert route.group_interval.total_seconds() == 120


# Which rule, what fires, what is asked of, and whether it is kept back.
INHIBITION: tuple[tuple[str, str, tuple[str, ...], str, bool], ...] = (
    ("an error keeps back a warning", "[dataset]", ("severity=error dataset=a",), "severity=warning dataset=a", True),
    ("of another dataset it does not", "[dataset]", ("severity=error dataset=a",), "severity=warning dataset=b", False),
    ("all equal labels count", "[dataset, squad]", ("severity=error dataset=a squad=x",),
     "severity=warning dataset=a squad=y", False),
    ("one that both lack is equal", "[dataset, squad]", ("severity=error dataset=a",), "severity=warning dataset=a", True),
    ("one that is empty is as if it were lacking", "[squad]", ("severity=error",), "severity=warning squad=", True),
    ("one that one of them lacks is not", "[squad]", ("severity=error squad=x",), "severity=warning", False),
    ("without equal labels any source will do", "[]", ("severity=error dataset=a",), "severity=warning dataset=b", True),
    ("what is no target is told", "[]", ("severity=error dataset=a",), "severity=info dataset=a", False),
    ("one of several sources is enough", "[dataset]", ("severity=error dataset=b", "severity=error dataset=a"),
     "severity=warning dataset=a", True),
    ("nothing fires", "[dataset]", (), "severity=warning dataset=a", False),
)  # fmt: skip


@pytest.mark.parametrize(("about", "equal", "firing", "target", "expected"), INHIBITION)
def test_what_keeps_back_what(
    about: str, equal: str, firing: tuple[str, ...], target: str, expected: bool
) -> None:
    rule = f"{{source_matchers: [severity=error], target_matchers: [severity=warning], equal: {equal}}}"
    file = read(f"route: {{receiver: contract}}\ninhibit_rules: [{rule}]".encode(), "routes.yaml", {})
    assert file.inhibited(labels_of(target), [labels_of(f) for f in firing]) is expected, about


def test_an_alert_that_is_source_and_target_does_not_keep_itself_back() -> None:
    """Nor does another one that is both: else two of them would keep each other back, and none be told."""
    rule = '{source_matchers: [severity=~"error|warning"], target_matchers: [severity=warning], equal: [dataset]}'
    file = read(f"route: {{receiver: contract}}\ninhibit_rules: [{rule}]".encode(), "routes.yaml", {})
    target = {"severity": "warning", "dataset": "a"}
    assert not file.inhibited(target, [target])
    assert not file.inhibited(target, [target, {"severity": "warning", "dataset": "a", "x": "1"}])
    assert file.inhibited(target, [target, {"severity": "error", "dataset": "a"}])


INTERVALS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("{weekdays: ['monday:friday'], times: [{start_time: '09:00', end_time: '17:00'}]}",
     ("2026-11-23T09:00", "2026-11-27T16:59"), ("2026-11-23T08:59", "2026-11-23T17:00", "2026-11-28T12:00")),
    ("{times: [{start_time: '22:00', end_time: '24:00'}, {start_time: '00:00', end_time: '06:00'}]}",
     ("2026-11-23T23:59", "2026-11-23T00:00", "2026-11-23T05:59"), ("2026-11-23T06:00", "2026-11-23T21:59")),
    ("{days_of_month: ['-1']}", ("2026-11-30T12:00", "2026-02-28T00:00", "2028-02-29T12:00"),
     ("2026-11-29T12:00", "2028-02-28T12:00")),
    ("{days_of_month: ['-3:-1', '1']}", ("2026-11-28T00:00", "2026-12-01T12:00"), ("2026-11-27T23:59", "2026-12-02T00:00")),
    ("{days_of_month: ['30:31']}", ("2026-11-30T12:00", "2026-12-31T12:00"), ("2026-02-28T12:00", "2026-12-01T00:00")),
    ("{months: ['november:december', '2'], years: ['2026']}", ("2026-11-01T00:00", "2026-02-10T00:00"),
     ("2027-11-01T00:00", "2026-10-31T23:59")),
    ("{weekdays: [sunday], location: Europe/Amsterdam}", ("2026-11-21T23:00", "2026-11-22T22:59"),
     ("2026-11-21T22:59", "2026-11-22T23:00")),
    ("{times: [{start_time: '02:00', end_time: '03:00'}], location: Europe/Amsterdam}",
     ("2026-10-25T00:30", "2026-10-25T01:30", "2026-11-23T01:30"), ("2026-10-25T02:00", "2026-11-23T00:30")),
    ("{weekdays: [monday], days_of_month: ['23']}", ("2026-11-23T12:00",), ("2026-11-24T12:00", "2026-11-30T12:00")),
    ("{}", ("2026-11-23T12:00",), ()),
)  # fmt: skip


@pytest.mark.parametrize(("interval", "inside", "outside"), INTERVALS)
def test_when_an_interval_holds(interval: str, inside: tuple[str, ...], outside: tuple[str, ...]) -> None:
    text = f"route: {{receiver: contract}}\ntime_intervals: [{{name: t, time_intervals: [{interval}]}}]"
    (found,) = read(text.encode(), "routes.yaml", {}).intervals["t"]

    def holds(at: str) -> bool:
        return found.contains(datetime.fromisoformat(at).replace(tzinfo=UTC))

    assert [t for t in inside if not holds(t)] == []
    assert [t for t in outside if holds(t)] == []
