"""Registering, people, incidents, runs, gate and publish events over HTTP, and what nobody else may see."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Audience, Incident, IncidentState, Notification, Transition
from contracts_svc.api.limits import Budget
from contracts_svc.api.registering import _WORDS
from contracts_svc.findings import Severity
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.lineage.tenancy import scoped
from contracts_svc.ports_outbox import MessageState
from contracts_svc.ports_store import SERVICE
from contracts_svc.routes.groups import Message
from contracts_svc.runs import Check, Outcome, Result, Run
from contracts_svc.schedules_runs import Reason
from contracts_svc.waivers import Waiver
from tests.acceptance.test_api import NOW, World, is_problem, orders, routes_of
from tests.fixtures_store import memory_store

CONTRACTS = "/api/v1/contracts"
AMOUNT = "      - {name: amount, logicalType: number, required: true}\nservers: [{server: lake, type: s3, location: 's3://lake/orders/*.parquet', format: parquet}]"
SERVERS = "servers: [{server: lake, type: s3, location: 's3://lake/orders/*.parquet', format: parquet}]"
CHECK = Check(id="amount-nulls", kind="nulls", table="orders", columns=("amount",), title="amount is filled")
V1, V2 = orders("1.0.0", extra=AMOUNT), orders("2.0.0", extra=SERVERS)


@pytest.fixture
def world() -> Iterator[World]:
    store = memory_store()
    yield World(store)
    store.close()


PRODUCT = """\
apiVersion: v1.0.0
kind: DataProduct
id: revenue
name: Revenue
version: 1.0.0
status: active
team: {name: menu}
inputPorts:
  - {name: orders, version: 1.0.0, contractId: orders}
  - {name: rates, version: 2.0.0, contractId: rates}
"""


def column(dataset: str, name: str, tenant: str = "") -> ColumnRef:
    return ColumnRef(scoped(DatasetId("s3://lake", dataset), tenant), name)


def reads_amount(world: World, squad: str = "menu", tenant: str = "") -> None:
    """A contract downstream whose total is made of the orders' amount."""
    text = orders(
        "1.0.0",
        squad,
        tenant,
        id="totals",
        extra="      - {name: total, logicalType: number}\nservers: [{server: lake, type: s3, location: 's3://lake/totals/*.parquet', format: parquet}]",
    )
    world.put(text.replace(b"- name: orders", b"- name: totals"))
    edge = Edge(source=column("orders", "amount", tenant), target=column("totals", "total", tenant),
                kind=EdgeKind.DIRECT, type=EdgeType.IDENTITY, origin="openlineage:etl", seen=NOW)  # fmt: skip
    world.store.put_edges([edge])


def editor(world: World, squad: str = "checkout") -> str:
    return world.token("editor", f"squad:{squad}")


# --- registering ----------------------------------------------------------------------------------


def test_a_first_version_is_kept_and_its_bytes_again_change_nothing(world: World) -> None:
    token = editor(world)
    first = world.send("POST", f"{CONTRACTS}?file=contracts/orders.odcs.yaml", token, V1)
    assert (first.status_code, first.json()["new"], first.json()["kept"]) == (201, True, True)
    assert first.json()["verdict"]["outcome"] == "PASS"
    assert first.headers["etag"] == world.get(f"{CONTRACTS}/orders", token).headers["etag"]
    (listed,) = world.get(CONTRACTS, token).json()["items"]
    assert listed["file"] == "contracts/orders.odcs.yaml"
    again = world.send("POST", CONTRACTS, token, V1)
    assert (again.status_code, again.json()["new"], again.json()["verdict"]) == (200, False, None)
    (entry,) = world.store.audit("contract", "orders")
    assert (entry.action, entry.actor.where) == ("registered", "api testclient")


def test_json_is_read_too_with_characters_in_two_halves(world: World) -> None:
    value = {"apiVersion": "v3.1.0", "kind": "DataContract", "id": "j", "version": "1.0.0", "status": "active",
             "description": {"purpose": "a \U0001f600 and \\ud83d\\ude00"}, "team": {"name": "checkout"}}  # fmt: skip
    done = world.send(
        "POST", CONTRACTS, editor(world), json.dumps(value).encode(), content_type="application/json"
    )
    assert done.status_code == 201, done.text
    kept = world.get(f"{CONTRACTS}/j", editor(world), accept="application/json").json()
    assert kept == value


def test_a_mistake_has_its_line_and_column(world: World) -> None:
    text = V1.replace(b"logicalType: string", b"logicalType: strng")
    answer = world.send("POST", f"{CONTRACTS}?file=a/orders.odcs.yaml", editor(world), text)
    (mistake,) = is_problem(answer, 422)["mistakes"]
    line = next(n for n, t in enumerate(text.splitlines(), start=1) if b"strng" in t)
    assert (mistake["at"]["file"], mistake["at"]["line"]) == ("a/orders.odcs.yaml", line)
    assert mistake["at"]["column"] > 1
    for wrong in (b"", b"a: [", b"\xff", b"[" * 5000, b"{" * 300):
        assert is_problem(world.send("POST", CONTRACTS, editor(world), wrong), 422)["mistakes"]
    is_problem(world.send("POST", CONTRACTS, editor(world), V1, content_type="image/png"), 415)


@pytest.mark.parametrize(
    "id", ["''", "'a '", '"a\\tb"', "a//b", "a/../b", "a/versions", "a/subscriptions/b", "/a"]
)
def test_an_id_that_no_address_can_name_is_refused(world: World, id: str) -> None:
    answer = world.send(
        "POST", CONTRACTS, world.token("admin"), orders().replace(b"id: orders", f"id: {id}".encode())
    )
    (mistake,) = is_problem(answer, 422)["mistakes"]
    assert ("no address can name it" in mistake["message"], mistake["at"]["line"]) == (True, 3)


def test_every_word_after_an_id_is_kept_out_of_ids(world: World) -> None:
    paths = [r.path for r in routes_of(world) if r.path.startswith("/api/v1/contracts/{contract_id:path}/")]
    assert {p.split("/")[5] for p in paths} == _WORDS


