"""Receivers: nothing in a message can break out of how it is shown, and sends never raise."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from slack_sdk.models.blocks import Block

from contracts_svc.adapters.receivers import RECEIVERS
from contracts_svc.adapters.receivers.console import WIDTH, ConsoleReceiver
from contracts_svc.adapters.receivers.file import FileReceiver
from contracts_svc.adapters.receivers.slack import SlackConfig, SlackReceiver
from contracts_svc.alerts import Audience, Notification, Section
from contracts_svc.errors import UserMistake
from contracts_svc.findings import Severity
from contracts_svc.ports import Delivery
from contracts_svc.render.slack import blocks, fallback
from tests.alerts_world import NOON

MESSAGE = Notification(
    key="abc",
    audience=Audience.OWNER,
    team="flight-ops",
    receiver="slack",
    channel="#flight-ops",
    title="flights: dep_delay is not as promised since month=12",
    severity=Severity.ERROR,
    sections=(
        Section(
            "dep_delay lies between -60 and 1800",
            ("Failing rows: 1,204 of 28,135 (4.3 %)", "Since: month=12"),
            (
                {"carrier": "UA", "dep_delay": 9000, "tailnum": None},
                {"carrier": "B6", "dep_delay": -61.5, "tailnum": "N14228"},
            ),
        ),
    ),
    labels={"state": "open"},
    incidents=("f1",),
    created=NOON,
)


def about(*rows: Mapping[str, Any], lines: tuple[str, ...] = (), title: str = "t") -> Notification:
    return replace(MESSAGE, title=title, sections=(Section("heading", lines, rows),))


# --- every receiver -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(RECEIVERS))
def test_the_table_of_receivers_is_true(name: str) -> None:
    kind = RECEIVERS[name]
    assert kind.name == name
    assert kind.purpose.endswith(".")
    assert kind.config_type() is not None
    assert callable(kind.receiver_type().send)


# --- console --------------------------------------------------------------------------------------


def shown(notification: Notification) -> str:
    written: list[str] = []
    assert ConsoleReceiver(written.append).send(notification) == Delivery(sent=True)
    (text,) = written
    return text


def test_a_message_on_the_console() -> None:
    assert shown(MESSAGE) == (
        "ERROR: flights: dep_delay is not as promised since month=12\n"
        "to the owner flight-ops (slack #flight-ops)\n"
        "\n"
        "  dep_delay lies between -60 and 1800\n"
        "    Failing rows: 1,204 of 28,135 (4.3 %)\n"
        "    Since: month=12\n"
        "      carrier  dep_delay  tailnum\n"
        "      UA            9000  NULL\n"
        "      B6           -61.5  N14228\n"
    )


def test_the_end_is_not_called_an_error() -> None:
    over = replace(MESSAGE, title="flights is right again", labels={"state": "resolved"})
    assert shown(over).startswith("flights is right again\n")


def test_long_lines_are_wrapped_and_huge_ones_cut() -> None:
    text = shown(about(lines=("word " * 30, "x" * 10_000)))
    assert "…" in text
    assert len(text) < 1_000
    wrapped = [line for line in text.splitlines() if "word" in line]
    assert [len(line) - len(line.lstrip()) for line in wrapped] == [4, 6]


def test_long_values_are_cut_and_columns_that_do_not_fit_are_counted() -> None:
    text = shown(about({"a": "x" * 1000, "b": 1}, {"a": "y", "b": 22}))
    assert "x" * 27 + "…" in text
    assert "x" * 28 not in text
    wide = shown(about({f"column_{n:03}": "some longer value" for n in range(40)}))
    assert "more columns" in wide


HOSTILE = (
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://evil\x07link\x1b]8;;\x07",
    "a\rb",
    "a\nb",
    "a\tb",
    "\x00",
    "\x9b2J",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u2028",
    "\u200bzero",
    "\ud800",
    "日本語" * 200,
    "👩‍💻" * 200,
    "e" + "\u0301" * 10_000,
    "",
    " ",
)


@pytest.mark.parametrize("value", HOSTILE)
def test_text_from_data_cannot_steer_the_terminal(value: str) -> None:
    notification = about({value: value, "n": [value]}, lines=(value,), title=value)
    check_is_harmless(shown(replace(notification, team=value, channel=value)))


@given(st.text(st.characters(codec=None), max_size=200), st.integers(0, 3))
def test_no_text_at_all_can(value: str, columns: int) -> None:
    row = {f"{value}{n}": value for n in range(columns)}
    check_is_harmless(shown(about(row, lines=(value,), title=value)))


def check_is_harmless(text: str) -> None:
    for line in text.split("\n"):
        assert all(c.isprintable() or c == "\u200d" for c in line)
        assert cell_len(line) <= WIDTH
    assert len(text) < 20_000


def test_an_escape_sequence_is_spelt_out() -> None:
    assert "\\x1b[31mred" in shown(about({"a": "\x1b[31mred"}))


# --- slack --------------------------------------------------------------------------------------

TOKEN = "xoxb-1234-secret"


class Slack:
    """Stands in for Slack on loopback: answers as told and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, str], bytes] = (200, {}, b'{"ok": true}')
        self.hold = threading.Event()
        self.hold.set()
        self.requests: list[tuple[str, str | None, dict[str, Any]]] = []
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                slack.requests.append((self.path, self.headers["Authorization"], json.loads(body)))
                slack.hold.wait(10)
                status, headers, answer = slack.answer
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/"


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    stand_in = Slack()
    thread = threading.Thread(target=stand_in.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield stand_in
    stand_in.hold.set()
    stand_in.server.shutdown()
    stand_in.server.server_close()
    thread.join()


def receiver_for(slack: Slack, timeout: int = 10) -> SlackReceiver:
    return SlackReceiver(SlackConfig(token=TOKEN, base_url=slack.url, timeout=timeout))


def test_a_message_is_posted_to_its_channel(slack: Slack) -> None:
    assert receiver_for(slack).send(MESSAGE) == Delivery(sent=True)
    ((path, authorization, body),) = slack.requests
    assert path == "/api/chat.postMessage"
    assert authorization == f"Bearer {TOKEN}"
    assert body["channel"] == "#flight-ops"
    assert body["text"] == MESSAGE.title
    assert body["metadata"]["event_payload"] == {"key": "abc"}
    assert [b["type"] for b in body["blocks"]] == ["header", "context", "rich_text"]
    heading, lines, rows = body["blocks"][2]["elements"]
    assert heading["elements"][0]["text"] == "dep_delay lies between -60 and 1800"
    assert [e["elements"][0]["text"] for e in lines["elements"]] == list(MESSAGE.sections[0].lines)
    assert rows["type"] == "rich_text_preformatted"
    assert rows["elements"][0]["text"].splitlines()[1] == "UA            9000  NULL"


@pytest.mark.parametrize(
    ("status", "headers", "body", "retry", "reason"),
    [
        (
            200,
            {},
            {"ok": False, "error": "channel_not_found"},
            False,
            "Slack answered 200: channel_not_found",
        ),
        (200, {}, {"ok": False, "error": "invalid_auth"}, False, "Slack answered 200: invalid_auth"),
        (200, {}, {"ok": False, "error": "internal_error"}, True, "Slack answered 200: internal_error"),
        (200, {}, [], False, "Slack answered 200: no reason given"),
        (
            429,
            {"Retry-After": "30"},
            {"ok": False, "error": "ratelimited"},
            True,
            "Slack answered 429: ratelimited, try again after 30 s",
        ),
        (503, {}, "<html>", True, "Slack answered 503: "),
        (404, {}, "<html>", False, "Slack answered 404: "),
    ],
)
def test_a_refusal_says_why_and_whether_a_retry_can_help(
    slack: Slack, status: int, headers: dict[str, str], body: object, retry: bool, reason: str
) -> None:
    answer = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    slack.answer = (status, headers, answer)
    delivery = receiver_for(slack).send(MESSAGE)
    assert not delivery.sent
    assert delivery.retry is retry
    assert delivery.reason.startswith(reason)
    assert TOKEN not in delivery.reason
    assert len(slack.requests) == 1


def test_slack_not_reached_can_be_tried_again(slack: Slack) -> None:
    slack.server.server_close()
    delivery = receiver_for(slack).send(MESSAGE)
    assert (delivery.sent, delivery.retry) == (False, True)
    assert delivery.reason.startswith("Slack was not reached: ")
    assert TOKEN not in delivery.reason


def test_slack_that_does_not_answer_is_not_waited_for(slack: Slack) -> None:
    slack.hold.clear()
    delivery = receiver_for(slack, timeout=1).send(MESSAGE)
    assert (delivery.sent, delivery.retry) == (False, True)
    assert "timed out" in delivery.reason


def test_a_message_without_a_channel_is_not_sent(slack: Slack) -> None:
    delivery = receiver_for(slack).send(replace(MESSAGE, channel=""))
    assert delivery == Delivery(sent=False, reason="no channel is given")
    assert slack.requests == []


@pytest.mark.parametrize("token", ["", "xoxb-1\n", "xoxb 1", "xoxb-\x00", "xoxb-é"])
def test_a_token_that_cannot_be_one_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UserMistake) as caught:
        SlackConfig(token=token)
    assert not token.strip() or token.strip() not in str(caught.value)


