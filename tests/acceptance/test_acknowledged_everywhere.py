"""What people do about an incident, as every kind of receiver hears it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from contracts_svc.adapters.receivers import KINDS
from contracts_svc.adapters.receivers.alertmanager import AlertmanagerConfig, AlertmanagerReceiver
from contracts_svc.adapters.receivers.apprise import AppriseConfig, AppriseReceiver
from contracts_svc.adapters.receivers.file import FileReceiver
from contracts_svc.adapters.receivers.pagerduty import PagerDutyConfig, PagerDutyReceiver
from contracts_svc.adapters.receivers.slack import SlackConfig, SlackReceiver
from contracts_svc.adapters.receivers.webhook import WebhookConfig, WebhookReceiver
from contracts_svc.alerts import Audience, OnIt
from contracts_svc.api.deps import acting_of
from contracts_svc.flows.deliver import Sender
from contracts_svc.ports import Receiver
from contracts_svc.ports_store import SERVICE
from contracts_svc.routes.dispatch import receive
from contracts_svc.routes.groups import Message
from contracts_svc.routes.read import read
from contracts_svc.routes.silences import silence
from tests.acceptance.test_api import NOW, World, orders
from tests.acceptance.test_api_service import put_incident
from tests.adapters.test_receivers_http import ROUTING_KEY, SECRET
from tests.fixtures_store import memory_store
from tests.mail_stand_in import MailServer
from tests.slack_stand_in import TOKEN, Slack
from tests.telling import note

ROUTES = """
route:
  receiver: contract
  group_by: [dataset]
  repeat_interval: 12h
  routes:
    - {receiver: pages, continue: true}
    - {receiver: alarms, continue: true}
    - {receiver: hook, continue: true}
    - {receiver: log, continue: true}
    - {receiver: mail, continue: true}
    - {receiver: chat}
receivers:
  - {name: pages, type: pagerduty, routing_key: env:PD, escalate: {after: 30m, to: boss}}
  - {name: boss, type: file, path: boss.jsonl}
  - {name: alarms, type: alertmanager, url: "http://127.0.0.1:1"}
  - {name: hook, type: webhook, url: "http://127.0.0.1:1", secret: env:HOOK}
  - {name: log, type: file, path: log.jsonl}
  - {name: mail, type: apprise, url: env:MAIL}
  - {name: chat, type: slack, channel: "#flight-ops"}
