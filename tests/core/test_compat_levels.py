"""Promises that are amounts: service levels, thresholds, bounds."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from contracts_svc.compat import thresholds
from contracts_svc.compat.service_levels import LESS_IS_BETTER, MORE_IS_BETTER, SYNONYMS, moved
from contracts_svc.compat.thresholds import COUNTS, EVERYTHING, Strictness
from contracts_svc.model import Json, SlaProperty

SAME, LOOSENED, TIGHTENED, CHANGED = Strictness
OPPOSITE = {LOOSENED: TIGHTENED, TIGHTENED: LOOSENED}


def sla(name: str, value: Json, unit: str | None = None, **fields: Any) -> SlaProperty:
    return SlaProperty(property=name, value=value, unit=unit, **fields)


LEVELS = [
    ("latency", 4, "h", 48, "h", LOOSENED),
    ("latency", 48, "h", 2, "d", SAME),
    ("latency", 2, "days", 48, "hours", SAME),
    ("ly", "4h", None, "5 h", None, LOOSENED),
    ("latency", "PT4H", None, 240, "minutes", SAME),
    ("latency", "PT4H", None, "P1D", None, LOOSENED),
    ("frequency", 1, "d", 1, "w", LOOSENED),
    ("fy", 1, "month", 1, "d", TIGHTENED),
    ("retention", 3, "y", 1, "y", LOOSENED),
    ("retention", 3, "yr", 36, "months", SAME),
    ("retention", 1, "y", 365, "d", SAME),
    ("re", 1, "y", 300, "d", LOOSENED),
    ("retention", 365, "d", 364, "d", LOOSENED),
    ("availability", "99.9%", None, 99, "percent", LOOSENED),
    ("av", 99.5, "%", 99.9, "%", TIGHTENED),
    ("throughput", 100, "MB/s", 50, "mb/s", LOOSENED),
    ("th", 100, "MB/s", 100, "rows/s", CHANGED),
    ("errorRate", 1, "%", 2, "%", LOOSENED),
    ("er", 0.01, "ratio", 1, "%", SAME),
    ("endOfSupport", "2032-05-12T09:30:10-08:00", None, "2030-01-01", None, LOOSENED),
    ("endOfLife", "2032-05-12", None, "2033-05-12", None, TIGHTENED),
    ("generalAvailability", "2026-01-01", None, "2026-03-01", None, LOOSENED),
    ("timeOfAvailability", "09:00-08:00", None, "10:00-08:00", None, LOOSENED),
    ("timeOfAvailability", "09:00-08:00", None, "18:00+01:00", None, SAME),
    ("timeToDetect", 1, "h", 30, "min", TIGHTENED),
    ("timeToNotify", 1, "h", 2, "h", LOOSENED),
    ("timeToRepair", 1, "d", 2, "d", LOOSENED),
    ("latency", 4, "h", "soon", None, CHANGED),
    ("latency", 4, "h", 4, "%", CHANGED),
    ("latency", 4, "h", None, "h", CHANGED),
    ("mood", 4, None, 5, None, CHANGED),
    ("mood", "good", None, "good", None, SAME),
]


@pytest.mark.parametrize(("name", "old", "old_unit", "new", "new_unit", "expected"), LEVELS)
def test_service_levels(
    name: str, old: Json, old_unit: str | None, new: Json, new_unit: str | None, expected: Strictness
) -> None:
    one, other = sla(name, old, old_unit), sla(name, new, new_unit)
    assert moved(one, other) is expected
    assert moved(other, one) is OPPOSITE.get(expected, expected)


def test_every_property_of_the_standard_has_a_direction() -> None:
    # ODCS 3.1, "Service-Level Agreement", with the indicators of the Data QoS table that it refers to.
    standard = (
        "availability throughput errorRate generalAvailability endOfSupport endOfLife retention frequency "
        "latency timeToDetect timeToNotify timeToRepair timeOfAvailability"
    )
    names = {n.lower() for n in standard.split()}
    assert names <= LESS_IS_BETTER | MORE_IS_BETTER
    assert not LESS_IS_BETTER & MORE_IS_BETTER
    assert set(SYNONYMS.values()) <= LESS_IS_BETTER | MORE_IS_BETTER


def test_a_synonym_is_the_same_property_and_another_extra_value_is_not_the_same_level() -> None:
    assert moved(sla("freshness", 1, "d"), sla("Latency", 24, "h")) is SAME
    assert moved(sla("latency", 1, "d"), sla("latency", 1, "d", value_ext=2)) is CHANGED


THRESHOLDS = [
    ({"mustBe": 0}, {"mustBe": 0}, SAME),
    ({"mustBe": 0}, {"mustBeLessOrEqualTo": 0}, SAME),
    ({"mustBe": 0}, {"mustBeLessThan": 10}, LOOSENED),
    ({"mustBeLessThan": 10}, {"mustBeLessOrEqualTo": 10}, LOOSENED),
    ({"mustBeGreaterThan": 100}, {"mustBeGreaterOrEqualTo": 100}, LOOSENED),
    ({"mustBeGreaterThan": 100}, {"mustBeGreaterThan": 200}, TIGHTENED),
    ({"mustBeBetween": [10, 20]}, {"mustBeBetween": [5, 25]}, LOOSENED),
    ({"mustBeBetween": [10, 20]}, {"mustBeBetween": [15, 25]}, CHANGED),
    ({"mustBeBetween": [10, 20]}, {"mustBeGreaterOrEqualTo": 10, "mustBeLessOrEqualTo": 20}, LOOSENED),
    ({"mustNotBeBetween": [10, 20]}, {"mustNotBeBetween": [12, 18]}, LOOSENED),
    ({"mustNotBe": 0}, {}, LOOSENED),
    ({"mustBe": 1}, {"mustBe": 2}, CHANGED),
    ({"mustBe": 1}, {"mustNotBe": 2}, LOOSENED),
    ({"mustBe": "a"}, {"mustBe": "b"}, CHANGED),
    ({"mustBe": True}, {"mustBe": False}, CHANGED),
    ({"mustBeBetween": 3}, {"mustBe": 3}, CHANGED),
]


@pytest.mark.parametrize(("old", "new", "expected"), THRESHOLDS)
def test_thresholds_of_counts(old: dict[str, Json], new: dict[str, Json], expected: Strictness) -> None:
    sets = [thresholds.of_operators(o, COUNTS) for o in (old, new)]
    assert thresholds.compared(*sets) is expected
    assert thresholds.compared(*reversed(sets)) is OPPOSITE.get(expected, expected)


numbers = st.integers(-3, 6)
operators = st.one_of(
    st.dictionaries(
        st.sampled_from(
            [
                "mustBe",
                "mustNotBe",
                "mustBeGreaterThan",
                "mustBeGreaterOrEqualTo",
                "mustBeLessThan",
                "mustBeLessOrEqualTo",
            ]
        ),
        numbers,
        max_size=2,
    ),
    st.tuples(numbers, numbers).map(lambda p: {"mustBeBetween": sorted(p)}),
    st.tuples(numbers, numbers).map(lambda p: {"mustNotBeBetween": sorted(p)}),
)
HOLDS = {
    "mustBe": lambda x, v: x == v,
    "mustNotBe": lambda x, v: x != v,
    "mustBeGreaterThan": lambda x, v: x > v,
    "mustBeGreaterOrEqualTo": lambda x, v: x >= v,
    "mustBeLessThan": lambda x, v: x < v,
    "mustBeLessOrEqualTo": lambda x, v: x <= v,
    "mustBeBetween": lambda x, v: v[0] < x < v[1],
    "mustNotBeBetween": lambda x, v: not v[0] < x < v[1],
}


@given(operators, operators)
def test_thresholds_are_what_they_let_through(old: dict[str, Json], new: dict[str, Json]) -> None:
    samples = [x / 4 for x in range(-40, 60)]
    passed = [{x for x in samples if all(HOLDS[k](x, v) for k, v in o.items())} for o in (old, new)]
    found = thresholds.compared(*(thresholds.of_operators(o, EVERYTHING) for o in (old, new)))
    if found is SAME:
        assert passed[0] == passed[1]
    if found is LOOSENED:
        assert passed[0] < passed[1]
    if found is CHANGED:
        assert not passed[0] <= passed[1]
        assert not passed[1] <= passed[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (3, 3),
        ("1970-01-01", 0),
        ("1970-01-02T00:00:00Z", 86_400),
        ("1970-01-01T01:00:00+01:00", 0),
        ("01:00", 3600),
        ("0001-01-01T00:00:00+01:00", -62_135_600_400),
        (True, None),
        ("yesterday", None),
        ("20", None),
        (None, None),
        ([1], None),
    ],
)
def test_what_counts_as_a_number(text: Json, expected: float | None) -> None:
    assert thresholds.as_number(text) == expected
