"""Teams that are reached by other tools than Slack, and a route file that changes while the service runs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pytest_httpserver import HTTPServer
from starlette.testclient import TestClient
from werkzeug import Response

from contracts_svc import settings
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.api.app import create_app
from contracts_svc.app_alerts import Alerting
from contracts_svc.app_people import PeoplePart
from contracts_svc.errors import UserMistake
from contracts_svc.flows.deliver import Sender
from contracts_svc.ports_outbox import MessageState
from contracts_svc.routes.dispatch import receive
from tests.acceptance.test_api import FixedClock, World
from tests.alerts_world import NOON
from tests.fixtures_store import memory_store
from tests.mail_stand_in import MailServer
from tests.serving import Server
from tests.slack_stand_in import form, signed
from tests.telling import note

NAMES = ("DATABASE_URL", "ROUTES", "SLACK_TOKEN", "EMAIL_URL", "SLACK_SIGNING_SECRET", "PEOPLE_FILE")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(f"CONTRACTS_{name}", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def store() -> Iterator[DatabaseStore]:
    found = memory_store()
    yield found
    found.close()


def tell(store: DatabaseStore, *channels: tuple[str, str]) -> Sender:
    """A message to a team by each of these (tool, channel)."""
    said = [
        replace(note(f"f{n}", team=f"team {n}", channel=channel), receiver=tool)
        for n, (tool, channel) in enumerate(channels)
    ]
    store.put_groups(receive((), said, now=NOON))
    alerting = Alerting(settings.load(), os.environ)
    return Sender(store, alerting.find, FixedClock(), routes=alerting.routes)


def test_each_tool_goes_its_way_or_says_what_is_missing_and_none_stops_another(
    store: DatabaseStore, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[str] = []

    def handle(request: object) -> Response:
        bodies.append(json.loads(request.get_data())["title"])  # type: ignore[attr-defined]
        return Response("")

    httpserver.expect_request("/teams").respond_with_handler(handle)
    Path("routes.yaml").write_text(
        "route: {receiver: contract, group_by: [dataset]}\n"
        "channels: [{tool: teams, channel: Flight Ops, url: env:TEAMS_URL}]\n"
    )
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    monkeypatch.setenv("TEAMS_URL", f"json://127.0.0.1:{httpserver.port}/teams")
    with MailServer() as mail:
        monkeypatch.setenv("CONTRACTS_EMAIL_URL", f"mailto://127.0.0.1:{mail.port}?from=data@example.com")
        sender = tell(
            store,
            ("discord", "data"),
            ("ticket", "DATA"),
            ("teams", "Finance"),
            ("unrouted", ""),
            ("slack", "#a"),
            ("email", "nobody"),
            ("teams", "Flight Ops"),
            ("email", "finance@example.com"),
        )
        report = sender.step()
        assert (report.sent, report.dead, report.later) == (2, 6, 0)
        (sent,) = mail.mails
    assert (sent.sender, sent.recipients) == ("data@example.com", ("finance@example.com",))
    assert sent.message["Subject"] == "flights is wrong: f7"
    assert bodies == ["flights is wrong: f6"]
    dead = {k.message.notification.team: k.reason for k in store.messages(MessageState.DEAD)}
    assert dead == {
        "team 0": "nothing says what discord is reached by: add to 'channels' of the route file: "
        "- {tool: discord, channel: 'data', url: env:DISCORD_URL}",
        "team 1": "nothing says what ticket is reached by: add to 'channels' of the route file: "
        "- {tool: ticket, channel: 'DATA', url: env:TICKET_URL}",
        "team 2": "nothing says what teams is reached by: add to 'channels' of the route file: "
        "- {tool: teams, channel: 'Finance', url: env:TEAMS_URL}",
        "team 3": "team 3 gives no channel: add 'support' to its contract, with a tool and a channel",
        "team 4": "no token for Slack is set: see CONTRACTS_SLACK_TOKEN, or 'channels' of the route file",
        "team 5": "'nobody' is no e-mail address: correct 'support'",
    }


def test_one_channel_that_fails_leaves_the_others_of_its_tool_alone(
    store: DatabaseStore, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/down").respond_with_response(Response("", 500))
    httpserver.expect_request("/up").respond_with_response(Response(""))
    Path("routes.yaml").write_text(
        "route: {receiver: contract, group_by: [dataset]}\n"
        "channels: [{tool: teams, channel: up, url: env:UP}, {tool: teams, url: env:DOWN}]\n"
    )
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    monkeypatch.setenv("UP", f"json://127.0.0.1:{httpserver.port}/up")
    monkeypatch.setenv("DOWN", f"json://127.0.0.1:{httpserver.port}/down")
    report = tell(store, *[("teams", "down")] * 6, ("teams", "up")).step()
    assert (report.sent, report.later) == (1, 6)


def test_a_receiver_of_slack_without_a_token_takes_the_common_one(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("routes.yaml").write_text(
        "route: {receiver: all}\nreceivers: [{name: all, type: slack, channel: '#all'}]\n"
        "channels: [{tool: slack, workspaces: [acme, T012AB3CD], token: env:ACME}]\n"
    )
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    with pytest.raises(UserMistake, match="the receiver 'all' has no token"):
        Alerting(settings.load(), {"ACME": "xoxb-acme"})
    monkeypatch.setenv("CONTRACTS_SLACK_TOKEN", "xoxb-common")
    alerting = Alerting(settings.load(), {"ACME": "xoxb-acme"})
    assert alerting.slack_token("T012AB3CD") == "xoxb-acme"
    assert alerting.slack_token("T0OTHER") == "xoxb-common"


def test_a_mail_server_that_is_none_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS_EMAIL_URL", "smtp://user:hunter2@example.com")
    with pytest.raises(UserMistake) as caught:
        Alerting(settings.load(), {})
    assert "mailtos://" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_running_service_keeps_its_routes_and_people_when_their_files_are_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    routes, people = Path("routes.yaml"), Path("people.yaml")
    routes.write_text("route: {receiver: contract, group_by: [dataset]}")
    people.write_text("people: [{name: ada, slack: U0ADA}]")
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    monkeypatch.setenv("CONTRACTS_PEOPLE_FILE", "people.yaml")
    monkeypatch.setenv("CONTRACTS_SLACK_SIGNING_SECRET", "old-secret, new-secret")
    world = World(memory_store())
    part = PeoplePart(settings.load(), world.app.state.service)
    client = TestClient(create_app(part.service), "http://127.0.0.1")

    def stands() -> tuple[int, list[str], bool]:
        ready = client.get("/ready")
        figures = client.get("/metrics").text.splitlines()
        count = next(line.split()[1] for line in figures if line.startswith("contracts_config_warnings "))
        warnings = ready.json()["warnings"]
        assert float(count) == len(warnings)
        return ready.status_code, warnings, part.alerting.routes().root.group_by == ("dataset",)

    part.start()
    try:
        assert stands() == (200, [], True)
        routes.write_text("route: {receiver: nobody, group_by: [squad]}")
        status, (warning,), kept = stands()
        assert (status, kept) == (200, True), "it goes on with what it had"
        assert "no receiver is called 'nobody'" in warning
        people.write_text("people: [{name: ada}]")
        assert [w.partition(":")[0] for w in stands()[1]] == ["routes.yaml", "people.yaml"]
        routes.write_text("route: {receiver: contract, group_by: [squad]}")
        people.write_text("people: [{name: ada, slack: U0ADA}]  ")
        assert stands() == (200, [], False)
        assert part.service.slack is not None
        assert part.service.slack.takes_http
    finally:
        part.stop()
        world.store.close()


def test_a_message_of_a_receiver_that_the_file_has_no_more_is_a_dead_letter(
    store: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = Path("routes.yaml")
    routes.write_text("route: {receiver: a}\nreceivers: [{name: a, type: file, path: out.jsonl}]")
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    alerting = Alerting(settings.load(), os.environ)
    store.put_groups(receive((), [note("f1")], now=NOON, routes=alerting.routes()))
    routes.write_text("route: {receiver: b}\nreceivers: [{name: b, type: file, path: out.jsonl}]")
    report = Sender(store, alerting.find, FixedClock(), routes=alerting.routes).step()
    assert report.dead == 1
    (dead,) = store.messages(MessageState.DEAD)
    assert dead.reason == "the route file has no receiver 'a' any more"


def test_the_service_takes_buttons_and_tells_of_a_route_file_that_it_does_not_take(tmp_path: Path) -> None:
    routes = tmp_path / "routes.yaml"
    routes.write_text("route: {receiver: contract}")
    server = Server(
        tmp_path,
        f"sqlite:///{tmp_path}/contracts.db",
        CONTRACTS_ROUTES=str(routes),
        CONTRACTS_SLACK_SIGNING_SECRET="signing-secret",
    )
    try:
        assert httpx.get(f"{server.url}/ready").json()["warnings"] == []
        routes.write_text("route: {receiver: nobody}")
        ready = httpx.get(f"{server.url}/ready")
        assert (ready.status_code, ready.json()["ready"]) == (200, True)
        assert "no receiver is called 'nobody'" in ready.json()["warnings"][0]
        assert "contracts_config_warnings 1.0" in httpx.get(f"{server.url}/metrics").text.splitlines()
        body = form({"type": "block_actions", "user": {"id": "U1"}, "actions": []})
        for secret, status in (("signing-secret", 200), ("another", 401)):
            headers = signed(secret, body, time.time())
            answer = httpx.post(f"{server.url}/slack/interactivity", content=body, headers=headers)
            assert answer.status_code == status
    finally:
        logged = server.stop()
    assert server.process.returncode == 0
    assert any(line["event"].startswith("the route file is not taken") for line in logged)
    assert "signing-secret" not in server.log.read_text()
