"""How every endpoint of the API is asked for something that is there: for tests that walk all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from contracts_svc.ports_store import SERVICE, Subscription
from contracts_svc.verdict import Waiver
from contracts_svc.web.pages import STYLE_NAME
from tests.acceptance.test_api import AMOUNT, NOW, World, orders
from tests.acceptance.test_api_service import put_dead_letter, put_incident, put_run, reads_amount, s3_message

TENANT = "acme"
PRODUCT = (
    b"apiVersion: v1.0.0\nkind: DataProduct\nid: revenue\ntenant: acme\nname: planted title\nstatus: active\n"
    b"team: {name: menu}\ninputPorts: [{name: orders, version: 1.0.0, contractId: orders}]\n"
)
SILENCE = {
    "matchers": ["squad=checkout"],
    "reason": "planted quiet",
    "ends": (NOW + timedelta(hours=1)).isoformat(),
}
FINGERPRINT = "0123456789abcdef"
EVENT = {
    "eventType": "COMPLETE",
    "eventTime": "2026-11-24T06:12:00Z",
    "run": {"runId": "0190f0a8-6d5f-7e1b-a4c3-2f6b8d9e0a1c"},
    "job": {"namespace": "airflow", "name": "revenue"},
    "inputs": [{"namespace": "s3://lake", "name": "orders"}],
    "outputs": [{"namespace": "s3://lake", "name": "elsewhere"}],
}
START = {"dataset": {"namespace": "s3://lake", "name": "orders"}, "column": "amount"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. ``changes``: another one of its kind finds nothing afterwards."""

    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    changes: bool = False


