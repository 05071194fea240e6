"""The HTTP API as its users call it: over ASGI, with a real store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from contracts_svc import app
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.api.access import EVERYONE, Permission, _Needs, hash_of, new_secret
from contracts_svc.api.app import create_app
from contracts_svc.api.limits import Budget
from contracts_svc.api.problems import MEDIA_TYPE
from contracts_svc.api.service import Service
from contracts_svc.flows.login import Login
from contracts_svc.policy_read import read_policy
from contracts_svc.ports_store import SERVICE, Token
from tests.fixtures_store import memory_store, read_contract

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return NOW


def orders(
    version: str = "1.0.0", squad: str = "checkout", tenant: str = "", id: str = "orders", extra: str = ""
) -> bytes:
    return f"""\
apiVersion: v3.1.0
kind: DataContract
id: {id}
name: {id}
version: {version}
status: active
domain: shop
{f"tenant: {tenant}" if tenant else ""}
team: {{name: {squad}, customProperties: [{{property: squad, value: {squad}}}]}}
schema:
  - name: orders
    properties:
      - {{name: order_id, logicalType: string, required: true}}
{extra}
""".encode()


AMOUNT = "      - {name: amount, logicalType: number}"


class World:
    """A service with tokens for whoever calls."""

    def __init__(
        self,
        store: DatabaseStore,
        everyone_may: bool = False,
        budget: Budget | None = None,
        policy: bytes = b"version: 1",
        login: Login | None = None,
    ) -> None:
        self.store = store
        service = Service(
            store=store,
            lineage=app.lineage(store),
            read=read_contract,
            clock=FixedClock(),
            everyone_may=everyone_may,
            policies=read_policy(policy, "policy.yaml"),
            login=login,
        )
        self.app = create_app(service, budget or Budget(1_000_000, 1_000_000))
        self.client = TestClient(self.app, "http://127.0.0.1", raise_server_exceptions=False)

    def token(self, *scopes: str, tenant: str = "", expires: datetime = NOW + timedelta(days=1)) -> str:
        secret = new_secret()
        token = Token(
            id=secret[-12:],
            owner=f"a token of {scopes}",
            scopes=scopes,
            created=NOW,
            expires=expires,
            tenant=tenant,
        )
        self.store.put_token(token, hash_of(secret), SERVICE)
        return secret

    def get(self, path: str, token: str = "", **headers: str) -> Any:
        return self.client.get(path, headers=self._headers(token, headers))

    def send(self, method: str, path: str, token: str = "", body: Any = None, **headers: str) -> Any:
        """``body``: bytes as they are, or a value as JSON."""
        given = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        return self.client.request(method, path, headers=self._headers(token, headers), **given)

    def post(self, path: str, token: str = "", **headers: str) -> Any:
        return self.client.post(path, headers=self._headers(token, headers))

    def _headers(self, token: str, more: Mapping[str, str]) -> dict[str, str]:
        named = {k.replace("_", "-"): v for k, v in more.items()}
        return ({"Authorization": f"Bearer {token}"} if token else {}) | named

    def put(self, text: bytes) -> None:
        self.store.put_contract(read_contract(text, "orders.odcs.yaml"), text, NOW)


@pytest.fixture
def world() -> Iterator[World]:
    store = memory_store()
    yield World(store)
    store.close()


def is_problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    assert set(body) == {
        "type", "title", "status", "detail", "instance", "request_id", "mistakes", "findings"
    }  # fmt: skip
    assert body["status"] == status
    assert body["type"].startswith("urn:contracts:problem:")
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


# --- who may do what ------------------------------------------------------------------------------


def test_every_endpoint_names_a_permission_or_is_known_to_be_public(world: World) -> None:
    public = {
        "/health",
        "/ready",
        "/metrics",
        "/login",
        "/auth/callback",
        "/logout",
        "/login/token",
        "/web/{name}",
        "/api/v1/me",
        # These are known by their signature.
        "/slack/interactivity",
        "/github/webhook",
    }
    for route in routes_of(world):
        found = [d.call.permission for d in flat(route.dependant) if isinstance(d.call, _Needs)]
        assert bool(found) is not (route.path in public), route.path


def routes_of(world: World) -> list[APIRoute]:
    routers = [r.original_router for r in world.app.routes if hasattr(r, "original_router")]
    found = [r for router in routers for r in router.routes if isinstance(r, APIRoute)]
    assert found
    return found


def flat(dependant: Any) -> Iterator[Any]:
    for each in dependant.dependencies:
        yield each
        yield from flat(each)


def test_without_a_token_nothing_is_told(world: World) -> None:
    answer = world.get("/api/v1/contracts")
    assert "Authorization: Bearer" in is_problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_wrong_an_old_and_a_revoked_token_are_told_apart(world: World) -> None:
    assert "not known" in is_problem(world.get("/api/v1/contracts", new_secret()), 401)["detail"]
    assert "begins with" in is_problem(world.get("/api/v1/contracts", "abc"), 401)["detail"]
    old = world.token("viewer", expires=NOW)
    assert "ran out" in is_problem(world.get("/api/v1/contracts", old), 401)["detail"]
    revoked = world.token("viewer")
    world.store.revoke_token(revoked[-12:], NOW, SERVICE)
    assert "revoked" in is_problem(world.get("/api/v1/contracts", revoked), 401)["detail"]


def test_a_token_without_the_scope_may_not(world: World) -> None:
    world.put(orders())
    assert (
        "lacks the scope" in is_problem(world.get("/api/v1/contracts", world.token("lineage")), 403)["detail"]
    )
    is_problem(world.post("/api/v1/contracts/orders/retire", world.token("viewer", "squad:checkout")), 403)


def test_a_squad_can_change_its_own_contracts_only(world: World) -> None:
    world.put(orders())
    stranger = world.post("/api/v1/contracts/orders/retire", world.token("editor", "squad:menu"))
    assert "squad 'checkout'" in is_problem(stranger, 403)["detail"]
    assert (
        world.post("/api/v1/contracts/orders/retire", world.token("editor", "squad:checkout")).status_code
        == 200
    )


def test_an_admin_can_change_those_of_others(world: World) -> None:
    world.put(orders())
    assert world.post("/api/v1/contracts/orders/retire", world.token("admin")).status_code == 200


def test_on_loopback_in_the_demo_nobody_has_to_say(world: World) -> None:
    open_world = World(world.store, everyone_may=True)
    assert open_world.get("/api/v1/contracts").status_code == 200
    assert all(EVERYONE.may(p) for p in Permission)


# --- lists and versions ---------------------------------------------------------------------------


def test_pages_go_on_where_the_last_one_ended(world: World) -> None:
    for n in range(25):
        world.put(orders(id=f"c{n:02}"))
    token = world.token("viewer")
    found: list[str] = []
    cursor = ""
    while True:
        page = world.get(f"/api/v1/contracts?limit=10&cursor={cursor}", token).json()
        found += [c["id"] for c in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert found == [f"c{n:02}" for n in range(25)]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=%21%21%21"])
def test_a_wrong_page_is_told(world: World, query: str) -> None:
    assert is_problem(world.get(f"/api/v1/contracts?{query}", world.token("viewer")), 422)["detail"]


def test_lists_filter(world: World) -> None:
    world.put(orders())
    world.put(orders(id="menus", squad="menu"))
    token = world.token("viewer")

    def ids(query: str) -> list[str]:
        return [c["id"] for c in world.get(f"/api/v1/contracts?{query}", token).json()["items"]]

    assert ids("squad=menu") == ["menus"]
    assert ids("domain=shop") == ["menus", "orders"]
    assert ids("search=ORD") == ["orders"]
    assert ids("status=draft") == []


def test_a_version_comes_as_it_was_given_or_as_json(world: World) -> None:
    text = orders()
    world.put(text)
    token = world.token("viewer")
    as_yaml = world.get("/api/v1/contracts/orders", token)
    assert as_yaml.content == text
    assert as_yaml.headers["content-type"] == "application/yaml"
    as_json = world.get("/api/v1/contracts/orders", token, accept="application/json")
    assert as_json.json()["id"] == "orders"
    again = world.get("/api/v1/contracts/orders", token, if_none_match=as_yaml.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    is_problem(world.get("/api/v1/contracts/orders", token, accept="image/png"), 406)


def test_versions_and_what_changed_between_them(world: World) -> None:
    world.put(orders("1.0.0", extra=AMOUNT))
    world.put(orders("2.0.0"))
    token = world.token("viewer")
    versions = world.get("/api/v1/contracts/orders/versions", token).json()["items"]
    assert [v["version"] for v in versions] == ["1.0.0", "2.0.0"]
    first = world.get("/api/v1/contracts/orders/versions?limit=1", token).json()
    rest = world.get(f"/api/v1/contracts/orders/versions?limit=1&cursor={first['next']}", token).json()
    assert [v["version"] for v in first["items"] + rest["items"]] == ["1.0.0", "2.0.0"]
    assert rest["next"] is None
    log = world.get("/api/v1/contracts/orders/changelog?old=1.0.0", token).json()
    assert (log["old_version"], log["new_version"]) == ("1.0.0", "2.0.0")
    assert [f["rule"] for f in log["findings"]] == ["column-removed"]
    missing = world.get("/api/v1/contracts/orders/changelog?old=0.9.0", token)
    assert "there are: 1.0.0, 2.0.0" in is_problem(missing, 404)["detail"]
    is_problem(world.get("/api/v1/contracts/orders?version=9", token), 404)
    is_problem(world.get("/api/v1/contracts/nothing", token), 404)


def test_an_id_may_hold_slashes_and_colons(world: World) -> None:
    world.put(orders(id="urn:shop/orders:v1"))
    token = world.token("viewer")
    assert world.get("/api/v1/contracts/urn:shop/orders:v1", token).status_code == 200
    assert world.get("/api/v1/contracts/urn:shop/orders:v1/versions", token).status_code == 200


def test_retiring_asks_for_what_was_read_and_is_kept_in_the_audit(world: World) -> None:
    world.put(orders("1.0.0"))
    token = world.token("editor", "squad:checkout")
    etag = world.get("/api/v1/contracts/orders", token).headers["etag"]
    world.put(orders("1.1.0"))
    is_problem(world.post("/api/v1/contracts/orders/retire", token, if_match=etag), 412)
    fresh = world.get("/api/v1/contracts/orders", token).headers["etag"]
    retired = world.post("/api/v1/contracts/orders/retire", token, if_match=fresh)
    assert retired.json()["retired"] is True
    assert world.get("/api/v1/contracts", token).json()["items"] == []
    assert world.get("/api/v1/contracts?retired=true", token).json()["items"][0]["id"] == "orders"
    assert world.get("/api/v1/contracts/orders?version=1.0.0", token).status_code == 200
    (entry,) = [e for e in world.store.audit("contract", "orders") if e.action == "retired"]
    assert entry.actor.where == "api testclient"


def test_a_badge_says_how_it_stands(world: World) -> None:
    world.put(orders())
    answer = world.get("/api/v1/contracts/orders/badge.svg", world.token("viewer"))
    assert answer.headers["content-type"] == "image/svg+xml"
    assert "as promised" in answer.text


# --- bounds ---------------------------------------------------------------------------------------


def test_too_much_is_refused_with_a_time_to_come_back(world: World) -> None:
    slow = World(world.store, budget=Budget(per_second=0.5, burst=3))
    token, other = slow.token("viewer"), slow.token("viewer")
    answers = [slow.get("/api/v1/contracts", token) for _ in range(4)]
    assert [a.status_code for a in answers] == [200, 200, 200, 429]
    is_problem(answers[-1], 429)
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
    assert slow.get("/api/v1/contracts", other).status_code == 200


def test_a_body_that_is_too_large_is_refused_however_it_comes(world: World) -> None:
    token = world.token("admin")
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/v1/contracts/orders/retire"
    world.put(orders())
    told = world.client.post(path, headers=headers, content=b"x" * (8 * 1024 * 1024 + 1))
    is_problem(told, 413)

    def parts() -> Iterator[bytes]:
        for _ in range(9):
            yield b"x" * 1024 * 1024

    assert world.client.post(path, headers=headers, content=parts()).status_code in (200, 413)


def test_what_there_is_not_is_a_problem_too(world: World) -> None:
    assert "/api/v1/docs" in is_problem(world.get("/nowhere"), 404)["detail"]
    is_problem(world.client.put("/api/v1/contracts"), 405)


def test_a_body_that_does_not_call_itself_json_is_told_how_to(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.token('editor')}"}
    form = headers | {"Content-Type": "application/x-www-form-urlencoded"}
    refused = world.client.post("/api/v1/contracts/orders/runs", content=b"{}", headers=form)
    (mistake,) = is_problem(refused, 422)["mistakes"]
    assert "Content-Type: application/json" in mistake["hint"]


def test_a_bug_gives_a_report_id_and_no_more(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret-of-the-test")

    monkeypatch.setattr(world.store, "list_contracts", broken)
    answer = world.get("/api/v1/contracts", world.token("viewer"))
    body = is_problem(answer, 500)
    assert body["request_id"] in body["detail"]
    assert "secret-of-the-test" not in answer.text


# --- operations -----------------------------------------------------------------------------------


def test_health_readiness_and_metrics(world: World) -> None:
    assert world.get("/health").json() == {"status": "alive"}
    assert world.get("/ready").json() == {"ready": True, "not_ready": [], "warnings": []}
    world.get("/api/v1/contracts/a", world.token("viewer"))
    text = world.get("/metrics").text
    assert (
        'contracts_http_requests_total{method="GET",route="/api/v1/contracts/{contract_id:path}",status="404"} 1.0'
        in text
    )


def test_it_says_when_the_database_is_gone(world: World) -> None:
    gone = World(DatabaseStore(Database("postgresql://ada:s3cr3t@127.0.0.1:1/contracts"), read_contract))
    answer = gone.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["not_ready"][0].startswith("database:")
    assert "s3cr3t" not in answer.text


def test_the_openapi_document_describes_every_endpoint(world: World) -> None:
    document = world.get("/api/v1/openapi.json").json()
    assert "/api/v1/contracts" in document["paths"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"
