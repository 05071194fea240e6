"""Patterns: what is one, what it is in full-match form, and what needs no automata."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from contracts_svc.adapters.pattern_process import PatternProcess
from contracts_svc.compat import patterns
from contracts_svc.compat.diff import diff
from contracts_svc.compat.fullmatch import all_match, full
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.patterns import Compared, Inclusion, fault, full_match, quick
from contracts_svc.compat.regex import NoPattern, Undecidable, read
from contracts_svc.compat.rules import judge
from contracts_svc.compat.rules_patterns import open_pairs
from contracts_svc.findings import Severity
from contracts_svc.flows.compatibility import pattern_answers
from contracts_svc.model import Column, Contract, Table
from tests.core.pattern_texts import PATTERNS, TEXTS, found_in

EQUAL, WIDER, NARROWER, _, UNDECIDED = Inclusion


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{2}$",
        r"(?<year>\d{4})",
        r"(?P<year>\d{4})",
        r"\u0041\/b",
        r"[0-\u0041]",
        r"\u{1F600}|\x41|\cJ|\0",
        "a{2",
        "{",
        "a{,3}",
        "]",
        "}",
        "[]",
        "[^]",
        r"[\w-a]",
        r"[a\-]",
        "[a-]",
        "a*?b+?c??d{1,2}?",
        r"\bword\b",
        r"(a)\1\k<n>",
        r"(?=a)(?!b)(?<=c)(?<!d)",
        "(?i)a",
        "(^)*(?:$)?",
        "(?i:a)",
        r"\p{L}[\p{Lu}]",
        "",
    ],
)
def test_what_is_a_regular_expression(pattern: str) -> None:
    assert fault(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "a ( is not closed"),
        (")", "a ) closes nothing"),
        ("(?:a|(b)", "a ( is not closed"),
        ("[", "a [ is not closed"),
        ("[a", "a [ is not closed"),
        ("*a", "nothing stands before its *"),
        ("a|+", "nothing stands before its +"),
        ("{2}", "nothing stands before its {"),
        ("a**", "it repeats a repeat"),
        ("a{2}{3}", "it repeats a repeat"),
        ("^*", "it repeats the start or the end of the text"),
        ("a{3,2}", "its repeat {3,2} is the wrong way round"),
        ("[z-a]", "its range z-a is the wrong way round"),
        ("(?x)?(?$)", "a group cannot begin with (?$"),
        ("a\\", "it ends in a backslash"),
        ("[\\", "it ends in a backslash"),
        (r"\p{L", r"a \p{ is not closed"),
        (7, "it is no text"),
        (["a"], "it is no text"),
    ],
)
def test_what_is_none_and_why(pattern: object, why: str) -> None:
    assert fault(pattern) == why


@given(st.text(alphabet="ab^$.*+?{}[]()|\\-,0123wdsuxPp<=!:", max_size=14))
@example("(" * 2000)
@example("((" * 70 + "))" * 70)
@example("a" * 20_000)
def test_any_text_is_a_pattern_or_not(text: str) -> None:
    try:
        read(text)
    except NoPattern as error:
        assert fault(text) == str(error) != ""
    except Undecidable:
        assert fault(text) == ""
    assert quick(text, text) in (Compared(EQUAL), quick(text, ""), quick("", text))


ALIKE = [
    ("^a", "^a.*"),
    ("a$", ".*a$"),
    ("^a$", "^(?:a)$"),
    ("^.*a.*$", "a"),
    ("", "a*"),
    ("", "^|$"),
    ("^(a|b)$", "^a$|^b$"),
    ("^(?:^a|^b)$", "^a$|^b$"),
    ("x*^a", "^a"),
    ("^^a$$", "^a$"),
    ("$^", "^$"),
    (r"^\d$", "^[0-9]$"),
    (r"^[\w-]$", "^[A-Za-z0-9_-]$"),
    (r"\Aa\z", "^a$"),
    ("a{2", r"a\{2"),
    ("a^", "[]"),
    ("(?:[])*", ""),
    ("^a{0}b$", "^b$"),
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_what_is_the_same_in_full_match_form(one: str, other: str) -> None:
    assert full(read(one)) == full(read(other))
    assert quick(one, other) == quick(other, one) == Compared(EQUAL)


@pytest.mark.parametrize(
    ("old", "new", "forms"),
    [
        ("^ab$", "^ba$", ("12", "21")),
        ("^a", "^b$", ("1(?:[012])*", "2")),
        ("^[a-f]$", "^[d-z]+$", ("[12]", "(?:[23]){1,}")),
        ("^(a|b{2,3})$", "^[ab]$", ("(?:1|(?:2){2,3})", "[12]")),
    ],
)
def test_patterns_in_full_match_form(old: str, new: str, forms: tuple[str, str]) -> None:
    """Classes of alike characters are numbered as they come; 0 are those that neither speaks of."""
    numbers = {0x4E00 + n: str(n) for n in range(10)}
    assert tuple(form.translate(numbers) for form in full_match(old, new)) == forms


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(?=a)b", "it looks ahead or behind"),
        (r"\bb", "it asks for the edges of words"),
        (r"(a)\1", "it refers back to a group"),
        (r"\p{L}", "it asks for properties of Unicode"),
        (r"[\p{L}]", "it asks for properties of Unicode"),
        ("(?i)b", "it sets flags for all that follows"),
        ("(?:^a)*", "it repeats the start or the end of the text"),
        ("(^|a)" * 7, "the start or the end of the text stands in too many places"),
        ("(" * 100 + ")" * 100, "its groups stand 60 deep in each other"),
        ("a" * 10_001, "it is longer than 10,000 characters"),
        ("(", "a ( is not closed"),
    ],
)
def test_what_cannot_be_compared_says_why(pattern: str, why: str) -> None:
    assert quick(pattern, "b") == quick("b", pattern) == Compared(UNDECIDED, why)


def test_a_pattern_that_lets_nothing_through_is_narrower_than_any_other() -> None:
    assert quick("a", "[]") == quick("^a", "b^") == Compared(NARROWER)
    assert quick("[]", "a") == Compared(WIDER)


@settings(deadline=None)
@given(PATTERNS)
@example("^(?:a|ab|b)$")
@example("^a{0,3}b?$")
def test_what_a_pattern_lets_through_is_known_text_by_text(pattern: str) -> None:
    found = found_in(pattern)
    try:
        tree = full(read(pattern))
    except Undecidable:
        assert patterns.few(pattern) is patterns.lets_through(pattern, TEXTS) is None
        return
    short = [t for t in TEXTS if len(t) < 6]
    assert [t for t in short if all_match(tree, [t])] == [t for t in short if t in found]
    shortest, longest = patterns.span(pattern)
    assert all(shortest <= len(t) and (longest is None or len(t) <= longest) for t in found)
    few = patterns.few(pattern)
    # All that is let through is among the characters and lengths of the short texts, or there is much.
    if few is not None and all(set(t) <= set("abd") and len(t) < 8 for t in few):
        assert set(few) == found


@pytest.mark.parametrize(
    ("pattern", "few"),
    [
        ("^(?:open|paid)$", ("open", "paid")),
        ("^[ab]{1,2}$", ("a", "aa", "ab", "b", "ba", "bb")),
        ("^$", ("",)),
        ("[]", ()),
        ("^[a-z]{2,3}$", None),
        ("^a{0,2000}$", None),
        ("^(?:(?:a{9}){9}){2}$", ("a" * 162,)),
        ("^.$", None),
        ("a", None),
        ("(?=a)", None),
    ],
)
def test_patterns_that_let_few_texts_through(pattern: str, few: tuple[str, ...] | None) -> None:
    assert patterns.few(pattern) == few


@pytest.mark.parametrize("pattern", ["^(a*)*$", "^(a|aa)+$", "^(.*a){30}$", "^(?:a{0,1000000}){10}$"])
def test_patterns_that_others_go_back_and_forth_in_are_matched(pattern: str) -> None:
    assert patterns.lets_through(pattern, ["a" * 90]) is True
    assert patterns.lets_through(pattern, ["a" * 90 + "!"]) is False


@pytest.mark.parametrize(
    "pattern", ["^" + "(" * 50 + "a" + "*b?)" * 50 + "$", "^(?:(?:a{0,999}b?){999}c?){999}$"]
)
def test_what_takes_too_many_steps_to_match_is_left_open(pattern: str) -> None:
    assert patterns.lets_through(pattern, ["a" * 300 + "!"]) is None


def test_few_but_very_long_texts_are_not_written_down() -> None:
    assert patterns.few("^(?:(?:(?:a{1000}){1000}){1000}){1000}$") is None
    assert patterns.span("^(?:(?:(?:a{1000}){1000}){1000}){1000}$") == (10**12, 10**12)


def contract(pattern: object) -> Contract:
    options = {} if pattern is None else {"pattern": pattern}
    column = Column(name="c", path="c", logical_type="string", logical_type_options=options)
    return Contract(
        api_version="v3.1.0", id="c", version="1.0.0", tables=(Table(name="t", columns=(column,)),)
    )


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        ("a", "b", (("a", "b"),)),
        (None, "b", (("", "b"),)),
        ("a", None, (("a", ""),)),
        ("a", "a", ()),
        ("^a", "^a.*", ()),
        ("a", "(?=b)", ()),
        ("a", "(", ()),
        ("a", 7, ()),
        (None, "a*", ()),
    ],
)
def test_which_pairs_somebody_must_compare(old: object, new: object, pairs: tuple[object, ...]) -> None:
    before, after = contract(old), contract(new)
    assert open_pairs(diff(before, after), before, after) == pairs


def rules(old: object, new: object, answers: patterns.Answers | None = None) -> dict[str, Severity]:
    before, after = contract(old), contract(new)
    found = judge(diff(before, after), before, after, patterns=answers)
    return {f.rule: f.severity for f in found if f.rule.startswith("pattern")}


def test_a_pair_that_nobody_has_compared_is_undecided() -> None:
    assert rules("a", "b") == {"pattern-undecided": Severity.WARNING}
    assert rules("a", "b", {("a", "b"): Compared(WIDER)}) == {"pattern-widened": Severity.ERROR}


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("a", "(", "pattern-invalid"),
        ("a", 7, "pattern-invalid"),
        ("(", "a", "pattern-undecided"),
        (7, "a", "pattern-undecided"),
        (None, "a*", "pattern-rewritten"),
        ("a*", None, "pattern-rewritten"),
        ("a", "^(?=b)", "pattern-undecided"),
        (None, "^(?=b)", "pattern-added"),
        ("^(?=b)", None, "pattern-removed"),
    ],
)
def test_odd_patterns_are_told_by_one_rule(old: object, new: object, rule: str) -> None:
    assert list(rules(old, new)) == [rule]


@given(
    st.sampled_from(["[a-c]", "[^a]", r"\d", r"[\]a]", r"[^\w]"]),
    st.sampled_from(["", "*", "+", "?", "{2}", "{2,}", "{0,3}", "{1,2}"]),
    st.integers(0, 3),
    st.none() | st.integers(0, 4),
    st.lists(st.sampled_from(["a", "b", "]", "1", "-"]), max_size=6).map("".join),
)
def test_lengths_beside_one_set_of_characters_count_its_times(
    chars: str, times: str, least: int, most: int | None, text: str
) -> None:
    pattern = f"^{chars}{times}$"
    found = patterns.of_both(pattern, least, most)
    assume(found != pattern)
    in_length = len(text) >= least and (most is None or len(text) <= most)
    kept = patterns.lets_through(pattern, [text]) and in_length
    assert patterns.lets_through(found, [text]) is kept


@pytest.mark.parametrize(
    ("pattern", "least", "most", "both"),
    [
        ("^[a-z]+$", 0, 3, "^[a-z]{1,3}$"),
        (r"^\d*$", 2, None, r"^\d{2,}$"),
        ("^[a-z]{2}$", 0, 9, "^[a-z]{2,2}$"),
        ("^[a-z]{2}$", 3, 9, "^[a-z]{2}$"),
        ("^[a-z]+[0-9]$", 0, 3, "^[a-z]+[0-9]$"),
        ("[a-z]+", 0, 3, "[a-z]+"),
        ("^[a-z]+$", 0, 100_000, "^[a-z]+$"),
    ],
)
def test_lengths_are_written_into_a_pattern(pattern: str, least: int, most: int | None, both: str) -> None:
    assert patterns.of_both(pattern, least, most) == both


def test_lengths_that_move_into_the_pattern_break_nobody() -> None:
    def contract(**options: object) -> Contract:
        column = Column(name="c", path="c", logical_type="string", logical_type_options=options)
        tables = (Table(name="t", columns=(column,)),)
        return Contract(api_version="v3.1.0", id="c", version="1.0.0", tables=tables)

    old, new = contract(pattern="^[a-z]+$", maxLength=3), contract(pattern="^[a-z]{1,3}$")
    changes = diff(old, new)
    with PatternProcess() as inclusion:
        found = judge(changes, old, new, Mode.FULL, patterns=pattern_answers(changes, old, new, inclusion))
    assert {f.rule: f.severity for f in found if f.rule != "version-not-raised"} == {
        "pattern-rewritten": Severity.INFO,
        "limit-rewritten": Severity.INFO,
    }