def test_what_breaks_a_reader_is_refused_until_the_reader_agrees(world: World) -> None:
    producer, consumer = editor(world), editor(world, "menu")
    world.send("POST", CONTRACTS, producer, V1)
    reads_amount(world)
    refused = is_problem(world.send("POST", CONTRACTS, producer, V2), 409)
    assert refused["detail"].startswith("BLOCK: 1 change breaks 1 consumer; menu must agree")
    (removed,) = [f for f in refused["findings"] if f["rule"] == "column-removed"]
    assert removed["must_agree"] == ["menu"]
    assert [i["consumer"]["name"] for i in removed["impacts"]] == ["totals"]
    assert len(world.store.versions("orders")) == 1

    waiver = {"contract": "orders", "fingerprint": removed["fingerprint"], "reason": "we read net from Monday on",
              "expires": (NOW + timedelta(days=7)).isoformat()}  # fmt: skip
    forged = world.send("POST", "/api/v1/waivers", producer, waiver | {"approver": "menu"})
    assert "cannot agree for menu" in is_problem(forged, 403)["detail"]
    agreed = world.send("POST", "/api/v1/waivers", consumer, waiver | {"approver": "menu"})
    assert agreed.status_code == 201
    assert world.send("POST", "/api/v1/waivers", consumer, waiver | {"approver": "menu"}).status_code == 200
    assert world.get("/api/v1/waivers?contract=orders", producer).json()["items"] == [agreed.json()]
    done = world.send("POST", CONTRACTS, producer, V2)
    assert done.status_code == 201, done.text
    assert [f["waived"] for f in done.json()["verdict"]["findings"] if f["rule"] == "column-removed"] == [
        True
    ]


def test_whoever_agreed_may_withdraw_it_and_the_change_is_refused_again(world: World) -> None:
    producer, consumer = editor(world), editor(world, "menu")
    world.send("POST", CONTRACTS, producer, V1)
    reads_amount(world)
    (removed,) = is_problem(world.send("POST", CONTRACTS, producer, V2), 409)["findings"]
    waiver = {"contract": "orders", "fingerprint": removed["fingerprint"], "reason": "x", "approver": "menu",
              "expires": (NOW + timedelta(days=7)).isoformat()}  # fmt: skip
    agreed = world.send("POST", "/api/v1/waivers", consumer, waiver).json()
    place = f"/api/v1/waivers/{agreed['id']}"
    assert world.send("POST", f"{CONTRACTS}?dry_run=true", producer, V2).status_code == 200
    assert "menu agreed" in is_problem(world.send("DELETE", place, producer), 403)["detail"]
    is_problem(world.send("DELETE", place, world.token("admin", tenant="acme")), 404)
    for unknown in ("0" * 32, "none", agreed["id"][:-1], "%00"):
        assert world.send("DELETE", f"/api/v1/waivers/{unknown}", consumer).status_code in (404, 422)
    assert world.send("DELETE", place, consumer).status_code == 204
    is_problem(world.send("DELETE", place, consumer), 404)
    assert world.get("/api/v1/waivers", consumer).json()["items"] == []
    is_problem(world.send("POST", CONTRACTS, producer, V2), 409)
    assert world.send("POST", "/api/v1/waivers", consumer, waiver).status_code == 201, "they may agree again"
    assert world.send("POST", CONTRACTS, producer, V2).status_code == 201
    actions = [e.action for e in world.store.audit("waiver")]
    assert actions == ["created", "withdrawn", "created"]


def test_a_waiver_may_not_run_for_ever_nor_be_over(world: World) -> None:
    world.put(V1)
    for days in (-1, 0, 91):
        body = {
            "contract": "orders",
            "fingerprint": "0" * 16,
            "reason": "x",
            "expires": (NOW + timedelta(days=days)).isoformat(),
        }
        assert (
            "at most 90 days"
            in is_problem(world.send("POST", "/api/v1/waivers", editor(world), body), 422)["detail"]
        )


def test_the_policy_decides_and_a_subscription_is_a_reader(world: World) -> None:
    lenient = World(world.store, policy=b"version: 7\nbreaks: warn")
    token = editor(world)
    world.put(V1)
    body = {"team": "menu", "columns": ["amount"], "channels": [{"tool": "slack", "address": "#menu"}]}
    assert (
        world.send(
            "PUT", f"{CONTRACTS}/orders/subscriptions/forecast", editor(world, "menu"), body
        ).status_code
        == 201
    )
    answer = world.send("POST", f"{CONTRACTS}?dry_run=true", token, V2)
    (finding,) = [f for f in is_problem(answer, 409)["findings"] if f["rule"] == "column-removed"]
    assert [i["consumer"]["name"] for i in finding["impacts"]] == ["forecast"]
    assert finding["must_agree"] == ["menu"]
    warned = lenient.send("POST", f"{CONTRACTS}?dry_run=true", token, V2)
    assert (warned.status_code, warned.json()["kept"], warned.json()["verdict"]["outcome"]) == (
        200,
        False,
        "WARN",
    )
    assert warned.json()["verdict"]["policy"]["version"] == "7"
    assert len(world.store.versions("orders")) == 1


def test_a_transitive_mode_asks_every_active_version(world: World) -> None:
    strict = World(world.store, policy=b"version: 1\nmode: FORWARD_TRANSITIVE\nerror_alone: block")
    token = editor(world)
    middle = orders("1.1.0", extra=SERVERS).replace(b"status: active", b"status: draft")
    world.put(V1)
    world.put(middle)
    answer = strict.send("POST", CONTRACTS, token, orders("1.2.0", extra=SERVERS))
    removed = [f for f in is_problem(answer, 409)["findings"] if f["rule"] == "column-removed"]
    assert removed[0]["against"] == ["1.0.0"]


def test_a_version_never_changes_and_conditions_are_kept(world: World) -> None:
    token = editor(world)
    world.send("POST", CONTRACTS, token, V1)
    other = world.send("POST", CONTRACTS, token, V1 + b"# another\n")
    assert "raise `version`" in is_problem(other, 409)["mistakes"][0]["hint"]
    is_problem(world.send("POST", CONTRACTS, token, orders("1.1.0", extra=AMOUNT), if_match='"old"'), 412)
    etag = world.get(f"{CONTRACTS}/orders", token).headers["etag"]
    assert (
        world.send("POST", CONTRACTS, token, orders("1.1.0", extra=AMOUNT), if_match=etag).status_code == 201
    )
    is_problem(world.send("POST", CONTRACTS, token, orders(id="other"), if_match="*"), 412)
    world.store.retire_contract("orders", NOW, world.store.audit()[0].actor)
    is_problem(world.send("POST", f"{CONTRACTS}?dry_run=true", token, orders("1.2.0", extra=AMOUNT)), 409)
    is_problem(world.send("POST", CONTRACTS, token, orders("1.2.0", extra=AMOUNT)), 409)


