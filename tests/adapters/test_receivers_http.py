"""Receivers that speak HTTP: what they send, how they fail, and what they never do."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from contracts_svc.adapters.receivers import RECEIVERS, webhook
from contracts_svc.adapters.receivers.alertmanager import (
    AlertmanagerConfig,
    AlertmanagerReceiver,
    alerts,
)
from contracts_svc.adapters.receivers.apprise import AppriseConfig, AppriseReceiver
from contracts_svc.adapters.receivers.http import Http, seconds_of
from contracts_svc.adapters.receivers.pagerduty import PagerDutyConfig, PagerDutyReceiver, event_of
from contracts_svc.adapters.receivers.slack import SlackConfig, SlackReceiver
from contracts_svc.adapters.receivers.slack_signature import WINDOW, verified
from contracts_svc.adapters.receivers.webhook import WebhookConfig, WebhookReceiver
from contracts_svc.alerts import Audience, Notification, OnIt, Section
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.ports import Delivery, Receiver
from contracts_svc.render import slack
from tests.adapters.test_receivers import MESSAGE
from tests.support import program

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "xoxb-1234-secret"
OPEN = replace(
    MESSAGE,
    group="g1",
    still_open=1,
    labels={
        "state": "open",
        "severity": "error",
        "audience": "owner",
        "squad": "flight-ops",
        "dataset": "flights",
        "tribe": "",
    },
)
OVER = replace(
    OPEN,
    key="def",
    title="flights: dep_delay is as promised again",
    labels={**OPEN.labels, "state": "resolved"},
    resolved=("f1",),
    still_open=0,
)

MAKERS: dict[str, Callable[[str], Receiver]] = {
    "alertmanager": lambda url: AlertmanagerReceiver(AlertmanagerConfig(url=url, timeout=1)),
    "pagerduty": lambda url: PagerDutyReceiver(PagerDutyConfig(routing_key=ROUTING_KEY, url=url, timeout=1)),
    "webhook": lambda url: WebhookReceiver(WebhookConfig(url=url, secret=SECRET, timeout=1)),
    "slack": lambda url: SlackReceiver(SlackConfig(token=TOKEN, base_url=url, timeout=1)),
}
SECRETS = (SECRET, ROUTING_KEY, TOKEN)
HTTP = [n for n in MAKERS if n != "slack"]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)


def answers(server: HTTPServer, *found: Response | Callable[[Request], Response]) -> list[Request]:
    """The server gives these answers in turn, the last one for ever; the requests that come in."""
    asked: list[Request] = []

    def handle(request: Request) -> Response:
        request.get_data()
        asked.append(request)
        answer = found[min(len(asked), len(found)) - 1]
        return answer if isinstance(answer, Response) else answer(request)

    server.expect_request(__import__("re").compile(".*")).respond_with_handler(handle)
    return asked


def hostile(value: str) -> Notification:
    section = Section(value, (value,) * 60, ({value or "n": value},) * 20)
    return replace(
        OPEN,
        title=value,
        team=value,
        sections=(section,) * 60,
        labels={**OPEN.labels, "dataset": value, "squad": value, "9 odd-label é": value},
    )


HOSTILE = [
    "<!channel>", "*bold* _it_ ~s~ `c` [l](http://evil)", "<http://evil|ok>", "x" * 10_000, "\x1b[2J\x00\r\n",
    "\u202eright to left \u0645\u0631\u062d\u0628\u0627", "👩‍👩‍👧‍👦" * 500, "\ud800", "", "{{ .Labels }}", "\"},{\"a\":\"",
]  # fmt: skip


# --- what all of them have in common --------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_whatever_data_holds_is_sent_as_valid_bounded_json(name: str, httpserver: HTTPServer) -> None:
    ok = Response(json.dumps({"ok": True}), content_type="application/json")
    asked = answers(httpserver, ok)
    for value in HOSTILE:
        assert MAKERS[name](httpserver.url_for("/")).send(hostile(value)).sent, value
    assert len(asked) == len(HOSTILE)
    for request in asked:
        body = request.get_data()
        json.loads(body)
        assert len(body) < 400_000


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize(
    ("status", "headers", "retry", "after"),
    [
        (400, {}, False, 0),
        (401, {}, False, 0),
        (404, {}, False, 0),
        (410, {}, False, 0),
        (408, {}, True, 0),
        (429, {"Retry-After": "120"}, True, 120),
        (429, {"Retry-After": "soon"}, True, 0),
        (500, {}, True, 0),
        (503, {"Retry-After": "7"}, True, 7),
    ],
)
def test_a_refusal_says_whether_a_retry_can_help(
    name: str, status: int, headers: dict[str, str], retry: bool, after: int, httpserver: HTTPServer
) -> None:
    # A server may say back what it was sent.
    answers(httpserver, Response(f"no: {' '.join(SECRETS)}\n\x1b[2J" + "y" * 5_000, status, headers))
    delivery = MAKERS[name](httpserver.url_for("/")).send(OPEN)
    assert (delivery.sent, delivery.retry, delivery.retry_after) == (False, retry, after)
    assert f"answered {status}: no" in delivery.reason
    assert len(delivery.reason) < 400
    assert "\x1b" not in delivery.reason
    own = {"pagerduty": ROUTING_KEY, "webhook": SECRET}.get(name)
    assert own is None or own not in delivery.reason


def test_slack_obeys_retry_after_too(httpserver: HTTPServer) -> None:
    answers(httpserver, Response('{"ok":false,"error":"ratelimited"}', 429, {"Retry-After": "30"}))
    delivery = MAKERS["slack"](httpserver.url_for("/")).send(OPEN)
    assert (delivery.retry, delivery.retry_after) == (True, 30)


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_refused(name: str, status: int, httpserver: HTTPServer) -> None:
    asked = answers(httpserver, Response("", status, {"Location": httpserver.url_for("/elsewhere")}))
    delivery = MAKERS[name](httpserver.url_for("/")).send(OPEN)
    assert (delivery.sent, delivery.retry) == (False, False)
    assert "redirects are not followed" in delivery.reason
    assert len(asked) == 1


@pytest.mark.parametrize("name", MAKERS)
def test_nobody_there_or_no_answer_can_be_tried_again(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # It is listened, and never answered.
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        slow = MAKERS[name](url).send(OPEN)
    gone = MAKERS[name](url).send(OPEN)
    for delivery in (slow, gone):
        assert (delivery.sent, delivery.retry) == (False, True)
        assert not any(s in delivery.reason for s in SECRETS)


def test_an_answer_that_never_ends_is_not_read_to_the_end(httpserver: HTTPServer) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b"z" * 1_000_000

    answers(httpserver, Response(drip(), 200))
    assert MAKERS["webhook"](httpserver.url_for("/")).send(OPEN).sent


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/"]
)
def test_link_local_addresses_are_refused(url: str) -> None:
    delivery = MAKERS["webhook"](url).send(OPEN)
    assert (delivery.sent, delivery.retry) == (False, False)
    assert "link-local" in delivery.reason


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_any_retry_after_is_a_number_of_seconds(header: str) -> None:
    assert seconds_of(header) >= 0


def test_a_retry_after_may_be_a_date() -> None:
    later = datetime.now(UTC) + timedelta(seconds=90)
    assert 60 < seconds_of(format_datetime(later, usegmt=True)) <= 90
    assert seconds_of(format_datetime(later - timedelta(days=1), usegmt=True)) == 0


def test_secrets_do_not_print() -> None:
    configs = (
        WebhookConfig(url="http://h", secret=SECRET),
        PagerDutyConfig(routing_key=ROUTING_KEY),
        AppriseConfig(url="mailto://user:password@example.com"),
    )
    assert not any(s in repr(configs) for s in (*SECRETS, "password"))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("webhook", {"url": "http://h", "secret": "whsec_c2hvcnQ="}),
        ("webhook", {"url": "http://h", "secret": "not base64 ~~~"}),
        ("pagerduty", {"routing_key": "too-short-a-key"}),
        ("apprise", {"url": "nosuchservice://secret"}),
        ("slack", {"token": "xoxb 1"}),
    ],
)
def test_a_secret_that_cannot_be_one_is_refused_without_showing_it(
    kind: str, options: dict[str, str]
) -> None:
    with pytest.raises(UserMistake) as caught:
        RECEIVERS[kind].make(options)
    assert not any(
        v in str(caught.value)
        for n, v in options.items()
        if n in ("secret", "routing_key", "token") or kind == "apprise"
    )


def test_every_row_makes_its_receiver(tmp_path: Path) -> None:
    values = {
        "url": "http://localhost:1/x",
        "secret": SECRET,
        "routing_key": ROUTING_KEY,
        "token": TOKEN,
        "path": str(tmp_path / "out.jsonl"),
        "timeout": "5",
        "lasts": "48",
        "channel": "#x",
    }
    for name, kind in RECEIVERS.items():
        options = {o.name: values[o.name] for o in kind.options} | (
            {"url": "json://localhost"} if name == "apprise" else {}
        )
        assert isinstance(kind.make(options), kind.receiver_type())


# --- webhook --------------------------------------------------------------------------------------


def test_the_signature_is_that_of_the_specification() -> None:
    # The example of the specification's own libraries.
    found = webhook.signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_webhook_is_signed_and_keeps_to_its_schema(httpserver: HTTPServer) -> None:
    asked = answers(httpserver, Response("", 204))
    receiver = MAKERS["webhook"](httpserver.url_for("/hook"))
    schema = json.loads((Path(webhook.__file__).parent / "webhook.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    for notification in (OPEN, OVER, *map(hostile, HOSTILE)):
        assert receiver.send(notification).sent
        request = asked[-1]
        headers = {n.lower(): v for n, v in request.headers.items()}
        now = time.time()
        assert headers["webhook-id"] == notification.key
        assert webhook.verified(SECRET, headers, request.get_data(), now)
        assert not webhook.verified(SECRET, headers, request.get_data() + b" ", now)
        assert not webhook.verified(SECRET, headers, request.get_data(), now + 400)
        body = json.loads(request.get_data())
        jsonschema.validate(body, schema)
    first = json.loads(asked[0].get_data())
    assert first["version"] == schema["properties"]["version"]["const"] == webhook.VERSION
    assert first["data"]["incidents"] == ["f1"]


# --- pagerduty ------------------------------------------------------------------------------------


def test_a_page_is_triggered_acknowledged_and_resolved_by_one_key(httpserver: HTTPServer) -> None:
    asked = answers(httpserver, Response('{"status":"success"}', 202))
    receiver = MAKERS["pagerduty"](httpserver.url_for("/"))
    acknowledged = replace(OPEN, labels={**OPEN.labels, "state": "acknowledged"})
    partly = replace(OVER, still_open=2)
    for notification in (OPEN, acknowledged, partly, OVER):
        assert receiver.send(notification).sent
    events = [json.loads(r.get_data()) for r in asked]
    assert [e["event_action"] for e in events] == ["trigger", "acknowledge", "trigger", "resolve"]
    assert {e["dedup_key"] for e in events} == {"g1"}
    assert {e["routing_key"] for e in events} == {ROUTING_KEY}
    assert {r.path for r in asked} == {"/v2/enqueue"}
    payload = events[0]["payload"]
    assert (payload["summary"], payload["source"], payload["severity"]) == (MESSAGE.title, "flights", "error")


def test_a_page_that_was_acknowledged_wakes_again_when_nobody_is_on_it_any_more(
    httpserver: HTTPServer,
) -> None:
    asked = answers(httpserver, Response('{"status":"success"}', 202))
    receiver = MAKERS["pagerduty"](httpserver.url_for("/"))
    partly = replace(OPEN, update="ada is on it")
    wholly = replace(partly, labels={**OPEN.labels, "state": "acknowledged"})
    thread = ""
    for notification in (OPEN, partly, wholly, OPEN, OPEN, OVER):
        delivery = receiver.send(replace(notification, thread=thread))
        assert delivery.sent
        thread = delivery.thread or thread
    said = [json.loads(r.get_data()) for r in asked]
    assert [e["event_action"] for e in said] == [
        "trigger", "acknowledge", "resolve", "trigger", "trigger", "resolve"
    ]  # fmt: skip
    assert len({e["dedup_key"] for e in said}) == 1


def test_what_is_of_no_incident_is_a_change_event_and_wakes_nobody(httpserver: HTTPServer) -> None:
    asked = answers(httpserver, Response('{"status":"success"}', 202))
    digest = replace(OPEN, incidents=(), group="", labels={"state": "digest", "severity": "info"})
    assert MAKERS["pagerduty"](httpserver.url_for("/")).send(digest).sent
    (request,) = asked
    event = json.loads(request.get_data())
    assert request.path == "/v2/change/enqueue"
    assert event.keys() == {"routing_key", "payload", "links"}
    assert event["payload"].keys() == {"summary", "source", "timestamp", "custom_details"}


@pytest.mark.parametrize("value", HOSTILE)
def test_events_are_within_the_limits(value: str) -> None:
    event = event_of(hostile(value))
    assert len(event["payload"]["summary"]) <= 1_024
    assert len(event["dedup_key"]) <= 255
    assert event["payload"]["severity"] in ("critical", "error", "warning", "info")
    assert len(json.dumps(event).encode()) < 512_000


# --- alertmanager ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real program, on loopback."""
    path = program("prometheus-alertmanager", "install the Debian package prometheus-alertmanager")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            path,
            f"--config.file={folder}/config.yml",
            f"--storage.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/-/ready", timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, "Alertmanager did not start"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def there(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=5) as response:
        found: list[dict[str, Any]] = json.load(response)
    return found


