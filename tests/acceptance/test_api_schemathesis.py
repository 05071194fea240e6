"""The whole API against its own description: what schemathesis makes up is answered as documented.

In this process, over ASGI, with an admin's token: so that requests get past the door, and every answer is
one of those that the OpenAPI document tells, with the shape it tells.
"""

from __future__ import annotations

from collections.abc import Iterator

import hypothesis
import pytest
import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from contracts_svc.adapters.store.store import DatabaseStore
from tests.acceptance.test_api import World
from tests.acceptance.test_api_service import AMOUNT, REQUESTS, orders, put_incident, put_run
from tests.fixtures_store import memory_store

EXAMPLES = 25
"""Requests made up per operation and mode."""

BEYOND_A_SCHEMA = {
    # A document that is a contract, or a message that is one of AWS's: of those made up, few are.
    ("POST", "/api/v1/contracts"),
    ("POST", "/api/v1/data-products"),
    ("POST", "/api/v1/preflight"),
    ("POST", "/api/v1/events/publish"),
    # A text that is a matcher, and an end that is not past.
    ("POST", "/api/v1/silences"),
    # A day that is at most so many days away.
    ("POST", "/api/v1/waivers"),
    # Texts without U+0000: the pattern says so, but what makes up texts does not mind.
    ("PUT", "/api/v1/contracts/{contract_id:path}/subscriptions/{consumer}"),
}


class Made:
    """The service under test, with something in it to be found."""

    def __init__(self) -> None:
        self.store: DatabaseStore = memory_store()
        self.world = World(self.store)
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


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda m: m.value)
@pytest.mark.parametrize("route", sorted(REQUESTS), ids=" ".join)
def test_every_answer_is_as_described(made: Made, route: tuple[str, str], mode: GenerationMode) -> None:
    method, path = route
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", made.world.app)
    operation = schema[path.replace(":path}", "}")][method]

    # A cursor that is none of ours is refused, which a schema cannot say either.
    vague = route in BEYOND_A_SCHEMA or any(p.name == "cursor" for p in operation.query)
    excluded = [positive_data_acceptance] if vague else []

    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    def asked(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=made.headers, excluded_checks=excluded)

    asked()
