"""``contracts outbox`` and ``contracts silence``, and the route file behind them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts_svc import app, app_alerts, settings
from contracts_svc.cli.main import main
from contracts_svc.errors import UserMistake
from contracts_svc.routes.dispatch import receive
from contracts_svc.routes.timing import DEFAULT_ROUTES
from tests.telling import note

ROUTES = """
route: {receiver: all, group_wait: 0s}
receivers: [{name: all, type: file, path: told.jsonl}]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("CONTRACTS_DATABASE_URL", "CONTRACTS_ROUTES", "CONTRACTS_SLACK_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = main([*words, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def text(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    main(list(words))
    captured = capsys.readouterr()
    return captured.out + captured.err


def hear(*incidents: str, channel: str = "#finance") -> None:
    loaded = settings.load()
    store = app.store(loaded)
    now = datetime.now(UTC) - timedelta(minutes=5)
    store.put_groups(
        receive([], [note(*incidents, channel=channel)], now=now, routes=app_alerts.routes(loaded))
    )


def test_what_is_due_is_sent_as_the_route_file_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("routes.yaml").write_text(ROUTES)
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    assert text(capsys, "outbox", "list") == "the outbox is empty\n"
    hear("a", "b")
    assert answer(capsys, "outbox", "send") | {"exit_code": 0} == {
        "exit_code": 0,
        "sent": 1,
        "later": 0,
        "dead": 0,
    }
    (told,) = (json.loads(line) for line in Path("told.jsonl").read_text().splitlines())
    assert told["title"] == "flights is wrong: a, b"
    found = answer(capsys, "outbox", "list", "--state", "sent")
    assert found["counts"]["sent"] == 1
    assert found["messages"][0]["receiver"] == "all"
    assert answer(capsys, "outbox", "send")["sent"] == 0


def test_a_dead_letter_is_shown_and_sent_again(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hear("a")
    assert "0 sent, 0 to be tried again, 1 given up" in text(capsys, "outbox", "send")
    shown = text(capsys, "outbox", "list", "--state", "dead")
    assert "flights is wrong: a" in shown
    assert "to finance by contract (slack #finance)" in shown
    assert "no token for Slack is set: see CONTRACTS_SLACK_TOKEN" in shown
    assert "write --all" in text(capsys, "outbox", "resend")
    assert "is no dead letter" in text(capsys, "outbox", "resend", "beef")
    assert "1 message will be sent again" in text(capsys, "outbox", "resend", "--all")
    Path("routes.yaml").write_text(ROUTES)
    assert answer(capsys, "outbox", "send")["dead"] == 1


def test_silences_come_and_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert text(capsys, "silence", "list") == "nothing is silenced\n"
    made = answer(
        capsys, "silence", "add", "dataset=flights", "--reason", "backfill", "--for", "4h", "--author", "ada"
    )
    assert (made["matchers"], made["author"]) == (['dataset="flights"'], "ada")
    lasts = datetime.fromisoformat(made["ends"]) - datetime.fromisoformat(made["begins"])
    assert lasts == timedelta(hours=4)
    assert "by ada: backfill" in text(capsys, "silence", "list")
    hear("a")
    assert answer(capsys, "outbox", "send")["dead"] == 0
    assert answer(capsys, "silence", "end", made["id"])["ended"] is True
    assert answer(capsys, "silence", "end", made["id"])["ended"] is False
    assert answer(capsys, "silence", "list")["silences"] == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["add", 'dataset=~".*"', "--reason", "r"], "would silence every alert"),
        (["add", "dataset", "--reason", "r"], "is no matcher"),
        (["add", "a=b", "--reason", "r", "--for", "soon"], "is no duration"),
        (["add", "a=b", "--reason", "r", "--for", "52w"], "at most 90 days"),
        (["add", "a=b", "--reason", "r", "--for", "999999999w"], "is no duration"),
        (["end", "nothing"], "no silence is called"),
    ],
)
def test_mistakes_have_a_way_out(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["silence", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_bad_reload_leaves_the_old_routes_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path("routes.yaml")
    file.write_text(ROUTES)
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    alerting = app_alerts.Alerting(settings.load(), os.environ)
    before = alerting.routes()
    file.write_text("route: {receiver: nobody}\n")
    assert alerting.routes() is before
    assert alerting.mistake is not None
    assert "no receiver is called 'nobody'" in str(alerting.mistake)
    file.unlink()
    assert alerting.routes() is before
    file.write_text(ROUTES.replace("all", "every"))
    assert alerting.routes().root.receiver == "every"
    assert alerting.mistake is None


def test_a_secret_that_is_not_in_the_environment_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("routes.yaml").write_text(
        "route: {receiver: a}\nreceivers: [{name: a, type: pagerduty, routing_key: env:PD_KEY}]\n"
    )
    monkeypatch.setenv("CONTRACTS_ROUTES", "routes.yaml")
    with pytest.raises(UserMistake, match="needs the environment variable PD_KEY"):
        app_alerts.Alerting(settings.load(), {})
    assert app_alerts.Alerting(settings.load(), {"PD_KEY": "0" * 32}).routes().root.receiver == "a"


def test_without_a_route_file_the_contracts_channels_decide() -> None:
    assert app_alerts.routes(settings.load()) is DEFAULT_ROUTES
