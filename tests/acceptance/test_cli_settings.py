"""``contracts settings``"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from contracts_svc.cli.main import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTRACTS_PORT", "81")
    monkeypatch.setenv("CONTRACTS_SLACK_TOKEN", "xoxb-secret")
    (tmp_path / "contracts.toml").write_text("samples = 7\n")


def test_every_setting_is_shown_with_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    said = capsys.readouterr().out.splitlines()
    lines = {words[0]: words[1:] for words in map(str.split, said)}
    assert said[1 + next(n for n, line in enumerate(said) if line.startswith("CONTRACTS_HOST "))].strip() == (
        "Address that `contracts serve` listens at"
    )
    assert lines["CONTRACTS_PORT"] == ["81", "(environment)"]
    assert lines["CONTRACTS_SAMPLES"] == ["7", "(contracts.toml:1:1)"]
    assert lines["CONTRACTS_HOST"] == ["127.0.0.1"]
    assert lines["CONTRACTS_SLACK_TOKEN"][0] == "**********"
    assert main(["settings", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    found = {s["name"]: s for s in shown["settings"]}
    assert (shown["exit_code"], found["CONTRACTS_PORT"]["value"]) == (0, 81)
    assert found["CONTRACTS_HOST"]["source"] == "default"
    assert all(s["meaning"] for s in found.values())


def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS_PORT", "eighty")
    for command in (["settings"], ["serve"], ["worker"], ["db", "status"]):
        assert main(command) == 2
        assert "the environment variable CONTRACTS_PORT" in capsys.readouterr().err
