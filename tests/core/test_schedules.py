"""What a contract says about when it is checked, and when a burst of publish events is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.schedule import Cron, Every, cron
from contracts_svc.schedules import PATIENCE, QUIET, due_after, latest_due, next_due, triggers
from tests.core.odcs_texts import HEADER, read

TABLES = "schema: [{name: a}, {name: b}]\n"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def of(text: str, table: str = "a") -> list[str]:
    contract = read(HEADER + text)
    found = contract.table(table)
    assert found is not None
    return [
        str(t) if isinstance(t, Cron) else f"every {t.period.total_seconds() / 60:g} min"
        for t in triggers(contract, found)
    ]


RULES = """\
schema:
  - name: a
    quality:
      - {type: text, schedule: 0 6 * * *}
      - {type: text, schedule: 0 6 * * *, scheduler: cron}
      - {type: text, schedule: every morning}
      - {type: text, schedule: "@hourly", scheduler: airflow}
    properties:
      - name: c
        quality: [{type: text, schedule: "CRON_TZ=Asia/Tokyo 30 1 * * 7"}]
  - name: b
"""


def sla(*levels: str) -> str:
    return TABLES + "slaProperties:\n" + "".join(f"  - {{{level}}}\n" for level in levels)


@pytest.mark.parametrize(
    ("text", "a", "b"),
    [
        (RULES, ["0 6 * * * (UTC)", "30 1 * * 7 (Asia/Tokyo)"], ["every 1440 min"]),
        (
            RULES + "customProperties: [{property: timezone, value: Europe/Berlin}]\n",
            ["0 6 * * * (Europe/Berlin)", "30 1 * * 7 (Asia/Tokyo)"],
            ["every 1440 min"],
        ),
        (
            sla("property: latency, value: 1, unit: d, element: a.t, schedule: 0 8 * * *"),
            ["0 8 * * * (UTC)"],
            ["every 1440 min"],
        ),
        (sla("property: frequency, value: 6, unit: h"), ["every 360 min"], ["every 360 min"]),
        (sla("property: frequency, value: 5, unit: min"), ["every 15 min"], ["every 15 min"]),
        (sla("property: frequency, value: 7, unit: d"), ["every 1440 min"], ["every 1440 min"]),
        (
            sla(
                "property: latency, value: 2, unit: h", "property: frequency, value: 4, unit: h, element: b.t"
            ),
            ["every 120 min"],
            ["every 240 min"],
        ),
        (sla("property: frequency, value: 0, unit: h"), ["every 1440 min"], ["every 1440 min"]),
        (TABLES, ["every 1440 min"], ["every 1440 min"]),
    ],
)
def test_when_a_table_is_checked(text: str, a: list[str], b: list[str]) -> None:
    assert (of(text), of(text, "b")) == (a, b)


def test_defaults_of_two_tables_are_not_at_once() -> None:
    contract = read(HEADER + TABLES)
    one, other = (triggers(contract, t)[0] for t in contract.tables)
    assert isinstance(one, Every)
    assert isinstance(other, Every)
    assert one.offset != other.offset


def test_times_of_several_triggers_are_one_row_of_times() -> None:
    both = (cron("0 * * * *"), cron("30 */2 * * *"))
    assert next_due(both, NOW) == NOW + timedelta(minutes=30)
    assert next_due(both, NOW + timedelta(minutes=30)) == NOW + timedelta(hours=1)
    missed = latest_due(both, NOW - timedelta(days=2), NOW + timedelta(minutes=45))
    assert missed == NOW + timedelta(minutes=30)
    assert latest_due(both, missed, NOW + timedelta(minutes=45)) is None
    assert latest_due(both, missed, NOW - timedelta(hours=1)) is None, "a clock that was set back"
    assert next_due([cron("0 0 30 2 *")], NOW) is None


# --- publish events -----------------------------------------------------------------------------


def simulated(events: list[datetime], seconds: int) -> list[tuple[datetime, datetime]]:
    """When a check began and for which event, asked every second."""
    found: list[tuple[datetime, datetime]] = []
    for now in (NOW + timedelta(seconds=n) for n in range(seconds)):
        checked = found[-1][1] if found else NOW - timedelta(days=1)
        when = due_after([e for e in events if checked < e <= now], now)
        if when is not None:
            found.append((now, when))
    return found


def test_a_burst_is_one_check_and_a_steady_stream_one_every_few_minutes() -> None:
    burst = [NOW + timedelta(seconds=2 * n) for n in range(20)]
    assert simulated(burst, 300) == [(burst[-1] + QUIET, burst[-1])]
    stream = [NOW + timedelta(seconds=10 * n) for n in range(90)]
    checks = simulated(stream, 1_000)
    assert [began for began, _ in checks][:2] == [NOW + PATIENCE, NOW + 2 * PATIENCE + timedelta(seconds=10)]
    assert len(checks) == 3
    assert checks[-1][1] == stream[-1], "the last event is seen by a check"


@given(st.lists(st.integers(0, 900), min_size=1, max_size=30))
def test_every_event_is_followed_by_a_check_within_the_bound(seconds: list[int]) -> None:
    events = sorted(NOW + timedelta(seconds=n) for n in seconds)
    checks = simulated(events, 1_300)
    for event in events:
        first = next(began for began, upto in checks if upto >= event)
        assert event <= first <= event + PATIENCE
    assert len(checks) <= 1 + 900 / QUIET.total_seconds()


def test_no_event_is_no_check_and_one_from_a_clock_that_was_wrong_is_not_waited_for() -> None:
    assert due_after([], NOW) is None
    ahead = NOW + timedelta(hours=1)
    assert due_after([ahead], NOW) == ahead
