"""The pages over HTTP: who sees what, forms that come from our own pages, and texts that nobody trusts."""

from __future__ import annotations

import hashlib
import hmac
import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc import links
from contracts_svc.alerts import IncidentState
from contracts_svc.api.limits import Budget
from contracts_svc.api.login import CALLBACK
from contracts_svc.api.rules import PAGES
from contracts_svc.api.sessions import SESSION
from contracts_svc.findings import Severity
from contracts_svc.ports_outbox import MessageState
from contracts_svc.ports_store import SERVICE
from contracts_svc.runs import Check, Outcome, Result, Run
from contracts_svc.web.mount import ROUTERS
from contracts_svc.web.pages import STYLE_NAME
from tests.acceptance.api_requests import TENANT, settled_in
from tests.acceptance.test_api import NOW, World, is_problem, orders, routes_of
from tests.acceptance.test_api_login import Desk
from tests.acceptance.test_api_service import CHECK, V1, put_incident, put_run, reads_amount
from tests.fixtures_oidc import provider_on_loopback
from tests.fixtures_store import memory_store

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"
ORIGIN = "http://127.0.0.1"
GETS = [r.path for router in ROUTERS for r in router.routes if "GET" in r.methods]  # type: ignore[attr-defined]


class Browser:
    """A browser at a world: it keeps cookies, accepts HTML, and says where forms come from."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client = world.client
        self.client.headers["accept"] = HTML

    def log_in(self, token: str) -> Any:
        return self.client.post("/login/token", data={"token": token, "next": "/contracts"}, headers=OURS)

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        return str(answer.text)

    def send(self, path: str, from_page: str, **fields: str) -> Any:
        """A form of a page, as the browser sends it."""
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.page(from_page))
        assert csrf is not None, "the page has no form"
        return self.client.post(path, data={"csrf": csrf[1], **fields}, headers=OURS)


OURS = {"origin": ORIGIN, "sec-fetch-site": "same-origin"}


@pytest.fixture
def world() -> Iterator[World]:
    store = memory_store()
    yield World(store)
    store.close()


@pytest.fixture
def browser(world: World) -> Browser:
    return Browser(world)


def logged_in(world: World, *scopes: str, tenant: str = "") -> Browser:
    browser = Browser(world)
    assert browser.log_in(world.token(*scopes, tenant=tenant)).status_code == 200
    return browser


# --- logging in -----------------------------------------------------------------------------------


def test_who_is_not_logged_in_is_sent_to_where_one_is_and_comes_back(browser: Browser) -> None:
    answer = browser.client.get("/incidents?severity=error")
    assert [str(r.headers["location"]) for r in answer.history] == [
        "/login?next=%2Fincidents%3Fseverity%3Derror",
        "/login/token?next=%2Fincidents%3Fseverity%3Derror",
    ]
    assert 'name="next" value="/incidents?severity=error"' in answer.text
    done = browser.log_in(browser.world.token("viewer"))
    assert (done.url.path, done.status_code) == ("/contracts", 200)
    assert "a token of" in done.text


def test_a_session_is_not_the_token_and_no_script_can_read_it(world: World) -> None:
    token = world.token("viewer")
    world.client.follow_redirects = False
    answer = Browser(world).log_in(token)
    cookie = answer.headers["set-cookie"]
    assert answer.status_code == 303
    assert token not in cookie
    assert {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=28800"} <= set(cookie.split("; "))
    assert [s.name for s in world.store.sessions(NOW)] == ["a token of ('viewer',)"]


def test_over_tls_the_cookie_is_the_hosts_own(world: World) -> None:
    world.app.state.service = replace(world.app.state.service, public_url="https://contracts.example.com/")
    world.client.follow_redirects = False
    answer = world.client.post(
        "/login/token",
        data={"token": world.token("viewer")},
        headers={"origin": "https://contracts.example.com"},
    )
    assert answer.headers["set-cookie"].startswith(f"__Host-{SESSION}=")
    assert "Secure" in answer.headers["set-cookie"]


def test_a_session_ends_with_its_token_and_by_logging_out(world: World) -> None:
    token = world.token("viewer")
    browser = Browser(world)
    browser.log_in(token)
    browser.page("/contracts")
    world.store.revoke_token(token[-12:], NOW, SERVICE)
    answer = world.client.get("/contracts", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fcontracts")
    is_problem(world.client.get("/api/v1/me", headers={"accept": "*/*"}), 401)

    browser.log_in(world.token("viewer"))
    kept = f"{SESSION}={world.client.cookies[SESSION]}"
    done = world.client.post("/logout", headers=OURS)
    assert "You are logged out" in done.text
    answer = world.client.get("/contracts", headers={"cookie": kept}, follow_redirects=False)
    assert answer.status_code == 303


def test_a_session_lasts_no_longer_than_its_token(world: World) -> None:
    Browser(world).log_in(world.token("viewer", expires=NOW + timedelta(minutes=5)))
    assert [s.expires for s in world.store.sessions(NOW)] == [NOW + timedelta(minutes=5)]


@pytest.mark.parametrize("given", ["contracts_wrong", "", "x" * 10_000])
def test_a_wrong_token_lets_nobody_in(browser: Browser, given: str) -> None:
    answer = browser.log_in(given)
    assert answer.status_code in (401, 422)
    assert "What now?" in answer.text
    assert not browser.client.cookies


@pytest.mark.parametrize("next", ["//evil.example", "https://evil.example", "/\\evil.example", "/a\tb"])
def test_nobody_is_led_to_another_site(browser: Browser, next: str) -> None:
    token = browser.world.token("viewer")
    answer = browser.client.post("/login/token", data={"token": token, "next": next}, headers=OURS)
    assert answer.status_code == 422
    assert browser.client.get("/login/token", params={"next": next}).status_code == 422


def test_where_nobody_needs_a_token_pages_need_none_and_forms_still_come_from_them() -> None:
    store = memory_store()
    world = World(store, everyone_may=True)
    world.put(V1)
    incident = put_incident(world)
    browser = Browser(world)
    done = browser.send(
        f"/incidents/{incident.fingerprint}/acknowledge", f"/incidents/{incident.fingerprint}", lasts="4h"
    )
    assert "You are on it" in done.text
    refused = world.client.post(
        f"/incidents/{incident.fingerprint}/resolve", data={"reason": "x"}, headers=OURS
    )
    assert refused.status_code == 403
    # A name that somebody else has lead to this machine.
    assert world.client.get("http://evil.example/", follow_redirects=False).status_code == 403
    store.close()


def test_people_of_an_identity_provider_use_the_same_pages() -> None:
    with provider_on_loopback(NOW, ORIGIN + CALLBACK) as provider:
        desk = Desk(provider)
        provider.user["groups"] = ["squad-checkout"]
        incident = put_incident(desk.world)
        browser = Browser(desk.world)
        browser.client = desk.browser
        desk.browser.headers["accept"] = HTML
        path = f"/incidents/{incident.fingerprint}"
        answer = desk.browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/login?next=" + quote(path, safe=""),
        )
        answer = desk.browser.get(answer.headers["location"])
        assert answer.headers["location"].startswith(provider.issuer)
        failed = desk.browser.get(CALLBACK, params={"error": "access_denied", "state": "x"})
        assert 400 <= failed.status_code < 500
        assert "Begin again" in failed.text
        done = desk.log_in(path)
        assert done.headers["location"] == path
        assert "ada@example.com" in browser.page(path)
        assert browser.send(f"{path}/acknowledge", path).headers["location"] == f"{path}?done=acknowledged"
        refused = desk.browser.post(f"{path}/resolve", data={"reason": "x"}, headers=OURS)
        assert refused.status_code == 403
        kept = desk.store.incident(incident.fingerprint)
        assert kept is not None
        assert kept.owner == "ada@example.com"
        out = desk.browser.post("/logout", headers=OURS)
        assert (out.status_code, out.headers["location"]) == (303, "/logout")
        assert desk.browser.get(path).status_code == 303
        desk.close()


# --- who sees and does what -----------------------------------------------------------------------


def test_every_page_shows_what_is_there_and_nothing_of_it_to_another_tenant(world: World) -> None:
    asked = {p: r for (m, p), r in settled_in(world).items() if m == "GET" and p in GETS}
    assert asked.keys() == set(GETS)
    public = {"/login/token", "/logout", "/web/{name}"}
    # Without GitHub there are no pull requests.
    shown = [r.path for p, r in asked.items() if p not in public and not p.startswith("/pulls")]
    words = ("checkout", "menu", "amount", "planted", "1.0.0")
    browser = logged_in(world, "admin", tenant=TENANT)
    for path in shown:
        assert any(word in browser.page(path) for word in words), path
    browser = logged_in(world, "admin", tenant="evil")
    for path in shown:
        answer = browser.client.get(path)
        assert answer.status_code in (200, 404)
        # What one asks for comes back in the form that it was asked by.
        text = re.sub(r'value="[^"]*"', "", html.unescape(answer.text))
        told = [w for w in (*words, "totals") if w in text and w not in path]
        assert told == [], (path, told)


def test_a_viewer_changes_nothing_and_is_offered_nothing(world: World) -> None:
    world.put(V1)
    path = f"/incidents/{put_incident(world).fingerprint}"
    browser = logged_in(world, "viewer", "squad:checkout")
    assert "Acknowledge" not in browser.page(path)
    assert "Send again" not in browser.page("/silences")
    assert "Dead letters" not in browser.page("/")
    csrf = _csrf_of(world)
    for there in (f"{path}/acknowledge", f"{path}/resolve", "/silences", "/silences/x/end", "/contracts/orders/check",
                  f"/dead-letters/{'a' * 64}/resend"):  # fmt: skip
        answer = world.client.post(there, data={"csrf": csrf, "reason": "x"}, headers=OURS)
        assert (answer.status_code, "You may not do this" in answer.text) == (403, True), there
    assert world.client.get("/dead-letters").status_code == 403


def _csrf_of(world: World) -> str:
    """What a form of the session that the client has would send."""
    secret = world.client.cookies[SESSION]
    return hmac.new(secret.encode(), b"contracts form", hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("data", "headers"),
    [
        ({"lasts": ""}, OURS),
        ({"csrf": ""}, OURS),
        ({"csrf": "0" * 64}, OURS),
        ({"csrf": "good"}, {"origin": "https://evil.example"}),
        ({"csrf": "good"}, {"origin": "null"}),
        ({"csrf": "good"}, {"sec-fetch-site": "cross-site"}),
        ({"csrf": "good"}, {}),
    ],
)
def test_a_form_of_another_site_does_nothing(
    world: World, data: dict[str, str], headers: dict[str, str]
) -> None:
    world.put(V1)
    incident = put_incident(world)
    logged_in(world, "editor", "squad:checkout")
    if data.get("csrf") == "good":
        data = {"csrf": _csrf_of(world)}
    answer = world.client.post(f"/incidents/{incident.fingerprint}/acknowledge", data=data, headers=headers)
    assert answer.status_code == 403
    kept = world.store.incident(incident.fingerprint)
    assert kept is not None
    assert kept.state is IncidentState.OPEN


def test_a_form_is_a_form_and_of_bounded_size(world: World) -> None:
    logged_in(world, "admin")
    for body, kind, status in (
        (b"{}", "application/json", 415),
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a=1" for _ in range(99)), "application/x-www-form-urlencoded", 400),
        (b"\xff", "application/x-www-form-urlencoded", 400),
    ):
        answer = world.client.post("/silences", content=body, headers=OURS | {"content-type": kind})
        assert answer.status_code == status, body


# --- doing something ------------------------------------------------------------------------------


def test_an_incident_is_acknowledged_and_resolved_by_its_forms(world: World) -> None:
    world.put(V1)
    incident = put_incident(world)
    path = f"/incidents/{incident.fingerprint}"
    browser = logged_in(world, "editor", "squad:checkout")
    done = browser.send(f"{path}/acknowledge", path, lasts="24h")
    assert "You are on it" in done.text
    assert "somebody is on it" in done.text
    kept = world.store.incident(incident.fingerprint)
    assert kept is not None
    assert (kept.owner, kept.acknowledged_until) == (
        "a token of ('editor', 'squad:checkout')",
        NOW + timedelta(days=1),
    )
    blank = browser.send(f"{path}/resolve", path, reason=" ")
    assert (blank.status_code, "reason" in blank.text) == (422, True)
    done = browser.send(f"{path}/resolve", path, reason="published again")
    assert "It is over" in done.text
    assert "published again" in done.text
    assert "incident" in browser.page("/incidents?state=resolved")
    (entry,) = [e for e in world.store.audit("incident") if e.action == "resolved"]
    assert entry.actor.where == "api testclient"


def test_a_silence_is_made_and_ended_by_its_forms(world: World) -> None:
    browser = logged_in(world, "editor", "squad:checkout")
    others = browser.send("/silences", "/silences", squad="menu", reason="x")
    assert others.status_code == 403
    wrong = browser.send("/silences", "/silences", squad="checkout", reason="x", matchers="a b\n\nc=~(")
    assert wrong.status_code == 422
    assert "is no matcher" in html.unescape(wrong.text)
    done = browser.send(
        "/silences",
        "/silences",
        squad="checkout",
        severity="warning",
        matchers='dataset=~"a|b"',
        lasts="4h",
        reason="backfill",
    )
    assert "It is silent now" in done.text
    (silence,) = world.store.silences(NOW)
    assert [str(m) for m in silence.matchers] == [
        'dataset=~"a|b"', 'severity="warning"', 'squad="checkout"', 'tenant=""'
    ]  # fmt: skip
    assert silence.ends == NOW + timedelta(hours=4)
    ended = browser.send(f"/silences/{silence.id}/end", "/silences")
    assert "The silence is over" in ended.text
    assert world.store.silences(NOW) == ()


def test_a_dead_letter_is_sent_again_by_its_form(world: World) -> None:
    settled_in(world)
    browser = logged_in(world, "admin", tenant=TENANT)
    page = browser.page("/dead-letters")
    assert page.count("Send again") == 2
    assert "planted reason" in page
    done = browser.send(f"/dead-letters/{'a' * 64}/resend", "/dead-letters")
    assert "It will be sent again" in done.text
    assert [k.message.key[0] for k in world.store.messages(MessageState.WAITING)] == ["a"]
    assert done.text.count("Send again") == 1
    again = browser.send(f"/dead-letters/{'a' * 64}/resend", "/dead-letters")
    assert again.status_code == 404


def test_a_check_is_asked_for_by_its_button(world: World) -> None:
    world.put(V1)
    browser = logged_in(world, "editor")
    done = browser.send("/contracts/orders/check", "/contracts/orders", table="orders")
    assert "The check is asked for" in done.text
    assert [r.table for r in world.store.open_scheduled("")] == ["orders"]


# --- what pages say -------------------------------------------------------------------------------


def test_an_empty_service_says_how_to_begin(world: World) -> None:
    text = logged_in(world, "viewer").page("/")
    assert text.count("<li><h2>") == 3
    assert "Bearer $TOKEN" in text
    assert "What is wrong" not in text


def test_the_overview_tells_what_is_wrong_worst_first_and_whom_it_reaches(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    put_run(world)
    put_incident(world, 1, severity=Severity.WARNING)
    put_incident(world, 2)
    for number in range(3, 13):
        put_incident(world, number, severity=Severity.INFO)
    text = logged_in(world, "viewer").page("/")
    assert "1 error now" in text
    assert re.search(r"<b>1</b> of 2 tables checked", text)
    shown = [int(i, 16) for i in re.findall(r'href="/incidents/([0-9a-f]{64})"', text)]
    assert (shown[:2], len(shown)) == ([2, 1], 8)
    assert "4 more" in text
    assert re.search(r"<dt>Reaches</dt><dd>totals</dd>", text)
    assert re.search(r"<dt>Owner</dt><dd>checkout</dd>", text)


def test_a_contract_tells_its_promises_columns_readers_and_versions(world: World) -> None:
    world.put(V1)
    world.put(orders("1.1.0", extra=V1.decode().split("required: true}\n", 1)[1]))
    reads_amount(world)
    put_run(world)
    put_incident(world)
    text = logged_in(world, "viewer").page("/contracts/orders")
    for said in ("checkout", "should not be read now", "order_id", "never empty", "totals", "what changed since 1.0.0",
                 "/changelog?contract=orders&amp;old=1.0.0&amp;new=1.1.0", "/runs/", "not as promised", "badge.svg"):  # fmt: skip
        assert said in text, said
    log = logged_in(world, "viewer").page("/changelog?contract=orders&old=1.0.0&new=1.1.0")
    assert "From 1.0.0 to 1.1.0" in log


def test_figures_over_time_are_drawn(world: World) -> None:
    world.put(V1)
    for hour in range(4):
        at = NOW - timedelta(hours=hour)
        result = Result(
            check=CHECK,
            outcome=Outcome.FAILED if hour == 0 else Outcome.PASSED,
            failing=3 if hour == 0 else 0,
            rows=30,
        )
        world.store.put_run(
            Run(
                contract="orders",
                version="1.0.0",
                table="orders",
                server="lake",
                scope="whole table",
                started=at,
                finished=at,
                results=(result,),
                rows=30 - hour,
            )
        )
    text = logged_in(world, "viewer").page("/contracts/orders")
    said = re.findall(r'class="sparkline"[^>]* aria-label="([^"]*)"', text)
    assert said == [
        "Rows: 4 runs, from 27 to 30",
        "amount is filled: 4 runs, from 0 % to 10 %; 1 did not keep the promise",
    ]
    assert text.count('class="bad" cx') == 1


def test_lineage_is_found_drawn_and_what_was_meant_is_told(world: World) -> None:
    world.put(V1)
    reads_amount(world)
    browser = logged_in(world, "viewer")
    text = browser.page("/lineage?dataset=orders&column=amount")
    assert 'class="flow"' in text
    assert re.search(r"<th scope=\"row\"><a href=\"/lineage\?dataset=[^\"]*totals\">totals</a>", text)
    up = browser.page("/lineage?dataset=totals&column=total")
    assert "openlineage:etl" in up
    missing = browser.page("/lineage?dataset=ordrs", 404)
    assert "did you mean orders" in missing
    assert "Dataset" in browser.page("/lineage")


def test_lists_have_a_next_page(world: World) -> None:
    for number in range(51):
        world.put(orders(id=f"c{number:02}"))
    world.put(V1)
    for number in range(51):
        put_incident(world, number)
    browser = logged_in(world, "viewer")
    for path in ("/contracts?squad=checkout", "/incidents?severity=error"):
        text = browser.page(path)
        (next,) = re.findall(r'rel="next" href="([^"]*)"', text)
        more = browser.page(path.partition("?")[0] + html.unescape(next))
        assert 'rel="next"' not in more
        assert html.unescape(next).startswith("?")


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}\u202e\u0000\ud800".replace(
    "\u0000", ""
)


def test_what_a_contract_says_is_text_and_nothing_else(world: World) -> None:
    """Names, descriptions, rows and reasons of an attacker, on every page that shows them."""
    hostile = HOSTILE.replace("\ud800", "")
    quoted = hostile.replace("'", "''")
    text = f"""\
