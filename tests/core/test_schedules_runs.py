"""Which runs are handed to workers next: urgency, fairness, limits."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.schedules_runs import (
    LONGEST_PAUSE,
    Limits,
    Reason,
    ScheduledRun,
    back_off,
    bucket_of,
    pick,
)
from tests.core.odcs_texts import HEADER, read

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NUMBERS = count(1)


def run(
    table: str, *, bucket: str = "b", tenant: str = "", reason: Reason = Reason.SCHEDULE, at: int = 0
) -> ScheduledRun:
    return ScheduledRun(
        id=next(NUMBERS),
        tenant=tenant,
        contract="c",
        table=table,
        bucket=bucket,
        scheduled_for=NOW + timedelta(minutes=at),
        reason=reason,
    )


def names(picked: tuple[ScheduledRun, ...]) -> list[str]:
    return [r.table for r in picked]


def test_what_is_urgent_goes_first_and_of_the_rest_the_oldest() -> None:
    waiting = [
        run("late", reason=Reason.CATCH_UP, at=-600),
        run("later", at=5),
        run("soon", at=1),
        run("asked", reason=Reason.MANUAL, at=9),
        run("published", reason=Reason.PUBLISH, at=9),
    ]
    assert names(pick(waiting, (), Limits())) == ["asked", "published", "soon", "later", "late"]


def test_a_bucket_with_much_to_do_leaves_room_for_the_others() -> None:
    slow = [run(f"slow{n}", bucket="slow", at=-60) for n in range(50)]
    quick = [run(f"quick{n}", bucket="quick") for n in range(3)]
    limits = Limits(in_all=10, per_bucket=4, per_tenant=10)
    assert names(pick([*slow, *quick], (), limits)) == [
        "slow0", "quick0", "slow1", "quick1", "slow2", "quick2", "slow3",
    ]  # fmt: skip
    assert names(pick([*slow, *quick], slow[:4], limits)) == ["quick0", "quick1", "quick2"]


def test_a_tenant_with_much_to_do_leaves_room_for_the_others() -> None:
    big = [run(f"big{n}", bucket=f"b{n}", tenant="big", at=-60) for n in range(50)]
    small = [run("small", tenant="small")]
    picked = pick([*big, *small], big[:2], Limits(in_all=8, per_bucket=8, per_tenant=3))
    assert names(picked) == ["small", "big2"]


def test_a_table_is_not_checked_twice_at_once() -> None:
    first, second, other = run("t"), run("t", at=1), run("u", at=2)
    assert names(pick([first, second, other], (), Limits())) == ["t", "u"]
    assert names(pick([second, other], [first], Limits())) == ["u"]


RUNS = st.builds(
    run,
    st.sampled_from("pqrstuv"),
    bucket=st.sampled_from(["", "a", "b"]),
    tenant=st.sampled_from("xyz"),
    reason=st.sampled_from(Reason),
    at=st.integers(0, 9),
)


@given(st.lists(RUNS, max_size=40), st.lists(RUNS, max_size=6), st.integers(1, 6), st.integers(1, 6))
def test_no_limit_is_passed_and_nothing_that_could_go_waits(
    waiting: list[ScheduledRun], busy: list[ScheduledRun], per_bucket: int, per_tenant: int
) -> None:
    limits = Limits(in_all=9, per_bucket=per_bucket, per_tenant=per_tenant)
    picked = pick(waiting, busy, limits)
    both = (*busy, *picked)

    def places(runs: tuple[ScheduledRun, ...]) -> Counter[str]:
        return Counter(r.bucket or r.contract for r in runs)

    def room(one: ScheduledRun) -> bool:
        return (
            len(both) < limits.in_all
            and places(both)[one.bucket or one.contract] < per_bucket
            and Counter(r.tenant for r in both)[one.tenant] < per_tenant
            and all((one.tenant, one.table) != (r.tenant, r.table) for r in both)
        )

    for r in picked:
        before = tuple(busy)
        assert places(both)[r.bucket or r.contract] <= max(per_bucket, places(before)[r.bucket or r.contract])
    assert len(picked) <= max(0, limits.in_all - len(busy))
    assert not [r for r in waiting if r not in picked and room(r)]


def test_pauses_grow_and_are_bounded() -> None:
    pauses = [back_off(n).total_seconds() for n in (1, 2, 3, 7, 1_000)]
    assert pauses == [10, 20, 40, LONGEST_PAUSE.total_seconds(), LONGEST_PAUSE.total_seconds()]


@pytest.mark.parametrize(
    ("server", "bucket"),
    [
        ("{server: s, type: s3, location: 's3://lake/x/*.parquet'}", "s3://lake"),
        ("{server: s, type: local, path: ./data, format: parquet}", ""),
    ],
)
def test_the_bucket_of_a_contract(server: str, bucket: str) -> None:
    assert bucket_of(read(HEADER + f"servers: [{server}]\n")) == bucket
    assert bucket_of(read(HEADER)) == ""
