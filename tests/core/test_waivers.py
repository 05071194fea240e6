"""The waivers file: what it says, and every mistake in it with its place and the way out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts_svc.errors import UserMistake
from contracts_svc.waivers import Waiver, read_waivers

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
GOOD = """- fingerprint: "0123456789abcdef"
  approver: finance
  reason: we move next week
  expires: 2026-03-09T12:00:00+01:00
"""


def waivers(text: str, most_days: int = 90) -> tuple[Waiver, ...]:
    return read_waivers(text.encode(), "w.yaml", now=NOW, most_days=most_days)


def test_a_waiver() -> None:
    (found,) = waivers(GOOD)
    assert (found.fingerprint, found.approver, found.reason) == (
        "0123456789abcdef",
        "finance",
        "we move next week",
    )
    assert found.expires == datetime(2026, 3, 9, 11, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "[]\n", "---\n"])
def test_a_file_without_waivers(text: str) -> None:
    assert waivers(text) == ()


@pytest.mark.parametrize("fingerprint", ["1234567890123456", "12345678901234e5", "0000000000000000"])
def test_a_fingerprint_that_looks_like_a_number_needs_no_quotes(fingerprint: str) -> None:
    (found,) = waivers(GOOD.replace('"0123456789abcdef"', fingerprint))
    assert found.fingerprint == fingerprint


def test_what_has_expired_is_no_mistake() -> None:
    assert len(waivers(GOOD.replace("2026-03-09", "2020-03-09"))) == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("  reason: we move next week\n", "", "1:3 a waiver needs 'reason' | add 'reason: ...'"),
        ("we move next week", "", "3:10 'reason' must be text, not nothing | write some text"),
        ("we move next week", "'  '", "3:11 'reason' must be text, not nothing | write some text"),
        ("approver", "aprover", "2:3 unknown key 'aprover'; did you mean 'approver'? | write 'approver'"),
        ('"0123456789abcdef"', "[]", "1:16 a list is no fingerprint of a change | copy the 16 characters that the pre-flight shows beside the change"),
        ("0123456789abcdef", "flights.dest", "1:16 'flights.dest' is no fingerprint of a change | copy the 16 characters that the pre-flight shows beside the change"),
        ("2026-03-09T12:00:00+01:00", "next week", "4:12 'expires' cannot be 'next week' | write a time, as in 2026-05-31T12:00:00Z"),
        ("2026-03-09T12:00:00+01:00", "2026-03-09", "4:12 'expires' has no time zone: '2026-03-09' | write it with one, as in 2026-03-09T00:00:00Z"),
        ("2026-03-09T12:00:00+01:00", "2026-03-09T12:00:00", "4:12 'expires' has no time zone: '2026-03-09T12:00:00' | write it with one, as in 2026-03-09T12:00:00Z"),
        ("2026-03-09", "2027-03-09", "4:12 'expires' is more than 90 days from now | 2026-05-31T12:00:00Z is the latest; the policy's waiver_days says so"),
    ],
)  # fmt: skip
def test_mistakes(old: str, new: str, problem: str) -> None:
    assert old in GOOD
    with pytest.raises(UserMistake) as caught:
        waivers(GOOD.replace(old, new))
    found = [f"{p.at.line}:{p.at.column} {p.message} | {p.hint}" for p in caught.value.problems if p.at]
    assert problem in found


@pytest.mark.parametrize("text", ["waivers: []\n", "yes\n", "- one\n- [two]\n"])
def test_what_is_no_list_of_waivers(text: str) -> None:
    with pytest.raises(UserMistake, match=r"w\.yaml:1:"):
        waivers(text)


def test_every_problem_is_told_and_a_flood_is_bounded() -> None:
    with pytest.raises(UserMistake) as caught:
        waivers("- {}\n" * 1000)
    assert len(caught.value.problems) == 101
