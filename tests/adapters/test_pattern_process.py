"""Patterns compared in a child process: right answers, and bounds that hold."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.compat.patterns import Compared, Inclusion
from tests.core.pattern_texts import PATTERNS, found_in

EQUAL, WIDER, NARROWER, DIFFERENT, UNDECIDED = Inclusion


@pytest.fixture(scope="module")
def inclusion() -> Iterator[PatternProcess]:
    with PatternProcess(seconds=30, budget=600) as process:
        yield process


def by_counting(old: str, new: str) -> Inclusion:
    before, after = found_in(old), found_in(new)
    if before == after:
        return EQUAL
    if before < after:
        return WIDER
    return NARROWER if after < before else DIFFERENT


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(old=PATTERNS, new=PATTERNS)
@example(old="(?:a*b)*", new="^(?:[ab]*b)?$")
@example(old="a+", new="a*")
@example(old="^(a|b)*$", new="^[ab]*$")
@example(old="a^|b", new="b")
@example(old="$(?:a?)^", new="^$")
@example(old="(?:^a)?b", new="b|^ab")
def test_every_answer_is_what_trying_all_short_texts_gives(
    inclusion: PatternProcess, old: str, new: str
) -> None:
    told = inclusion.compare(old, new)
    if told.inclusion is UNDECIDED:
        assert told.why == "it repeats the start or the end of the text"
    else:
        assert told == Compared(by_counting(old, new))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (r"^\d{3}-\d{4}$", r"^[0-9]{3}-?[0-9]{4}$", WIDER),
        (r"^\d+$", r"^\w+$", WIDER),
        (r"^\s$", "^ $", NARROWER),
        ("^[^a]$", "^[^b]$", DIFFERENT),
        (r"^\u00e9$", "^é$", EQUAL),
        (r"^[\u0000-\uffff]$", r"^[\u0000-\u{10ffff}]$", WIDER),
        (r"^\S+@\S+$", r"^[\w.]+@[\w.]+\.\w+$", NARROWER),
        ("^A.{0,40}$", "^[A-Z].{0,40}$", WIDER),
        ("", "^(?:a|[^a])*$", EQUAL),
        ("^.{2,5}$", "^..(?:.(?:.(?:.)?)?)?$", EQUAL),
    ],
)
def test_patterns_as_people_write_them(
    inclusion: PatternProcess, old: str, new: str, expected: Inclusion
) -> None:
    assert inclusion.compare(old, new).inclusion is expected
    swapped = {WIDER: NARROWER, NARROWER: WIDER}
    assert inclusion.compare(new, old).inclusion is swapped.get(expected, expected)


BOMB = ("^(a|b)*a(a|b){24}$", "^(a|b)*b(a|b){25}$")


def test_what_takes_too_long_is_undecided_and_the_next_pair_is_answered() -> None:
    with PatternProcess(seconds=1) as process:
        assert process.compare(*BOMB) == Compared(UNDECIDED, "it takes longer than 1 s to compare them")
        assert process.compare("^a$", "^ab?$") == Compared(WIDER)
        assert process.started == 2


def test_what_takes_too_much_memory_is_undecided() -> None:
    # Less than the child has when it starts: it gets no more, perhaps not even for saying so.
    with PatternProcess(seconds=60, budget=60, megabytes=1) as process:
        told = process.compare(*BOMB)
        assert told in (
            Compared(UNDECIDED, "it takes more than 1 MB of memory to compare them"),
            Compared(UNDECIDED, "the process that compares patterns was ended"),
        )
        assert process.compare("^a$", "^ab?$") == Compared(WIDER)
        assert process.started == 2


def test_many_bombs_use_up_one_budget() -> None:
    with PatternProcess(seconds=0.2, budget=0.5) as process:
        told = [process.compare(f"{BOMB[0]}|c{{{n}}}", BOMB[1]).why for n in range(1, 30)]
        assert process.started <= 3
        assert told[-1] == "the time for comparing patterns is used up"
        # What needs no automata is still answered.
        assert process.compare("^a", "^a.*") == Compared(EQUAL)


@pytest.mark.parametrize(
    "pattern", ["(" * 3000, "a{1000000}" * 9, "((a{99}){99}){99}", "[" * 50, "a|" * 4000]
)
def test_odd_patterns_end_too(pattern: str) -> None:
    with PatternProcess(seconds=1) as process:
        assert process.compare(pattern, "^b+$").inclusion in (UNDECIDED, WIDER, NARROWER, DIFFERENT)


def test_no_child_without_need() -> None:
    with PatternProcess() as process:
        assert process.compare("^a", "^a.*") == Compared(EQUAL)
        assert process.compare("(?=a)", "a").inclusion is UNDECIDED
        assert process.started == 0


def children() -> dict[int, bytes]:
    """The environment of every child of ours that compares patterns, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(status[1]) == os.getpid() and b"pattern_child" in (folder / "cmdline").read_bytes():
                found[int(folder.name)] = (folder / "environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_the_child_gets_no_credentials_and_goes_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("CONTRACTS_S3_SECRET_KEY", "secret")
    before = children()
    with PatternProcess() as process:
        process.compare("^a$", "^ab?$")
        (born,) = children().keys() - before.keys()
        environment = children()[born]
        assert b"PATH=" in environment
        assert b"secret" not in environment
    assert born not in children()


def test_a_child_that_dies_is_told_and_replaced() -> None:
    before = children()
    with PatternProcess() as process:
        assert process.compare("^a$", "^ab?$") == Compared(WIDER)
        (born,) = children().keys() - before.keys()
        os.kill(born, signal.SIGKILL)
        told = process.compare("^a$", "^ac?$")
        assert told == Compared(UNDECIDED, "the process that compares patterns was ended")
        assert process.compare("^a$", "^ad?$") == Compared(WIDER)