def test_the_token_is_not_in_the_config_as_it_prints() -> None:
    assert TOKEN not in repr(SlackConfig(token=TOKEN))


def check_blocks(message: Notification) -> list[dict[str, Any]]:
    """Slack's limits as its documentation gives them, and what slack-sdk itself checks."""
    made = blocks(message)
    assert 0 < len(made) <= 50
    for block in made:
        texts = list(texts_of(block))
        assert all(t for t in texts)
        assert sum(map(len, texts)) <= (150 if block["type"] == "header" else 3_000)
        assert "mrkdwn" not in json.dumps(block["type"])
    assert sum(len(t) for b in made for t in texts_of(b)) <= 13_000
    for block in Block.parse_all(made):
        block.validate_json()
    return made


def texts_of(node: object) -> Iterator[str]:
    """Every text in these blocks; none of them may be of a type that is read for mark-up."""
    if isinstance(node, dict):
        assert node.get("type") != "mrkdwn"
        if isinstance(node.get("text"), str):
            yield node["text"]
        for value in node.values():
            yield from texts_of(value)
    elif isinstance(node, list):
        for value in node:
            yield from texts_of(value)


@pytest.mark.parametrize(
    "value", [*HOSTILE, "<!channel>", "*bold* _it_ ~s~ `c`", "<http://evil|ok>", "&amp;", "x" * 10_000]
)
def test_text_from_data_means_nothing_to_slack(value: str) -> None:
    message = about({value: value}, *[{"n": value}] * 50, lines=(value,) * 50, title=value)
    made = check_blocks(replace(message, team=value))
    assert all(c.isprintable() or c in "\u200d\n" for t in texts_of(made) for c in t)
    text = fallback(message.title)
    assert "<" not in text
    assert ">" not in text


