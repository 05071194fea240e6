"""What every receiver has in common, whatever data holds: one table for all of them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from slack_sdk.models.blocks import Block
from werkzeug import Request, Response

from contracts_svc.adapters.receivers import RECEIVERS, webhook
from contracts_svc.adapters.receivers.alertmanager import AlertmanagerConfig, AlertmanagerReceiver, alerts
from contracts_svc.adapters.receivers.apprise import AppriseConfig, AppriseReceiver
from contracts_svc.adapters.receivers.apprise import text as plain_text
from contracts_svc.adapters.receivers.console import ConsoleReceiver
from contracts_svc.adapters.receivers.console import text as console_text
from contracts_svc.adapters.receivers.file import FileReceiver
from contracts_svc.adapters.receivers.pagerduty import PagerDutyConfig, PagerDutyReceiver, event_of
from contracts_svc.adapters.receivers.slack import SlackConfig, SlackReceiver
from contracts_svc.adapters.receivers.webhook import WebhookConfig, WebhookReceiver
from contracts_svc.alerts import Audience, Head, Link, Notification, OnIt, Section, Transition
from contracts_svc.incidents import advance
from contracts_svc.incidents_background import Background, LastGood
from contracts_svc.ports import Receiver
from contracts_svc.render import slack
from contracts_svc.render.email import html
from contracts_svc.routes.dispatch import acknowledged, receive
from contracts_svc.routes.flush import World, flush, sent
from contracts_svc.routing import notifications
from contracts_svc.runs import Breakdown, Check, Outcome, Result
from tests import block_kit
from tests.adapters.test_receivers import MESSAGE, check_is_harmless
from tests.adapters.test_receivers_http import HOSTILE, OPEN, ROUTING_KEY, SECRET
from tests.alerts_world import CONSUMERS, CONTRACTS, GRAPH, NOON, dataset_of, run
from tests.mail_stand_in import MailServer
from tests.slack_stand_in import TOKEN, Slack

PASSWORD = "hunter2"
SECRETS = (SECRET, ROUTING_KEY, TOKEN, PASSWORD)
VALUES = [
    *HOSTILE,
    "a\r\nBcc: x@example.com",
    "</li></ul><script>alert(1)</script>",
    "{{7*7}}${x}%s",
    "\u2028",
]


@dataclass
class Sent:
    """Where the receivers of a test send to, and what came there."""

    stack: ExitStack
    server: HTTPServer
    folder: Path

    def __post_init__(self) -> None:
        self.bodies: list[Any] = []
        self.slack = self.stack.enter_context(Slack(channels={"#flight-ops": "C01"}))
        self.mail = self.stack.enter_context(MailServer())
        self.lines: list[str] = []

        def handle(request: Request) -> Response:
            self.bodies.append(json.loads(request.get_data() or b"null"))
            return Response('{"silenceID": "s1"}')

        self.server.expect_request(re.compile(".*")).respond_with_handler(handle)


MAKERS: dict[str, Callable[[Sent], Receiver]] = {
    "alertmanager": lambda s: AlertmanagerReceiver(AlertmanagerConfig(url=s.server.url_for("/"))),
    "apprise": lambda s: AppriseReceiver(
        AppriseConfig(url=f"json://user:{PASSWORD}@127.0.0.1:{s.server.port}/x")
    ),
    "e-mail": lambda s: AppriseReceiver(
        AppriseConfig(url=f"mailto://127.0.0.1:{s.mail.port}?from=data@example.com&to=ops@example.com")
    ),
    "console": lambda s: ConsoleReceiver(s.lines.append),
    "file": lambda s: FileReceiver(s.folder / "out.jsonl"),
    "pagerduty": lambda s: PagerDutyReceiver(
        PagerDutyConfig(routing_key=ROUTING_KEY, url=s.server.url_for("/"))
    ),
    "slack": lambda s: SlackReceiver(SlackConfig(token=TOKEN, base_url=s.slack.url)),
    "webhook": lambda s: WebhookReceiver(WebhookConfig(url=s.server.url_for("/"), secret=SECRET)),
}


@pytest.fixture
def to(httpserver: HTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sent]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with ExitStack() as stack:
        yield Sent(stack, httpserver, tmp_path)


def test_every_receiver_stands_in_the_table() -> None:
    assert MAKERS.keys() - {"e-mail"} == RECEIVERS.keys()


def variants(value: str) -> Iterator[Notification]:
    """The first message of a thread, news, what people did, and the end."""
    rows = ({value or "n": value, "list": [value]},) * 20
    section = Section(value, (value,) * 60, rows, (Link(value, "https://example.com/x?a=1&b=2"),) * 3)
    ada = OnIt(who=value, until=NOON)
    first = replace(
        OPEN,
        channel="#flight-ops",
        title=value,
        team=value,
        sections=(section,) * 60,
        labels={**OPEN.labels, "dataset": value, "squad": value, "9 odd é": value},
        created=NOON,
    )
    yield first
    yield replace(
        first,
        head=Head(title=value, severity=first.severity, sections=first.sections),
        on_it={"f1": ada},
        still_open=3,
    )
    yield replace(first, update=value or "x", on_it={"f1": ada}, silenced=ada)
    yield replace(first, labels={**first.labels, "state": "resolved"}, resolved=("f1",), still_open=0)


@pytest.mark.parametrize("name", MAKERS)
def test_whatever_data_holds_is_taken_and_bounded(name: str, to: Sent) -> None:
    for value in VALUES:
        # Of its own: apprise leaves some seconds between two messages of one.
        receiver = MAKERS[name](to)
        thread = ""
        for notification in islice(variants(value), 1 if name == "e-mail" else None):
            if name in ("console", "file"):  # they write all there is
                some = tuple(replace(s, lines=s.lines[:5]) for s in notification.sections[:1])
                notification = replace(notification, sections=some)
            delivery = receiver.send(replace(notification, thread=thread))
            assert delivery.sent, (value, delivery.reason)
            thread = delivery.thread or thread
    shown = [json.dumps(b) for b in to.bodies]
    shown += [str(m.message) for m in to.mail.mails]
    shown += to.lines
    assert all(len(text) < 400_000 for text in shown)
    assert not any(secret in text for text in shown for secret in SECRETS if secret != ROUTING_KEY)
    for text in to.lines:
        check_is_harmless(text)


def test_mail_shows_data_as_text_to_one_recipient(to: Sent) -> None:
    for value in VALUES:
        assert MAKERS["e-mail"](to).send(next(iter(variants(value)))).sent
        mail = to.mail.mails[-1]
        assert mail.recipients == ("ops@example.com",)
        assert "Bcc" not in mail.message
        assert tags_of(mail.part("html")) <= TAGS | {"html", "head", "body", "meta", "title", "style"}
    shown = to.mail.mails[VALUES.index("<!channel>")]
    assert "<!channel>" in shown.part("plain")
    assert "&lt;!channel&gt;" in shown.part("html")


TAGS = {"div", "h2", "h3", "p", "ul", "li", "table", "tr", "th", "td", "a"}


def tags_of(text: str) -> set[str]:
    found: set[str] = set()

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.add(tag)
            assert not any(name.startswith("on") or name == "src" for name, _ in attrs)

    Parser().feed(text)
    return found


# --- failures -------------------------------------------------------------------------------------

REFUSALS: dict[str, Callable[[str], Receiver]] = {
    "alertmanager": lambda url: AlertmanagerReceiver(AlertmanagerConfig(url=url, timeout=1)),
    "apprise": lambda url: AppriseReceiver(
        AppriseConfig(url=f"{url.replace('http:', 'json:').replace('//', f'//user:{PASSWORD}@')}?rto=1&cto=1")
    ),
    "e-mail": lambda url: AppriseReceiver(
        AppriseConfig(
            url=f"{url.replace('http:', 'mailto:').rstrip('/')}?from=a@example.com&user=u&pass={PASSWORD}&cto=1&rto=1"
        )
    ),
    "pagerduty": lambda url: PagerDutyReceiver(PagerDutyConfig(routing_key=ROUTING_KEY, url=url, timeout=1)),
    "slack": lambda url: SlackReceiver(SlackConfig(token=TOKEN, base_url=url, timeout=1)),
    "webhook": lambda url: WebhookReceiver(WebhookConfig(url=url, secret=SECRET, timeout=1)),
}


def test_all_that_go_over_a_network_are_tried() -> None:
    assert REFUSALS.keys() == MAKERS.keys() - {"console", "file"}


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_a_failure_says_whether_a_retry_can_help_and_shows_no_secret(
    name: str, status: int, httpserver: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    # What is answered may be what was asked.
    httpserver.expect_request(re.compile(".*")).respond_with_handler(
        lambda r: Response(f"{r.headers} {r.get_data()!r} {' '.join(SECRETS)}", status)
    )
    delivery = REFUSALS[name](httpserver.url_for("/")).send(replace(OPEN, created=NOON))
    assert not delivery.sent
    if name in ("apprise", "e-mail"):
        assert (delivery.retry, delivery.unsure) == (True, True)
    else:
        assert delivery.retry is (status in (429, 500, 503))
    own = {"pagerduty": ROUTING_KEY, "slack": TOKEN, "webhook": SECRET}.get(name, PASSWORD)
    if name != "alertmanager":
        assert own not in delivery.reason
        logged = [r.getMessage() for r in caplog.records if not r.name.startswith("werkzeug")]
        assert own not in " ".join(logged)


@pytest.mark.parametrize("name", [n for n in REFUSALS if n != "e-mail"])
def test_who_is_silent_is_not_waited_for(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        delivery = REFUSALS[name](url).send(replace(OPEN, created=NOON))
    assert (delivery.sent, delivery.retry) == (False, True)


# --- any incidents at all -------------------------------------------------------------------------

WORDS = st.text(st.characters(codec=None), max_size=80) | st.sampled_from(VALUES)
SCHEMA = json.loads((Path(webhook.__file__).parent / "webhook.schema.json").read_text())


@st.composite
def results(draw: st.DrawFn) -> Result:
    columns = tuple(draw(st.lists(st.sampled_from(["carrier", "dep_delay", "dest"]) | WORDS, max_size=3)))
    check = Check(
        id=draw(WORDS),
        kind=draw(st.sampled_from(["required", "minimum", "sql"]) | WORDS),
        table="flights",
        columns=columns,
        title=draw(WORDS),
        dimension=draw(st.none() | WORDS),
    )
    rows = draw(st.lists(st.dictionaries(WORDS, WORDS | st.none() | st.integers(), max_size=4), max_size=4))
    return Result(
        check=check,
        outcome=Outcome.FAILED,
        expected=draw(WORDS),
        found=draw(WORDS),
        failing=draw(st.none() | st.integers(0, 10**9)),
        rows=draw(st.none() | st.integers(0, 10**9)),
        samples=tuple(rows),
        breakdown=tuple(
            Breakdown(where=w, failing=n)
            for w, n in draw(st.dictionaries(WORDS, st.integers(0, 10**6), max_size=4)).items()
        ),
    )


def shown_by_slack(notification: Notification) -> None:
    for made in (slack.head(notification), slack.blocks(notification), slack.update(notification)):
        block_kit.check(made)
        for block in Block.parse_all(made):
            block.validate_json()
    block_kit.check(slack.answer(notification.title, notification.sections))
    assert not set(slack.fallback(notification.title)) & set("<>")


@settings(max_examples=40, deadline=None)
@given(st.lists(results(), min_size=1, max_size=14), WORDS, WORDS, st.booleans())
def test_any_incident_is_shown_by_everybody_within_their_limits(
    found: list[Result], who: str, reason: str, over: bool
) -> None:
    known = Background(
        looked=3, last_good=LastGood(at=NOON, scope=reason, version=who), causes=(reason, who) * 2
    )
    for notification in told(found, known, who, reason, over):
        shown_by_slack(notification)
        assert tags_of(html(notification)) <= TAGS
        check_is_harmless(console_text(notification))
        assert len(plain_text(notification)) <= 8_000
        event = event_of(notification)
        assert len(json.dumps(event).encode()) < 512_000
        assert len(event.get("payload", {}).get("summary", "")) <= 1_024
        jsonschema.validate(json.loads(json.dumps(webhook.body(notification))), SCHEMA)
        for alert in alerts(notification):
            json.dumps(alert)
            assert all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", n) for n in alert["labels"])


def told(found: list[Result], known: Background, who: str, reason: str, over: bool) -> Iterator[Notification]:
    """What owner and stakeholders are told of these, and of who is on the first of them."""
    moved = advance((), run(NOON, "month=12", *found), NOON)
    said = notes(moved, NOON, known)
    groups = receive((), said, now=NOON)
    if over:
        yield from (n for n in said)
    for group in groups:
        flushed = flush(group, World(), NOON + timedelta(seconds=30))
        assert flushed.message is not None
        yield flushed.message.notification
        after = sent(flushed.group, NOON + timedelta(minutes=1), "C1:1")
        on_it = OnIt(who=who, until=NOON)
        after = acknowledged(after, {after.entries[0].incident}, on_it)
        again = flush(after, World(), NOON + timedelta(hours=5))
        if again.message is not None:
            yield replace(again.message.notification, update=reason, silenced=on_it)


def notes(moved: tuple[Transition, ...], now: datetime, known: Background) -> tuple[Notification, ...]:
    return notifications(
        moved,
        contracts=CONTRACTS,
        dataset_of=dataset_of,
        graph=GRAPH,
        consumers=CONSUMERS,
        now=now,
        background=lambda incident: known,
        public_url="https://data.example.com",
    )


def test_the_owner_and_only_the_owner_can_be_shown_rows() -> None:
    row = {"passport": "P1234567"}
    check = Check(id="c", kind="required", table="flights", columns=("dep_delay",), title="no gaps")
    failed = Result(check=check, outcome=Outcome.FAILED, failing=1, rows=2, samples=(row,))
    for notification in told([failed], Background(), "ada", "x", False):
        everywhere = [
            block_kit.text_of(slack.head(notification)),
            html(notification),
            console_text(notification),
            json.dumps(webhook.body(notification)),
            json.dumps(alerts(notification)),
        ]
        owner = notification.audience is Audience.OWNER
        assert all(("P1234567" in text) is owner for text in everywhere)
        assert ("Show rows" in everywhere[0]) is owner


def test_the_message_as_mail() -> None:
    shown = html(
        replace(
            MESSAGE, sections=(*MESSAGE.sections, Section("Links", links=(Link("A & B", "https://x/?a&b"),)))
        )
    )
    assert '<h2 style="color:#b3261e' in shown
    assert "<li>Failing rows: 1,204 of 28,135 (4.3 %)</li>" in shown
    assert re.search("<td[^>]*>NULL</td>", shown)
    assert '<a href="https://x/?a&amp;b">A &amp; B</a>' in shown
    over = html(replace(MESSAGE, labels={"state": "resolved"}))
    assert "over · to the owner flight-ops" in over
