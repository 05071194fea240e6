"""The GitHub App's settings: what is wrong is told at the start; what is right runs by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from contracts_svc import app, app_github
from contracts_svc.api.app import create_app
from contracts_svc.errors import UserMistake
from contracts_svc.github.check_run import Conclusion
from contracts_svc.github.config import HubConfig, Party, PublicNames, TeamName, read_hub_config
from contracts_svc.github.names import RepositoryName
from contracts_svc.loops import Loop, Loops
from contracts_svc.settings import Settings
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_store import memory_store
from tests.github_stand_in import Repository, StandIn
from tests.hub_world import AFTER, FILES, KEY, LINEAGE, SECRET, HubWorld, Shop

PEM = KEY.as_pem(private=True).decode()
GIVEN: dict[str, Any] = {
    "github_app_id": 7,
    "github_private_key": PEM,
    "github_webhook_secret": SECRET,
    "github_api_url": "https://ghe.example/api/v3",
}


class TestFile:
    def test_the_whole_file(self) -> None:
        text = b"""
repositories:
  - {match: Octo/*, tenant: shop, could_not_check: neutral, public_names: all, dialect: spark, mode: full}
  - {match: other/thing}
people:
  finance: {users: [ada, "@lin"], teams: [octo/finance]}
  "@Stock": {users: [max]}
administrators: {users: [root], teams: [octo/admins]}
"""
        config = read_hub_config(text, "github.yaml")
        rule = config.rule_of(RepositoryName.parse("octo/SHOP"))
        assert rule is not None
        assert (rule.tenant, rule.could_not_check, rule.public_names) == (
            "shop",
            Conclusion.NEUTRAL,
            PublicNames.ALL,
        )
        other = config.rule_of(RepositoryName.parse("other/thing"))
        assert other is not None
        assert (other.tenant, other.could_not_check) == ("", Conclusion.FAILURE)
        assert config.rule_of(RepositoryName.parse("evil/shop")) is None
        finance = Party(users=("ada", "lin"), teams=(TeamName("octo", "finance"),))
        assert (config.party("@Finance"), config.party("stock").users) == (finance, ("max",))
        assert config.party("nobody") == Party()
        assert read_hub_config(b"", "x") == HubConfig()

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("repositories: [{tenant: x}]", ["needs 'match'"]),
            ("repositories: [{match: shop}]", ["1:24: 'match' cannot be 'shop'"]),
            ("repositories: [{match: 'octo/../x'}]", ["'match' cannot be"]),
            ("repositories: [{match: o/s, tennant: x}]", ["unknown key 'tennant'; did you mean 'tenant'?"]),
            ("repositories: [{match: o/s, dialect: oracel}]", ["no SQL dialect"]),
            ("repositories: [{match: o/s, could_not_check: pass}]", ["'could_not_check' cannot be 'pass'"]),
            ("repositories: {match: o/s}", ["'repositories' must be a list"]),
            ("people: {finance: [ada]}", ["'finance' must be a mapping"]),
            ("people: {finance: {users: ['../x', a b], teams: [finance]}}", ["no name of a user", "no name of a user", "no name of a team"]),
            ("administrators: {user: [root]}", ["did you mean 'users'?"]),
            ("peple: {}", ["did you mean 'people'?"]),
            ("- x", ["GitHub file"]),
        ],
    )  # fmt: skip
    def test_mistakes_have_their_place(self, text: str, told: list[str]) -> None:
        with pytest.raises(UserMistake) as caught:
            read_hub_config(text.encode(), "github.yaml")
        problems = [str(p) for p in caught.value.problems]
        assert len(problems) == len(told), problems
        for problem, words in zip(problems, told, strict=True):
            assert words in problem
            assert problem.startswith("github.yaml:1:")


class TestSettings:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"github_app_id": None}, ["APP_ID is not set"]),
            ({"github_private_key": ""}, ["exactly one must be set"]),
            ({"github_private_key_file": "KEY"}, ["exactly one must be set"]),
            (
                {"github_private_key": "", "github_private_key_file": "nowhere.pem"},
                ["nowhere.pem cannot be read"],
            ),
            ({"github_private_key": "no key"}, ["private key of the GitHub App cannot be read"]),
            ({"github_webhook_secret": ""}, ["WEBHOOK_SECRET is not set"]),
            (
                {"github_webhook_secret": "", "github_webhook_secret_old": SECRET},
                ["WEBHOOK_SECRET is not set"],
            ),
            ({"github_webhook_secret": "short"}, ["can be guessed"]),
            ({"github_api_url": "http://ghe.example/api/v3"}, ["is not encrypted"]),
            ({"github_api_url": "https://ada@ghe.example"}, ["no address of a GitHub API"]),
            ({"github_file": "nowhere.yaml"}, ["nowhere.yaml cannot be read"]),
            ({"public_url": "https://contracts.example?x=1"}, ["PUBLIC_URL is no address"]),
            (
                {"github_webhook_secret": "", "github_private_key": "", "github_file": "nowhere.yaml"},
                ["exactly one", "WEBHOOK_SECRET", "nowhere.yaml"],
            ),
        ],
    )
    def test_mistakes_are_told_all_at_once(
        self, changes: dict[str, Any], told: list[str], tmp_path: Path
    ) -> None:
        with pytest.raises(UserMistake) as caught:
            app_github.github_app(Settings(**GIVEN | changes), memory_store())
        said = str(caught.value)
        assert len(caught.value.problems) == len(told), said
        for words in told:
            assert words in said
        assert PEM.splitlines()[1] not in said
        assert SECRET not in said

    @pytest.mark.parametrize("escaped", [False, True])
    def test_a_key_from_a_file_or_the_environment(
        self, escaped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "key.pem").write_text(PEM)
        more: dict[str, Any] = {"github_private_key": "", "github_private_key_file": tmp_path / "key.pem"}
        if escaped:
            more = {"github_private_key": PEM.replace("\n", "\\n")}
        made = app_github.github_app(Settings(**GIVEN | more), memory_store())
        assert made is not None
        assert sorted(made.steps) == ["github-1", "github-2", "github-reconcile"]
        assert SECRET not in repr(made)
        assert PEM.splitlines()[1] not in repr(made)

    def test_no_app_at_all(self) -> None:
        assert app_github.github_app(Settings(), memory_store()) is None

    @pytest.mark.parametrize(
        ("api", "web"),
        [
            ("https://api.github.com", "https://github.com"),
            ("https://ghe.example:8443/api/v3", "https://ghe.example:8443"),
            ("https://api.octo.ghe.com", "https://octo.ghe.com"),
        ],
    )
    def test_where_people_see_repositories(self, api: str, web: str) -> None:
        assert app_github.web_of(api) == web


def test_it_runs_by_itself(
    hub: StandIn, shop: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings in, loops on, a webhook: the check is completed, on an Enterprise server's address."""
    monkeypatch.chdir(tmp_path)
    hub.prefix = "/api/v3"
    settings = Settings(
        **GIVEN
        | {
            "github_api_url": f"{hub.base_url}/api/v3",
            "database_url": f"sqlite:///{tmp_path}/contracts.db",
            "public_url": "https://contracts.example",
        }
    )
    # Whatever else sends webhooks and pushes, over the same stand-in.
    shop.private = True
    world = HubWorld(hub, memory_store())
    hub.now = datetime.now(UTC)
    repo = Shop(world, shop)
    repo.push_main(FILES, tell=False)
    store = app.store(settings)
    service, made = app_github.with_github(settings, app.service(settings, opened=store))
    assert made is not None
    world.client = TestClient(create_app(service), "http://127.0.0.1")
    loops = Loops(
        Loop(name=name, every=0.2, work=lambda step=step: {"done": step(datetime.now(UTC))})  # type: ignore[misc]
        for name, step in made.steps.items()
    )
    loops.start()
    try:
        repo.install()
        waited(lambda: len(store.contracts()) == 3 and not store.open_work())
        app.lineage(store).take(list(LINEAGE), tenant="", now=datetime.now(UTC))
        number = repo.open(AFTER)
        waited(lambda: bool(repo.comment(number)))
        waited(lambda: not store.open_work())
    finally:
        assert loops.stop(30)
    run = repo.run(number)
    assert run["conclusion"] == "action_required"
    assert run["details_url"] == f"https://contracts.example/pulls/octo/shop/{number}"
    assert loops.failing == {}
    store.close()


def waited(happened: Callable[[], bool]) -> None:
    """Until it has happened."""
    for _ in range(600):
        if happened():
            return
        time.sleep(0.1)
    raise AssertionError("it did not happen")
