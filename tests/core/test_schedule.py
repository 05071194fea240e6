"""When checks are due: cron's own meaning, daylight saving, downtime, and a fortnight of 20,000 contracts."""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.schedule import Cron, Every, ScheduleError, Trigger, cron, due, every, latest, next_after


def times(trigger: Trigger, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    moment = next_after(trigger, start)
    while moment is not None and moment <= end:
        found.append(moment)
        moment = next_after(trigger, moment)
    return found


def on(day: str, trigger: Trigger, zone: str) -> list[str]:
    """The times of one day by the clock of its place, each with its distance from UTC."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = datetime.fromisoformat(day).replace(hour=23, minute=59, tzinfo=ZoneInfo(zone))
    found = times(trigger, midnight - timedelta(seconds=1), end)
    return [f"{t.astimezone(ZoneInfo(zone)):%H:%M%z}" for t in found]


BERLIN = "Europe/Berlin"
FORWARD, BACK = "2026-03-29", "2026-10-25"


@pytest.mark.parametrize(
    ("period", "said"),
    [
        (timedelta(days=1), "every day"),
        (timedelta(days=7), "every 7 days"),
        (timedelta(hours=36), "every 36 hours"),
        (timedelta(minutes=15), "every 15 minutes"),
        (timedelta(seconds=90), "every 90 seconds"),
    ],
)
def test_a_period_is_said_by_the_largest_unit_that_divides_it(period: timedelta, said: str) -> None:
    assert str(Every(period)) == said


def test_a_daily_schedule_fires_once_on_both_days_of_daylight_saving() -> None:
    half_past_two = cron("30 2 * * *", BERLIN)
    assert on(FORWARD, half_past_two, BERLIN) == ["03:30+0200"]
    assert on(BACK, half_past_two, BERLIN) == ["02:30+0200"]
    assert on("2026-11-24", half_past_two, BERLIN) == ["02:30+0100"]


def test_an_hourly_schedule_fires_every_real_hour() -> None:
    hourly = cron("0 * * * *", BERLIN)
    for day, hours in ((FORWARD, 23), (BACK, 25), ("2026-11-24", 24)):
        midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(BERLIN))
        found = times(
            hourly, midnight - timedelta(seconds=1), midnight + timedelta(days=1) - timedelta(seconds=1)
        )
        assert len(found) == hours
        assert {b - a for a, b in pairwise(found)} == {timedelta(hours=1)}


def test_times_that_fall_together_where_the_clock_is_set_forward_fire_once() -> None:
    assert on(FORWARD, cron("0,30 1-3 * * *", BERLIN), BERLIN) == [
        "01:00+0100",
        "01:30+0100",
        "03:00+0200",
        "03:30+0200",
    ]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("0 0 * * 0", "2026-11-29", "2026-12-06"),  # a Sunday
        ("0 0 * * 7", "2026-11-29", "2026-12-06"),
        ("0 0 * * sun", "2026-11-29", "2026-12-06"),
        ("0 0 * * 1", "2026-11-30", "2026-12-07"),  # a Monday
        ("0 0 * * 5-7", "2026-11-27", "2026-11-28"),
        ("0 0 1 * 1", "2026-11-30", "2026-12-01"),  # either is enough
        ("@daily", "2026-11-25", "2026-11-26"),
        ("@weekly", "2026-11-29", "2026-12-06"),
        ("@monthly", "2026-12-01", "2027-01-01"),
        ("0 0 29 2 *", "2028-02-29", "2032-02-29"),
    ],
)
def test_days_are_those_of_cron(text: str, first: str, second: str) -> None:
    trigger = cron(text)
    one = next_after(trigger, datetime(2026, 11, 24, 12, tzinfo=UTC))
    assert one is not None
    two = next_after(trigger, one)
    assert two is not None
    assert (f"{one:%F}", f"{two:%F}") == (first, second)


def test_the_zone_may_stand_in_the_expression() -> None:
    assert cron("CRON_TZ=Asia/Tokyo 0 9 * * *", "UTC") == Cron("0 9 * * *", "Asia/Tokyo")
    assert next_after(cron("TZ=Asia/Tokyo 0 9 * * *"), datetime(2026, 11, 24, tzinfo=UTC)) == datetime(
        2026, 11, 25, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 0 * * * *", "6 fields"),
        ("61 * * * *", "no cron expression"),
        ("*/0 * * * *", "no cron expression"),
        ("@reboot", "no cron expression"),
        ("H * * * *", "no cron expression"),
        ("0 0 * * someday", "no cron expression"),
        ("CRON_TZ=Mars/Base 0 0 * * *", "no time zone"),
        ("every hour", "2 fields"),
    ],
)
def test_what_is_no_schedule_is_told(text: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        cron(text)


def test_a_date_that_never_comes_is_never_due() -> None:
    never = cron("0 0 30 2 *")
    assert next_after(never, datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert due(never, datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)) is None


def test_what_was_missed_is_caught_up_once() -> None:
    hourly = cron("0 * * * *")
    down, up = datetime(2026, 11, 24, 3, tzinfo=UTC), datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
    caught_up = due(hourly, down, up)
    assert caught_up == datetime(2026, 11, 26, 9, tzinfo=UTC)
    assert due(hourly, caught_up, up) is None


def test_a_clock_that_is_set_back_makes_nothing_due_twice() -> None:
    hourly = cron("0 * * * *")
    ran = due(hourly, datetime(2026, 11, 24, 8, 30, tzinfo=UTC), datetime(2026, 11, 24, 9, 5, tzinfo=UTC))
    assert ran == datetime(2026, 11, 24, 9, tzinfo=UTC)
    for minutes in range(55):
        assert due(hourly, ran, datetime(2026, 11, 24, 8, 5, tzinfo=UTC) + timedelta(minutes=minutes)) is None


def test_periods_are_spread_by_name() -> None:
    triggers = {every(timedelta(hours=1), f"contract {n}").offset for n in range(1_000)}
    assert len(triggers) > 800
    assert all(timedelta() <= offset < timedelta(hours=1) for offset in triggers)


ZONES = st.sampled_from(
    ["UTC", BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Antarctica/Troll"]
)
CRONS = st.sampled_from(
    ["* * * * *", "*/15 * * * *", "0 * * * *", "30 2 * * *", "0,30 1-3 * * *", "15 2,3 * * 0", "@daily"]
)
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@given(CRONS, ZONES, MOMENTS)
@settings(deadline=None, max_examples=150)
def test_the_latest_time_and_the_next_have_nothing_between_them(text: str, zone: str, now: datetime) -> None:
    trigger = cron(text, zone)
    last, following = latest(trigger, now), next_after(trigger, now)
    assert last is not None
    assert following is not None
    assert last <= now < following
    assert next_after(trigger, last) == following
    assert latest(trigger, following) == following
    assert latest(trigger, following - timedelta(seconds=1)) == last


@given(st.integers(1, 100_000), st.text(max_size=5), MOMENTS)
def test_periods_too(seconds: int, name: str, now: datetime) -> None:
    trigger = every(timedelta(seconds=seconds), name)
    last, following = latest(trigger, now), next_after(trigger, now)
    assert isinstance(trigger, Every)
    assert last is not None
    assert following is not None
    assert last <= now < following == last + trigger.period


def test_a_fortnight_of_20000_contracts_with_restarts_and_a_change_of_the_clock() -> None:
    """Every due run exactly once: by a scheduler that sleeps until the next time, and is down twice."""
    start = datetime(2026, 10, 18, tzinfo=UTC)
    end = start + timedelta(days=14)  # the clocks of Berlin are set back on the 25th
    downtimes = [
        (start + timedelta(days=3, hours=1, minutes=20), start + timedelta(days=3, hours=1, minutes=40)),
        (start + timedelta(days=9, hours=12), start + timedelta(days=9, hours=17, minutes=30)),
    ]
    hourly = [cron(f"{minute} * * * *", BERLIN) for minute in range(60)]
    daily = [cron(f"{minute} {hour} * * *", BERLIN) for hour in range(24) for minute in (0, 30)]
    contracts = [hourly[n % 60] if n % 2 else daily[n // 2 % 48] for n in range(20_000)]

    runs: dict[int, list[datetime]] = {n: [] for n in range(len(contracts))}
    waiting = [(next_after(trigger, start), n) for n, trigger in enumerate(contracts)]
    heapq.heapify(waiting)  # type: ignore[arg-type]
    while waiting[0][0] <= end:  # type: ignore[operator]
        moment, n = waiting[0]
        assert moment is not None
        now = next((up for down, up in downtimes if down <= moment < up), moment)
        previous = runs[n][-1] if runs[n] else start
        when = due(contracts[n], previous, now)
        if when is not None:
            runs[n].append(when)
        heapq.heapreplace(waiting, (next_after(contracts[n], now), n))

    def missed(moment: datetime, trigger: Trigger) -> bool:
        """Whether a run was missed for good: a later one of the same downtime stands for it."""
        up = next((up for down, up in downtimes if down <= moment < up), None)
        return up is not None and latest(trigger, up) != moment

    expected = {
        trigger: [t for t in times(trigger, start, end) if not missed(t, trigger)]
        for trigger in set(contracts)
    }
    assert all(runs[n] == expected[trigger] for n, trigger in enumerate(contracts))
    assert sum(map(len, runs.values())) == sum(len(expected[t]) for t in contracts) > 3_300_000
    summer = [t for t in expected[daily[5]] if f"{t.astimezone(ZoneInfo(BERLIN)):%F}" == BACK]
    assert len(summer) == 1
