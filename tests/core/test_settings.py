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
        "contracts.toml:1:1: port: it is no whole number",
        "write for instance port = 8080; it is: Port that it listens at",
        "contracts.toml:2:1: there is no setting hots",
        "did you mean host?",
        "contracts.toml:3:1: memory_limit: it is no size: write for instance 512MB",
        "contracts.toml:6:3: there is no setting s3_buckets.raw.regoin",
        "did you mean region?",
        "the environment variable CONTRACTS_WORKER_SLOTS: it is too small: 1 is the least",
        "write for instance CONTRACTS_WORKER_SLOTS=4; it is: Checks",
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
        (b"[port]\nx = 1", "contracts.toml:1:1", "port: it is no whole number"),
        (b"port.x = 1", "contracts.toml:1:1", "port: it is no whole number"),
    ],
)
def test_a_file_that_is_none(text: bytes, place: str, told: str) -> None:
    Path("contracts.toml").write_bytes(text)
    (problem,) = mistakes()
    assert problem.startswith(place)
    assert told in problem


WORDS = (
    ("port = 70_000", "port: it is too large: 65,535 is the most"),
    ("run_attempts = 1.5", "run_attempts: it is no whole number"),
    ("rate_per_second = 'fast'", "rate_per_second: it is no number"),
    ("embedded = 'maybe'", "embedded: it is neither true nor false"),
    ("host = 3", 'write for instance host = "127.0.0.1"; it is: Address'),
    ("people_file = 3", "people_file: it is no path: in TOML, paths stand in quotes"),
    ("lineage = 'a'", "lineage: it is no list: in TOML, write"),
    ("s3_buckets = 3", "s3_buckets: it is no table of names and values"),
    ("s3_buckets.raw = 3", "s3_buckets.raw: it is no table of names and values"),
    ("s3_buckets.raw.path_style = 'x'", "s3_buckets.raw.path_style: it is neither true nor false"),
    ("log_format = 'x'", "log_format: it is none of 'auto', 'json', 'text'"),
    ("database_url = 'mysql://a'", "write sqlite:///FILE or postgresql://"),
    ("oidc_groups.a = 'b'", "oidc_groups.a: it is no list"),
    ("slack_token = 4", "slack_token: it is no text: in TOML, texts stand in quotes"),
)


@pytest.mark.parametrize(("text", "told"), WORDS)
def test_mistakes_are_told_in_the_words_of_whoever_made_them(text: str, told: str) -> None:
    Path("contracts.toml").write_text(text)
    (problem,) = mistakes()
    assert told in problem
    assert problem.startswith("contracts.toml:1:1: ")
    assert "Input" not in problem


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
