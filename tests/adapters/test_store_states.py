"""Figures of files in the store."""

from __future__ import annotations

from contracts_svc.adapters.store.store import DatabaseStore

FIGURES = {"k": 1, "latest": "2026-01-01T00:00:00+00:00", "none": None, "share": 0.5, "own": {"groups": 2}}


def name(number: int) -> str:
    return f"{number:032x}"


def test_what_is_put_is_there(store: DatabaseStore) -> None:
    a, b = name(1), name(2)
    store.put_states("p", {})
    store.put_states("p", {a: FIGURES, b: {}})
    store.put_states("q", {a: {"k": 2}})
    assert store.states("p", [a, name(9)]) == {a: FIGURES}
    store.put_states("p", {a: {"k": 3}}, keep=[a])
    assert store.states("p", [a, b]) == {a: {"k": 3}}
    assert store.states("q", [a]) == {a: {"k": 2}}


def test_many_units(store: DatabaseStore) -> None:
    many = {name(n): {"k": n} for n in range(5_000)}
    store.put_states("p", many)
    assert store.states("p", many) == many
    store.put_states("p", {}, keep=[])
    assert store.states("p", many) == {}
