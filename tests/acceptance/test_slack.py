"""Slack as people use it: messages, threads and buttons, against a stand-in that keeps Slack's limits."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from contracts_svc.adapters.receivers.slack import SlackConfig, SlackReceiver
from contracts_svc.adapters.receivers.slack_press import Members
from contracts_svc.adapters.receivers.slack_socket import SocketMode
from contracts_svc.adapters.store.database import Database
from contracts_svc.adapters.store.store import DatabaseStore
from contracts_svc.alerts import Audience, Incident, IncidentState
from contracts_svc.api.app import create_app
from contracts_svc.api.deps import acting_of
from contracts_svc.api.limits import Budget
from contracts_svc.app_slack import SlackDesk, people_of
from contracts_svc.errors import CouldNotCheck, UserMistake
from contracts_svc.flows.deliver import Sender
from contracts_svc.flows.pressing import Pressing, Reply
from contracts_svc.ports_outbox import MessageState
from contracts_svc.responders import Responder, Responders
from contracts_svc.routes.dispatch import receive
from tests.acceptance.test_api import NOW, World, is_problem, orders
from tests.acceptance.test_api_service import put_incident
from tests.fixtures_store import memory_store, read_contract
from tests.slack_stand_in import APP_TOKEN, EXPIRED, TOKEN, Posted, Slack, form, signed
from tests.telling import note

SECRET, NEXT_SECRET = "8f742231b10e8888abcd99yyyzzz85a5", "0123456789abcdef0123456789abcdef"
ADA, BOB, EVE, ROOT, OTHER = "U0ADA", "U0BOB", "U0EVE", "U0ROOT", "U0OTHER"
PEOPLE = (
    Responder(name="ada", slack=(ADA,), squads=frozenset({"flight-ops"})),
    Responder(name="bob", email="bob@example.com", squads=frozenset({"finance"})),
    Responder(name="eve", slack=(EVE,), squads=frozenset({"weather"})),
    Responder(name="root", slack=(ROOT,), admin=True),
    Responder(name="other", slack=(OTHER,), squads=frozenset({"flight-ops"}), tenant="acme"),
)
SECRETIVE = "      - {name: passport, logicalType: string, classification: restricted}"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


class Office:
    """A service, Slack, and a table that is wrong: its owner flight-ops and finance downstream were told."""

    def __init__(self, slack: Slack, url: str) -> None:
        self.slack = slack
        self.time = NOW
        self.world = World(DatabaseStore(Database(url), read_contract))
        self.store = self.world.store
        self.receiver = SlackReceiver(SlackConfig(token=TOKEN, base_url=slack.url))
        self.sender = Sender(self.store, lambda message: self.receiver, self, chance=lambda: 0.5)
        service = replace(self.world.app.state.service, clock=self)
        acting = acting_of(service)
        self.broken = False
        self.desk = SlackDesk(
            Pressing(acting=acting, heard=self.store),
            self._people,
            Members(lambda workspace: TOKEN, lambda: self.time.timestamp(), base_url=slack.url),
            secrets=[SECRET, NEXT_SECRET],
            after=self.sender.step,
            hooks=slack.hooks,
        )
        app = create_app(replace(service, slack=self.desk), Budget(1_000_000, 1_000_000))
        self.client = TestClient(app, "http://127.0.0.1", raise_server_exceptions=False)

    def _people(self) -> Responders:
        if self.broken:
            raise CouldNotCheck("who you are", "the database is away")
        return Responders.of(PEOPLE)

    def now(self) -> datetime:
        return self.time

    def at(self, **passed: float) -> None:
        until = NOW + timedelta(**passed)
        while (due := self.store.outbox_due()) is not None and due <= until:
            self.time = max(self.time, due)
            self.sender.step()
        self.time = until

    def tell(self, *incidents: Incident) -> None:
        said = [
            replace(
                note(*(i.fingerprint for i in incidents), team=team, audience=audience), title=f"to {team}"
            )
            for team, audience in (("flight-ops", Audience.OWNER), ("finance", Audience.STAKEHOLDER))
        ]
        self.store.put_groups(receive((), said, now=NOW))
        self.at(minutes=1)

    def head(self, channel: str) -> Posted:
        (found,) = [h for h in self.slack.heads() if h.channel == self.slack.channels[channel]]
        return found

    def post(self, body: bytes, headers: dict[str, str]) -> Any:
        return self.client.post("/slack/interactivity", content=body, headers=headers)

    def press(self, channel: str, label: str, user: str, at: str = "1.0", secret: str = SECRET) -> Any:
        body = form(self.slack.pressed(self.head(channel), label, user, at))
        answer = self.post(body, signed(secret, body, self.time.timestamp()))
        self.wait()
        return answer

    def wait(self) -> None:
        """Until all that was pressed is done."""
        done = threading.Barrier(5)
        for _ in range(4):
            self.desk._pool.submit(done.wait, 10)
        done.wait(10)

    def close(self) -> None:
        self.desk.close()
        self.store.close()


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack(emails={BOB: "Bob@Example.com"}) as stand_in:
        yield stand_in


@pytest.fixture
def office(slack: Slack, sqlite_tables: Path, tmp_path: Path) -> Iterator[Office]:
    shutil.copy(sqlite_tables, tmp_path / "contracts.db")
    found = Office(slack, f"sqlite:///{tmp_path}/contracts.db")
    found.world.put(orders(squad="flight-ops", extra=SECRETIVE))
    yield found
    found.close()


def wrong(office: Office, number: int = 0) -> Incident:
    incident = put_incident(office.world, number, announced=True)
    rows = ({"order_id": None, "passport": "P1234567"}, {"order_id": "<!channel>", "passport": None})
    incident = replace(incident, evidence=replace(incident.evidence, samples=rows))
    office.store.put_incidents([incident])
    return incident


# --- what buttons do ------------------------------------------------------------------------------


def test_an_acknowledgement_shows_at_once_wherever_it_was_told(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    assert "error · open · to the owner flight-ops" in office.head("#flight-ops").shown
    answer = office.press("#flight-ops", "Acknowledge", ADA)
    assert (answer.status_code, answer.content) == (200, b"")
    for channel in ("#flight-ops", "#finance"):
        head = office.head(channel)
        assert "acknowledged by ada until 2026-11-25 12:01 UTC" in head.shown
        assert slack.thread(head) == ["   ada is on it until 2026-11-25 12:01 UTC"]
        assert head.edits == 1
    assert slack.told == []
    (incident,) = office.store.incidents()
    assert (incident.state, incident.owner) == (IncidentState.ACKNOWLEDGED, "ada")
    (entry,) = office.store.audit("incident")
    assert (entry.action, entry.actor.who, entry.actor.where) == (
        "acknowledged",
        "ada",
        "slack T012AB3CD U0ADA",
    )


def test_who_assigns_it_to_themselves_is_on_it_until_it_is_over(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    office.press("#flight-ops", "Acknowledge", ADA)
    office.press("#flight-ops", "Assign to me", ROOT, "2.0")
    assert "acknowledged by root · to the owner" in office.head("#flight-ops").shown
    assert slack.thread(office.head("#flight-ops"))[-1] == "   root is on it"
    office.press("#flight-ops", "Assign to me", ROOT, "3.0")
    assert slack.last_told() == "You are on it already."


def test_the_same_press_twice_does_one_thing(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    for _ in range(3):
        assert office.press("#flight-ops", "Silence 24 h", ADA).status_code == 200
    assert len(office.store.silences(office.time)) == 1
    assert len(slack.told) == 1
    assert len(slack.thread(office.head("#flight-ops"))) == 1


def test_one_press_that_comes_to_two_processes_at_once_does_one_thing(slack: Slack, store_url: str) -> None:
    offices = [Office(slack, store_url) for _ in range(2)]
    first = offices[0]
    first.world.put(orders(squad="flight-ops", extra=SECRETIVE))
    first.tell(wrong(first))
    offices[1].time = first.time
    head = first.head("#flight-ops")
    try:
        for label, at in (("Silence 24 h", "1.0"), ("Acknowledge", "2.0"), ("Acknowledge", "3.0")):
            for _ in range(3):
                for office in offices:
                    assert office.desk.take(slack.pressed(head, label, ADA, at))
        for office in offices:
            office.wait()
        assert len(first.store.silences(first.time)) == 1
        assert [e.action for e in first.store.audit("incident")] == ["acknowledged"]
        assert sorted(t["text"][:22] for t in slack.told) == [
            "You are on it already.",
            "flight-ops hears no mo",
        ]
        assert first.store.outbox_counts()[MessageState.DEAD] == 0
    finally:
        for office in offices:
            office.close()


def test_a_silence_is_for_the_team_that_pressed(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    office.press("#finance", "Silence 24 h", BOB)
    (silence,) = office.store.silences(office.time)
    assert [str(m) for m in silence.matchers] == [
        'audience="stakeholder"', 'dataset="flights"', 'squad="finance"', 'tenant=""'
    ]  # fmt: skip
    assert (silence.author, silence.ends - office.time) == ("bob", timedelta(hours=24))
    assert "silenced by bob until 2026-11-25 12:01 UTC" in office.head("#finance").shown
    assert "silenced" not in office.head("#flight-ops").shown
    assert slack.last_told().startswith("finance hears no more of this until 2026-11-25 12:01 UTC")
    office.at(hours=20)
    edits = [office.head(c).edits for c in ("#finance", "#flight-ops")]
    assert edits[0] == 1 < edits[1], "the owner is reminded, finance is not"
    office.press("#finance", "Silence 24 h", BOB, "2.0")
    assert slack.last_told().startswith("It is silenced already: until 2026-11-25 12:01 UTC, by bob.")


def test_rows_are_for_the_owner_only_and_masked(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    assert "Show rows" not in office.head("#finance").shown
    office.press("#flight-ops", "Show rows", ADA)
    shown = slack.last_told()
    assert "<!channel>" in shown
    assert "***" in shown
    assert "P1234567" not in str(slack.told)
    head = office.head("#flight-ops")
    assert head.edits == 0, "nobody else sees them"
    # Finance cannot press what it is not shown, and may not if it did.
    payload = slack.pressed(head, "Show rows", BOB)
    payload["actions"][0]["value"] = office.head("#finance").button("Acknowledge")["value"]
    body = form(payload)
    office.post(body, signed(SECRET, body, office.time.timestamp()))
    office.wait()
    assert slack.last_told() == "Rows are shown to the owner of the data only, who is flight-ops."


@pytest.mark.parametrize(
    ("channel", "label", "user", "said"),
    [
        ("#flight-ops", "Acknowledge", EVE, "This was told to flight-ops; you act for weather."),
        ("#flight-ops", "Acknowledge", BOB, "This was told to flight-ops; you act for finance."),
        ("#flight-ops", "Silence 24 h", BOB, "This was told to flight-ops; you act for finance."),
        ("#flight-ops", "Acknowledge", OTHER, "This is none of yours."),
        ("#flight-ops", "Acknowledge", "U0WHO", "This service does not know who you are (U0WHO)."),
    ],
)
def test_who_may_not_is_told_and_nothing_is_done(
    office: Office, slack: Slack, channel: str, label: str, user: str, said: str
) -> None:
    office.tell(wrong(office))
    assert office.press(channel, label, user).status_code == 200
    assert slack.last_told().startswith(said)
    assert [i.state for i in office.store.incidents()] == [IncidentState.OPEN]
    assert office.store.silences(office.time) == ()
    assert office.head(channel).edits == 0


def test_what_is_over_cannot_be_acknowledged(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    before = office.head("#flight-ops")
    payload = slack.pressed(before, "Acknowledge", ADA)
    over = replace(office.store.incidents()[0], state=IncidentState.RESOLVED, resolved=office.time)
    office.store.put_incidents([over])
    groups = office.store.every_group()
    ends = [note(over.fingerprint, team=g.team, audience=g.audience, over=True) for g in groups]
    office.store.put_groups(receive(groups, ends, now=office.time, over=[over.fingerprint]))
    office.at(hours=1)
    assert "it is over" in office.head("#flight-ops").shown
    assert "Acknowledge" not in office.head("#flight-ops").shown
    office.desk.take(payload)
    office.wait()
    assert slack.last_told() == "This is over already: there is nothing left to do about it."


def test_it_is_answered_before_it_is_done(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    slack.hold.clear()
    body = form(slack.pressed(office.head("#flight-ops"), "Acknowledge", EVE))
    assert office.post(body, signed(SECRET, body, office.time.timestamp())).status_code == 200
    assert slack.told == [], "the answer to the person still waits"
    slack.hold.set()
    office.wait()
    assert len(slack.told) == 1


def test_what_could_not_be_done_is_told_and_can_be_pressed_again(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    office.broken = True
    office.press("#flight-ops", "Acknowledge", ADA)
    assert "the database is away. Press again soon." in slack.last_told()
    office.broken = False
    office.press("#flight-ops", "Acknowledge", ADA)
    assert office.store.incidents()[0].owner == "ada"


def test_a_defect_is_told_too(office: Office, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    office.tell(wrong(office))

    def broken(*_: object) -> Reply:
        raise RuntimeError("SECRET inside")

    monkeypatch.setattr(Pressing, "press", broken)
    office.press("#flight-ops", "Acknowledge", ADA)
    assert slack.last_told().startswith("It could not be done, by a defect of the service.")
    assert "SECRET" not in str(slack.told)


# --- whether it is Slack --------------------------------------------------------------------------


def test_either_of_two_secrets_is_good_while_it_is_changed(office: Office) -> None:
    office.tell(wrong(office))
    for number, (secret, status) in enumerate([(SECRET, 200), (NEXT_SECRET, 200), ("another", 401)]):
        answer = office.press("#flight-ops", "Acknowledge", ADA, f"{number}.0", secret)
        assert answer.status_code == status
    is_problem(answer, 401)


def test_what_is_old_or_changed_or_not_signed_is_refused(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    body = form(slack.pressed(office.head("#flight-ops"), "Acknowledge", ADA))
    now = office.time.timestamp()
    good = signed(SECRET, body, now)
    for headers, sent in (
        (signed(SECRET, body, now - 301), body),
        (signed(SECRET, body, now + 301), body),
        (good, body + b"&x=1"),
        ({}, body),
        (good | {"X-Slack-Signature": "v0="}, body),
        (good | {"X-Slack-Request-Timestamp": "now"}, body),
    ):
        is_problem(office.post(sent, headers), 401)
    assert office.store.incidents()[0].state is IncidentState.OPEN
    office.time += timedelta(minutes=4)
    assert office.post(body, good).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"payload", 400),
        (b"payload=%7B", 400),
        (b"payload=" + b"[" * 100_000, 400),
        (b"\xff=1", 400),
        (b"&".join(b"a%d=1" % n for n in range(50)), 400),
        (form([]), 422),
        (form({"type": "block_actions"}), 422),
        (form({"type": "block_actions", "user": {"id": "U1"}, "actions": [{"action_id": "contracts.acknowledge"}]}), 422),
        (form({"type": "view_submission"}), 200),
        (form({"type": "block_actions", "user": {}, "actions": [{"action_id": "somebody.elses"}, 7]}), 200),
        (b"payload=" + b"x" * 1_000_001, 413),
    ],
)  # fmt: skip
def test_bad_bodies_get_a_clear_answer(office: Office, body: bytes, status: int) -> None:
    answer = office.post(body, signed(SECRET, body, office.time.timestamp()))
    assert answer.status_code == status
    if status >= 400:
        is_problem(answer, status)


def test_an_answer_goes_to_slack_and_nowhere_else(office: Office, slack: Slack) -> None:
    office.tell(wrong(office))
    payload = slack.pressed(office.head("#flight-ops"), "Acknowledge", EVE)
    payload["response_url"] = slack.hooks.replace("/hooks/", "/elsewhere/")
    assert office.desk.take(payload)
    office.wait()
    assert slack.told == []


def test_without_a_secret_there_is_nothing_to_press(slack: Slack) -> None:
    world = World(memory_store())
    assert "CONTRACTS_SLACK_SIGNING_SECRET" in is_problem(world.post("/slack/interactivity"), 404)["detail"]
    world.store.close()


# --- who presses ----------------------------------------------------------------------------------


def test_an_address_is_looked_up_once_an_hour(slack: Slack) -> None:
    time = [0.0]
    members = Members(lambda workspace: TOKEN, lambda: time[0], base_url=slack.url)
    for _ in range(3):
        assert members.email(BOB, "T1") == "Bob@Example.com"
    assert members.email("U2", "T1") == ""
    assert slack.calls["users.info"] == 2
    time[0] = 3_601
    members.email(BOB, "T1")
    assert slack.calls["users.info"] == 3


def test_slack_is_left_alone_for_as_long_as_it_asks(slack: Slack) -> None:
    time = [0.0]
    members = Members(lambda workspace: TOKEN, lambda: time[0], base_url=slack.url)
    slack.slow_down["users.info"] = 1
    for _ in range(5):
        with pytest.raises(CouldNotCheck):
            members.email(BOB, "T1")
    assert slack.calls["users.info"] == 1
    time[0] = 7.1
    assert members.email(BOB, "T1") == "Bob@Example.com"


@pytest.mark.parametrize("token", ["", EXPIRED, "xoxb-wrong"])
def test_a_token_that_is_none_is_told_without_showing_it(slack: Slack, token: str) -> None:
    members = Members(lambda workspace: token, lambda: 0.0, base_url=slack.url)
    with pytest.raises(CouldNotCheck) as caught:
        members.email(BOB, "T1")
    assert not token or token not in str(caught.value)


def test_people_are_read_again_when_their_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "people.yaml"
    path.write_text("people: [{name: ada, slack: U0ADA, squads: [flight-ops]}]")
    people = people_of(path)
    assert people.now().by_slack["U0ADA"].owns("flight-ops")
    path.write_text("people: [{name: ada, slak: U0ADA}]  ")
    assert people.now().by_slack["U0ADA"].name == "ada", "what is wrong does not count"
    assert "did you mean 'slack'" in str(people.mistake)
    path.write_text("people: [{name: bob, slack: [U0BOB, W0BOB], email: b@x, admin: true, tenant: t}]")
    assert set(people.now().by_slack) == {"U0BOB", "W0BOB"}
    assert people.mistake is None
    with pytest.raises(UserMistake, match="CONTRACTS_PEOPLE_FILE"):
        people_of(tmp_path / "nothing.yaml")


# --- what Slack takes and refuses -------------------------------------------------------------------


def test_the_id_of_a_channel_is_kept_and_forgotten_when_it_is_another(office: Office, slack: Slack) -> None:
    message = replace(note("f1"), channel="#finance", group="g1")
    assert office.receiver.send(message).thread.startswith("C02:")
    slack.channels = {"#finance-old": "C02"}
    assert office.receiver.send(message).thread.startswith("C02:"), "renamed: still the same channel"
    slack.channels = {"#finance": "C09"}
    assert office.receiver.send(message).thread.startswith("C09:")
    assert slack.calls["chat.postMessage"] == 4


@pytest.mark.parametrize(
    ("token", "channel", "said"),
    [
        (TOKEN, "#nowhere", "channel_not_found: the channel is not there, or the app is not in it"),
        (EXPIRED, "#finance", "token_expired: the token has run out"),
        ("xoxb-wrong", "#finance", "invalid_auth: the token is wrong"),
    ],
)
def test_what_trying_again_cannot_help_is_a_dead_letter_that_says_why(
    office: Office, slack: Slack, token: str, channel: str, said: str
) -> None:
    office.receiver = SlackReceiver(SlackConfig(token=token, base_url=slack.url))
    office.store.put_groups(receive((), [note("f1", channel=channel)], now=NOW))
    office.at(minutes=1)
    (dead,) = office.store.messages(MessageState.DEAD)
    assert dead.reason == f"Slack answered 200: {said}"


def test_a_rate_limit_is_obeyed_and_nothing_is_lost(office: Office, slack: Slack) -> None:
    slack.slow_down["chat.postMessage"] = 2
    office.store.put_groups(receive((), [note("f1")], now=NOW))
    office.at(seconds=36)
    assert slack.calls["chat.postMessage"] == 1, "not before the 7 seconds that it asks for"
    office.at(minutes=2)
    assert [h.channel for h in slack.heads()] == ["C02"]


# --- Socket Mode ------------------------------------------------------------------------------------


class Socket:
    """Slack's end of Socket Mode: greets, sends what was pressed, and keeps the answers."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.heard = threading.Condition()
        self.connections: list[ServerConnection] = []
        self.server: Server = serve(self._serve, "127.0.0.1", 0, close_timeout=0.1)
        self.url = f"ws://127.0.0.1:{self.server.socket.getsockname()[1]}/link?ticket=secret"
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def _serve(self, connection: ServerConnection) -> None:
        connection.send('{"type": "hello", "num_connections": 1}')
        with self.heard:
            self.connections.append(connection)
            self.heard.notify_all()
        try:
            for text in connection:
                with self.heard:
                    self.acknowledged.append(json.loads(text)["envelope_id"])
                    self.heard.notify_all()
        except ConnectionClosed:
            pass

    def send(self, envelope: str, payload: Any) -> None:
        body = {"type": "interactive", "envelope_id": envelope, "accepts_response_payload": True}
        self.connections[-1].send(json.dumps(body | {"payload": payload}))

    def until(self, holds: Any) -> None:
        with self.heard:
            assert self.heard.wait_for(holds, 20)

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()