def test_what_is_too_long_for_slack_is_counted() -> None:
    many = replace(MESSAGE, sections=tuple(Section(f"heading {n}", ("line",)) for n in range(80)))
    made = check_blocks(many)
    assert len(made) == 50
    assert list(texts_of(made[-1])) == ["and 33 more parts, too long for Slack"]
    long = replace(MESSAGE, sections=(Section("h", ("x" * 500,) * 10),) * 10)
    assert "too long for Slack" in next(texts_of(check_blocks(long)[-1]))


@given(
    st.lists(st.builds(Section, st.text(max_size=50), st.lists(st.text(max_size=80)).map(tuple)), max_size=60)
)
def test_any_message_is_within_the_limits(sections: list[Section]) -> None:
    check_blocks(replace(MESSAGE, sections=tuple(sections)))


# --- file -----------------------------------------------------------------------------------------


def test_messages_are_appended_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "alerts.jsonl"
    receiver = FileReceiver(path)
    assert receiver.send(MESSAGE) == Delivery(sent=True)
    assert receiver.send(replace(MESSAGE, key="def")) == Delivery(sent=True)
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["key"], second["key"]) == ("abc", "def")
    assert first["audience"] == "owner"
    assert first["severity"] == "error"
    assert first["created"] == "2024-01-01T12:00:00+00:00"
    assert first["sections"][0]["rows"][0] == {"carrier": "UA", "dep_delay": 9000, "tailnum": None}
    assert first["incidents"] == ["f1"]
    # It went to this file, and to nobody in Slack.
    assert {"receiver", "channel", "url"}.isdisjoint(first)
    assert first["contract_channel"] == {"tool": "slack", "channel": "#flight-ops", "url": ""}


def test_whatever_a_row_holds_becomes_json(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    row = {
        "decimal": Decimal("1.10"),
        "nan": float("nan"),
        "day": date(2013, 12, 1),
        "bytes": b"\xff",
        "nested": {"list": [1, (2, NOON)]},
        "text": "line\nbreak \ud800",
        "truth": True,
    }
    assert FileReceiver(path).send(about(row)).sent
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["sections"][0]["rows"] == [
        {
            "decimal": "1.10",
            "nan": "nan",
            "day": "2013-12-01",
            "bytes": "/w==",
            "nested": {"list": [1, [2, "2024-01-01T12:00:00+00:00"]]},
            "text": "line\nbreak \ud800",
            "truth": True,
        }
    ]


def test_a_file_that_cannot_be_written_is_a_failed_send(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    delivery = FileReceiver(tmp_path / "file" / "alerts.jsonl").send(MESSAGE)
    assert not delivery.sent
    assert delivery.retry
    assert "alerts.jsonl" in delivery.reason
