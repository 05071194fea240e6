"""Waivers, subscriptions and tokens in the store, each change with its audit entry."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.errors import UserMistake
from contracts_svc.lineage.graph import Channel
from contracts_svc.ports_people import Session
from contracts_svc.ports_store import TOKEN_SECONDS, Actor, Subscription, Token
from contracts_svc.verdict import Waiver
from tests.fixtures_store import read_contract

NOW = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ADA = Actor(who="ada", where="cli")


def actions(store: DatabaseStore) -> list[tuple[str, str, str]]:
    return [(e.kind, e.action, e.subject) for e in store.audit()]


def test_waivers_are_in_force_until_they_expire(store: DatabaseStore) -> None:
    short = Waiver(fingerprint="f1", approver="ada", reason="agreed", expires=NOW + DAY)
    long = replace(short, expires=NOW + 3 * DAY)
    assert store.put_waiver(short, NOW, ADA) is True
    assert store.put_waiver(short, NOW, ADA) is False
    assert store.put_waiver(long, NOW, ADA) is True
    assert store.waivers(NOW) == (long, short)
    assert store.waivers(NOW + DAY) == (long,)
    assert store.waivers(NOW + 3 * DAY) == ()
    assert store.withdraw_waiver(store.waiver_id(long), NOW, ADA) is True
    assert store.withdraw_waiver(store.waiver_id(long), NOW, ADA) is False
    assert store.withdraw_waiver(store.waiver_id(short), NOW + 2 * DAY, ADA) is False, "it is over"
    assert store.withdraw_waiver("none", NOW, ADA) is False
    assert store.waivers(NOW) == (short,)
    assert store.waiver(store.waiver_id(long)) == long
    assert store.put_waiver(long, NOW, ADA) is True
    assert store.waivers(NOW) == (long, short)
    assert [a[1] for a in actions(store)] == ["created", "created", "withdrawn", "created"]
    assert store.audit()[0].detail["reason"] == "agreed"


READER = Subscription(
    consumer="churn-model",
    contract="urn:flights",
    team="science",
    columns=("flights.dest",),
    channels=(Channel(tool="slack", address="#science"),),
)


def test_a_subscription_is_kept_as_it_is_now(store: DatabaseStore) -> None:
    assert store.put_subscription(READER, NOW, ADA) is True
    assert store.put_subscription(READER, NOW, ADA) is False
    changed = replace(READER, version="2.0.0")
    assert store.put_subscription(changed, NOW, ADA) is True
    other = replace(READER, contract="urn:a")
    store.put_subscription(other, NOW, ADA)
    assert store.subscriptions() == (other, changed)
    assert store.subscriptions("urn:flights") == (changed,)


def test_a_subscription_ends_and_may_begin_again(store: DatabaseStore) -> None:
    store.put_subscription(READER, NOW, ADA)
    assert store.end_subscription("churn-model", "urn:flights", NOW, ADA) is True
    assert store.end_subscription("churn-model", "urn:flights", NOW, ADA) is False
    assert store.end_subscription("nobody", "urn:flights", NOW, ADA) is False
    assert store.subscriptions() == ()
    assert store.put_subscription(READER, NOW, ADA) is True
    assert store.subscriptions() == (READER,)
    assert [a for _, a, _ in actions(store)] == ["created", "ended", "created"]


def test_tokens_are_found_by_the_hash_of_their_secret(store: DatabaseStore) -> None:
    token = Token(id="t1", owner="ada", scopes=("contracts:write",), created=NOW, expires=NOW + DAY)
    store.put_token(token, "ab" * 32, ADA)
    assert store.token("ab" * 32) == token
    assert store.token("cd" * 32) is None
    assert store.tokens() == (token,)
    assert (store.token_named("t1"), store.token_named("t2")) == (token, None)
    assert store.revoke_token("t1", NOW + DAY, ADA) is True
    assert store.revoke_token("t1", NOW + DAY, ADA) is False
    assert store.token("ab" * 32) == replace(token, revoked=NOW + DAY)
    with pytest.raises(UserMistake, match="no token 't2'"):
        store.revoke_token("t2", NOW, ADA)
    assert actions(store) == [("token", "created", "t1"), ("token", "revoked", "t1")]
    assert "ab" * 32 not in repr(store.audit())


def test_a_token_that_another_process_revokes_is_good_for_a_moment_only(
    store: DatabaseStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = Token(id="t1", owner="ada", scopes=("viewer",), created=NOW, expires=NOW + DAY)
    store.put_token(token, "ab" * 32, ADA)
    assert store.token("ab" * 32) == token
    other = DatabaseStore(Database(store_url), read_contract)
    other.revoke_token("t1", NOW, ADA)
    other.close()
    assert TOKEN_SECONDS <= 5
    # As if that time had passed.
    later = time.monotonic() + TOKEN_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert store.token("ab" * 32) == replace(token, revoked=NOW)


def test_sessions_are_kept_ended_and_forgotten_once_they_ran_out(store: DatabaseStore) -> None:
    session = Session(name="ada@example.com", subject="ada-1", scopes=("viewer", "squad:menu"), tenant="acme",
                      created=NOW, expires=NOW + DAY)  # fmt: skip
    store.put_session(session, "a" * 64, ADA)
    assert store.session("a" * 64) == session
    assert store.session("b" * 64) is None
    later = replace(session, created=NOW + DAY / 2, expires=NOW + 2 * DAY)
    store.put_session(later, "b" * 64, ADA)
    assert store.session("a" * 64) == session
    store.put_session(replace(session, created=NOW + DAY), "c" * 64, ADA)
    assert (store.session("a" * 64), store.session("b" * 64)) == (None, later)
    assert store.end_session("b" * 64, NOW + DAY, ADA) is True
    assert store.end_session("b" * 64, NOW + DAY, ADA) is False
    assert store.session("b" * 64) is None
    kept = [(kind, action, subject) for kind, action, subject in actions(store)]
    assert kept == [*[("session", "began", "ada@example.com")] * 3, ("session", "ended", "ada@example.com")]
    assert store.audit()[0].detail == {
        "subject": "ada-1",
        "tenant": "acme",
        "scopes": ["viewer", "squad:menu"],
    }


def test_all_sessions_of_somebody_who_has_left_end_at_once(store: DatabaseStore) -> None:
    ada = Session(name="ada@example.com", subject="1", scopes=("viewer",), created=NOW, expires=NOW + DAY)
    bob = replace(ada, name="bob@example.com", subject="2")
    later = replace(ada, created=NOW + DAY / 2, expires=NOW + 2 * DAY)
    for number, session in enumerate((bob, later, ada)):
        store.put_session(session, f"{number:064x}", ADA)
    assert store.sessions(NOW) == (ada, later, bob)
    assert store.sessions(NOW + DAY) == (later,)
    assert store.end_sessions("ada@example.com", NOW, ADA) == 2
    assert store.end_sessions("ada@example.com", NOW, ADA) == 0
    assert store.sessions(NOW) == (bob,)
    assert [e.action for e in store.audit("session")] == ["began"] * 3 + ["ended"] * 2