def test_the_real_alertmanager_fires_refreshes_and_resolves(alertmanager: str) -> None:
    receiver = AlertmanagerReceiver(AlertmanagerConfig(url=alertmanager))

    def told(notification: Notification, thread: str = "") -> str:
        now = datetime.now(UTC)
        delivery = receiver.send(replace(notification, created=now, thread=thread))
        assert delivery.sent, delivery.reason
        return delivery.thread

    two = replace(OPEN, incidents=("f1", "f2"))
    thread = told(two)
    fired = there(alertmanager)
    assert {a["labels"]["incident"] for a in fired} == {"f1", "f2"}
    assert fired[0]["labels"] == {
        "alertname": "DataContract",
        "incident": fired[0]["labels"]["incident"],
        "severity": "error",
        "audience": "owner",
        "squad": "flight-ops",
        "dataset": "flights",
    }
    assert fired[0]["annotations"]["summary"] == MESSAGE.title
    thread = told(two, thread)
    again = there(alertmanager)
    assert len(again) == 2, "a repeat refreshes what is there"
    assert {a["startsAt"] for a in again} == {a["startsAt"] for a in fired}
    assert all(a["endsAt"] > f["endsAt"] for a, f in zip(again, fired, strict=True))

    thread = told(replace(OPEN, severity=Severity.WARNING), thread)
    assert sorted((a["labels"]["incident"], a["labels"]["severity"]) for a in there(alertmanager)) == [
        ("f1", "warning"),
        ("f2", "error"),
    ]
    thread = told(replace(OVER, incidents=("f1", "f2"), resolved=("f1", "f2")), thread)
    assert there(alertmanager) == []
    assert json.loads(thread) == {"severities": {}, "silence": ""}


