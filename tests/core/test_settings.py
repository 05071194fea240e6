"""Settings come from the environment or one file; all of them are judged at once, each mistake with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc import settings
from contracts_svc.errors import UserMistake
from contracts_svc.settings_sources import SettingsFile, without_password

SECRET = "hunter2-0123456789"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def mistakes(**environment: str) -> list[str]:
    with pytest.raises(UserMistake) as wrong:
        settings.load({f"CONTRACTS_{k}": v for k, v in environment.items()})
    return [str(p) for p in wrong.value.problems]


def sources(environment: Mapping[str, str] = {}) -> dict[str, tuple[object, str]]:
    return {s.name.removeprefix("CONTRACTS_"): (s.value, s.source) for s in settings.shown(environment)}


def test_the_environment_beats_the_file_and_that_the_default() -> None:
    Path("contracts.toml").write_text(
        "# ours\nport = 1\nhost = '0.0.0.0'\n[s3_buckets.raw]\nregion = 'eu-1'\n"
    )
    found = sources({"CONTRACTS_PORT": "2"})
    assert found["PORT"] == (2, "environment")
    assert found["HOST"] == ("0.0.0.0", "contracts.toml:3:1")
    assert found["S3_BUCKETS"][1] == "contracts.toml:4:1"
    assert found["WORKER_SLOTS"] == (4, "default")
    assert len(found) == len(settings.Settings.model_fields)


def test_the_file_may_be_elsewhere_and_must_be_there_then() -> None:
    Path("other.toml").write_text("port = 3")
    assert settings.load({"CONTRACTS_SETTINGS_FILE": "other.toml"}).port == 3
    (told,) = mistakes(SETTINGS_FILE="none.toml")
    assert "none.toml cannot be read: No such file" in told


def test_every_mistake_is_told_at_once_with_its_place_and_the_way_out() -> None:
    Path("contracts.toml").write_text(
        "port = 'x'\nhots = 'h'\nmemory_limit = '5 apples'\n\n[s3_buckets.raw]\n  regoin = 'eu-1'\n"
    )
    told = "\n".join(
        mistakes(WORKER_SLOTS="0", DATABASE_ULR="sqlite:///a", OIDC_GROUPS="{", DATABASE_URL="mysql://a")
    )
    for part in (
        "contracts.toml:1:1: port: Input should be a valid integer",
        "it is: Port that it listens at",
        "contracts.toml:2:1: there is no setting hots",
        "did you mean host?",
        "contracts.toml:3:1: memory_limit: it is no size: write for instance 512MB",
        "contracts.toml:6:3: there is no setting s3_buckets.raw.regoin",
        "did you mean region?",
        "the environment variable CONTRACTS_WORKER_SLOTS: Input should be greater than or equal to 1",
        "the environment variable CONTRACTS_DATABASE_ULR is no setting",
        "CONTRACTS_DATABASE_URL is meant",
        "CONTRACTS_OIDC_GROUPS is no JSON",
        "the environment variable CONTRACTS_DATABASE_URL: it is no address of SQLite or PostgreSQL",
    ):
        assert part in told


@pytest.mark.parametrize(
    ("text", "place", "told"),
    [
        (b"port = 1\nhost 2\n", "contracts.toml:2:6", "this is no TOML"),
        (b"port = 1\nport = 2\n", "contracts.toml:2:9", "Cannot overwrite a value"),
        (b"port = ", "contracts.toml:1:1", "this is no TOML"),
        (b"\xff\xfe", "", "contracts.toml is not UTF-8"),
        (b"#" * 1_000_001, "", "more than 1,000,000 bytes"),
        (b"[port]\nx = 1", "contracts.toml:1:1", "port: Input should be a valid integer"),
        (b"port.x = 1", "contracts.toml:1:1", "port: Input should be a valid integer"),
    ],
)
def test_a_file_that_is_none(text: bytes, place: str, told: str) -> None:
    Path("contracts.toml").write_bytes(text)
    (problem,) = mistakes()
    assert problem.startswith(place)
    assert told in problem


def test_variables_of_others_are_let_be() -> None:
    others = {
        "API_SERVICE_PORT": "1",
        "API_PORT_8080_TCP": "x",
        "SHARED": "s",
        "SLACK_TOKEN_OF_OURS": "x",
        "POLICY": "",
    }
    assert settings.load({f"CONTRACTS_{k}": v for k, v in others.items()}).policy is None


def test_half_of_a_key_is_none() -> None:
    assert "one is set without the other" in mistakes(S3_ACCESS_KEY="a")[0]
    assert "one is set without the other" in mistakes(S3_SECRET_KEY=SECRET)[0]


def test_no_secret_is_shown_or_told() -> None:
    secret = [n for n, f in settings.Settings.model_fields.items() if f.annotation is settings.SecretStr]
    assert len(secret) > 8
    environment = {f"CONTRACTS_{n.upper()}": SECRET for n in secret}
    environment |= {
        "CONTRACTS_DATABASE_URL": f"postgresql://ada:{SECRET}@host:5432/db?password={SECRET}",
        "CONTRACTS_GITHUB_PROXY": f"http://ada:{SECRET}@proxy:3128",
        "CONTRACTS_S3_BUCKETS": f'{{"raw": {{"access_key": "{SECRET}", "secret_key": "{SECRET}"}}}}',
    }
    shown = sources(environment)
    assert SECRET not in str(shown)
    assert shown["DATABASE_URL"] == ("postgresql://ada:***@host:5432/db?***", "environment")
    assert shown["GITHUB_PROXY"][0] == "http://ada:***@proxy:3128"
    del environment["CONTRACTS_GITHUB_PROXY"]
    assert SECRET not in repr(settings.load(environment))
    wrong = environment | {
        "CONTRACTS_DATABASE_URL": f"mysql://{SECRET}",
        "CONTRACTS_S3_SESSION_TOKEN": SECRET,
        "CONTRACTS_PORT": SECRET,
    }
    with pytest.raises(UserMistake) as told:
        settings.load(wrong)
    assert SECRET not in str(told.value)


@given(password=st.text(st.characters(exclude_characters="/?#@[]", codec="utf-8"), min_size=1))
def test_no_address_shows_its_password(password: str) -> None:
    shown = without_password(f"postgresql://ada:{password}@host/db")
    assert shown in ("postgresql://ada:***@host/db", "***")


@given(text=st.text(max_size=200), keys=st.lists(st.text(max_size=5), min_size=1, max_size=3))
def test_any_text_has_a_place_for_any_key(text: str, keys: list[str]) -> None:
    place = SettingsFile(name="f", text=text).place(keys)
    assert 1 <= place.line <= max(1, len(text.splitlines()))
