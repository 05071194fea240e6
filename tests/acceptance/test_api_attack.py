"""The API as somebody meets it who means it no good, or whose program went mad: on both databases."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from tests.acceptance.api_requests import TENANT, settled_in
from tests.acceptance.test_api import AMOUNT, World, is_problem, orders
from tests.acceptance.test_api_service import editor, put_incident, put_run


@pytest.fixture
def world(store: DatabaseStore) -> World:
    found = World(store)
    found.put(orders("1.0.0", extra=AMOUNT))
    put_incident(found)
    put_run(found)
    return found


# --- addresses ------------------------------------------------------------------------------------

WEIRD = ("%00", "a%00b", "%FF", "%ED%A0%80", "%F0%9F%98%80", "..%2F..", "%2F..%2F", "%2e%2e", "a" * 5_000, "%0d%0aX:1",
         "'%22;--", "%25", "{}", "-1", "9" * 18, "9" * 30, "1e9", "%E2%80%AE", "*", "%20", "_", "inf")  # fmt: skip
CURSORS = (b"\x00", b"\xed\xa0\x80", b"a" * 1_400, b"1e9", b"-1", b"0" * 18, b"9" * 18, b"9" * 300, b"nan", b"\xff",
           "\U0001f600".encode(), b"\x1f\x1f")  # fmt: skip


def addresses(world: World) -> Iterator[tuple[str, str]]:
    """Every endpoint with something weird in each place of its address."""
    document = world.get("/api/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            filled = re.sub(r"\{[^}]*\}", "orders", path)
            queries = [p for p in operation.get("parameters", []) if p["in"] == "query"]
            for text in WEIRD:
                if filled != path:
                    yield method, re.sub(r"\{[^}]*\}", text, path)
            for query in queries:
                needed = [f"{q['name']}=orders" for q in queries if q.get("required") and q is not query]
                for text in WEIRD:
                    yield method, f"{filled}?" + "&".join([f"{query['name']}={text}", *needed])
                if query["name"] == "cursor":
                    for raw in CURSORS:
                        cursor = base64.urlsafe_b64encode(raw).decode()
                        yield method, f"{filled}?" + "&".join([f"cursor={cursor}", *needed])


def test_no_address_and_no_cursor_is_a_defect(world: World) -> None:
    token = world.token("admin")
    wrong: list[str] = []
    tried = 0
    for method, address in addresses(world):
        answer = world.send(method.upper(), address, token, {} if method in ("post", "put") else None)
        tried += 1
        if answer.status_code == 500:
            wrong.append(f"{method} {address[:100]}: {answer.json()['detail']}")
        if answer.status_code >= 400:
            is_problem(answer, answer.status_code)
    assert wrong == []
    assert tried > 2_000


def test_a_path_does_not_lead_up_and_out(world: World) -> None:
    token = world.token("viewer")
    for path in ("/api/v1/contracts/..%2f..%2fhealth", "/api/v1/contracts/%2e%2e/audit", "/api/v1//audit",
                 "/api/v1/contracts/x/../../audit", "/API/V1/audit", "/api/v1/audit;x", "/api/v1/audit%00"):  # fmt: skip
        answer = world.get(path, token)
        assert answer.status_code in (403, 404, 422), path
        is_problem(answer, answer.status_code)


# --- documents ------------------------------------------------------------------------------------

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 9)) for n in range(97, 106)
)
LONG = "".join(f"{n:x}" for n in range(5_000))


def test_no_document_is_a_defect(world: World) -> None:
    token = world.token("admin")
    text = orders("4.0.0", id="fresh", extra=AMOUNT).decode()
    places = ("id: fresh", "name: fresh", "domain: shop", "name: checkout", "value: checkout", "- name: orders",
              "name: amount", "version: 4.0.0", "status: active")  # fmt: skip
    values = (LONG, '"\\u0000"', '"\\ud800"', '"\\u202e"', "~", "[]", "{}", "1e999", ".nan", "2024-01-01", "0x7f", "!!binary aGk=",
              "&a *a", "*nothing", "<<", "'" + "é" * 900 + "'")  # fmt: skip
    documents = [
        text.replace(place, f"{place.split(':')[0]}: {value}").encode()
        for place in places
        for value in values
    ]
    documents += [
        BOMB,
        text.encode() + BOMB,
        text.encode() * 2,
        b"---\n" + text.encode() + b"---\n" + text.encode(),
        text.encode("utf-16"),
        b"\xef\xbb\xbf" + text.encode(),
        b"[" * 100_000,
        b"{" * 100_000,
        b'{"id": ' * 20_000,
        b"- " * 100_000,
        b"? " * 50_000,
        # Each of them held the process for hours where an expression looked back.
        *(mark * 200_000 for mark in (b"\n", b" ", b"\t\n", b" {", b"id ", b"\\")),
        text.replace("name: fresh", f"name: '{'://a:' * 100_000}'").encode(),
        text.replace("name: fresh", f"name: '://{':' * 500_000}'").encode(),
        b"!!python/object/apply:os.system [true]",
        json.dumps({"id": "a", "x": {"id": "b"}}).encode().replace(b'"x"', b'"id"'),
        text.replace("id: fresh", "id: fresh\nid: other").encode(),
    ]
    for number, document in enumerate(documents):
        for path in ("/api/v1/contracts?dry_run=true", "/api/v1/contracts", "/api/v1/data-products"):
            answer = world.send("POST", path, token, document)
            assert answer.status_code < 500, (number, path, document[:200], answer.text)
    found = world.get("/api/v1/contracts?limit=500", token).json()["items"]
    # Whatever was taken can be asked for.
    for contract in found:
        assert world.get(f"/api/v1/contracts/{quote(contract['id'], safe='/')}", token).status_code == 200


def test_an_id_that_stands_twice_is_a_mistake(world: World) -> None:
    twice = orders("4.0.0", id="fresh").replace(b"id: fresh", b"id: fresh\nid: other")
    is_problem(world.send("POST", "/api/v1/contracts", world.token("admin"), twice), 422)


def test_bodies_that_are_json_of_any_kind(world: World) -> None:
    token = world.token("admin")
    values: list[Any] = [None, 1, "x", [], [[]], {"a": 1}, True, 1e308, -(2**70), {"": ""}, {"__proto__": {}}]
    bodies = [json.dumps(v).encode() for v in values] + [
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b"\xff",
        b"NaN",
        b"1" * 5_000,
    ]
    document = world.get("/api/v1/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "requestBody" not in operation:
                continue
            filled = re.sub(r"\{[^}]*\}", "orders", path)
            for body in bodies:
                answer = world.send(method.upper(), filled, token, body, content_type="application/json")
                assert answer.status_code < 500, (method, path, body[:40], answer.text)


def leaves(value: Any, put: Callable[[Any], Any]) -> Iterator[Callable[[Any], Any]]:
    """Ways to put something else in the place of each text and number of a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, lambda new, key=key: put({**value, key: new}))
            yield lambda new, key=key: put({**value, str(new): value[key]})
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from leaves(inner, lambda new, at=number: put([*value[:at], new, *value[at + 1 :]]))
    else:
        yield put