apiVersion: v3.1.0
kind: DataContract
id: 'h<b>"x'
name: '{quoted}'
version: 1.0.0
status: active
domain: '{quoted}'
tags: ['{quoted}']
description: {{purpose: '{quoted}'}}
team: {{name: '{quoted}', members: [{{username: '{quoted}', role: owner}}]}}
support: [{{channel: '{quoted}', url: 'javascript:alert(1)'}}]
slaProperties: [{{property: frequency, value: 1, unit: d}}]
schema:
  - name: '{quoted}'
    description: '{quoted}'
    properties:
      - {{name: '{quoted}', logicalType: string, required: true, description: '{quoted}', classification: '{quoted}'}}
""".encode()
    world.put(text)
    id_ = 'h<b>"x'
    check = Check(id=hostile, kind="nulls", table=hostile, columns=(hostile,), title=hostile)
    evidence = Result(check=check, outcome=Outcome.FAILED, expected=hostile, found=hostile, reason=hostile,
                      samples=({hostile: HOSTILE},), failing=1, rows=2)  # fmt: skip
    incident = put_incident(
        world, contract=id_, table=hostile, check=hostile, columns=(hostile,), evidence=evidence, since=hostile,
        owner=hostile,
    )  # fmt: skip
    run = Run(contract=id_, version="1.0.0", table=hostile, server=hostile, scope=hostile, started=NOW, finished=NOW,
              results=(evidence,))  # fmt: skip
    run_id = world.store.put_run(run)
    browser = logged_in(world, "admin")
    done = browser.send("/silences", "/silences", squad=hostile, reason=hostile)
    assert done.status_code == 200
    for path in ("/", "/contracts", links.contract(id_), links.contract(id_, hostile), links.run(run_id),
                 "/incidents", links.incident(incident.fingerprint), "/silences", links.lineage(hostile, hostile),
                 f"/changelog?contract={id_}"):  # fmt: skip
        page = browser.page(path)
        assert "<script" not in page, path
        assert "<img src=x" not in page, path
        assert "javascript:" not in page, path
        assert '<b>"x' not in page, path
        # Attributes cannot be left either: every quote of theirs is written as an entity.
        assert not re.search(r"onerror=alert\(2\)>", page), path
    for path in (
        f"/lineage?dataset={HOSTILE[:60]}",
        "/contracts/<script>alert(1)</script>",
        "/nowhere/<script>",
    ):
        answer = world.client.get(path)
        assert answer.status_code == 404
        assert "<script" not in answer.text


# --- headers and problems -------------------------------------------------------------------------


def test_every_page_has_a_strict_policy_and_no_script(world: World) -> None:
    asked = {
        p: r for (m, p), r in settled_in(world).items() if m == "GET" and p in GETS and p != "/web/{name}"
    }
    logged_in(world, "admin", tenant=TENANT)
    for path in (*(r.path for r in asked.values()), "/nothing", "/silences?x=1"):
        answer = world.client.get(path)
        assert answer.headers.get_list("content-security-policy") == [
            "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
            "frame-ancestors 'none'"
        ], path
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers.get_list("referrer-policy") == ["same-origin"]
        assert not re.search(r"<script|\son\w+=|\sstyle=", answer.text), path
        assert f"/web/{STYLE_NAME}" in answer.text
    style = world.client.get(f"/web/{STYLE_NAME}")
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" in style.headers["cache-control"]
    assert world.client.get("/web/other.css").status_code == 404


def test_problems_are_pages_for_browsers_and_json_for_programs(world: World) -> None:
    browser = logged_in(world, "viewer")
    for path, status, said in (
        ("/contracts/unknown", 404, "There is no such thing"),
        ("/nowhere", 404, "There is no such thing"),
        ("/incidents?severty=error", 422, "did you mean"),
        ("/incidents?severity=bad", 422, "there are: error, warning, info"),
        ("/dead-letters", 403, "You may not do this"),
    ):
        text = html.unescape(browser.page(path, status))
        assert said in text, path
        assert 'href="/"' in text
        answer = world.client.get(path, headers={"accept": "application/json"})
        assert is_problem(answer, status)["request_id"]
    # The API speaks to programs, whoever asks.
    is_problem(world.client.get("/api/v1/contracts/unknown"), 404)
    assert world.client.head("/nowhere").status_code == 404
    assert world.client.put("/").status_code == 405
    gone = World(world.store)
    is_problem(gone.get("/"), 401)


def test_too_many_requests_and_defects_are_pages_too() -> None:
    store = memory_store()
    browser = Browser(World(store, everyone_may=True, budget=Budget(0.001, 1)))
    browser.page("/")
    answer = browser.client.get("/")
    assert (answer.status_code, "Wait a moment" in answer.text) == (429, True)
    assert int(answer.headers["retry-after"]) > 0
    other = Browser(World(store, everyone_may=True))
    store.close()
    other.world.app.state.service = replace(other.world.app.state.service, lineage=None)
    answer = other.client.get("/lineage?dataset=x")
    assert answer.status_code == 500
    assert "It is our mistake" in answer.text
    assert answer.headers["x-request-id"] in answer.text


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [
        "\x00",
        "orders",
        "amount",
        "-1",
        "1e99",
        "../..",
        "%00",
        "a" * 5_000,
        "\u202e<b>",
        "=",
        "menu=~(",
        "24h",
        "bnVsbA==",
    ]
)
_NAMES = ["search", "squad", "table", "cursor", "dataset", "column", "contract", "old", "new", "severity", "state",
          "readers", "up", "down", "next", "retired", "done"]  # fmt: skip
_FIELDS = [
    "squad",
    "contract",
    "dataset",
    "severity",
    "matchers",
    "reason",
    "lasts",
    "table",
    "token",
    "next",
]


def test_nothing_that_is_made_up_is_a_defect(world: World) -> None:
    """Paths, queries and fields of forms: what is no good is told so."""
    asked = settled_in(world)
    pages = sorted((m, p) for m, p in asked if (m, p) in PAGES)
    logged_in(world, "admin", tenant=TENANT)
    csrf = _csrf_of(world)
    tried: set[int] = set()

    @settings(max_examples=25, deadline=None, database=None)
    @given(
        _TEXTS,
        st.dictionaries(st.sampled_from(_NAMES), _TEXTS, max_size=3),
        st.dictionaries(st.sampled_from(_FIELDS), _TEXTS, max_size=5),
        st.booleans(),
    )
    def ask(part: str, query: dict[str, str], fields: dict[str, str], known: bool) -> None:
        for method, path in pages:
            there = asked[method, path].path.partition("?")[0]
            if not known:
                there = re.sub(r"\{[^}]*\}", lambda _: quote(part, safe="") or "x", path)
            answer = world.client.request(
                method,
                there,
                # What a page does not know is refused before anything else.
                params={n: v for n, v in query.items() if n in _of(world, path)} if known else query,
                data={"csrf": csrf, **fields} if method == "POST" else None,
                headers=OURS,
                follow_redirects=False,
            )
            assert answer.status_code < 500, (method, there, query, fields, answer.text)
            tried.add(answer.status_code // 100)

    ask()
    assert tried == {2, 3, 4}


def _of(world: World, path: str) -> set[str]:
    """The parameters that a page knows."""
    found = (r.dependant.query_params for r in routes_of(world) if r.path == path)
    return {p.alias for parameters in found for p in parameters}
