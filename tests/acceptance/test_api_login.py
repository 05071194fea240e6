"""People log in: against a provider on loopback, made of authlib's own server classes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from starlette.testclient import TestClient

from contracts_svc.adapters.oidc import Client, OpenIdProvider
from contracts_svc.api.login import CALLBACK
from contracts_svc.flows.login import Grants, Login
from tests.acceptance.test_api import NOW, FixedClock, World, is_problem, orders
from tests.fixtures_oidc import CLIENT_ID, CLIENT_SECRET, Provider, code_and_state, provider_on_loopback
from tests.fixtures_store import memory_store

URL = "http://127.0.0.1"
GRANTS = Grants(
    groups={
        "data-platform": ("admin",),
        "squad-*": ("editor", "squad:*"),
        "shop-leads": ("editor", "domain:shop"),
    }
)


class Desk:
    """A service, its provider, and a browser in front of both."""

    def __init__(
        self, provider: Provider, *, secret: str = CLIENT_SECRET, url: str = URL, grants: Grants = GRANTS
    ) -> None:
        self.provider = provider
        self.provider.client.secret = secret
        client = Client(id=CLIENT_ID, secret=secret, redirect_uri=provider.redirect_uri)
        self.client = OpenIdProvider(provider.issuer, client, seconds=5)
        login = Login(provider=self.client, issuer=provider.issuer, grants=grants, public_url=url)
        self.store = memory_store()
        self.world = World(self.store, login=login)
        self.world.put(orders())
        self.browser = TestClient(self.world.app, url, raise_server_exceptions=False, follow_redirects=False)

    def close(self) -> None:
        self.client.close()
        self.store.close()

    def begin(self, next: str = "/") -> str:
        """The provider's address that the browser is sent to."""
        answer = self.browser.get("/login", params={"next": next})
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def back(self, sent_to: str) -> dict[str, str]:
        """What the provider sends back once the person has said who they are."""
        return code_and_state(httpx.get(sent_to).headers["location"])

    def log_in(self, next: str = "/") -> Any:
        return self.browser.get(CALLBACK, params=self.back(self.begin(next)))

    def ours(self, method: str, path: str, **more: Any) -> Any:
        """As a page of ours asks."""
        headers = {"Origin": str(self.browser.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        return self.browser.request(method, path, headers=headers | more.pop("headers", {}), **more)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with provider_on_loopback(NOW, URL + CALLBACK) as found:
        yield found


@pytest.fixture
def desk(provider: Provider) -> Iterator[Desk]:
    found = Desk(provider)
    yield found
    found.close()


# --- logging in -----------------------------------------------------------------------------------


def test_a_person_logs_in_is_somebody_and_logs_out(desk: Desk) -> None:
    desk.provider.user["groups"] = ["squad-checkout", "elsewhere"]
    is_problem(desk.browser.get("/api/v1/me"), 401)
    done = desk.log_in("/api/v1/me?x=1")
    assert (done.status_code, done.headers["location"]) == (303, "/api/v1/me?x=1"), done.text
    me = desk.browser.get("/api/v1/me").json()
    assert (me["name"], me["squads"], me["domains"]) == ("ada@example.com", ["checkout"], [])
    assert me["permissions"] == ["publish", "read", "write"]
    assert me["expires"] == (NOW + timedelta(hours=8)).isoformat().replace("+00:00", "Z")
    assert desk.ours("POST", "/api/v1/contracts/orders/retire").status_code == 200
    retired = [e for e in desk.store.audit("contract", "orders") if e.action == "retired"]
    assert [e.actor.who for e in retired] == ["ada@example.com"]
    copied = f"contracts_session={desk.browser.cookies['contracts_session']}"
    assert desk.ours("POST", "/logout").status_code == 204
    is_problem(desk.browser.get("/api/v1/me"), 401)
    # What was copied before is worth nothing after.
    is_problem(desk.browser.get("/api/v1/me", headers={"Cookie": copied}), 401)
    assert [(e.action, e.subject) for e in desk.store.audit("session")] == [
        ("began", "ada@example.com"),
        ("ended", "ada@example.com"),
    ]


def test_the_code_comes_with_pkce_state_and_nonce(desk: Desk) -> None:
    asked = {k: v[0] for k, v in parse_qs(urlsplit(desk.begin()).query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == URL + CALLBACK
    assert {len(asked[k]) for k in ("state", "nonce", "code_challenge")} == {43}
    other = {k: v[0] for k, v in parse_qs(urlsplit(desk.begin()).query).items()}
    assert all(asked[k] != other[k] for k in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize("verifier", ["", "w" * 43], ids=["missing", "wrong"])
@pytest.mark.parametrize("secret", [CLIENT_SECRET, ""], ids=["confidential", "public"])
def test_the_provider_rejects_a_code_without_its_verifier(
    provider: Provider, secret: str, verifier: str
) -> None:
    """Else a test of ours could pass though no verifier is sent: the provider must be one that looks."""
    desk = Desk(provider, secret=secret)
    code = desk.back(desk.begin())["code"]
    data = {"grant_type": "authorization_code", "code": code, "redirect_uri": provider.redirect_uri}
    data |= {"client_id": CLIENT_ID} | ({"code_verifier": verifier} if verifier else {})
    answer = httpx.post(f"{provider.issuer}/token", data=data, auth=(CLIENT_ID, secret) if secret else None)
    assert (answer.status_code, "id_token" in answer.json()) == (400, False)
    assert answer.json()["error"] == ("invalid_grant" if verifier else "invalid_request")
    desk.close()


def test_a_verifier_that_is_not_that_of_the_challenge_lets_nobody_in(desk: Desk) -> None:
    """Through our own side: a stolen code in another browser, whose login has another verifier."""
    stolen = desk.back(desk.begin())["code"]
    mine = desk.begin()
    state = {k: v[0] for k, v in parse_qs(urlsplit(mine).query).items()}["state"]
    answer = desk.browser.get(CALLBACK, params={"code": stolen, "state": state})
    assert "does not take the code: invalid_grant" in is_problem(answer, 403)["detail"]
    is_problem(desk.browser.get("/api/v1/me"), 401)


def test_a_public_client_and_one_with_its_secret_in_the_body(provider: Provider) -> None:
    public = Desk(provider, secret="")
    assert public.log_in().status_code == 303
    public.close()
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    posting = Desk(provider)
    assert posting.log_in().status_code == 303
    posting.close()


# --- what must not let anybody in -----------------------------------------------------------------


def test_a_state_that_is_not_of_this_browser_is_refused(desk: Desk) -> None:
    given = desk.back(desk.begin())
    wrong = desk.browser.get(CALLBACK, params=given | {"state": "x" * 43})
    assert "its state is not ours" in is_problem(wrong, 403)["detail"]
    missing = desk.browser.get(CALLBACK, params={"code": given["code"]})
    assert "its state is not ours" in is_problem(missing, 403)["detail"]
    # Somebody who is lured to open an answer to somebody else's login has begun none.
    lured = TestClient(desk.world.app, URL, follow_redirects=False).get(CALLBACK, params=given)
    assert "no login was begun in this browser" in is_problem(lured, 400)["detail"]
    # Nor was the code used up by any of that.
    assert desk.browser.get(CALLBACK, params=given).status_code == 303


def test_a_cookie_of_a_login_that_is_none(desk: Desk) -> None:
    for cookie in ("", "x", "e30", base64.b64encode(b"[1,2]").decode(), "W" * 5_000):
        headers = {"Cookie": f"contracts_login={cookie}"}
        is_problem(desk.browser.get(CALLBACK, params={"code": "a", "state": "b"}, headers=headers), 400)


PAST = int((NOW - timedelta(hours=1)).timestamp())
WRONG = {
    "wrong nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "run out": {"exp": PAST},
    "of the future": {"nbf": int((NOW + timedelta(hours=1)).timestamp())},
    "another audience": {"aud": ["somebody-else"]},
    "another audience, by our leave": {"aud": ["somebody-else"], "azp": CLIENT_ID},
    "another party": {"aud": [CLIENT_ID, "other"], "azp": "other"},
    "another issuer": {"iss": "https://evil.example"},
    "no subject": {"sub": ""},
    "a number for a subject": {"sub": 7},
    "a wrong access token": {"at_hash": "x"},
}


def test_an_id_token_that_is_not_good(desk: Desk) -> None:
    let_in: list[str] = []
    for case, said in WRONG.items():
        desk.provider.claims = said
        answer = desk.log_in()
        if answer.status_code != 403 or desk.browser.get("/api/v1/me").status_code != 401:
            let_in.append(case)
            continue
        body = is_problem(answer, 403)
        assert "its ID token" in body["detail"], case
        assert "begin again at /login" in body["mistakes"][0]["hint"]
    assert let_in == []
    desk.provider.claims = {}
    assert desk.log_in().status_code == 303


def test_an_id_token_of_another_key_or_none(desk: Desk) -> None:
    claims = {"iss": desk.provider.issuer, "aud": CLIENT_ID, "sub": "ada-1"}
    claims |= {"iat": int(NOW.timestamp()), "exp": int(NOW.timestamp()) + 300}
    other = RSAKey.generate_key(2048, {"kid": desk.provider.key.kid})
    shared = OctKey.import_key(CLIENT_SECRET)
    unsigned = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "none"}, claims)
    )
    for token in (
        jwt.encode({"alg": "RS256", "kid": desk.provider.key.kid}, claims, other),
        jwt.encode({"alg": "HS256"}, claims, shared),
        f"{unsigned}.",
        "a.b.c",
        "",
    ):
        told = {"access_token": "a", "token_type": "Bearer", "id_token": token}
        desk.provider.answer = lambda path, t=told: (
            (200, json.dumps(t).encode()) if path == "/token" else None
        )
        assert "its ID token is not good" in is_problem(desk.log_in(), 403)["detail"]
        assert token == "" or token not in desk.log_in().text


def test_the_provider_may_say_no(desk: Desk) -> None:
    sent = code_and_state(desk.begin().replace("/authorize", "/x"))
    answer = {"error": "access_denied", "error_description": "<b>no</b>", "state": sent["state"]}
    told = desk.browser.get(CALLBACK, params=answer)
    assert "refused: <b>no</b>" in is_problem(told, 403)["detail"]


def test_an_answer_of_another_provider(desk: Desk) -> None:
    given = desk.back(desk.begin())
    is_problem(desk.browser.get(CALLBACK, params=given | {"iss": "https://evil.example"}), 403)
    assert desk.browser.get(CALLBACK, params=given | {"iss": desk.provider.issuer}).status_code == 303


def test_a_provider_that_says_who_it_is_must_do_so(provider: Provider) -> None:
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    desk = Desk(provider)
    given = desk.back(desk.begin())
    is_problem(desk.browser.get(CALLBACK, params=given), 403)
    desk.close()


NOT_OURS = (
    "//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
    "/\t/evil.example", "/\n//evil.example", "evil.example", "", "/\x00", "/\u2028x",
)  # fmt: skip


def test_nobody_is_sent_on_to_another_site(desk: Desk) -> None:
    for next in NOT_OURS:
        answer = desk.browser.get("/login", params={"next": next})
        told = "U+0000" if "\x00" in next else "path of this service"
        assert told in is_problem(answer, 422)["detail"], next
    # Nor by a cookie that somebody made themselves.
    desk.begin()
    kept = desk.browser.cookies["contracts_login"]
    state, nonce, verifier, _ = json.loads(base64.urlsafe_b64decode(kept + "=="))
    desk.browser.cookies.clear()
    for next in NOT_OURS:
        text = json.dumps([state, nonce, verifier, next]).encode()
        headers = {"Cookie": f"contracts_login={base64.urlsafe_b64encode(text).decode().rstrip('=')}"}
        is_problem(desk.browser.get(CALLBACK, params={"code": "x", "state": state}, headers=headers), 422)


# --- the provider's own troubles ------------------------------------------------------------------


def test_new_keys_are_fetched_when_a_token_is_of_one(desk: Desk) -> None:
    assert desk.log_in().status_code == 303
    assert desk.log_in().status_code == 303
    assert desk.provider.asked.count("/keys") == 1
    desk.provider.rotate("second")
    assert desk.log_in().status_code == 303
    # The same name, another key.
    desk.provider.rotate("second")
    assert desk.log_in().status_code == 303
    assert desk.provider.asked.count("/keys") == 3
    assert desk.provider.asked.count("/.well-known/openid-configuration") == 1


BROKEN = {
    "/.well-known/openid-configuration": [(500, b""), (200, b"<html>"), (200, b"[1]"), (200, b'{"issuer": "https://x"}'), (302, b""),
                                          (200, b"[" * 100_000), (200, b"x" * 1_100_000)],
    "/keys": [(500, b""), (200, b"{}"), (200, b'{"keys": []}'), (200, b'{"keys": [1]}'), (200, b'{"keys": [{"kty": "RSA"}]}')],
    "/token": [(500, b""), (200, b"{}"), (200, b'{"id_token": 7}'), (401, b'{"error": "invalid_client"}')],
}  # fmt: skip


def test_a_provider_out_of_order_is_told_as_such(desk: Desk) -> None:
    for path, answer in [(path, answer) for path, some in BROKEN.items() for answer in some]:
        # As after a restart: nothing is known of the provider yet.
        desk.client._metadata = desk.client._keys = None
        desk.provider.answer = lambda asked, p=path, a=answer: a if asked == p else None
        told = desk.browser.get("/login") if path.startswith("/.well-known") else desk.log_in()
        assert desk.provider.issuer in is_problem(told, 503)["detail"], (path, answer)
        assert told.headers["retry-after"]
    desk.provider.answer = lambda asked: None
    assert desk.log_in().status_code == 303


def test_a_provider_that_is_down(provider: Provider) -> None:
    with provider_on_loopback(NOW, URL + CALLBACK) as gone:
        pass
    desk = Desk(gone)
    answer = desk.browser.get("/login")
    assert f"the identity provider {gone.issuer}" in is_problem(answer, 503)["detail"]
    token = desk.world.token("viewer")
    assert desk.world.get("/api/v1/contracts", token).status_code == 200
    desk.close()


def test_a_provider_that_cannot_do_it_safely(desk: Desk) -> None:
    for said in (
        {"code_challenge_methods_supported": ["plain"]},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": None},
    ):
        desk.client._metadata = None
        desk.provider.metadata = said
        is_problem(desk.browser.get("/login"), 503)


# --- who somebody is ------------------------------------------------------------------------------


def me_of(provider: Provider, grants: Grants) -> Any:
    desk = Desk(provider, grants=grants)
    answer = desk.log_in()
    found = desk.browser.get("/api/v1/me").json() if answer.status_code == 303 else answer
    desk.close()
    return found


def test_what_only_the_user_info_endpoint_tells(provider: Provider) -> None:
    provider.user_info = {"sub": "ada-1", "groups": ["squad-menu"], "email": "evil@example.com"}
    me = me_of(provider, GRANTS)
    assert (me["squads"], me["name"]) == (["menu"], "ada@example.com")
    provider.user_info["sub"] = "eve"
    assert "somebody else" in is_problem(me_of(provider, GRANTS), 403)["detail"]


def test_groups_are_squads_domains_and_roles(provider: Provider) -> None:
    provider.user["realm_access"] = {"roles": ["shop-leads", "squad-", "squad-a b", 7, "x" * 301]}
    me = me_of(provider, replace(GRANTS, groups_claim="realm_access.roles"))
    assert (me["squads"], me["domains"], me["permissions"]) == (
        ["a b"],
        ["shop"],
        ["publish", "read", "write"],
    )
    provider.user["https://example.com/groups"] = "data-platform"
    me = me_of(provider, replace(GRANTS, groups_claim="https://example.com/groups"))
    assert "admin" in me["permissions"]
    provider.user["groups"] = {"not": "a list"}
    assert me_of(provider, GRANTS)["permissions"] == ["read"]


def test_who_is_in_no_group_is_let_in_only_where_there_is_a_default(provider: Provider) -> None:
    assert me_of(provider, GRANTS)["permissions"] == ["read"]
    told = is_problem(me_of(provider, replace(GRANTS, default="")), 403)
    assert "in no group" in told["detail"]


def test_a_person_is_never_called_like_a_squad(provider: Provider) -> None:
    by_name = replace(GRANTS, name_claim="preferred_username")
    for said, name in (("menu", "menu@127.0.0.1"), ("@menu", "@menu@127.0.0.1"), (" ", "ada-1@127.0.0.1")):
        provider.user["preferred_username"] = said
        assert me_of(provider, by_name)["name"] == name
    provider.user |= {"email": "boss@example.com", "email_verified": False}
    assert me_of(provider, GRANTS)["name"] == "ada-1@127.0.0.1"
    provider.user["preferred_username"] = "a\nb"
    is_problem(me_of(provider, by_name), 403)


def test_a_person_is_of_the_tenant_that_the_provider_says(provider: Provider) -> None:
    by_claim = replace(GRANTS, tenant_claim="org")
    assert "which tenant" in is_problem(me_of(provider, by_claim), 403)["detail"]
    provider.user["org"] = "acme"
    assert me_of(provider, by_claim)["tenant"] == "acme"


# --- sessions -------------------------------------------------------------------------------------


def test_cookies_are_for_the_server_alone(provider: Provider) -> None:
    provider.redirect_uri = provider.client.redirect_uri = f"https://contracts.example.com{CALLBACK}"
    secure = Desk(provider, url="https://contracts.example.com")
    began = secure.browser.get("/login")
    done = secure.browser.get(CALLBACK, params=secure.back(began.headers["location"]))
    assert done.status_code == 303, done.text
    for answer, name in ((began, "contracts_login"), (done, "contracts_session")):
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(f"__Host-{name}="))
        parts = {p.strip().lower() for p in cookie.split(";")[1:]}
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= parts
        assert not any(p.startswith("domain") for p in parts)
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        assert "no-store" in answer.headers["cache-control"]
    kept = secure.browser.cookies["__Host-contracts_session"]
    assert secure.store.session(kept) is None
    secure.close()


def test_a_session_runs_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert desk.log_in().status_code == 303
    assert desk.browser.get("/api/v1/me").status_code == 200
    monkeypatch.setattr(FixedClock, "now", lambda self: NOW + timedelta(hours=8))
    assert "log in again" in is_problem(desk.browser.get("/api/v1/me"), 401)["detail"]


def test_a_session_is_a_new_one_at_every_login(desk: Desk) -> None:
    desk.log_in()
    first = desk.browser.cookies["contracts_session"]
    desk.log_in()
    assert desk.browser.cookies["contracts_session"] != first


FOREIGN = (
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:81"},
    {"Origin": "http://127.0.0.1:99999"},
    {"Origin": "https://127.0.0.1"},
    {"Origin": "http://127.0.0.1.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site", "Origin": URL},
    {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
)


def test_another_sites_page_cannot_use_a_session(desk: Desk) -> None:
    desk.provider.user["groups"] = ["data-platform"]
    desk.log_in()
    asked = (("POST", "/api/v1/contracts/orders/retire"), ("POST", "/logout"), ("DELETE", "/api/v1/jobs/1"))
    for headers in FOREIGN:
        for method, path in asked:
            is_problem(desk.browser.request(method, path, headers=headers), 403)
        assert desk.browser.get("/api/v1/me", headers=headers).status_code == 200
    assert desk.store.contract_rows(["orders"])["orders"].retired is None
    # A token is sent by nobody without meaning to.
    token = {"Authorization": f"Bearer {desk.world.token('admin')}"}
    assert desk.browser.post("/api/v1/contracts/orders/retire", headers=token).status_code == 200


def test_ours_may_say_so_by_either_header(desk: Desk) -> None:
    desk.provider.user["groups"] = ["data-platform"]
    desk.log_in()
    for headers in ({"Origin": URL}, {"Origin": f"{URL}:80"}, {"Sec-Fetch-Site": "same-origin"}):
        assert desk.browser.post("/api/v1/contracts/orders/retire", headers=headers).status_code == 200


def test_without_a_provider_nobody_can_log_in() -> None:
    store = memory_store()
    world = World(store)
    for method, path in (("GET", "/login"), ("GET", CALLBACK)):
        assert "no identity provider is set" in is_problem(world.send(method, path), 404)["detail"]
    is_problem(world.get("/api/v1/me", cookie="contracts_session=x"), 401)
    assert world.get("/api/v1/me", world.token("lineage")).json()["permissions"] == ["lineage"]
    store.close()


def test_the_challenge_is_the_hash_of_the_verifier() -> None:
    """RFC 7636, appendix B."""
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert create_s256_code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