def test_what_people_do_shows_in_the_real_alertmanager(alertmanager: str) -> None:
    receiver = AlertmanagerReceiver(AlertmanagerConfig(url=alertmanager))
    now = datetime.now(UTC)
    ends = now + timedelta(hours=2)

    def told(notification: Notification, thread: str = "") -> str:
        delivery = receiver.send(replace(notification, created=datetime.now(UTC), thread=thread))
        assert delivery.sent, delivery.reason
        return delivery.thread

    def named(name: str) -> dict[str, Any]:
        (found,) = (a for a in there(alertmanager) if a["labels"]["incident"] == name)
        return found

    fires = replace(OPEN, incidents=("p.1", "p.2"), labels={**OPEN.labels, "dataset": "people"})
    thread = told(fires)
    on_it = {"p.1": OnIt(who="ada", until=ends)}
    thread = told(replace(fires, update="ada is on it", on_it=on_it, severity=Severity.WARNING), thread)
    assert named("p.1")["annotations"]["acknowledged_by"] == "ada"
    assert named("p.1")["annotations"]["acknowledged_until"] == ends.isoformat()
    assert "acknowledged_by" not in named("p.2")["annotations"]
    assert named("p.1")["labels"]["severity"] == "error", "who is on it makes it no other alert"

    silenced = replace(fires, update="ada silenced this", silenced=OnIt(who="ada", until=ends))
    thread = told(silenced, thread)
    assert {named(n)["status"]["state"] for n in ("p.1", "p.2")} == {"suppressed"}
    again = told(silenced, thread)
    with urllib.request.urlopen(f"{alertmanager}/api/v2/silences", timeout=5) as response:
        kept = [s for s in json.load(response) if s["status"]["state"] == "active"]
    assert [(s["createdBy"], s["comment"]) for s in kept] == [("ada", "ada silenced this")], "one, not two"
    thread = told(replace(fires, update="ada ended the silence"), again)
    assert {named(n)["status"]["state"] for n in ("p.1", "p.2")} == {"active"}
    told(replace(fires, update="once more"), again), "a silence that is gone already does no harm"
    told(replace(OVER, incidents=("p.1", "p.2"), resolved=("p.1", "p.2"), labels=fires.labels), thread)
    assert not [a for a in there(alertmanager) if a["labels"]["incident"].startswith("p.")]