def test_only_ones_own_squad_and_tenant(world: World) -> None:
    is_problem(world.send("POST", CONTRACTS, editor(world, "menu"), V1), 403)
    is_problem(world.send("POST", CONTRACTS, editor(world), orders(tenant="acme")), 403)
    is_problem(world.send("POST", CONTRACTS, world.token("viewer", "squad:checkout"), V1), 403)
    world.put(V1)
    # Nor can a contract be taken over by naming oneself in it.
    is_problem(
        world.send("POST", CONTRACTS, editor(world, "menu"), orders("1.1.0", "menu", extra=AMOUNT)), 403
    )
    taken = world.send("POST", CONTRACTS, world.token("admin", tenant="acme"), orders("3.0.0", tenant="acme"))
    assert "give the contract another one" in is_problem(taken, 409)["detail"]


@pytest.mark.parametrize("same", [True, False], ids=["the same bytes", "other bytes"])
def test_two_at_once_are_one_new_version_and_no_defect(store: DatabaseStore, same: bool) -> None:
    world = World(store)
    token = editor(world)
    world.put(V1)
    texts = [orders("1.1.0", extra=AMOUNT + ("" if same else f"\n# {n}")) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        codes = sorted(
            a.status_code for a in pool.map(lambda t: world.send("POST", CONTRACTS, token, t), texts)
        )
    assert codes == ([200] * 5 + [201] if same else [201] + [409] * 5)
    assert [c.version for c in store.versions("orders")] == ["1.0.0", "1.1.0"]


def test_versions_at_once_are_each_judged_against_the_one_before(store: DatabaseStore) -> None:
    """Whichever comes second is judged against the first, not against what was there when it was asked."""
    world = World(store, policy=b"version: 1\nerror_alone: block")
    token = editor(world)
    world.put(orders("1.0.0", extra=SERVERS))
    adds, lacks = orders("1.1.0", extra=AMOUNT), orders("1.2.0", extra=SERVERS)
    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(lambda t: world.send("POST", CONTRACTS, token, t).status_code, [adds, lacks]))
    kept = [c.version for c in store.versions("orders")]
    # With 1.1.0 first, 1.2.0 takes its column away; with 1.2.0 first, 1.1.0 lowers the version.
    assert (sorted(codes), len(kept)) == ([201, 409], 2)


def test_preflight_of_two_documents_or_one_with_what_is_registered(world: World) -> None:
    token = world.token("viewer")
    found = world.send("POST", "/api/v1/preflight", token, {"old": V1.decode(), "new": V2.decode()}).json()
    assert [f["rule"] for f in found["findings"] if f["severity"] == "error"] == ["column-removed"]
    first = world.send("POST", "/api/v1/preflight", token, {"new": V2.decode()}).json()
    assert (first["outcome"], first["findings"]) == ("PASS", [])
    world.put(V1)
    reads_amount(world)
    found = world.send("POST", "/api/v1/preflight", token, {"new": V2.decode()}).json()
    assert (found["outcome"], found["must_agree"]) == ("BLOCK", ["menu"])
    none = world.send("POST", "/api/v1/preflight", token, {"new": V2.decode(), "mode": "NONE"}).json()
    assert {f["severity"] for f in none["findings"]} == {"info"}
    other = {"old": orders(id="x").decode(), "new": V2.decode()}
    is_problem(world.send("POST", "/api/v1/preflight", token, other), 409)
    for wrong in (
        {"new": "a: ["},
        {"new": "\ud800"},
        {},
        {"new": V2.decode(), "mode": "x"},
        {"new": "", "x": 1},
    ):
        is_problem(
            world.send(
                "POST",
                "/api/v1/preflight",
                token,
                json.dumps(wrong).encode(),
                content_type="application/json",
            ),
            422,
        )


# --- people ---------------------------------------------------------------------------------------


def test_subscriptions_are_put_read_changed_and_ended(world: World) -> None:
    world.put(V1)
    token, path = editor(world, "menu"), f"{CONTRACTS}/orders/subscriptions/revenue forecast"
    is_problem(world.send("PUT", path, editor(world), {"team": "menu"}), 403)
    assert world.send("PUT", path, token, {"team": "menu"}).status_code == 201
    read = world.get(path, token)
    assert read.headers["etag"] == read.json()["etag"]
    is_problem(world.send("PUT", path, token, {"team": "menu", "columns": ["amount"]}, if_match='"x"'), 412)
    changed = world.send(
        "PUT", path, token, {"team": "menu", "columns": ["amount"]}, if_match=read.json()["etag"]
    )
    assert (changed.status_code, changed.json()["columns"]) == (200, ["amount"])
    is_problem(world.send("DELETE", path, token, if_match=read.json()["etag"]), 412)
    # Nor can somebody else's be taken over.
    is_problem(world.send("PUT", path, editor(world), {"team": "checkout"}), 403)
    listed = world.get(f"{CONTRACTS}/orders/subscriptions", token).json()["items"]
    assert [s["consumer"] for s in listed] == ["revenue forecast"]
    assert world.send("DELETE", path, token).status_code == 204
    is_problem(world.send("DELETE", path, token), 404)
    is_problem(world.get(path, token), 404)
    is_problem(world.send("PUT", path, token, {"team": " "}), 422)