@pytest.fixture
def socket(slack: Slack) -> Iterator[Socket]:
    found = Socket()
    slack.socket_url = found.url
    yield found
    found.close()


def test_buttons_work_over_a_websocket_that_comes_back(
    office: Office, slack: Slack, socket: Socket, caplog: pytest.LogCaptureFixture
) -> None:
    office.tell(wrong(office))
    mode = SocketMode(APP_TOKEN, office.desk.take, base_url=slack.url, ping=0.2, first_pause=0.01)
    mode.start()
    try:
        socket.until(lambda: len(socket.connections) == 1)
        socket.send("e1", slack.pressed(office.head("#flight-ops"), "Acknowledge", ADA))
        socket.until(lambda: socket.acknowledged == ["e1"])
        office.wait()
        assert "acknowledged by ada" in office.head("#flight-ops").shown
        # Slack ends connections now and then, and the client opens another one.
        socket.connections[0].close()
        socket.until(lambda: len(socket.connections) == 2)
        socket.send("e1", slack.pressed(office.head("#flight-ops"), "Acknowledge", ADA))
        socket.send("e2", slack.pressed(office.head("#flight-ops"), "Assign to me", ROOT, "2.0"))
        socket.until(lambda: len(socket.acknowledged) == 3)
        office.wait()
        assert "acknowledged by root" in office.head("#flight-ops").shown
        assert len(office.store.audit("incident")) == 2, "what came twice was done once"
    finally:
        mode.stop()
    assert "ticket=secret" not in caplog.text


def test_socket_mode_begins_once_slack_can_be_reached(slack: Slack, socket: Socket) -> None:
    taken: list[object] = []
    slack.socket_url = "ws://127.0.0.1:1/"
    mode = SocketMode(
        APP_TOKEN, lambda p: bool(taken.append(p)), base_url=slack.url, ping=0.2, first_pause=0.01
    )
    mode.start()
    try:
        slack.socket_url = socket.url
        socket.until(lambda: len(socket.connections) == 1)
        socket.send("e1", {"type": "block_actions"})
        socket.connections[0].ping()
        assert socket.acknowledged == [], "what cannot be taken is not acknowledged"
    finally:
        mode.stop()


def test_a_wrong_app_token_is_told_and_stops_nothing(slack: Slack) -> None:
    mode = SocketMode("xapp-wrong", lambda p: True, base_url=slack.url, first_pause=0.01)
    mode.start()
    for _ in range(500):
        if slack.calls["apps.connections.open"] >= 2:
            break
        threading.Event().wait(0.01)
    assert not mode.connected
    mode.stop()
    assert slack.calls["apps.connections.open"] >= 2