def test_the_real_alertmanager_takes_whatever_data_holds(alertmanager: str) -> None:
    receiver = AlertmanagerReceiver(AlertmanagerConfig(url=alertmanager))
    for value in HOSTILE:
        delivery = receiver.send(replace(hostile(value), created=datetime.now(UTC)))
        assert delivery.sent, (value, delivery.reason)


def test_every_alert_has_the_labels_of_its_own_incident() -> None:
    other = {**OPEN.labels, "dataset": "weather", "severity": "warning", "dimension": "accuracy"}
    several = replace(OPEN, incidents=("f1", "f2"), labels_of={"f2": other})
    found = {a["labels"]["incident"]: a["labels"] for a in alerts(several)}
    assert {n: (x["dataset"], x["severity"]) for n, x in found.items()} == {
        "f1": ("flights", "error"),
        "f2": ("weather", "warning"),
    }
    assert "dimension" not in found["f2"]


def test_labels_that_alertmanager_cannot_have_are_changed_or_left_out() -> None:
    odd = replace(OPEN, labels={"a-b": "1", "9": "2", "empty": "", "state": "open"})
    (alert,) = alerts(odd)
    assert set(alert["labels"]) == {"a_b", "alertname", "incident", "severity"}


# --- apprise --------------------------------------------------------------------------------------


