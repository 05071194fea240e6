"""How people log in, by the settings: every mistake is told at start, all of them at once."""

from __future__ import annotations

from typing import Any

import pytest

from contracts_svc.app_login import login
from contracts_svc.errors import UserMistake
from contracts_svc.settings import Settings, load

GOOD: dict[str, Any] = {
    "oidc_issuer": "https://id.example.com",
    "oidc_client_id": "contracts",
    "public_url": "https://contracts.example.com/",
}


def mistakes(**given: Any) -> list[str]:
    try:
        login(Settings(**GOOD | given))
    except UserMistake as error:
        return [p.message for p in error.problems]
    return []


def test_without_an_issuer_nobody_logs_in() -> None:
    assert login(Settings()) is None


def test_what_is_right_is_taken() -> None:
    groups = {"data-platform": ["admin"], "squad-*": ["editor", "squad:*"], "*-leads": ["domain:*"]}
    found = login(Settings(**GOOD, oidc_groups=groups, session_hours=1.5))
    assert found is not None
    assert (found.public_url, found.lasts.total_seconds()) == ("https://contracts.example.com", 5_400)
    assert mistakes(oidc_issuer="http://localhost:9000/realms/x", public_url="http://127.0.0.1:8080") == []
    assert mistakes(oidc_default_role="") == []


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"oidc_client_id": ""}, "OIDC_CLIENT_ID is not set"),
        ({"oidc_scopes": "profile"}, "OIDC_SCOPES does not hold 'openid'"),
        ({"oidc_issuer": "id.example.com"}, "OIDC_ISSUER is no web address"),
        ({"oidc_issuer": "http://id.example.com"}, "OIDC_ISSUER is not over TLS"),
        ({"public_url": ""}, "PUBLIC_URL is no web address"),
        ({"public_url": "http://contracts.example.com"}, "PUBLIC_URL is not over TLS"),
        ({"public_url": "https://example.com/contracts"}, "PUBLIC_URL has a path"),
        ({"public_url": "https://a:b@example.com"}, "PUBLIC_URL is no web address"),
        ({"oidc_default_role": "king"}, "OIDC_DEFAULT_ROLE has 'king': no scope"),
        ({"oidc_groups": {"a": ["king"]}}, "OIDC_GROUPS has 'king' for the group 'a': no scope"),
        ({"oidc_groups": {"a-*-*": ["viewer"]}}, "more than one '*'"),
        ({"oidc_groups": {"a": ["squad:*"]}}, "OIDC_GROUPS has 'squad:*' for the group 'a'"),
        # Else whoever may name a group could name themselves an admin.
        ({"oidc_groups": {"contracts-*": ["*"]}}, "OIDC_GROUPS has '*'"),
    ],
)
def test_what_is_wrong_is_told(given: dict[str, Any], told: str) -> None:
    assert any(told in message for message in mistakes(**given))


def test_groups_come_from_the_environment_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONTRACTS_OIDC_GROUPS", '{"squad-*": ["editor", "squad:*"]}')
    assert load().oidc_groups == {"squad-*": ["editor", "squad:*"]}
    monkeypatch.setenv("CONTRACTS_OIDC_GROUPS", "squad-*")
    with pytest.raises(UserMistake, match="OIDC_GROUPS is no JSON"):
        load()


def test_all_mistakes_are_told_at_once() -> None:
    assert len(mistakes(oidc_client_id="", public_url="", oidc_scopes="")) == 3
