"""The whole API against its own description: what schemathesis makes up is answered as documented.

In this process, over ASGI, with an admin's token: so that requests get past the door, and every answer is
one of those that the OpenAPI document tells, with the shape it tells.
"""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis.checks import CheckFunction
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from starlette.testclient import TestClient

from contracts_svc.adapters.oidc import Client, OpenIdProvider
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.api.login import CALLBACK
from contracts_svc.api.rules import ENDPOINTS
from contracts_svc.api.sessions import SESSION
from contracts_svc.flows.login import Grants, Login
from tests.acceptance.as_sent import is_wrong
from tests.acceptance.test_api import NOW, World
from tests.acceptance.test_api_service import AMOUNT, orders, put_incident, put_run
from tests.fixtures_oidc import CLIENT_ID, CLIENT_SECRET, code_and_state, provider_on_loopback
from tests.fixtures_store import memory_store

ROUTES = sorted(ENDPOINTS.keys() - {("POST", "/slack/interactivity")})
"""Every endpoint that is described."""
EXAMPLES = 25
"""Requests made up per operation and mode."""

BEYOND_A_SCHEMA = {
    # A document that is a contract, or a message that is one of AWS's: of those made up, few are.
    ("POST", "/api/v1/contracts"),
    ("POST", "/api/v1/data-products"),
    ("POST", "/api/v1/preflight"),
    ("POST", "/api/v1/events/publish"),
    # An event of OpenLineage, whose own schema is not in ours; a list of more than there may be.
    ("POST", "/api/v1/lineage"),
    ("POST", "/api/v1/lineage/batch"),
    # A text that is a matcher, and an end that is not past.
    ("POST", "/api/v1/silences"),
    # A day that is at most so many days away.
    ("POST", "/api/v1/waivers"),
    # Texts without U+0000: the pattern says so, but what makes up texts does not mind.
    ("PUT", "/api/v1/contracts/{contract_id:path}/subscriptions/{consumer}"),
    # Keys of an object, of which a pattern says only what those are like that it knows.
    ("POST", "/api/v1/contracts/{contract_id:path}/runs"),
}


NOTHING_TO_GET_WRONG = {
    # Without a parameter, a body, or anybody who has to say who they are.
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/auth/callback"),
    ("POST", "/logout"),
}


class Made:
    """The service under test, with something in it to be found."""

    def __init__(self, login: Login | None = None) -> None:
        self.store: DatabaseStore = memory_store()
        self.world = World(self.store, login=login)
        self.world.put(orders("1.0.0", extra=AMOUNT))
        put_incident(self.world)
        put_run(self.world)
        self.headers = {"Authorization": f"Bearer {self.world.token('admin')}"}

    def close(self) -> None:
        self.store.close()


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    found = Made()
    yield found
    found.close()


def statuses_of(
    made: Made,
    operation: schemathesis.APIOperation,
    route: tuple[str, str],
    mode: GenerationMode,
    count: int,
    excluded: list[CheckFunction],
) -> set[int]:
    """Send so many made-up requests, the same in each run, and look at the answers in every way but those
    that are left out; the statuses."""
    document, statuses = made.world.app.openapi(), set[int]()

    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def asked(case: schemathesis.Case) -> None:
        answer = case.call(headers=made.headers)
        wrong = mode is GenerationMode.NEGATIVE and is_wrong(document, *route, answer.request)
        case.validate_response(
            answer,
            headers=made.headers,
            excluded_checks=excluded if wrong else [*excluded, negative_data_rejection],
            transport_kwargs={"headers": made.headers},
        )
        statuses.add(answer.status_code)

    asked()
    return statuses


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda m: m.value)
@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
def test_every_answer_is_as_described(made: Made, route: tuple[str, str], mode: GenerationMode) -> None:
    method, path = route
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", made.world.app)
    operation = schema[path.replace(":path}", "}")][method]

    # A cursor that is none of ours is refused, and an ETag of another state, which a schema cannot say either.
    named = {p.name.lower() for p in (*operation.query, *operation.headers)}
    vague = route in BEYOND_A_SCHEMA or not named.isdisjoint({"cursor", "if-match"})
    excluded = [positive_data_acceptance] if vague else []

    if mode is GenerationMode.NEGATIVE and route in NOTHING_TO_GET_WRONG:
        assert not any((operation.query, operation.headers, operation.path_parameters, operation.body))
        return

    statuses_of(made, operation, route, mode, EXAMPLES, excluded)


@pytest.fixture(scope="module")
def person() -> Iterator[Made]:
    """The same service, with somebody who has logged in by a provider."""
    with provider_on_loopback(NOW, f"http://127.0.0.1{CALLBACK}") as provider:
        provider.user["groups"] = ["admins"]
        client = Client(id=CLIENT_ID, secret=CLIENT_SECRET, redirect_uri=provider.redirect_uri)
        oidc = OpenIdProvider(provider.issuer, client)
        grants = Grants(groups={"admins": ("admin",)})
        found = Made(
            Login(provider=oidc, issuer=provider.issuer, grants=grants, public_url="http://127.0.0.1")
        )
        browser = TestClient(found.world.app, "http://127.0.0.1", follow_redirects=False)
        sent_to = browser.get("/login").headers["location"]
        browser.get(CALLBACK, params=code_and_state(httpx.get(sent_to).headers["location"]))
        cookie = f"{SESSION}={browser.cookies[SESSION]}"
        found.headers = {"Cookie": cookie, "Origin": "http://127.0.0.1", "Sec-Fetch-Site": "same-origin"}
        yield found
        oidc.close()
        found.close()


OF_A_SESSION = 8
"""Requests made up per operation and mode: what they find behind the door is the same."""


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda m: m.value)
def test_every_answer_to_somebody_with_a_session_is_as_described(person: Made, mode: GenerationMode) -> None:
    """Every endpoint but the one that ends the session."""
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", person.world.app)
    statuses: set[int] = set()
    # Which of them may refuse what fits the schema is what the test above looks at.
    # And a session is as good where an Authorization header comes with it that is none of ours.
    excluded = [positive_data_acceptance, ignored_auth]
    for method, path in ROUTES:
        route = (method, path)
        if path == "/logout" or (mode is GenerationMode.NEGATIVE and route in NOTHING_TO_GET_WRONG):
            continue
        operation = schema[path.replace(":path}", "}")][method]
        statuses |= statuses_of(person, operation, route, mode, OF_A_SESSION, excluded)
    assert max(statuses) < 500 or statuses & {503}
    # They got in.
    assert 200 in statuses
    assert statuses.isdisjoint({403})
