"""The registry of contracts, on SQLite and on PostgreSQL."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.errors import Location, UserMistake
from contracts_svc.ports_store import Actor, ContractFilter
from tests.fixtures_store import read_contract

NOW = datetime(2024, 1, 1, tzinfo=UTC)
ADA = Actor(who="ada", where="api 10.1.2.3")


def text_of(number: str, id_: str = "urn:flights", more: str = "") -> bytes:
    return f"apiVersion: v3.1.0\nkind: DataContract\nversion: '{number}'\nid: {id_}\nstatus: active\n{more}".encode()


def put(
    store: DatabaseStore,
    number: str,
    id_: str = "urn:flights",
    more: str = "",
    now: datetime = NOW,
    by: Actor = ADA,
) -> bool:
    text = text_of(number, id_, more)
    return store.put_contract(read_contract(text, "f.yaml"), text, now, by)


def test_a_version_is_kept_once(store: DatabaseStore) -> None:
    assert put(store, "1.0.0") is True
    assert put(store, "1.0.0", now=NOW + timedelta(days=1)) is False
    assert store.versions("urn:flights") == (read_contract(text_of("1.0.0"), "f.yaml"),)
    assert store.contract_text("urn:flights") == text_of("1.0.0")
    assert [e.action for e in store.audit()] == ["registered"]


def test_places_are_kept(store: DatabaseStore) -> None:
    put(store, "1.0.0")
    (kept,) = store.contracts()
    assert kept.place("version") == Location("f.yaml", 3, 1)
    (row,) = store.list_contracts()
    assert row.file == "f.yaml"


def test_a_version_never_changes(store: DatabaseStore) -> None:
    put(store, "1.0.0")
    with pytest.raises(UserMistake) as caught:
        put(store, "1.0.0", more="domain: other\n")
    (problem,) = caught.value.problems
    assert "version 1.0.0 of contract urn:flights" in problem.message
    assert "raise `version`" in problem.hint
    assert problem.at == Location("f.yaml", 3, 1)
    assert store.contract_text("urn:flights", "1.0.0") == text_of("1.0.0")
    assert len(store.audit()) == 1


def test_the_same_version_of_another_contract_is_another_thing(store: DatabaseStore) -> None:
    put(store, "1.0.0")
    assert put(store, "1.0.0", "urn:planes") is True


# The chain of semantic versioning 2.0.0, section 11, and what contracts write besides.
ASCENDING = (
    "0.9.0",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "v1.0.1",
    "1.2",
    "1.10.0",
    "2",
    "2.0.1",
    "2024.1.1",
    "9" * 700,
    "draft",
)


def test_versions_are_ordered_as_semantic_versioning_says(store: DatabaseStore) -> None:
    shuffled = list(ASCENDING)
    random.Random(7).shuffle(shuffled)
    for number in shuffled:
        put(store, number)
    assert tuple(c.version for c in store.versions("urn:flights")) == ASCENDING
    assert [c.version for c in store.contracts()] == ["draft"]
    assert [r.version for r in store.list_contracts()] == ["draft"]


def test_versions_of_one_rank_are_ordered_by_when_they_came(store: DatabaseStore) -> None:
    came = ["1.0.0+build.2", "1.0", "v1.0.0", "1.0.0+build.1"]
    for n, number in enumerate(came):
        put(store, number, now=NOW + timedelta(days=n))
    assert [c.version for c in store.versions("urn:flights")] == came
    assert [c.version for c in store.contracts()] == ["1.0.0+build.1"]


def test_contracts_are_the_latest_versions_by_id(store: DatabaseStore) -> None:
    for id_, number in [("b", "1.0.0"), ("a", "1.10.0"), ("a", "1.9.0")]:
        put(store, number, id_)
    assert [(c.id, c.version) for c in store.contracts()] == [("a", "1.10.0"), ("b", "1.0.0")]
    assert [c.version for c in (store.contract("a"), store.contract("b")) if c] == ["1.10.0", "1.0.0"]
    assert store.versions("unknown") == ()
    assert store.contract("unknown") is None
    assert store.contract_text("unknown") is None
    assert store.contract_text("a", "7") is None


def test_a_contract_belongs_to_one_tenant(store: DatabaseStore) -> None:
    put(store, "1.0.0", more="tenant: north\n")
    for more in ("tenant: south\n", ""):
        with pytest.raises(UserMistake, match="belongs to another tenant"):
            put(store, "1.1.0", more=more)
    assert [r.version for r in store.list_contracts(ContractFilter(tenant="north"))] == ["1.0.0"]
    assert store.list_contracts(ContractFilter(tenant="south")) == ()


def test_a_retired_contract_stays_and_is_out_of_use(store: DatabaseStore) -> None:
    put(store, "1.0.0")
    assert store.retire_contract("urn:flights", NOW, ADA) is True
    assert store.retire_contract("urn:flights", NOW, ADA) is False
    assert store.contracts() == ()
    assert store.list_contracts() == ()
    (row,) = store.list_contracts(ContractFilter(retired=True))
    assert row.retired == NOW
    assert len(store.versions("urn:flights")) == 1
    assert store.contract("urn:flights") == store.versions("urn:flights")[0]
    assert put(store, "1.0.0") is False
    with pytest.raises(UserMistake, match="is retired"):
        put(store, "1.1.0")
    with pytest.raises(UserMistake, match="no contract 'urn:planes' is registered"):
        store.retire_contract("urn:planes", NOW, ADA)


def test_every_change_is_written_down_with_who_and_from_where(store: DatabaseStore) -> None:
    put(store, "1.0.0")
    put(store, "1.0.0", "urn:planes")
    store.retire_contract("urn:flights", NOW + timedelta(days=1), ADA)
    first, second = store.audit("contract", "urn:flights")
    assert (first.action, first.at, first.actor, first.detail["version"]) == (
        "registered", NOW, ADA, "1.0.0",
    )  # fmt: skip
    assert (second.action, second.at) == ("retired", NOW + timedelta(days=1))
    assert [e.number for e in store.audit(after=first.number)] == [first.number + 1, second.number]
    assert len(store.audit(limit=2)) == 2


TEAM = """\
domain: {domain}
name: Table of {squad}
tags: [{tags}]
team:
  name: {squad} people
  members: [{{username: {squad}@example.com, role: owner}}]
  customProperties: [{{property: squad, value: {squad}}}, {{property: tribe, value: {tribe}}}]
