"""`contracts token`: shown once, kept as a hash, told apart, revoked."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.api.access import PREFIX, hash_of
from contracts_svc.cli.main import main


@pytest.fixture(autouse=True)
def own_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTRACTS_DATABASE_URL", f"sqlite:///{tmp_path}/contracts.db")


def answer(capsys: pytest.CaptureFixture[str], *argv: str) -> dict[str, Any]:
    main(["token", *argv, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_token_is_shown_once_and_kept_as_a_hash(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    made = answer(
        capsys,
        "create",
        "--owner",
        " ada ",
        "--scope",
        "editor",
        "--scope",
        "squad:menu",
        "--days",
        "7",
        "--tenant",
        "acme",
    )
    secret = made["token"]
    assert secret.startswith(PREFIX)
    assert (made["owner"], made["scopes"], made["tenant"]) == ("ada", ["editor", "squad:menu"], "acme")
    listed = answer(capsys, "list")
    assert [t["id"] for t in listed["tokens"]] == [made["id"]]
    assert secret not in json.dumps(listed)
    kept = b"".join(p.read_bytes() for p in tmp_path.glob("contracts.db*"))
    assert secret.encode() not in kept
    assert hash_of(secret).encode() in kept
    with sqlite3.connect(tmp_path / "contracts.db") as connection:
        audit = connection.execute("SELECT action, kind, subject, origin FROM audit").fetchall()
    connection.close()
    assert audit == [("created", "token", made["id"], "cli")]


def test_it_is_revoked_once(capsys: pytest.CaptureFixture[str]) -> None:
    made = answer(capsys, "create", "--owner", "ada", "--scope", "viewer")
    assert answer(capsys, "revoke", made["id"])["changed"] is True
    assert answer(capsys, "revoke", made["id"])["changed"] is False
    assert answer(capsys, "list")["tokens"][0]["revoked"] is not None
    assert main(["token", "list"]) == 0
    assert "revoked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("create", "--owner", "ada", "--scope", "boss"), "scopes are: viewer, editor"),
        (("create", "--owner", "ada", "--scope", "squad:"), "no scope is called 'squad:'"),
        (("create", "--owner", " ", "--scope", "viewer"), "nobody is named"),
        (("create", "--scope", "viewer"), "owner"),
        (("create", "--owner", "ada", "--scope", "viewer", "--days", "0"), "days"),
        (("revoke", "nothing"), "there is no token 'nothing'"),
    ],
)
def test_a_mistake_is_told(capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], said: str) -> None:
    assert main(["token", *argv]) == 2
    assert said in capsys.readouterr().err
    assert main(["token", "list"]) == 0
    assert "there are no tokens" in capsys.readouterr().out
