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

from contracts_svc.adapters.jobs_inprocess import InProcessJobs
from contracts_svc.adapters.store.store import DatabaseStore
from tests.acceptance.test_api import World
from tests.acceptance.test_api_service import AMOUNT, orders, put_incident, put_run
from tests.fixtures_store import memory_store

EXAMPLES = 25
"""Requests made up per operation and mode."""


class Made:
    """The service under test, with something in it to be found."""

    def __init__(self) -> None:
        self.store: DatabaseStore = memory_store()
        self.jobs = InProcessJobs({"check": lambda arguments: None})
        self.world = World(self.store, jobs=self.jobs)
        self.world.put(orders("1.0.0", extra=AMOUNT))
        put_incident(self.world)
        put_run(self.world)
        self.headers = {"Authorization": f"Bearer {self.world.token('admin')}"}

    def close(self) -> None:
        self.jobs.close()
        self.store.close()


@pytest.fixture(scope="module")
def made() -> Iterator[Made]:
    found = Made()
    yield found
    found.close()


@pytest.fixture
def api_schema(made: Made) -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", made.world.app)
    schema.config.generation.update(modes=list(GenerationMode))
    return schema


schema = schemathesis.pytest.from_fixture("api_schema")


@pytest.mark.slow
@schema.parametrize()
@hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_every_answer_is_as_described(case: schemathesis.Case, made: Made) -> None:
    case.call_and_validate(headers=made.headers)