def test_apprise_sends_plain_text_and_a_failure_is_unsure(httpserver: HTTPServer) -> None:
    asked = answers(httpserver, Response("", 200), Response("", 500))
    receiver = AppriseReceiver(AppriseConfig(url=f"json://127.0.0.1:{httpserver.port}/x"))
    assert receiver.send(OPEN) == Delivery(sent=True)
    body = json.loads(asked[0].get_data())
    assert body["title"] == MESSAGE.title
    assert "Failing rows: 1,204 of 28,135" in body["message"]
    assert body["type"] == "failure"
    failed = receiver.send(OVER)
    assert (failed.sent, failed.retry, failed.unsure) == (False, True, True)
    for value in HOSTILE:
        receiver.send(hostile(value))
        assert len(asked[-1].get_data()) < 100_000


# --- slack ----------------------------------------------------------------------------------------


def slack_says(**found: object) -> Response:
    return Response(json.dumps({"ok": True, **found}), content_type="application/json")


def test_what_belongs_together_is_one_thread_whose_head_changes(httpserver: HTTPServer) -> None:
    asked = answers(httpserver, slack_says(channel="C1", ts="17.2"), slack_says())
    receiver = MAKERS["slack"](httpserver.url_for("/"))
    first = receiver.send(OPEN)
    assert first == Delivery(sent=True, thread="C1:17.2")
    assert receiver.send(replace(OVER, thread=first.thread)).thread == first.thread
    paths = [r.path for r in asked]
    assert paths == ["/chat.postMessage", "/chat.update", "/chat.postMessage"]
    head, update, answer = (json.loads(r.get_data()) for r in asked)
    assert (head["channel"], head.get("thread_ts")) == ("#flight-ops", None)
    assert (update["channel"], update["ts"]) == ("C1", "17.2")
    assert (answer["channel"], answer["thread_ts"]) == ("C1", "17.2")
    assert "it is over" in json.dumps(update["blocks"][1])
    buttons = {e["action_id"]: e["value"] for e in head["blocks"][-1]["elements"]}
    assert buttons == {b.action: "g1" for b in slack.BUTTONS}
    assert "actions" not in [b["type"] for b in update["blocks"]]


