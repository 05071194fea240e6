"""What the channels of contracts are reached by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.adapters.receivers import KINDS
from contracts_svc.errors import UserMistake
from contracts_svc.impact import channels_of
from contracts_svc.routes.channels import address_of, pick, what_is_missing, workspaces_of
from contracts_svc.routes.read import read
from contracts_svc.routing import owner_of
from tests.core.odcs_texts import read as read_contract

FILE = """
route: {receiver: contract}
channels:
  - {tool: slack, token: env:SLACK_ALL}
  - {tool: slack, workspaces: [acme, T012AB3CD], token: env:SLACK_ACME}
  - {tool: slack, channel: '#secret', token: env:SLACK_SECRET}
  - {tool: Teams, channel: Flight Ops, url: env:TEAMS_FLIGHT_OPS}
  - {tool: opsgenie, url: env:OPSGENIE}
  - {tool: pagerduty, routing_key: env:PD_KEY}
"""


def options(text: str, tool: str, channel: str, url: str = "") -> dict[str, str] | None:
    spec = pick(read(text.encode(), "routes.yaml", KINDS).channels, tool, channel, url)
    return dict(spec.options) if spec else None


@pytest.mark.parametrize(
    ("tool", "channel", "url", "found"),
    [
        ("slack", "#a", "", {"token": "env:SLACK_ALL"}),
        ("slack", "#a", "https://acme.slack.com/archives/C1", {"token": "env:SLACK_ACME"}),
        ("slack", "#a", "https://app.slack.com/client/T012AB3CD/C1", {"token": "env:SLACK_ACME"}),
        ("slack", "#a", "https://other.slack.com/archives/C1", {"token": "env:SLACK_ALL"}),
        ("slack", "#a", "https://acme.slack.com.evil.example/", {"token": "env:SLACK_ALL"}),
        ("slack", "#secret", "https://acme.slack.com/archives/C1", {"token": "env:SLACK_SECRET"}),
        ("teams", "Flight Ops", "", {"url": "env:TEAMS_FLIGHT_OPS"}),
        ("teams", "Finance", "", None),
        ("opsgenie", "anybody", "", {"url": "env:OPSGENIE"}),
        ("pagerduty", "x", "", {"routing_key": "env:PD_KEY"}),
        ("ticket", "DATA", "", None),
    ],
)
def test_the_entry_that_says_most_is_taken(
    tool: str, channel: str, url: str, found: dict[str, str] | None
) -> None:
    assert options(FILE, tool, channel, url) == found


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{channel: x, url: env:A}", "'tool' is missing"),
        ("{tool: teams}", "'url' is missing"),
        ("{tool: teams, url: 'https://hook'}", "'url' is secret"),
        ("{tool: teams, workspaces: [a], url: env:A}", "unknown key 'workspaces'"),
        ("{tool: slack, token: xoxb-1}", "'token' is secret"),
        ("{tool: slack, tokn: env:A}", "did you mean 'token'"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(entry: str, said: str) -> None:
    with pytest.raises(UserMistake) as caught:
        read(f"route: {{receiver: contract}}\nchannels:\n  - {entry}\n".encode(), "routes.yaml", KINDS)
    (problem,) = caught.value.problems
    assert said in problem.message
    assert problem.at is not None
    assert problem.at.line == 3
    assert "xoxb-1" not in str(caught.value)


def test_the_same_channels_twice_are_a_mistake() -> None:
    text = "route: {receiver: contract}\nchannels: [{tool: a, url: env:A}, {tool: a, url: env:B}]"
    with pytest.raises(UserMistake, match="same channels"):
        read(text.encode(), "routes.yaml", KINDS)


@pytest.mark.parametrize(
    ("channel", "url", "found"),
    [
        ("data@example.com", "", "data@example.com"),
        ("Data team", "mailto:data@example.com?subject=x", "data@example.com"),
        ("Data team", "mailto:data%2Bops@example.com", "data+ops@example.com"),
        ("Data team", "https://example.com", ""),
        ("a@example.com,b@example.com", "", ""),
        ("a@example.com\r\nBcc: b@example.com", "", ""),
        ("Ada <a@example.com>", "", ""),
        ("a@example.com?to=b@example.com", "", ""),
        ("a b@example.com", "", ""),
        ("@example.com", "", ""),
    ],
)
def test_e_mail_goes_to_one_plain_address(channel: str, url: str, found: str) -> None:
    assert address_of(channel, url) == found


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_whatever_a_contract_names_is_safe_to_look_at(tool: str, channel: str, url: str) -> None:
    workspaces_of(url)
    address = address_of(channel, url)
    assert not set(address) & set("\r\n,<> ")
    assert len(what_is_missing(tool, channel, "menu")) < 600


def test_alerts_go_to_the_channel_for_issues_of_owner_and_reader_alike() -> None:
    contract = read_contract(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\nsupport:\n"
        "  - {channel: '#news', tool: slack, scope: announcements}\n"
        "  - {channel: help, tool: ticket}\n"
        "  - {channel: a@b.example, tool: email, scope: issues, url: 'mailto:a@b.example'}\n"
    )
    assert [c.address for c in channels_of(contract)] == ["a@b.example", "#news", "help"]
    owner = owner_of(contract, contract.id, "slack")
    assert (owner.receiver, owner.channel, owner.url) == ("email", "a@b.example", "mailto:a@b.example")