STRANGE: tuple[Any, ...] = ("\ud800", "\x00", "a\x00b", "", " ", "x" * 5_000, "\U0001f600", "\u202e", -1, 2**63, 1e308, None,
                            "9" * 400, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2027-01-01T00:00:00")  # fmt: skip


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_no_text_in_a_body_is_a_defect(store: DatabaseStore) -> None:
    world = World(store)
    asked = settled_in(world)
    token = world.token("admin", tenant=TENANT)
    wrong: list[str] = []
    tried = 0
    for (method, _), request in asked.items():
        if not isinstance(request.body, dict | list):
            continue
        for place in leaves(request.body, lambda new: new):
            for strange in STRANGE:
                body = json.dumps(place(strange)).encode()
                answer = world.send(method, request.path, token, body, content_type="application/json")
                tried += 1
                if answer.status_code >= 500 and answer.status_code != 503:
                    wrong.append(f"{method} {request.path} {body[:200]!r}: {answer.text[:200]}")
                if answer.status_code >= 400:
                    is_problem(answer, answer.status_code)
    assert wrong == []
    assert tried > 500


# --- at once --------------------------------------------------------------------------------------

SUBSCRIPTION = "/api/v1/contracts/orders/subscriptions/forecast"


def at_once(jobs: list[Callable[[], Any]]) -> list[int]:
    with ThreadPoolExecutor(len(jobs)) as pool:
        return sorted(answer.status_code for answer in pool.map(lambda job: job(), jobs))


def test_of_several_changes_of_what_was_read_one_is_made(world: World) -> None:
    token = editor(world, "menu")
    etag = world.send("PUT", SUBSCRIPTION, token, {"team": "menu"}).headers["etag"]

    def change(column: str) -> Any:
        body = {"team": "menu", "columns": [column]}
        return world.send("PUT", SUBSCRIPTION, token, body, if_match=etag)

    codes = at_once([lambda n=n: change(f"orders.c{n}") for n in range(6)])
    assert codes == [200] + [412] * 5
    kept = world.store.audit("subscription")
    assert [e.action for e in kept] == ["created", "changed"]


def test_of_several_who_take_one_name_one_gets_it(world: World) -> None:
    tokens = {squad: editor(world, squad) for squad in ("menu", "finance", "science", "hr")}

    def take(squad: str) -> Any:
        return world.send("PUT", SUBSCRIPTION, tokens[squad], {"team": squad})

    assert at_once([lambda s=s: take(s) for s in tokens]) == [201] + [403] * 3


def test_retiring_and_a_new_version_at_once_leave_nothing_in_between(world: World) -> None:
    token = world.token("admin")
    etag = world.get("/api/v1/contracts/orders", token).headers["etag"]
    codes = at_once(
        [
            lambda: world.send("POST", "/api/v1/contracts/orders/retire", token, if_match=etag),
            lambda: world.send(
                "POST", "/api/v1/contracts", token, orders("1.1.0", extra=AMOUNT), if_match=etag
            ),
        ]
    )
    row = world.store.contract_rows(["orders"])["orders"]
    # Either it was retired as it was read, or the new version came first and retiring was refused.
    retired_first = row.retired is not None
    assert codes == ([200, 409] if retired_first else [201, 412]), codes
    assert row.version == ("1.0.0" if retired_first else "1.1.0")


def test_one_waiver_given_many_times_at_once_is_one(world: World) -> None:
    body = {"contract": "orders", "fingerprint": "0" * 16, "reason": "x", "expires": "2026-12-01T00:00:00Z"}
    token = editor(world)
    codes = at_once([lambda: world.send("POST", "/api/v1/waivers", token, body) for _ in range(6)])
    assert codes == [200] * 5 + [201]


def test_a_wildcard_is_a_character_in_a_search(world: World) -> None:
    for number, id_ in zip(count(), ("a%b", "a_b", "axb")):
        world.put(orders(id=id_, squad=f"s{number}"))
    token = world.token("viewer")
    for text, found in (("%25", ["a%b"]), ("_", ["a_b"]), ("A%25B", ["a%b"]), ("%5C", [])):
        items = world.get(f"/api/v1/contracts?search={text}", token).json()["items"]
        assert [i["id"] for i in items] == found, text


def test_what_one_has_already_is_not_sent_again(world: World) -> None:
    token = world.token("viewer")
    etag = world.get("/api/v1/contracts/orders", token).headers["etag"]
    for given, status in (
        (etag, 304),
        (f'"x", {etag}', 304),
        (f"W/{etag}", 304),
        ("*", 304),
        ('"x"', 200),
        (etag.strip('"'), 200),
    ):
        assert world.get("/api/v1/contracts/orders", token, if_none_match=given).status_code == status, given