def test_a_data_product_is_put_read_changed_and_retired(world: World) -> None:
    world.put(V1)
    token, path = editor(world, "menu"), "/api/v1/data-products"
    put = partial(world.send, "POST", path)
    is_problem(put(editor(world), PRODUCT.encode()), 403)
    first = put(token, PRODUCT.encode())
    assert first.status_code == 201, first.text
    assert first.json()["reads"] == [
        {"contract": "orders", "version": "1.0.0", "known": True},
        {"contract": "rates", "version": "2.0.0", "known": False},
    ]
    assert world.get(f"{path}/revenue", token).text == PRODUCT
    is_problem(put(token, PRODUCT.encode() + b"# more", if_match='"x"'), 412)
    changed = put(token, PRODUCT.encode() + b"# more", if_match=first.json()["etag"])
    assert (changed.status_code, put(token, PRODUCT.encode() + b"# more").json()) == (200, changed.json())
    # Nor can somebody else's be taken over.
    is_problem(put(editor(world), PRODUCT.replace("menu", "checkout").encode()), 403)
    assert [p["id"] for p in world.get(path, token).json()["items"]] == ["revenue"]
    is_problem(world.send("POST", f"{path}/revenue/retire", editor(world)), 403)
    assert world.send("POST", f"{path}/revenue/retire", token).status_code == 204
    is_problem(world.send("POST", f"{path}/revenue/retire", token), 404)
    assert put(token, PRODUCT.encode()).status_code == 201
    did = [e.action for e in world.store.audit("data product", "revenue")]
    assert did == ["created", "changed", "retired", "created"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: DataProduct\nid: x\n", "apiVersion"),
        ("kind: DataContract\nid: x\n", "this is a contract"),
        ("kind: Subscription\nconsumer: a\ncontract: b\n", "no data product"),
        (PRODUCT.replace("inputPorts", "inputs"), "did you mean"),
        (PRODUCT.replace("contractId: rates", "contractID: rates"), "contractId"),
        ("a: [", "a value is missing"),
        ("", "empty"),
    ],
)
def test_what_is_no_data_product_is_refused(world: World, text: str, said: str) -> None:
    answer = world.send("POST", "/api/v1/data-products", world.token("admin"), text.encode())
    assert said in json.dumps(is_problem(answer, 422))


def test_whoever_changes_what_a_data_product_reads_is_told(world: World) -> None:
    world.put(orders("1.0.0", extra=AMOUNT))
    token = world.token("admin")
    world.send("POST", "/api/v1/data-products", token, PRODUCT.encode())

    def impacts() -> set[tuple[str, str, str]]:
        verdict = world.send("POST", "/api/v1/preflight", token, {"new": V2.decode()}).json()
        found = (i for f in verdict["findings"] for i in f["impacts"])
        return {(i["consumer"]["name"], i["consumer"]["team"], i["level"]) for i in found}

    assert impacts() == {("Revenue", "menu", "UNKNOWN")}
    world.send("POST", "/api/v1/data-products/revenue/retire", token)
    assert impacts() == set()


def put_incident(world: World, number: int = 0, **more: Any) -> Incident:
    evidence = Result(check=CHECK, outcome=Outcome.FAILED, expected="0 rows", found=f"{number} rows are NULL")
    incident = Incident(fingerprint=f"{number:064x}", contract="orders", table="orders", check=CHECK.id,
                        columns=("amount",), severity=Severity.ERROR, state=IncidentState.OPEN,
                        opened=NOW - timedelta(hours=10 - number), seen=NOW, since="month=12", evidence=evidence)  # fmt: skip
    incident = replace(incident, **more)
    world.store.put_incidents(
        [incident], [Transition(incident=incident, before=None, at=NOW, reason="3 rows")]
    )
    return incident


def test_incidents_are_listed_filtered_and_paged(world: World) -> None:
    world.put(V1)
    for number in range(5):
        put_incident(world, number, severity=Severity.ERROR if number % 2 else Severity.WARNING)
    put_incident(world, 7, state=IncidentState.RESOLVED, resolved=NOW)
    put_incident(world, 8, contract="nobody's")
    token = world.token("viewer")
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = world.get(f"/api/v1/incidents?limit=2&cursor={cursor}", token).json()
        found += [i["id"] for i in page["items"]]
        cursor = page["next"]
    assert [int(i, 16) for i in found] == [0, 1, 2, 3, 4]

    def ids(query: str) -> list[int]:
        return [int(i["id"], 16) for i in world.get(f"/api/v1/incidents?{query}", token).json()["items"]]

    assert ids("severity=error") == [1, 3]
    assert ids("squad=checkout&contract=orders&table=orders") == [0, 1, 2, 3, 4]
    assert ids("squad=menu") == ids("state=acknowledged") == ids("contract=x") == []
    assert ids("resolved_since=2026-11-24T00:00:00Z") == [0, 1, 2, 3, 4, 7]
    is_problem(world.get("/api/v1/incidents?resolved_since=0001-01-01T00:00:00%2B14:00", token), 422)
    is_problem(world.get("/api/v1/incidents?resolved_since=2026-11-24T00:00:00", token), 422)


def test_an_incident_tells_how_long_it_took_and_what_was_promised(world: World) -> None:
    levels = b"""
slaProperties:
  - {property: timeToDetect, value: 1, unit: h}
  - {property: timeToNotify, value: 5, unit: m}
  - {property: timeToRepair, value: 2, unit: d}
"""
    world.put(V1 + levels)
    given = put_incident(world, published=NOW - timedelta(hours=12), announced=True)
    world.store.put_told([given.fingerprint], Audience.STAKEHOLDER, given.opened + timedelta(minutes=4))
    token = world.token("viewer")
    (listed,) = world.get("/api/v1/incidents", token).json()["items"]
    assert (listed["detect_seconds"], listed["notify_seconds"], listed["repair_seconds"]) == (7200, 240, None)
    shown = world.get(f"/api/v1/incidents/{given.fingerprint}", token).json()
    assert [tuple(s.values()) for s in shown["service_levels"]] == [
        ("timeToDetect", 3600, 7200, False),
        ("timeToNotify", 300, 240, True),
        ("timeToRepair", 172_800, 36_000, None),
    ]