"""


class Everybody:
    """One incident that was told by every kind of receiver."""

    def __init__(self, stack: ExitStack, server: HTTPServer, folder: Path) -> None:
        self.time = NOW
        self.slack = stack.enter_context(Slack())
        self.mail = stack.enter_context(MailServer())
        self.folder = folder
        self.bodies: dict[str, list[Any]] = {"pd": [], "am": [], "hook": []}
        server.expect_request(re.compile(".*")).respond_with_handler(self._heard)
        url, mail = server.url_for, f"mailto://127.0.0.1:{self.mail.port}?from=a@example.com&to=b@example.com"
        self.receivers: dict[str, Receiver] = {
            "pages": PagerDutyReceiver(PagerDutyConfig(routing_key=ROUTING_KEY, url=url("/pd"))),
            "alarms": AlertmanagerReceiver(AlertmanagerConfig(url=url("/am"))),
            "hook": WebhookReceiver(WebhookConfig(url=url("/hook"), secret=SECRET)),
            "log": FileReceiver(folder / "log.jsonl"),
            "boss": FileReceiver(folder / "boss.jsonl"),
            "chat": SlackReceiver(SlackConfig(token=TOKEN, base_url=self.slack.url, channel="#flight-ops")),
        }
        self._mail = lambda: AppriseReceiver(AppriseConfig(url=mail))
        self.routes = read(ROUTES.encode(), "routes.yaml", KINDS)
        self.world = World(memory_store())
        self.store = self.world.store
        stack.callback(self.store.close)
        self.world.put(orders(squad="flight-ops"))
        self.sender = Sender(self.store, self._find, self, routes=lambda: self.routes, chance=lambda: 0.5)
        self.acting = acting_of(self._service())
        self.incident = put_incident(self.world, announced=True)
        said = note(self.incident.fingerprint, team="flight-ops", dataset="orders", audience=Audience.OWNER)
        self.store.put_groups(receive((), [said], now=NOW, routes=self.routes))
        self.at(minutes=1)

    def _service(self) -> Any:
        return replace(self.world.app.state.service, clock=self, routes=lambda: self.routes)

    def _find(self, message: Message) -> Receiver:
        # Of its own: apprise leaves some seconds between two mails of one.
        return self._mail() if message.receiver == "mail" else self.receivers[message.receiver]

    def _heard(self, request: Request) -> Response:
        kind = request.path.split("/")[1]
        self.bodies[kind].append((request.method, request.path, json.loads(request.get_data() or b"null")))
        return Response('{"silenceID": "s1"}')

    def now(self) -> datetime:
        return self.time

    def at(self, **passed: float) -> None:
        until = NOW + timedelta(**passed)
        while (due := self.store.outbox_due()) is not None and due <= until:
            self.time = max(self.time, due)
            self.sender.step()
        self.time = until

    def heard(self) -> dict[str, list[Any]]:
        """What each kind of receiver heard since this was asked last."""
        lines = {
            name: [json.loads(x) for x in path.read_text().splitlines()] if path.exists() else []
            for name, path in (("log", self.folder / "log.jsonl"), ("boss", self.folder / "boss.jsonl"))
        }
        (head,) = self.slack.heads()
        found = {
            "pages": [b["event_action"] for _, _, b in self.bodies["pd"]],
            "alarms": [(m, p) for m, p, _ in self.bodies["am"]],
            "hook": [(b["data"]["state"], bool(b["data"]["update"])) for _, _, b in self.bodies["hook"]],
            "log": [bool(x["update"]) for x in lines["log"]],
            "boss": [x["labels"]["state"] for x in lines["boss"]],
            "mail": [m.message["Subject"] for m in self.mail.mails],
            "chat": [head.shown.splitlines()[1].strip(), *self.slack.thread(head)],
        }
        for kind in self.bodies.values():
            kind.clear()
        self.mail.mails.clear()
        for name in lines:
            (self.folder / f"{name}.jsonl").unlink(missing_ok=True)
        return found


@pytest.fixture
def everybody(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Everybody]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        yield Everybody(stack, httpserver, tmp_path)


ALERTS, SILENCES = ("POST", "/am/api/v2/alerts"), ("POST", "/am/api/v2/silences")


def test_from_the_alarm_to_the_end(everybody: Everybody) -> None:
    first = everybody.heard()
    assert (first["pages"], first["alarms"], first["hook"]) == (["trigger"], [ALERTS], [("open", False)])
    assert (len(first["mail"]), first["log"], first["boss"]) == (1, [False], [])
    assert first["chat"] == ["error · open · to the owner flight-ops"]

    ada = OnIt(who="ada", until=everybody.time + timedelta(hours=2))
    everybody.acting.acknowledge([everybody.incident.fingerprint], ada, SERVICE)
    everybody.at(minutes=2)
    (alert,) = everybody.bodies["am"][-1][2]
    assert alert["annotations"]["acknowledged_by"] == "ada"
    taken = everybody.heard()
    assert (taken["pages"], taken["alarms"]) == (["acknowledge"], [ALERTS])
    assert (taken["hook"], taken["log"], taken["mail"]) == ([("acknowledged", True)], [True], [])
    assert taken["chat"] == [
        "error · acknowledged by ada until 2026-11-24 14:01 UTC · to the owner flight-ops",
        "   ada is on it until 2026-11-24 14:01 UTC",
    ]
    everybody.at(hours=2)
    assert everybody.heard()["boss"] == [], "the escalation ends with it"

    everybody.at(hours=2, minutes=2)
    assert everybody.acting.telling.pass_time() == 1
    everybody.at(hours=2, minutes=20)
    lapsed = everybody.heard()
    assert (lapsed["pages"], lapsed["hook"]) == (["resolve", "trigger"], [("open", False)])
    assert lapsed["chat"][0].startswith("error · open · ")
    assert lapsed["boss"] == ["open"], "nobody has been on it for long enough: it goes on to the next"
    everybody.at(hours=2, minutes=40)

    quiet = silence(
        ["squad=flight-ops"],
        author="bob",
        reason="a backfill",
        begins=everybody.time,
        ends=everybody.time + timedelta(hours=24),
        now=everybody.time,
    )
    everybody.acting.silence(quiet, SERVICE)
    everybody.at(hours=2, minutes=41)
    muted = everybody.heard()
    assert (muted["pages"], muted["alarms"], muted["mail"]) == ([], [ALERTS, SILENCES], [])
    assert muted["hook"] == [("open", True)]
    assert "silenced by bob until 2026-11-25 14:40 UTC" in muted["chat"][0]
    everybody.acting.end_silence(quiet.id, SERVICE)
    everybody.at(hours=2, minutes=42)
    assert everybody.heard()["alarms"] == [ALERTS, ("DELETE", "/am/api/v2/silence/s1")]

    everybody.acting.resolve(everybody.incident, "ada", "published again", SERVICE)
    everybody.at(hours=4)
    over = everybody.heard()
    assert (over["pages"], over["alarms"], over["hook"]) == (["resolve"], [ALERTS], [("resolved", False)])
    assert (len(over["mail"]), over["log"], over["boss"]) == (1, [False], ["resolved"])
    assert over["chat"][0] == "it is over · to the owner flight-ops"
    assert "resolved by ada: published again" in over["chat"][-1]
    assert everybody.store.every_group() == ()