def settled_in(world: World) -> dict[tuple[str, str], Asked]:
    """Put something of every kind into the tenant's part of the store; how each endpoint is asked for it."""
    later = (NOW + timedelta(days=1)).isoformat()
    world.put(orders("1.0.0", tenant=TENANT, extra=AMOUNT))
    reads_amount(world, "menu", TENANT)
    incident, run = put_incident(world).fingerprint, put_run(world)
    seen = put_incident(world, 1).fingerprint
    subscription = Subscription(
        consumer="revenue forecast", contract="orders", team="menu", columns=("orders.amount",)
    )
    world.store.put_subscription(subscription, NOW, SERVICE)
    waiver = Waiver(fingerprint=FINGERPRINT, approver="menu", reason="planted reason", contract="orders",
                    expires=NOW + timedelta(days=5))  # fmt: skip
    world.store.put_waiver(waiver, NOW, SERVICE)
    admin = world.token("admin", tenant=TENANT)
    assert world.send("POST", "/api/v1/data-products", admin, PRODUCT).status_code == 201
    job, silence, letters = (
        _waiting_job(world),
        _silence(world),
        [put_dead_letter(world, c * 64) for c in "ab"],
    )
    given = {"contract": "orders", "fingerprint": "f" * 16, "reason": "x", "expires": later}
    contract, people = "/contracts/orders", "/contracts/orders/subscriptions/revenue forecast"
    found = {
        ("GET", "/health"): Asked("/health"),
        ("GET", "/ready"): Asked("/ready"),
        ("GET", "/metrics"): Asked("/metrics"),
        ("GET", "/login"): Asked("/login"),
        ("GET", "/auth/callback"): Asked("/auth/callback"),
        ("POST", "/logout"): Asked("/logout"),
        ("GET", "/me"): Asked("/me"),
        ("GET", "/contracts"): Asked("/contracts?search=orders&squad=checkout"),
        ("POST", "/contracts"): Asked("/contracts", orders("1.0.1", tenant=TENANT, extra=AMOUNT)),
        ("GET", "/contracts/{contract_id:path}"): Asked(contract),
        ("GET", "/contracts/{contract_id:path}/versions"): Asked(f"{contract}/versions"),
        ("GET", "/contracts/{contract_id:path}/changelog"): Asked(f"{contract}/changelog?old=1.0.0"),
        ("GET", "/contracts/{contract_id:path}/badge.svg"): Asked(f"{contract}/badge.svg"),
        ("POST", "/contracts/{contract_id:path}/retire"): Asked(f"{contract}/retire"),
        ("GET", "/contracts/{contract_id:path}/subscriptions"): Asked(f"{contract}/subscriptions"),
        ("GET", "/contracts/{contract_id:path}/subscriptions/{consumer}"): Asked(people),
        ("PUT", "/contracts/{contract_id:path}/subscriptions/{consumer}"): Asked(people, {"team": "menu"}),
        ("DELETE", "/contracts/{contract_id:path}/subscriptions/{consumer}"): Asked(people, changes=True),
        ("GET", "/contracts/{contract_id:path}/runs"): Asked(f"{contract}/runs?table=orders"),
        ("POST", "/contracts/{contract_id:path}/runs"): Asked(f"{contract}/runs", {"table": "orders"}),
        ("GET", "/contracts/{contract_id:path}/measurements"): Asked(
            f"{contract}/measurements?table=orders&check=amount-nulls"
        ),
        ("GET", "/runs"): Asked("/runs?limit=5"),
        ("GET", "/runs/{run_id}"): Asked(f"/runs/{run}"),
        ("GET", "/jobs"): Asked("/jobs"),
        ("DELETE", "/jobs/{job_id}"): Asked(f"/jobs/{job}", changes=True),
        ("POST", "/preflight"): Asked("/preflight", {"new": orders("2.0.0", tenant=TENANT).decode()}),
        ("GET", "/waivers"): Asked("/waivers?contract=orders"),
        ("POST", "/waivers"): Asked("/waivers", given),
        ("DELETE", "/waivers/{waiver_id}"): Asked(f"/waivers/{world.store.waiver_id(waiver)}", changes=True),
        ("GET", "/incidents"): Asked("/incidents?contract=orders&table=orders&squad=checkout"),
        ("GET", "/incidents/{incident_id}"): Asked(f"/incidents/{incident}"),
        ("POST", "/incidents/{incident_id}/acknowledge"): Asked(f"/incidents/{incident}/acknowledge", {}),
        ("POST", "/incidents/{incident_id}/resolve"): Asked(f"/incidents/{incident}/resolve", {"reason": "x"}, changes=True),
        ("GET", "/datasets/{name:path}/gate"): Asked("/datasets/orders/gate"),
        ("POST", "/events/publish"): Asked("/events/publish", s3_message("orders/a.parquet")),
        ("POST", "/data-products"): Asked("/data-products", PRODUCT),
        ("GET", "/data-products"): Asked("/data-products"),
        ("GET", "/data-products/{product_id:path}"): Asked("/data-products/revenue"),
        ("POST", "/data-products/{product_id:path}/retire"): Asked("/data-products/revenue/retire", changes=True),
        ("GET", "/silences"): Asked("/silences"),
        ("POST", "/silences"): Asked("/silences", SILENCE | {"reason": "another"}),
        ("GET", "/silences/{silence_id}"): Asked(f"/silences/{silence}"),
        ("DELETE", "/silences/{silence_id}"): Asked(f"/silences/{silence}", changes=True),
        ("GET", "/dead-letters"): Asked("/dead-letters"),
        ("POST", "/dead-letters/{key}/resend"): Asked(f"/dead-letters/{letters[0]}/resend", changes=True),
        # No GitHub App and no Slack are set up here: that they are asked for by nobody else is what is tried.
        ("GET", "/github/pulls/{owner}/{name}/{number}"): Asked("/github/pulls/octo/shop/7"),
        ("POST", "/github/pulls/{owner}/{name}/{number}/check"): Asked("/github/pulls/octo/shop/7/check"),
        ("POST", "/github/pulls/{owner}/{name}/{number}/override"): Asked(
            "/github/pulls/octo/shop/7/override", {"reason": "the shop is down"}
        ),
        ("GET", "/github/work"): Asked("/github/work"),
        ("POST", "/github/webhook"): Asked("/github/webhook", {}),
        ("POST", "/slack/interactivity"): Asked("/slack/interactivity", {}),
        ("GET", "/audit"): Asked("/audit?kind=contract&subject=orders"),
        ("POST", "/lineage"): Asked("/lineage", EVENT),
        ("POST", "/lineage/batch"): Asked("/lineage/batch", [EVENT]),
        ("POST", "/lineage/part"): Asked(
            "/lineage/part", {"starts": [START], "names": [START["dataset"]], "fingerprints": [FINGERPRINT]}
        ),
        ("GET", "/lineage/upstream"): Asked("/lineage/upstream?dataset=totals&column=total"),
        ("GET", "/lineage/downstream"): Asked("/lineage/downstream?dataset=orders&column=amount"),
        ("GET", "/lineage/impact"): Asked("/lineage/impact?dataset=orders&column=amount"),
    }  # fmt: skip
    public = {"/health", "/ready", "/metrics", "/login", "/auth/callback", "/logout", "/github/webhook",
              "/slack/interactivity"}  # fmt: skip
    prefixed = {
        (m, p if p in public else f"/api/v1{p}"): a
        if p in public
        else Asked(f"/api/v1{a.path}", a.body, a.headers, a.changes)
        for (m, p), a in found.items()
    }
    prefixed |= _pages(seen, run, _silence(world, "another page"), letters[1])
    # What ends something comes last.
    return dict(sorted(prefixed.items(), key=lambda item: (item[1].changes, item[0][1].endswith("/retire"))))