def test_who_it_concerns_acknowledges_and_the_owner_resolves(world: World) -> None:
    world.put(V1)
    reads_amount(world, "menu")
    path = f"/api/v1/incidents/{put_incident(world).fingerprint}"
    stranger, downstream, owner = editor(world, "finance"), editor(world, "menu"), editor(world)
    assert (
        "concerns no squad"
        in is_problem(world.send("POST", f"{path}/acknowledge", stranger, {}), 403)["detail"]
    )
    until = (NOW + timedelta(hours=4)).isoformat()
    done = world.send("POST", f"{path}/acknowledge", downstream, {"until": until})
    assert (done.status_code, done.json()["state"]) == (200, "acknowledged")
    assert done.json()["evidence"]["found"] == "0 rows are NULL"
    is_problem(world.send("POST", f"{path}/resolve", downstream, {"reason": "fine"}), 403)
    stale = world.send("POST", f"{path}/resolve", owner, {"reason": "fine"}, if_match='"stale"')
    is_problem(stale, 412)
    is_problem(world.send("POST", f"{path}/resolve", owner, {"reason": " "}), 422)
    solved = world.send(
        "POST", f"{path}/resolve", owner, {"reason": "published again"}, if_match=done.json()["etag"]
    )
    assert solved.json()["state"] == "resolved"
    assert [t["after"] for t in solved.json()["transitions"]] == ["open", "acknowledged", "resolved"]
    is_problem(world.send("POST", f"{path}/acknowledge", owner, {}), 422)
    assert [e.action for e in world.store.audit("incident")] == ["acknowledged", "resolved"]
    body = {"team": "finance"}
    world.send("PUT", f"{CONTRACTS}/orders/subscriptions/report", stranger, body)
    again = f"/api/v1/incidents/{put_incident(world, 1).fingerprint}"
    assert world.send("POST", f"{again}/acknowledge", stranger, {}).status_code == 200
    is_problem(world.get("/api/v1/incidents/nothing", owner), 404)


# --- runs, gate, events ---------------------------------------------------------------------------


def put_run(world: World, hours: float = 1, outcome: Outcome = Outcome.PASSED, failing: int = 0) -> str:
    ended = NOW - timedelta(hours=hours)
    results = (Result(check=CHECK, outcome=outcome, failing=failing, rows=9),)
    run = Run(contract="orders", version="1.0.0", table="orders", server="lake", scope="whole table",
              started=ended, finished=ended, results=results, rows=9)  # fmt: skip
    return world.store.put_run(run)


def test_runs_results_and_figures_over_time(world: World) -> None:
    world.put(V1)
    ids = [
        put_run(world, hours, Outcome.FAILED if hours == 2 else Outcome.PASSED, failing=int(hours))
        for hours in (3, 2, 1)
    ]
    token = world.token("viewer")
    listed = world.get(f"{CONTRACTS}/orders/runs?limit=2", token).json()["items"]
    assert [r["id"] for r in listed] == ids[:0:-1]
    before = listed[-1]["started"]
    assert [
        r["id"]
        for r in world.get(
            f"{CONTRACTS}/orders/runs",
            token,
        ).json()["items"]
    ] == ids[::-1]
    rest = world.client.get(
        f"{CONTRACTS}/orders/runs", params={"before": before}, headers={"Authorization": f"Bearer {token}"}
    )
    assert [r["id"] for r in rest.json()["items"]] == ids[:1]
    whole = world.get(f"/api/v1/runs/{ids[1]}", token).json()
    assert (whole["id"], whole["results"][0]["outcome"], whole["counts"]["failed"]) == (ids[1], "failed", 1)
    figures = world.get(f"{CONTRACTS}/orders/measurements?table=orders&check=amount-nulls", token).json()[
        "items"
    ]
    assert [f["value"] for f in figures] == [3, 2, 1]
    is_problem(world.get("/api/v1/runs/none", token), 404)


def test_a_gate_is_open_closed_or_nobody_can_tell(world: World) -> None:
    world.put(V1)
    token = world.token("viewer")

    def asked(name: str, query: str = "") -> Any:
        return world.get(f"/api/v1/datasets/{name}/gate{query}", token).json()

    assert (asked("orders")["open"], asked("orders")["unknown"]) == (False, True)
    put_run(world)
    for name in ("orders", "s3://lake/orders", "s3%3A%2F%2Flake%2Forders", "ORDERS"):
        assert asked(name)["open"] is True, name
    assert asked("orders", "?max_age=0.5")["unknown"] is True
    put_incident(world, severity=Severity.WARNING)
    assert asked("orders")["open"] is True
    shut = asked("orders", "?severity=warning")
    assert (shut["open"], shut["unknown"], shut["incidents"]["warning"]) == (False, False, 1)
    assert "warning: orders (amount)" in shut["reasons"][0]
    unknown = is_problem(world.get("/api/v1/datasets/order/gate", token), 404)
    assert "did you mean orders" in unknown["mistakes"][0]["hint"]


def test_checks_are_asked_for_once_listed_and_taken_back(world: World) -> None:
    world.put(V1)
    token, path = world.token("publisher", "viewer", "squad:checkout"), f"{CONTRACTS}/orders/runs"
    (first,) = world.send("POST", path, token, {"partition": {"month": "12"}}).json()["items"]
    (second,) = world.send("POST", path, token, {}).json()["items"]
    (same,) = world.send("POST", path, token, {}).json()["items"]
    assert second["id"] == same["id"] != first["id"]
    listed = world.get("/api/v1/jobs", token).json()["items"]
    assert {j["id"] for j in listed} == {first["id"], second["id"]}
    assert world.send("DELETE", f"/api/v1/jobs/{second['id']}", token).status_code == 204
    is_problem(world.send("DELETE", f"/api/v1/jobs/{second['id']}", token), 409)
    for unknown in ("77", "x", "9" * 30):
        is_problem(world.send("DELETE", f"/api/v1/jobs/{unknown}", token), 404)
    page = world.get("/api/v1/jobs?limit=1", token).json()
    assert ([j["partition"] for j in page["items"]], page["next"]) == ([{"month": "12"}], None)
    assert world.get("/api/v1/jobs", world.token("admin", tenant="evil")).json()["items"] == []
    is_problem(world.send("DELETE", f"/api/v1/jobs/{first['id']}", world.token("admin", tenant="evil")), 404)
    is_problem(world.send("POST", path, token, {"table": "nothing"}), 422)
    is_problem(world.send("POST", path, token, {"server": "nothing"}), 422)
    is_problem(world.send("POST", path, world.token("viewer"), {}), 403)
    (waits,) = world.store.waiting_runs(NOW, per_group=9)
    assert (waits.id, waits.reason, waits.bucket) == (int(first["id"]), Reason.MANUAL, "s3://lake")
    assert [e.action for e in world.store.audit("contract", "orders")] == [
        "registered",
        *["triggered"] * 3,
        "cancelled",
    ]