"""
REGISTRY = {
    "a": ("ops", "wings", "north", "raw, daily"),
    "b": ("ops", "wheels", "north", "raw"),
    "c": ("money", "coins", "south", "daily"),
}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (ContractFilter(), "abc"),
        (ContractFilter(domain="ops"), "ab"),
        (ContractFilter(squad="coins"), "c"),
        (ContractFilter(tribe="north"), "ab"),
        (ContractFilter(owner="wheels@example.com"), "b"),
        (ContractFilter(tag="daily"), "ac"),
        (ContractFilter(tag="daily", domain="ops"), "a"),
        (ContractFilter(status="active"), "abc"),
        (ContractFilter(status="draft"), ""),
        (ContractFilter(text="OF W"), "ab"),
        (ContractFilter(text="%"), ""),
        (ContractFilter(text="C"), "c"),
    ],
    ids=str,
)
def test_lists_are_filtered(store: DatabaseStore, wanted: ContractFilter, found: str) -> None:
    for id_, (domain, squad, tribe, tags) in REGISTRY.items():
        put(store, "1", id_, TEAM.format(domain=domain, squad=squad, tribe=tribe, tags="old, gone"))
        put(store, "2", id_, TEAM.format(domain=domain, squad=squad, tribe=tribe, tags=tags))
    assert "".join(r.id for r in store.list_contracts(wanted)) == found


def test_a_row_shows_the_latest_version(store: DatabaseStore) -> None:
    put(store, "1", "a", TEAM.format(domain="ops", squad="wings", tribe="north", tags="raw, daily"))
    (row,) = store.list_contracts()
    assert (row.name, row.owner, row.tags, row.added) == (
        "Table of wings", "wings@example.com", ("daily", "raw"), NOW,
    )  # fmt: skip


def test_pages_follow_one_another_whatever_is_added_between_them(store: DatabaseStore) -> None:
    ids = ["Z", "a", "b", "ä", "z", "é", "日本"]
    for id_ in ids:
        put(store, "1", id_)
    seen: list[str] = []
    while page := store.list_contracts(after=seen[-1] if seen else "", limit=2):
        seen += [r.id for r in page]
        put(store, "1", f"A{len(seen)}")
    assert seen == sorted(ids)


def test_text_that_postgresql_cannot_keep_is_refused_everywhere(store: DatabaseStore) -> None:
    with pytest.raises(UserMistake, match="U\\+0000"):
        store.list_contracts(ContractFilter(owner="a\x00b"))
    with pytest.raises(UserMistake, match="surrogate"):
        store.versions("a\ud800")


def test_what_is_too_long_to_be_looked_up_by_is_refused_everywhere(store: DatabaseStore) -> None:
    with pytest.raises(UserMistake, match="longer than 800 bytes"):
        put(store, "1", id_="ä" * 401)
    with pytest.raises(UserMistake, match="longer than 800 bytes"):
        put(store, "1" * 801)
    assert put(store, "1", id_="ä" * 400)
    assert len(store.list_contracts()) == 1


def test_what_is_done_atomically_is_kept_together_or_not_at_all(store: DatabaseStore) -> None:
    def work() -> None:
        put(store, "1", "a")
        assert [r.id for r in store.list_contracts()] == ["a"]
        raise KeyError("stop")

    with pytest.raises(KeyError):
        store.atomically(work)
    assert store.list_contracts() == ()
    assert store.audit() == ()
    assert store.atomically(lambda: (put(store, "1", "a"), put(store, "1", "b"))) == (True, True)
    assert len(store.list_contracts()) == 2
