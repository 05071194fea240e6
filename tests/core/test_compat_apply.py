"""Nothing is left out of a diff: applied to the old version, it gives the new one."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from contracts_svc.compat.apply import apply
from contracts_svc.compat.columns import SUFFIX, join
from contracts_svc.compat.diff import diff
from contracts_svc.compat.rules import judge
from contracts_svc.compat.sameness import same
from contracts_svc.findings import ChangeKind
from contracts_svc.model import (
    Column,
    Contract,
    CustomProperty,
    QualityRule,
    Relationship,
    Server,
    SlaProperty,
    SupportChannel,
    Table,
    Team,
    TeamMember,
)

words = st.sampled_from(["a", "b", "c", "d"])
texts = st.none() | words
numbers = st.sampled_from([0, 1, 2, 3, 0.0, 1.0, False, True, math.nan])
values = st.one_of(numbers, words, st.lists(numbers | words, max_size=2))
mappings = st.dictionaries(st.sampled_from(["synonyms", "examples", "encryptedName"]), values, max_size=2)
options = st.dictionaries(st.sampled_from(["minimum", "maxLength", "format"]), values, max_size=2)
tags = st.lists(words, max_size=2).map(tuple)
stable_ids = st.none() | st.sampled_from(["id1", "id2", "id3", "id4"])


def many(strategy: st.SearchStrategy[Any], size: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=size).map(tuple)


customs = many(st.builds(CustomProperty, property=words, value=values, id=stable_ids))
rules = many(
    st.builds(
        QualityRule,
        type=st.sampled_from(["library", "sql", "text"]),
        id=stable_ids,
        name=texts,
        metric=st.sampled_from([None, "rowCount", "nullValues"]),
        operators=st.dictionaries(st.sampled_from(["mustBe", "mustBeLessThan"]), numbers, max_size=1),
        unit=texts,
        arguments=st.dictionaries(words, values, max_size=1),
    ),
    3,
)
relationships = many(st.builds(Relationship, id=stable_ids, source=tags, target=tags))


def column(children: st.SearchStrategy[tuple[Column, ...]]) -> st.SearchStrategy[Column]:
    return st.builds(
        Column,
        name=words,
        path=st.just(""),
        id=stable_ids,
        physical_name=texts,
        description=texts,
        logical_type=st.sampled_from([None, "string", "integer", "object"]),
        logical_type_options=options,
        physical_type=st.sampled_from([None, "INT", "BIGINT", "VARCHAR(3)"]),
        required=st.booleans(),
        primary_key=st.booleans(),
        primary_key_position=st.integers(-1, 2),
        enum=many(numbers | words),
        tags=tags,
        extra=mappings,
        custom=customs,
        quality=rules,
        relationships=relationships,
        columns=children,
        items=st.none() | children.map(lambda c: c[0] if c else None),
    )


def distinct(columns: list[Column]) -> tuple[Column, ...]:
    return tuple({c.name: c for c in columns}.values())


leaves = st.lists(column(st.just(())), max_size=2).map(distinct)
nested = st.lists(column(leaves), max_size=2).map(distinct)
top = st.lists(column(nested), max_size=4).map(distinct)


def with_paths(column: Column, parent: str | None, slot: str = "columns") -> Column:
    path = join(parent, slot, column.name)
    parts = {
        name: with_paths(part, path, name) for name in SUFFIX if (part := getattr(column, name)) is not None
    }
    inside = tuple(with_paths(c, path) for c in column.columns)
    return dataclasses.replace(column, path=path, columns=inside, **parts)


def placed(table: Table) -> Table:
    return dataclasses.replace(table, columns=tuple(with_paths(c, None) for c in table.columns))


tables = st.builds(
    Table,
    name=words,
    id=stable_ids,
    physical_name=texts,
    description=texts,
    deprecated=st.booleans(),
    tags=tags,
    custom=customs,
    columns=top,
    quality=rules,
    relationships=relationships,
    extra=mappings,
).map(placed)
contracts = st.builds(
    Contract,
    api_version=st.sampled_from(["v3.1.0", "v3.2.0"]),
    id=st.just("orders"),
    version=st.sampled_from(["1.0.0", "1.1.0", "2.0.0"]),
    status=texts,
    name=texts,
    description=st.none() | st.dictionaries(words, words, max_size=2),
    tables=st.lists(tables, max_size=3).map(lambda ts: tuple({t.name: t for t in ts}.values())),
    servers=many(st.builds(Server, server=words, type=st.just("s3"), fields=mappings, custom=customs)),
    team=st.none() | st.builds(Team, name=texts, members=many(st.builds(TeamMember, username=words))),
    support=many(st.builds(SupportChannel, channel=words, tool=texts, scope=texts)),
    sla=many(st.builds(SlaProperty, property=words, value=numbers, unit=texts, id=stable_ids), 3),
    roles=many(st.fixed_dictionaries({"role": words, "access": words})),
    tags=tags,
    custom=customs,
    extra=mappings,
)


@settings(max_examples=120, deadline=None)
@given(contracts, contracts)
def test_applying_a_diff_gives_the_new_version(old: Contract, new: Contract) -> None:
    assert same(apply(diff(old, new), old), new)


@settings(max_examples=30, deadline=None)
@given(contracts)
def test_a_contract_does_not_differ_from_itself(contract: Contract) -> None:
    assert diff(contract, contract) == ()
    assert judge((), contract, contract) == ()


@settings(max_examples=40, deadline=None)
@given(contracts, contracts)
def test_a_difference_makes_a_change_both_ways(old: Contract, new: Contract) -> None:
    assert bool(diff(old, new)) is not same(old, new)
    assert bool(diff(new, old)) is not same(old, new)


@settings(max_examples=40, deadline=None)
@given(contracts, contracts)
def test_fingerprints_do_not_depend_on_the_order_of_keys(old: Contract, new: Contract) -> None:
    def fingerprints(one: Contract, other: Contract) -> list[str]:
        return [f.fingerprint for f in judge(diff(one, other), one, other)]

    assert fingerprints(old, new) == fingerprints(turned(old), turned(new))


def turned(value: Any) -> Any:
    """The same value with the keys of every mapping in the opposite order."""
    if isinstance(value, dict):
        return {k: turned(value[k]) for k in reversed(value)}
    if isinstance(value, tuple | list):
        return type(value)(turned(v) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {f.name: turned(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare}
        return dataclasses.replace(value, **parts)
    return value


def test_a_column_moved_by_its_id_takes_its_own_columns_along() -> None:
    def contract(*columns: Column) -> Contract:
        table = placed(Table(name="t", columns=columns))
        return Contract(api_version="v3.1.0", id="orders", version="1", tables=(table,))

    street = Column(name="street", path="")
    address = Column(name="address", path="", id="addr", columns=(street,))
    old = contract(Column(name="customer", path="", columns=(address,)))
    new = contract(Column(name="buyer", path="", columns=(address,)))
    changes = diff(old, new)

    assert [(c.kind, c.column, c.new_column) for c in changes] == [
        (ChangeKind.REMOVED, "customer", None),
        (ChangeKind.MOVED, "customer.address", "buyer.address"),
        (ChangeKind.ADDED, "buyer", "buyer"),
    ]
    assert apply(changes, old) == new


@pytest.mark.parametrize(
    ("one", "other"),
    [(1, True), (0, False), (1, 1.0), (1.0, True), ([1], [True]), ({"a": (0,)}, {"a": (False,)})],
)
def test_equal_numbers_of_two_types_are_two_values(one: Any, other: Any) -> None:
    def contract(value: Any) -> Contract:
        column = Column(name="c", path="c", enum=(value,), logical_type_options={"minimum": value})
        table = Table(name="t", columns=(column,))
        custom = (CustomProperty(property="p", value=value),)
        return Contract(api_version="v3.1.0", id="orders", version="1", tables=(table,), custom=custom)

    old, new = contract(one), contract(other)
    assert old == new
    assert not same(old, new)
    changes = diff(old, new)
    assert [(c.element, c.field) for c in changes] == [
        ("custom", None),
        ("column", "enum"),
        ("column", "logicalTypeOptions.minimum"),
    ]
    assert same(apply(changes, old), new)


def test_a_value_that_is_not_a_number_is_itself() -> None:
    def contract() -> Contract:
        sla = SlaProperty(property="latency", value=float("nan"))
        return Contract(api_version="v3.1.0", id="orders", version="1", sla=(sla,))

    assert diff(contract(), contract()) == ()