def s3_message(*keys: str) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": "lake"}, "object": {"key": k, "sequencer": "1"}},
            }
            for k in keys
        ]
    }


def test_published_files_start_one_check_and_the_same_message_none(world: World) -> None:
    world.put(V1)
    token = world.token("publisher")
    message = s3_message("orders/a.parquet", "orders/b.parquet", "elsewhere/c.parquet")
    body = json.dumps({"Type": "Notification", "Message": json.dumps(message)}).encode()
    first = world.send(
        "POST", "/api/v1/events/publish", token, body, content_type="text/plain; charset=UTF-8"
    )
    assert first.status_code == 202
    (check,) = first.json()["checks"]
    assert (check["contract"], check["table"], first.json()["heard_before"]) == ("orders", "orders", 0)
    assert first.json()["unmatched"] == ["s3://lake/elsewhere/c.parquet"]
    again = world.send("POST", "/api/v1/events/publish", token, message)
    assert (again.json()["checks"], again.json()["heard_before"]) == ([], 2)
    more = world.send("POST", "/api/v1/events/publish", token, s3_message("orders/d.parquet"))
    assert more.json()["heard_before"] == 0
    assert [(e.contract, e.table) for e in world.store.open_events()] == [("orders", "orders")] * 3
    is_problem(world.send("POST", "/api/v1/events/publish", token, b"hello"), 422)
    is_problem(world.send("POST", "/api/v1/events/publish", token, b" " * 1_000_001), 413)
    is_problem(world.send("POST", "/api/v1/events/publish", world.token("viewer"), message), 403)


def test_what_a_job_says_to_have_written_is_checked(world: World) -> None:
    world.put(V1)
    token = world.token("lineage")
    outputs = [{"namespace": "s3://lake", "name": n} for n in ("orders", "elsewhere")]

    def event(kind: str, run: str) -> dict[str, Any]:
        return {"eventType": kind, "eventTime": NOW.isoformat(), "run": {"runId": run}, "outputs": outputs,
                "job": {"namespace": "etl", "name": "load"}, "inputs": [], "producer": "https://p.example"}  # fmt: skip

    def open_events() -> list[tuple[str, str]]:
        return [(e.contract, e.table) for e in world.store.open_events()]

    assert world.send("POST", "/api/v1/lineage", token, event("START", "r1")).status_code == 201
    assert open_events() == []
    for _ in range(2):
        assert world.send("POST", "/api/v1/lineage", token, event("COMPLETE", "r1")).status_code == 201
    assert open_events() == [("orders", "orders")]
    batch = [event("COMPLETE", "r1"), {"eventType": "COMPLETE"}, event("COMPLETE", "r2")]
    assert world.send("POST", "/api/v1/lineage/batch", token, batch).json()["kept"] == 2
    assert open_events() == [("orders", "orders")] * 2
    elsewhere = world.token("lineage", tenant="evil")
    assert world.send("POST", "/api/v1/lineage", elsewhere, event("COMPLETE", "r3")).status_code == 201
    assert open_events() == [("orders", "orders")] * 2


def test_the_audit_is_for_admins_and_of_their_tenant(world: World) -> None:
    world.put(V1)
    world.put(orders(id="theirs", tenant="evil"))
    admin = world.token("admin")
    is_problem(world.get("/api/v1/audit", editor(world)), 403)
    entries = world.get("/api/v1/audit?kind=contract", admin).json()["items"]
    assert [(e["action"], e["subject"]) for e in entries] == [("registered", "orders")]
    pages: list[int] = []
    cursor = ""
    while cursor is not None:
        page = world.get(f"/api/v1/audit?limit=1&cursor={cursor}", admin).json()
        pages += [e["number"] for e in page["items"]]
        cursor = page["next"]
    assert pages == [e["number"] for e in world.get("/api/v1/audit", admin).json()["items"]]
    is_problem(world.get("/api/v1/audit?cursor=eA==", admin), 422)


# --- every endpoint -------------------------------------------------------------------------------

