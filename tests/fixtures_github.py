"""Fixtures around the stand-in of GitHub; import what is used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts_svc.adapters.github.client import GitHubClient
from contracts_svc.adapters.github.tokens import GivenToken
from tests.github_stand_in import Grant, Repository, Server, StandIn

TOKEN = "ghp_workflow"
SHOP = "octo/shop"


@pytest.fixture(scope="session")
def github_server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def hub(tmp_path: Path, github_server: Server) -> Iterator[StandIn]:
    """GitHub with a token of a workflow; fails the test for calls and answers that are not as documented."""
    made = StandIn(tmp_path / "hub")
    made.base_url = github_server.base_url
    made.tokens[TOKEN] = Grant("github-actions[bot]", frozenset({SHOP}))
    github_server.hub = made
    yield made
    made.close()
    assert not made.violations, "\n".join(made.violations[:5])


@pytest.fixture
def shop(hub: StandIn) -> Repository:
    return hub.repository(SHOP)


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client would have waited."""
    return []


@pytest.fixture
def client(hub: StandIn, waits: list[float]) -> Iterator[GitHubClient]:
    with GitHubClient(GivenToken(TOKEN), hub.base_url, sleep=waits.append) as made:
        yield made
