"""``contracts db``: bringing the database up to date, asking how it stands, forgetting old figures."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts_svc import app, settings
from contracts_svc.cli.main import main
from tests.alerts_world import DEP_DELAY, fails, run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONTRACTS_DATABASE_URL", raising=False)


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = main(["db", *words, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


def test_a_new_database_is_made_where_the_settings_say(capsys: pytest.CaptureFixture[str]) -> None:
    before = answer(capsys, "status")
    assert (before["exit_code"], before["current"]) == (0, None)
    assert len(before["pending"]) >= 1
    assert not Path(".contracts").exists(), "asking changes nothing"
    done = answer(capsys, "upgrade")
    assert (done["before"], done["applied"]) == (None, before["pending"])
    after = answer(capsys, "status")
    assert (after["current"], after["pending"]) == (after["wanted"], [])
    assert answer(capsys, "upgrade")["applied"] == []
    assert Path(".contracts/contracts.db").exists()


def test_the_texts_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    main(["db", "status"])
    assert "has no tables yet: run `contracts db upgrade`" in capsys.readouterr().out
    main(["db", "upgrade"])
    assert "applied 0001 The first tables" in capsys.readouterr().out
    main(["db", "status"])
    assert "up to date" in capsys.readouterr().out


def test_a_database_of_a_newer_version_is_a_mistake_with_the_way_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer(capsys, "upgrade")
    with sqlite3.connect(".contracts/contracts.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    assert answer(capsys, "status")["newer"] is True
    for command in ("upgrade", "prune"):
        found = answer(capsys, command)
        assert found["exit_code"] == 2
        assert "install that version of contracts" in found["error"]["problems"][0]["hint"]


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("mysql://ada:s3cr3tword@h/x", 2, "postgresql://"),
        ("postgresql://ada:s3cr3tword@127.0.0.1:1/x", 3, "127.0.0.1"),
        ("sqlite:////dev/null/x.db", 3, "/dev/null"),
    ],
)
def test_what_cannot_be_reached_is_told_without_the_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str, code: int, said: str
) -> None:
    monkeypatch.setenv("CONTRACTS_DATABASE_URL", url)
    assert main(["db", "upgrade"]) == code
    told = capsys.readouterr()
    assert said in told.err
    assert "s3cr3tword" not in told.err + told.out
    if code != 2:
        assert "s3cr3tword" not in repr(settings.load())


def test_old_figures_are_forgotten(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTRACTS_KEEP_MEASUREMENTS_DAYS", "30")
    now = datetime.now(UTC)
    store = app.store(settings.load())
    for days in (1, 29, 31, 400):
        store.put_run(run(now - timedelta(days=days), "month=12", fails(DEP_DELAY)))
    since = now - timedelta(days=1000)

    def kept() -> int:
        return len(store.measurements("urn:flights", "flights", DEP_DELAY.id, "failing", since=since))

    assert kept() == 4
    assert answer(capsys, "prune")["forgotten"]["figures"] > 0
    assert kept() == 2
    store.close()