ID = f"{0:064x}"
FUTURE = (NOW + timedelta(days=1)).isoformat()
SILENCE = {"matchers": ["squad=checkout"], "reason": "x", "ends": (NOW + timedelta(hours=1)).isoformat()}
REQUESTS: dict[tuple[str, str], tuple[str, Any, int, int]] = {
    # (method, route) -> path, body, status for the tenant itself, status for another one
    ("GET", "/api/v1/contracts"): ("/contracts", None, 200, 200),
    ("GET", "/api/v1/contracts/{contract_id:path}"): ("/contracts/orders", None, 200, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/versions"): ("/contracts/orders/versions", None, 200, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/changelog"): ("/contracts/orders/changelog?old=1.0.0", None, 200, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/badge.svg"): ("/contracts/orders/badge.svg", None, 200, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/subscriptions"): ("/contracts/orders/subscriptions", None, 200, 404),
    ("PUT", "/api/v1/contracts/{contract_id:path}/subscriptions/{consumer}"): ("/contracts/orders/subscriptions/x", {"team": "menu"}, 201, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/subscriptions/{consumer}"): ("/contracts/orders/subscriptions/x", None, 200, 404),
    ("DELETE", "/api/v1/contracts/{contract_id:path}/subscriptions/{consumer}"): ("/contracts/orders/subscriptions/x", None, 204, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/runs"): ("/contracts/orders/runs", None, 200, 404),
    ("POST", "/api/v1/contracts/{contract_id:path}/runs"): ("/contracts/orders/runs", {}, 202, 404),
    ("GET", "/api/v1/contracts/{contract_id:path}/measurements"): ("/contracts/orders/measurements?table=orders&check=amount-nulls", None, 200, 404),
    ("GET", "/api/v1/runs"): ("/runs", None, 200, 200),
    ("GET", "/api/v1/dead-letters"): ("/dead-letters", None, 200, 200),
    ("POST", "/api/v1/dead-letters/{key}/resend"): ("/dead-letters/LETTER/resend", None, 202, 404),
    ("GET", "/api/v1/runs/{run_id}"): ("/runs/RUN", None, 200, 404),
    ("GET", "/api/v1/jobs"): ("/jobs", None, 200, 200),
    ("DELETE", "/api/v1/jobs/{job_id}"): ("/jobs/JOB", None, 204, 404),
    ("POST", "/api/v1/data-products"): ("/data-products", PRODUCT.replace("id: revenue", "id: revenue\ntenant: acme").encode(), 201, 403),
    ("GET", "/api/v1/data-products"): ("/data-products", None, 200, 200),
    ("GET", "/api/v1/data-products/{product_id:path}"): ("/data-products/revenue", None, 200, 404),
    ("POST", "/api/v1/data-products/{product_id:path}/retire"): ("/data-products/revenue/retire", None, 204, 404),
    ("POST", "/api/v1/waivers"): ("/waivers", {"contract": "orders", "fingerprint": "0" * 16, "reason": "x", "expires": FUTURE}, 201, 404),
    ("GET", "/api/v1/waivers"): ("/waivers", None, 200, 200),
    ("DELETE", "/api/v1/waivers/{waiver_id}"): ("/waivers/WAIVER", None, 204, 404),
    ("GET", "/api/v1/incidents"): ("/incidents", None, 200, 200),
    ("GET", "/api/v1/incidents/{incident_id}"): (f"/incidents/{ID}", None, 200, 404),
    ("POST", "/api/v1/incidents/{incident_id}/acknowledge"): (f"/incidents/{ID}/acknowledge", {}, 200, 404),
    ("POST", "/api/v1/incidents/{incident_id}/resolve"): (f"/incidents/{ID}/resolve", {"reason": "x"}, 200, 404),
    ("GET", "/api/v1/datasets/{name:path}/gate"): ("/datasets/orders/gate", None, 200, 404),
    ("GET", "/api/v1/me"): ("/me", None, 200, 200),
    ("GET", "/api/v1/audit"): ("/audit", None, 200, 200),
    ("GET", "/api/v1/silences"): ("/silences", None, 200, 200),
    ("GET", "/api/v1/silences/{silence_id}"): ("/silences/SILENCE", None, 200, 404),
    ("DELETE", "/api/v1/silences/{silence_id}"): ("/silences/SILENCE", None, 200, 404),
    ("POST", "/api/v1/silences"): ("/silences", SILENCE, 201, 201),
    ("POST", "/api/v1/preflight"): ("/preflight", {"new": orders("2.0.0", tenant="acme").decode()}, 200, 403),
    ("POST", "/api/v1/events/publish"): ("/events/publish", s3_message("orders/a.parquet"), 202, 202),
    ("POST", "/api/v1/contracts"): ("/contracts", orders("1.0.1", tenant="acme", extra=AMOUNT), 201, 403),
    ("POST", "/api/v1/contracts/{contract_id:path}/retire"): ("/contracts/orders/retire", None, 200, 404),
}  # fmt: skip


def put_dead_letter(world: World, key: str, tenant: str = "acme") -> str:
    """A message that could not be sent; its key."""
    told = Notification(
        key=key,
        audience=Audience.OWNER,
        team="checkout",
        receiver="slack",
        channel="#planted",
        title="planted title",
        severity=Severity.ERROR,
        sections=(),
        labels={"tenant": tenant},
        incidents=("0" * 64,),
    )
    world.store.put_message(Message(key=key, group="", receiver="contract", notification=told, created=NOW))
    world.store.settle(key, MessageState.DEAD, NOW, attempts=1, reason="planted reason")
    return key


def test_another_tenant_sees_nothing_at_any_endpoint(world: World) -> None:
    world.put(orders("1.0.0", tenant="acme", extra=AMOUNT))
    put_incident(world)
    mine, other = (world.token("admin", tenant=tenant) for tenant in ("acme", "evil"))
    world.send("POST", "/api/v1/contracts/orders/runs", mine, {"partition": {"a": "1"}})
    (job,) = world.send("POST", "/api/v1/contracts/orders/runs", mine, {"partition": {"b": "1"}}).json()[
        "items"
    ]
    silence = world.send("POST", "/api/v1/silences", mine, SILENCE | {"reason": "another"}).json()
    waiver = Waiver(fingerprint="1" * 16, approver="menu", reason="x", contract="orders",
                    expires=NOW + timedelta(days=1))  # fmt: skip
    world.store.put_waiver(waiver, NOW, SERVICE)
    names = {
        "RUN": put_run(world),
        "JOB": job["id"],
        "SILENCE": silence["id"],
        "LETTER": put_dead_letter(world, "a" * 64),
        "WAIVER": world.store.waiver_id(waiver),
    }
    routes = {(m, r.path) for r in routes_of(world) for m in r.methods if r.path.startswith("/api/v1")}
    # Lineage has names of its own, which tests/acceptance/test_api_lineage.py asks for; pull requests have
    # them in tests/acceptance/test_github_app_security.py.
    own = ("/api/v1/lineage", "/api/v1/github")
    routes = {(m, path) for m, path in routes if not path.startswith(own)}
    assert set(REQUESTS) == routes, "a new endpoint: add how it is asked to the table"
    for (method, _), (path, body, ok, refused) in REQUESTS.items():
        for name, value in names.items():
            path = path.replace(name, value)
        theirs = world.send(method, f"/api/v1{path}", other, body)
        assert theirs.status_code == refused, (method, path, theirs.text)
        if refused < 300:
            told = theirs.json()
            listed = told.get("items", told.get("checks", []))
            # Their own token was made, which their audit tells.
            assert [e for e in listed if e.get("kind") != "token"] == [], (method, path)
        else:
            assert "acme" not in theirs.json()["detail"] or path in (
                "/preflight",
                "/contracts",
                "/data-products",
            )
        own = world.send(method, f"/api/v1{path}", mine, body)
        assert own.status_code == ok, (method, path, own.text)
        nobody = world.send(method, f"/api/v1{path}", "", body)
        assert nobody.status_code == 401, (method, path)


def test_dead_letters_are_listed_in_pages_and_sent_again_once(world: World) -> None:
    for number in range(5):
        put_dead_letter(world, f"{number:064x}", tenant="acme" if number % 2 else "")
    admin = world.token("admin")
    first = world.get("/api/v1/dead-letters?limit=2", admin).json()
    rest = world.get(f"/api/v1/dead-letters?limit=2&cursor={first['next']}", admin).json()
    assert [int(d["key"], 16) for d in (*first["items"], *rest["items"])] == [0, 2, 4]
    assert rest["next"] is None
    assert first["items"][0]["reason"] == "planted reason"
    path = f"/api/v1/dead-letters/{0:064x}/resend"
    assert world.post(path, admin).status_code == 202
    is_problem(world.post(path, admin), 404)
    is_problem(world.post(f"/api/v1/dead-letters/{1:064x}/resend", admin), 404)
    is_problem(world.post("/api/v1/dead-letters/0/resend", admin), 422)
    is_problem(world.get("/api/v1/dead-letters", world.token("editor", "squad:checkout")), 403)
    (entry,) = world.store.audit("message")
    assert (entry.action, entry.subject) == ("resent", f"{0:064x}")


def test_the_latest_runs_of_all_contracts(world: World) -> None:
    world.put(V1)
    run_id = put_run(world)
    token = world.token("viewer")
    (shown,) = world.get("/api/v1/runs", token).json()["items"]
    assert (shown["id"], shown["contract"], shown["table"]) == (run_id, "orders", "orders")
    started = world.store.run(run_id)
    assert started is not None
    before = started.started.isoformat().replace("+", "%2B")
    assert world.get(f"/api/v1/runs?before={before}", token).json()["items"] == []


def test_the_stored_lineage_of_another_tenant_is_no_part_of_a_verdict(world: World) -> None:
    world.put(orders("1.0.0", extra=AMOUNT))
    reads_amount(world, tenant="evil")
    verdict = world.send("POST", "/api/v1/preflight", world.token("viewer"), {"new": V2.decode()}).json()
    assert [i for f in verdict["findings"] for i in f["impacts"]] == []


def test_every_answer_has_its_id_and_strict_headers(world: World) -> None:
    ids = set()
    for path in ("/health", "/api/v1/contracts", "/nowhere", "/api/v1/docs"):
        answer = world.get(path, world.token("viewer"))
        ids.add(answer.headers["x-request-id"])
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert "http" not in policy
        assert "no-" in answer.headers["cache-control"]
    assert len(ids) == 4


def test_what_is_refused_is_counted_and_logged_too(world: World, caplog: pytest.LogCaptureFixture) -> None:
    slow = World(world.store, budget=Budget(per_second=0.001, burst=1))
    with caplog.at_level("INFO", logger="contracts.api"):
        answers = [
            slow.get("/api/v1/contracts?search=s3cr3t", slow.token("viewer", "admin")[:-1] + "x")
            for _ in range(2)
        ]
    # Who makes up tokens has no new budget with each of them.
    assert [a.status_code for a in answers] == [401, 429]
    assert [r.status for r in caplog.records] == [401, 429]  # type: ignore[attr-defined]
    assert "s3cr3t" not in caplog.text
    again = World(world.store, budget=Budget(per_second=0.001, burst=2))
    token = again.token("viewer")
    assert [again.get("/api/v1/contracts", token).status_code for _ in range(3)] == [200, 200, 429]
    # Those of a good token are its own: the address still has all of its own.
    assert 'status="429"' in again.get("/metrics").text


def test_head_says_what_get_says_and_options_what_can_be_done(world: World) -> None:
    world.put(V1)
    token = world.token("viewer")
    get, head = (world.send(m, f"{CONTRACTS}/orders", token) for m in ("GET", "HEAD"))
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", get.headers["etag"])
    assert world.send("HEAD", f"{CONTRACTS}/orders").status_code == 401
    options = world.send("OPTIONS", f"{CONTRACTS}/orders/runs")
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    is_problem(world.send("OPTIONS", "/nowhere"), 404)
    refused = world.send("PATCH", f"{CONTRACTS}/orders/runs")
    assert "PATCH cannot be done" in is_problem(refused, 405)["detail"]
    assert refused.headers["allow"] == options.headers["allow"], "of every route of the path"
    assert "access-control-allow-origin" not in options.headers


def test_a_page_of_somebody_else_cannot_use_a_server_without_tokens(world: World) -> None:
    open_world = World(world.store, everyone_may=True)
    assert open_world.send("POST", CONTRACTS, "", V1).status_code == 201
    is_problem(open_world.send("POST", CONTRACTS, "", V1, origin="https://evil.example"), 403)
    is_problem(open_world.get("/api/v1/contracts", host="evil.example:8080"), 403)
    assert (
        open_world.get("/api/v1/contracts", host="localhost:8080", origin="http://127.0.0.1:8080").status_code
        == 200
    )


def test_bodies_are_bounded_in_depth_and_size(world: World) -> None:
    world.put(V1)
    token = world.token("admin")
    deep = b'{"until":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    path = f"/api/v1/incidents/{put_incident(world).fingerprint}/acknowledge"
    for body in (deep, b"{", b"\xff", b'{"until": NaN}', b"[]", b""):
        answer = world.send("POST", path, token, body, content_type="application/json")
        assert answer.status_code in (400, 422), body[:20]
        is_problem(answer, answer.status_code)

    def parts() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * 1024 * 1024

    is_problem(
        world.client.post(
            path,
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            content=parts(),
        ),
        413,
    )


def test_the_openapi_document_has_examples_and_no_secrets(world: World) -> None:
    text = world.get("/api/v1/openapi.json").text
    document = json.loads(text)
    assert not [w for w in ("secret", "password", "hash", world.token("admin")) if f'"{w}"' in text]
    for name, schema in document["components"]["schemas"].items():
        if name.endswith(("Given", "Documents", "Resolution", "Trigger")):
            assert any("examples" in p for p in schema["properties"].values()) or name == "Documents", name
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            public = not path.startswith("/api/v1")
            assert public or operation["security"] == [{"HTTPBearer": []}], f"{method} {path}"


def test_a_packed_body_is_refused_where_it_is_not_unpacked(world: World) -> None:
    token = world.token("admin", "squad:checkout")
    for packed in (gzip.compress(V1), V1):
        headers = {"Authorization": f"Bearer {token}", "Content-Encoding": "gzip"}
        is_problem(world.client.post("/api/v1/contracts", content=packed, headers=headers), 415)
