"""ECMA patterns become RE2 patterns that mean the same, or a reason why not."""

from __future__ import annotations

import re

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.quality.patterns import CannotTranslate, to_glob, to_re2


def found(pattern: str, value: str) -> bool:
    row = duckdb.execute("SELECT regexp_matches(?, ?)", [value, to_re2(pattern)]).fetchone()
    assert row is not None
    return bool(row[0])


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (r"^\d{3}-\d{4}$", ["555-1234"], ["5551234", "555-12345", "٣٣٣-٣٣٣٣"]),
        (r"^[A-Z]{2}[0-9]{2}$", ["DE12"], ["de12"]),
        (r"^\/a\-b\@c$", ["/a-b@c"], ["a-b@c"]),
        (r"^\u00e9\x41$", ["éA"], ["eA"]),
        (r"^\u{1F600}$", ["😀"], [":)"]),
        (r"^(?<year>\d+)$", ["2013"], ["x"]),
        (r"^a\sb$", ["a b", "a\u00a0b", "a\u2003b", "a\vb"], ["ab"]),
        (r"^[\s,]+$", [" ,\u00a0"], ["x"]),
        (r"^\S+$", ["ab"], ["a\u00a0b", ""]),
        (r"^[^]$", ["x", "\n"], ["", "xx"]),
        (r"^[]$", [], ["", "x"]),
        (r"^.$", ["x"], ["\n"]),
        (r"^a{2,3}?$", ["aa", "aaa"], ["a"]),
        (r"^a{$", ["a{"], ["a"]),
        (r"^[\b]$", ["\b"], ["b"]),
        (r"^\cJ$", ["\n"], ["J"]),
        (r"^\p{Lu}+$", ["ÄB"], ["äb"]),
        (r"^\p{Script=Greek}$", ["α"], ["a"]),
        (r"^(?:a|b)*$", ["", "abba"], ["c"]),
        (r"(?i)^ab$", ["AB"], ["x"]),
        (r"\Aab\Z", ["ab"], ["xab", "ab\n"]),
        (r"^\_x\e$", ["_xe"], ["x"]),
        ("", ["", "anything"], []),
    ],
)
def test_means_the_same(pattern: str, matching: list[str], others: list[str]) -> None:
    assert [v for v in matching if not found(pattern, v)] == []
    assert [v for v in others if found(pattern, v)] == []


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (r"^(?=.*\d)", "looks ahead or behind"),
        (r"(?!x)", "looks ahead or behind"),
        (r"(?<=x)y", "looks ahead or behind"),
        (r"(?<!x)y", "looks ahead or behind"),
        (r"(a)\1", "refers back"),
        (r"(?<n>a)\k<n>", "refers back"),
        (r"a{1001}", "more than 1,000 times"),
        (r"a{3,2}", "wrong way round"),
        (r"a**", "repeats a repeat"),
        (r"a++", "repeats a repeat"),
        (r"*a", "nothing stands before"),
        (r"(?>a)", "does not know the group"),
        (r"(a", "( is not closed"),
        (r"a)", ") closes nothing"),
        (r"[a", "[ is not closed"),
        ("a\\", "ends in a backslash"),
    ],
)
def test_refused(pattern: str, reason: str) -> None:
    with pytest.raises(CannotTranslate) as raised:
        to_re2(pattern)
    assert reason in str(raised.value)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b",
                ".",
                "|",
                "(",
                ")",
                "[",
                "]",
                "^",
                "$",
                "*",
                "?",
                "+",
                "{2}",
                r"\d",
                r"\s",
                r"\\",
                "-",
                "(?:",
            ]
        ),
        max_size=10,
    ).map("".join),
    st.text(alphabet="ab -\n", max_size=4),
)
def test_what_is_translated_runs_or_is_refused_by_the_engine_alone(pattern: str, value: str) -> None:
    """The engine may still refuse (a range the wrong way round); then only that check cannot run."""
    try:
        found(pattern, value)
    except (CannotTranslate, duckdb.InvalidInputException):
        return


CHARACTERS = st.sampled_from(
    [
        "N",
        "a",
        "_",
        " ",
        "-",
        ":",
        r"\d",
        "[0-9]",
        "[A-F0-9a]",
        "[a-c]",
        "[19]",
        "[0-9]{3}",
        r"\d{2}",
        "x{2}",
        "0{0}",
    ]
)
PIECES = st.sampled_from(
    [
        "N",
        "a",
        "b",
        "c",
        "_",
        " ",
        "-",
        ":",
        "0",
        "7",
        "19",
        "F",
        "x",
        "xx",
        "ä",
        "\n",
        "\0",
        "[",
        "*",
        "?",
        "\\",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CHARACTERS, min_size=1, max_size=5), st.lists(st.lists(PIECES, max_size=7), max_size=6))
def test_what_can_be_compared_by_glob_means_the_same(parts: list[str], pieces: list[list[str]]) -> None:
    pattern = f"^{''.join(parts)}$"
    glob = to_glob(pattern)
    values = ["".join(p) for p in pieces] + [
        "".join(
            re.sub(r"\{\d\}", "", p).strip("[]\\").replace("d", "7")[:1]
            * int((re.findall(r"\{(\d)\}", p) or ["1"])[0])
            for p in parts
        )
    ]
    if glob is None:
        assert set(parts) == {"0{0}"}
        return
    for value in values:
        row = duckdb.execute("SELECT ? GLOB ?", [value, glob]).fetchone()
        assert row is not None
        assert bool(row[0]) == found(pattern, value), (pattern, glob, value)


@pytest.mark.parametrize(
    "pattern", ["", "^$", "N[0-9]$", "^N[0-9]", "^N.$", "^[^a]$", "^[a-]$", "^[b-a]$", "^a|b$", "^a+$", "^a{65}$",
                "^a{1,2}$", r"^\w$", "^ä$", "^[]a]$", "^[a$", r"^a\$", "(?i)^a$", "^a*$", "^[a-z-9]$", "^[a-c-e]$"]
)  # fmt: skip
def test_what_glob_cannot_say(pattern: str) -> None:
    assert to_glob(pattern) is None
