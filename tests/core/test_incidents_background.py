"""When all was well last, and what the cause may be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.alerts import Incident
from contracts_svc.incidents import advance
from contracts_svc.incidents_background import MOST_CAUSES, background
from contracts_svc.runs import Check, Result, Run
from tests.alerts_world import CARRIER, DEP_DELAY, NOON, fails, passes, run

DRIFT = Check(
    id="types", kind="logical-type", table="flights", columns=("air_time",), title="air_time is a number"
)
LATE = Check(id="fresh", kind="freshness", table="flights", title="the latest row is at most 2 days old")
ODD = Check(id="odd", kind="anomaly-rows", table="flights", title="as many rows as on other Mondays")


def at(days: int, scope: str, *results: Result, rows: int | None = 28_135, version: str = "1.0.0") -> Run:
    return replace(run(NOON + timedelta(days=days), scope, *results), rows=rows, version=version)


def incident(last: Run) -> Incident:
    (found,) = (t.incident for t in advance((), last, last.finished) if t.incident.check == DEP_DELAY.id)
    return found


GOOD = at(0, "month=12", passes(DEP_DELAY))


@pytest.mark.parametrize(
    ("last", "causes"),
    [
        (at(1, "month=12", fails(DEP_DELAY)), ()),
        (
            at(1, "month=12", fails(DEP_DELAY), fails(DRIFT)),
            ("The files are made in another way: air_time is a number (1,204 failing rows)",),
        ),
        (
            at(1, "month=12", fails(DEP_DELAY), version="2.0.0"),
            ("The contract changed: it is version 2.0.0 now, and 1.0.0 in the last good run",),
        ),
        (
            at(1, "month=12", fails(DEP_DELAY), replace(fails(LATE), found="")),
            ("The data is late: the latest row is at most 2 days old",),
        ),
        (
            at(1, "month=12", fails(DEP_DELAY), rows=14_000),
            ("There are far fewer rows: 14,000, and 28,135 in the last good run",),
        ),
        (
            at(1, "month=12", fails(DEP_DELAY), rows=60_000),
            ("There are far more rows: 60,000, and 28,135 in the last good run",),
        ),
        # Another scope has another number of rows.
        (at(1, "whole table", fails(DEP_DELAY), rows=336_776), ()),
        (
            at(1, "month=12", fails(DEP_DELAY), fails(ODD)),
            ("Something else is unusual: as many rows as on other Mondays (1,204 failing rows)",),
        ),
        # Another column that is wrong is no cause.
        (at(1, "month=12", fails(DEP_DELAY), fails(CARRIER)), ()),
    ],
)
def test_what_the_cause_may_be(last: Run, causes: tuple[str, ...]) -> None:
    assert background(incident(last), (last, GOOD)).causes == causes


def test_the_likeliest_cause_comes_first_and_there_are_few() -> None:
    many = [replace(DRIFT, id=f"types {n}", title=f"column {n} is a number") for n in range(9)]
    last = at(1, "month=12", fails(DEP_DELAY), *map(fails, many), fails(LATE), version="2.0.0")
    found = background(incident(last), (last, GOOD)).causes
    assert len(found) == MOST_CAUSES
    assert all(c.startswith("The files") for c in found)


def test_the_last_good_run_is_the_one_that_looked_at_the_same() -> None:
    whole, elsewhere = at(1, "whole table", passes(DEP_DELAY)), at(2, "month=11", passes(DEP_DELAY))
    last = at(3, "month=12", fails(DEP_DELAY))
    for runs, good in (
        ((last, elsewhere, GOOD), GOOD),
        ((last, elsewhere, whole, GOOD), whole),
        ((last, elsewhere), elsewhere),
        ((last, at(2, "month=12", passes(CARRIER))), None),
        ((last,), None),
        ((), None),
    ):
        found = background(incident(last), runs)
        assert found.looked == len(runs)
        assert (found.last_good.at if found.last_good else None) == (good.finished if good else None)


def test_a_run_after_it_began_was_not_the_last_good_one() -> None:
    first = at(1, "month=12", fails(DEP_DELAY))
    later = at(2, "month=11", passes(DEP_DELAY))
    found = background(incident(first), (later, first, GOOD))
    assert found.last_good is not None
    assert found.last_good.at == GOOD.finished


@given(
    st.lists(
        st.tuples(
            st.integers(0, 9),
            st.sampled_from(["month=12", "month=11", "whole table"]),
            st.lists(st.sampled_from([CARRIER, DRIFT, LATE, ODD]), unique_by=lambda c: c.id),
            st.booleans(),
            st.none() | st.integers(0, 10**6),
        ),
        max_size=6,
    )
)
def test_any_runs_give_bounded_sentences(given: list[tuple[int, str, list[Check], bool, int | None]]) -> None:
    runs = [
        at(day, scope, *map(fails, checks), (fails if bad else passes)(DEP_DELAY), rows=rows)
        for day, scope, checks, bad, rows in given
    ]
    last = at(10, "month=12", fails(DEP_DELAY))
    found = background(incident(last), (last, *sorted(runs, key=lambda r: r.started, reverse=True)))
    assert len(found.causes) <= MOST_CAUSES
    if found.last_good is not None:
        assert any(r.finished == found.last_good.at and passes(DEP_DELAY) in r.results for r in runs)