def test_a_head_that_was_deleted_is_posted_anew(httpserver: HTTPServer) -> None:
    gone = Response('{"ok": false, "error": "message_not_found"}', content_type="application/json")
    asked = answers(httpserver, gone, slack_says(channel="C1", ts="18.1"))
    delivery = MAKERS["slack"](httpserver.url_for("/")).send(replace(OPEN, thread="C1:17.2"))
    assert delivery == Delivery(sent=True, thread="C1:18.1")
    assert "thread_ts" not in json.loads(asked[1].get_data())


def test_rows_are_for_owners_and_buttons_for_what_is_wrong() -> None:
    def shown(notification: Notification) -> list[str]:
        return [e["text"]["text"] for b in slack.actions(notification) for e in b["elements"]]

    assert shown(OPEN) == ["Acknowledge", "Silence 24 h", "Assign to me", "Show rows"]
    assert "Show rows" not in shown(replace(OPEN, audience=Audience.STAKEHOLDER))
    assert shown(OVER) == []
    assert shown(replace(OVER, still_open=1)) != []
    many = replace(OPEN, sections=tuple(Section(f"heading {n}", ("line",)) for n in range(80)))
    assert len(slack.blocks(many)) + len(slack.actions(many)) == 50


def test_the_channel_of_the_route_file_comes_first(httpserver: HTTPServer) -> None:
    asked = answers(httpserver, slack_says())
    SlackReceiver(SlackConfig(token=TOKEN, channel="#all", base_url=httpserver.url_for("/"))).send(OPEN)
    assert json.loads(asked[0].get_data())["channel"] == "#all"


# The example of https://docs.slack.dev/authentication/verifying-requests-from-slack
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
SIGNED_AT = "1531420618"
SIGNED = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


@pytest.mark.parametrize(
    ("secret", "at", "body", "signature", "now", "good"),
    [
        (SIGNING_SECRET, SIGNED_AT, SIGNED, SIGNATURE, int(SIGNED_AT), True),
        (SIGNING_SECRET, SIGNED_AT, SIGNED, SIGNATURE, int(SIGNED_AT) + WINDOW, True),
        (SIGNING_SECRET, SIGNED_AT, SIGNED, SIGNATURE, int(SIGNED_AT) + WINDOW + 1, False),
        (SIGNING_SECRET, SIGNED_AT, SIGNED, SIGNATURE, int(SIGNED_AT) - WINDOW - 1, False),
        (SIGNING_SECRET, SIGNED_AT, SIGNED + b"x", SIGNATURE, int(SIGNED_AT), False),
        (SIGNING_SECRET, str(int(SIGNED_AT) + 1), SIGNED, SIGNATURE, int(SIGNED_AT), False),
        ("other", SIGNED_AT, SIGNED, SIGNATURE, int(SIGNED_AT), False),
        ("", SIGNED_AT, SIGNED, SIGNATURE, int(SIGNED_AT), False),
        (SIGNING_SECRET, "", SIGNED, SIGNATURE, int(SIGNED_AT), False),
        (SIGNING_SECRET, "٣", SIGNED, SIGNATURE, 3, False),
        (SIGNING_SECRET, "9" * 400, SIGNED, SIGNATURE, 3, False),
        (SIGNING_SECRET, SIGNED_AT, SIGNED, "v0=é\ud800", int(SIGNED_AT), False),
        (SIGNING_SECRET, SIGNED_AT, SIGNED, "", int(SIGNED_AT), False),
    ],
)
def test_a_request_is_slacks_only_with_a_fresh_signature(
    secret: str, at: str, body: bytes, signature: str, now: float, good: bool
) -> None:
    assert verified(secret, at, body, signature, now) is good


def test_http_scrubs_what_it_is_told_is_secret() -> None:
    delivery = Http("x", secrets=("hunter2",)).post("http://hunter2.invalid:1/", b"", {})
    assert isinstance(delivery, Delivery)
    assert "hunter2" not in delivery.reason