def _waiting_job(world: World) -> str:
    """The id of a check that waits behind one that runs."""
    admin = world.token("admin", tenant=TENANT)
    for month in ("11", "12"):
        answer = world.send("POST", "/api/v1/contracts/orders/runs", admin, {"partition": {"month": month}})
        (job,) = json.loads(answer.text)["items"]
    return str(job["id"])


def _silence(world: World, reason: str = SILENCE["reason"]) -> str:
    """The id of a silence of the squad checkout."""
    admin = world.token("admin", tenant=TENANT)
    given = SILENCE | {"reason": f"planted {reason}"}
    return str(world.send("POST", "/api/v1/silences", admin, given).json()["id"])


FORM = {"content_type": "application/x-www-form-urlencoded"}


def _pages(incident: str, run: str, silence: str, letter: str) -> dict[tuple[str, str], Asked]:
    """The pages, as a browser asks for them."""

    def form(path: str, body: bytes = b"", changes: bool = False) -> Asked:
        return Asked(path, body, FORM, changes)

    return {
        ("GET", "/login/token"): Asked("/login/token?next=/contracts"),
        ("POST", "/login/token"): Asked("/login/token", b"token=", FORM | {"origin": "http://127.0.0.1"}),
        ("GET", "/logout"): Asked("/logout"),
        ("GET", "/web/{name}"): Asked(f"/web/{STYLE_NAME}"),
        ("GET", "/"): Asked("/"),
        ("GET", "/contracts"): Asked("/contracts?search=orders&squad=checkout"),
        ("GET", "/contracts/{contract_id:path}"): Asked("/contracts/orders?table=orders"),
        ("POST", "/contracts/{contract_id:path}/check"): form("/contracts/orders/check", b"table=orders"),
        ("GET", "/changelog"): Asked("/changelog?contract=orders&old=1.0.0"),
        ("GET", "/runs/{run_id}"): Asked(f"/runs/{run}"),
        ("GET", "/incidents"): Asked("/incidents?squad=checkout"),
        ("GET", "/incidents/{incident_id}"): Asked(f"/incidents/{incident}"),
        ("POST", "/incidents/{incident_id}/acknowledge"): form(f"/incidents/{incident}/acknowledge"),
        ("POST", "/incidents/{incident_id}/resolve"): form(
            f"/incidents/{incident}/resolve", b"reason=x", True
        ),
        ("GET", "/silences"): Asked("/silences?squad=checkout"),
        ("POST", "/silences"): form("/silences", b"squad=checkout&reason=another+one&lasts=4h"),
        ("POST", "/silences/{silence_id}/end"): form(f"/silences/{silence}/end", changes=True),
        ("GET", "/dead-letters"): Asked("/dead-letters"),
        ("POST", "/dead-letters/{key}/resend"): form(f"/dead-letters/{letter}/resend", changes=True),
        ("GET", "/lineage"): Asked("/lineage?dataset=orders&column=amount"),
        ("GET", "/pulls/{owner}/{name}/{number}"): Asked("/pulls/octo/shop/7"),
    }
