"""The sections of a route file on incidents and digests: what they say, and every mistake with its line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.incidents import USUAL
from contracts_svc.routes.digests import DEFAULT_PLAN, Every, Plan, due
from contracts_svc.routes.read import read
from contracts_svc.routes.tree import RouteFile


def of(text: str) -> RouteFile:
    return read(f"route: {{receiver: contract}}\n{text}".encode(), "routes.yaml", {})


def test_without_them_it_is_as_usual() -> None:
    assert (of("").handling, of("").digest) == (USUAL, DEFAULT_PLAN)
    assert (of("incidents:").handling, of("digest:").digest) == (USUAL, DEFAULT_PLAN)


def test_all_of_it() -> None:
    found = of("""
incidents:
  reopen_within: 2h
  flapping_changes: 3
  flapping_runs: 6
  errored_runs: 5
  warning_becomes_error: 3d
  raise:
    - {reached: ['kind="dashboard"', 'tribe=~"board|finance"'], to: error}
    - {reached: ['kind="contract"'], to: warning}
digest:
  every: daily
  on: friday
  at: '07:30'
  location: Europe/Amsterdam
  squads: {menu: weekly, finance: never}
""")
    handling = found.handling
    assert (handling.reopen_within, handling.warning_becomes_error) == (timedelta(hours=2), timedelta(days=3))
    assert (handling.flapping_changes, handling.flapping_runs, handling.errored_runs) == (3, 6, 5)
    assert [(list(map(str, r.reached)), r.to) for r in handling.raises] == [
        (['kind="dashboard"', 'tribe=~"board|finance"'], Severity.ERROR),
        (['kind="contract"'], Severity.WARNING),
    ]
    assert found.digest == Plan(
        every=Every.DAILY, weekday=5, hour=7, minute=30, location="Europe/Amsterdam",
        squads={"menu": Every.WEEKLY, "finance": Every.NEVER},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("incidents: {reopen: 1h}", 2, "unknown key 'reopen'"),
        ("incidents: {reopen_within: soon}", 2, "'soon' is no duration"),
        ("incidents: {errored_runs: 0}", 2, "'0' is not a whole number from 1 to 1,000"),
        ("incidents: {errored_runs: -1}", 2, "'-1' is not a whole number"),
        ("incidents: {errored_runs: 99999999999999}", 2, "is not a whole number"),
        ("incidents: {flapping_changes: 10}", 2, "there cannot be 10 changes in 10 runs"),
        ("incidents:\n  raise:\n    - {to: error}", 4, "'reached' is missing"),
        ("incidents:\n  raise:\n    - {reached: ['kind'], to: error}", 4, ""),
        ("incidents:\n  raise:\n    - {reached: [kind=dashboard], to: info}", 4, "'info' is no severity to raise"),
        ("incidents:\n  raise:\n    - {reached: [kind=dashboard]}", 4, "'to' is missing"),
        ("digest: {every: hourly}", 2, "'hourly' is none of daily, weekly, never"),
        ("digest: {on: someday}", 2, "'someday' is no day of the week"),
        ("digest: {at: '25:00'}", 2, "'25:00' is no time of the day"),
        ("digest: {location: Mars/Olympus}", 2, ""),
        ("digest: {squads: {menu: often}}", 2, "'often' is none of"),
        ("digest: {squads: [menu]}", 2, "'squads' must be a mapping"),
        ("digest: daily", 2, "'digest' must be a mapping"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(text: str, line: int, said: str) -> None:
    with pytest.raises(UserMistake) as caught:
        of(text)
    found = [p for p in caught.value.problems if said in p.message]
    assert [p.at.line for p in found if p.at] == [line], caught.value.problems
    assert all(p.hint for p in caught.value.problems)


MONDAY = datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_a_weekly_digest_is_due_on_its_day_and_tells_of_the_week_before() -> None:
    (period,) = due(Plan(), MONDAY)
    assert (period.since, period.due) == (MONDAY - timedelta(weeks=1), MONDAY)
    assert due(Plan(), MONDAY + timedelta(hours=11)) == (period,), "after an outage it still comes"
    assert due(Plan(), MONDAY + timedelta(hours=13)) == ()
    assert due(Plan(), MONDAY - timedelta(seconds=1)) == ()


def test_a_daily_one_comes_on_working_days_and_that_of_monday_tells_of_the_weekend() -> None:
    plan = Plan(every=Every.NEVER, squads={"menu": Every.DAILY})
    (monday,) = due(plan, MONDAY)
    assert monday.since == MONDAY - timedelta(days=3)
    assert due(plan, MONDAY + timedelta(days=5, minutes=1)) == ()
    assert {p.every for p in due(Plan(squads={"menu": Every.DAILY}), MONDAY)} == {Every.DAILY, Every.WEEKLY}
    assert due(Plan(every=Every.NEVER), MONDAY) == ()


def test_it_comes_by_the_clock_on_the_wall() -> None:
    plan = Plan(every=Every.DAILY, location="Europe/Amsterdam")
    summer, winter = datetime(2026, 10, 23, 6, tzinfo=UTC), datetime(2026, 10, 26, 7, tzinfo=UTC)
    assert [p.due for p in due(plan, summer)] == [summer]
    assert [(p.since, p.due) for p in due(plan, winter)] == [(summer, winter)]
