"""YAML that is broken, misleading or made to hurt: a clear error at its place, in bounded time and memory."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc import odcs
from contracts_svc.errors import UserMistake
from contracts_svc.odcs.yaml_nodes import MAX_DEPTH, MAX_NODES, parse
from contracts_svc.odcs.yaml_text import MAX_BYTES
from tests.core.odcs_texts import EVERYTHING, FILE, HEADER, problems, read, told

BOM = b"\xef\xbb\xbf"

# Text -> every problem, as (place, message).
CASES: dict[str, tuple[str | bytes, list[tuple[str, str]]]] = {
    "empty": (b"", [("1:1", "the file is empty")]),
    "only a comment": ("# nothing\n", [("1:1", "the file is empty")]),
    "only a document mark": ("---\n", [("1:1", "the file is empty")]),
    "a list": ("- a\n", [("1:1", "a contract is a mapping at its top level, as in 'apiVersion: v3.1.0'")]),
    "one word": ("hello", [("1:1", "a contract is a mapping at its top level, as in 'apiVersion: v3.1.0'")]),
    "two documents": ("a: 1\n---\nb: 2\n", [("2:1", "a second YAML document begins here")]),
    "byte order mark": (BOM + b"a: 1", [("1:1", "the file begins with a byte order mark")]),
    "UTF-16": ("a: 1".encode("utf-16"), [("1:1", "the file begins with the byte order mark of UTF-16")]),
    "not UTF-8": (
        "a: é\nb: é".encode() + b"\xff\n",
        [("2:5", "this is not UTF-8: the byte 0xff begins no character")],
    ),
    "NUL": ("a: x\nb: \0\n", [("2:4", "the control character U+0000 is not allowed here")]),
    "escape": ("a: \x1b[31m\n", [("1:4", "the control character U+001B is not allowed here")]),
    "NUL as an escape": ('a: "\\0"\n', [("1:4", "this text holds a NUL character")]),
    "tab as indentation": ("a:\n\tb: 1\n", [("2:1", "a tab is used to indent; YAML allows only spaces")]),
    "tab after spaces": ("a:\n  b:\n  \tc: 1\n", [("3:3", "a tab is used to indent; YAML allows only spaces")]),
    "duplicate key": ("a: 1\nb: 2\na: 3\n", [("3:1", "the key 'a' is here a second time; the first is at line 1")]),
    "two duplicates": (
        "a: 1\na: 2\nb: {c: 1, c: 2}\n",
        [
            ("2:1", "the key 'a' is here a second time; the first is at line 1"),
            ("3:11", "the key 'c' is here a second time; the first is at line 3"),
        ],
    ),
    "keys that are not text": (
        "1: a\ntrue: b\n~: c\n1.5: d\n",
        [
            ("1:1", "this key is not text: 1"),
            ("2:1", "this key is not text: true"),
            ("3:1", "this key is not text: ~"),
            ("4:1", "this key is not text: 1.5"),
        ],
    ),
    "no key": ("?\n: a\n", [("1:2", "this key is not text: nothing")]),
    "a key that is a list": ("? [a, b]\n: c\n", [("1:3", "this key is a mapping or a list")]),
    "merge key": ("a: &a {b: 1}\nc:\n  <<: *a\n", [("3:3", "the merge key '<<' is not part of YAML 1.2")]),
    "alias without anchor": ("a: *b\n", [("1:4", "the alias '*b' has no anchor '&b' before it")]),
    "alias inside itself": (
        "a: &a\n  b: [*a]\n",
        [("2:7", "the alias '*a' stands inside what it repeats, so it never ends")],
    ),
    "Python object": (
        "a: !!python/object/apply:os.system ['echo hi']\n",
        [("1:4", "the tag '!!python/object/apply:os.system' is not allowed; a contract holds plain values only")],
    ),
    "Python object, spelt out": (
        "a: !<tag:yaml.org,2002:python/name:os.system> ''\n",
        [("1:4", "the tag '!!python/name:os.system' is not allowed; a contract holds plain values only")],
    ),
    "other tags": (
        "a: !mine x\nb: !!binary aGk=\nc: !!timestamp 2001-01-01\nd: !!set {x}\ne: !!omap []\n",
        [
            (place, f"the tag '{tag}' is not allowed; a contract holds plain values only")
            for place, tag in (
                ("1:4", "!mine"), ("2:4", "!!binary"), ("3:4", "!!timestamp"), ("4:4", "!!set"), ("5:4", "!!omap")
            )
        ],
    ),
    "a tag that does not fit": ("a: !!int x\n", [("1:4", "the tag '!!int' does not fit 'x'")]),
    "an unknown handle": ("a: !x!y z\n", [("1:4", "this tag is not known")]),
    "not a number": (
        "a: .nan\nb: -.inf\nc: 1e999\n",
        [
            ("1:4", ".nan is not a number that JSON knows"),
            ("2:4", "-.inf is not a number that JSON knows"),
            ("3:4", "this number is too large"),
        ],
    ),
    "a giant number": (
        f"a: {'9' * 5000}\n",
        [("1:4", "this number has 5,000 digits; at most 308 can be read")],
    ),
    "an open quote": ('a: 1\nb: "x\nc: 2\n', [("2:4", "a quote is opened but never closed")]),
    "an open list": ("a: [1, 2\nb: 3\n", [("2:2", "a list in [...] is not closed, or a ',' is missing")]),
    "a colon in text": ("a: b: c\n", [("1:5", "a ':' stands where no key can be")]),
    "a key that does not line up": ("a: 1\n b: 2\n", [("2:3", "a ':' stands where no key can be")]),
    "reserved characters": ("a: @x\n", [("1:4", "text cannot begin with '@' here")]),
    "half a character": ('a: "\\ud800"\n', [("1:7", "this escape names no Unicode character")]),
    "an unknown escape": ('a: "C:\\temp\\q"\n', [("1:12", "no such escape is known after '\\'")]),
    "another YAML": ("%YAML 3.0\n---\na: 1\n", [("1:1", "this version of YAML cannot be read")]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_kind_has_its_message_and_place(name: str) -> None:
    text, expected = CASES[name]
    found = told(text)
    if len(expected) == 1 and len(found) == 1 and "(in what begins" in found[0][1]:
        found = [(found[0][0], found[0][1].partition(" (in what begins")[0])]
    assert found == expected
    assert all(p.hint for p in problems(text)), "a way out"


def value(written: str) -> object:
    return parse(f"a: {written}\n".encode(), FILE).value["a"]


# https://yaml.org/spec/1.2.2/#103-core-schema, but for digits after a leading zero, which stay text.
SCALARS: dict[str, object] = {
    "no": "no", "yes": "yes", "on": "on", "Off": "Off", "y": "y", "N": "N", "NO": "NO",
    "10:30": "10:30", "190:20:30": "190:20:30", "2024-01-01": "2024-01-01",
    "2024-01-01T00:00:00Z": "2024-01-01T00:00:00Z", "1_000": "1_000", "0b101": "0b101", "=": "=", "1.0.0": "1.0.0",
    "v3": "v3", "+": "+", ".": ".", "1e": "1e", "-x": "-x", "nan": "nan", "Infinity": "Infinity",
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False, "tRUE": "tRUE",
    "null": None, "Null": None, "NULL": None, "~": None, "": None, "nULL": "nULL",
    "0": 0, "-7": -7, "+7": 7, "007": "007", "0068": "0068", "-01": "-01", "00.5": "00.5", "0.5": 0.5, "-0": 0, "0o17": 15, "0xFF": 255, "-0x1": "-0x1", "12345678901234567890": 12345678901234567890,
    "1.": 1.0, ".5": 0.5, "-1.5e3": -1500.0, "1E-2": 0.01, "3e2": 300.0,
    "'1'": "1", '"true"': "true", "!!str 1": "1", "!!str": "", "! 1": "1", "!!int '1'": 1, "!!float 1": 1.0, "!!null ''": None,
    "!!bool true": True, "!!seq [1]": [1], "!!map {x: 1}": {"x": 1}, '"\\u00e9\\t"': "é\t", "[a, ~]": ["a", None], "{}": {},
}  # fmt: skip


@pytest.mark.parametrize("written", SCALARS)
def test_scalars_mean_what_yaml_1_2_says(written: str) -> None:
    found = value(written)
    assert found == SCALARS[written]
    assert type(found) is type(SCALARS[written])


def test_an_alias_repeats_a_value() -> None:
    assert parse(b"a: &x {b: 1}\nc: *x\nd: &y k\n*y : 2\n", FILE).value == {
        "a": {"b": 1}, "c": {"b": 1}, "d": "k", "k": 2,
    }  # fmt: skip


def test_the_limits_let_pass_what_is_just_below_them() -> None:
    deepest = "a: " + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    most = "a: [" + ",".join("1" * (MAX_NODES - 3)) + "]"  # besides: the mapping, its key, the list
    longest = b"a: " + b"x" * (MAX_BYTES - 3)
    for text in (deepest.encode(), most.encode(), longest):
        parse(text, FILE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "[" * MAX_DEPTH + "]" * MAX_DEPTH, f"nested deeper than {MAX_DEPTH} levels"),
        (
            "a: [" + ",".join("1" * (MAX_NODES - 2)) + "]",
            f"up to here the document holds more than {MAX_NODES:,} values, aliases followed",
        ),
        (
            "a: " + "x" * (MAX_BYTES - 2),
            f"the file has {MAX_BYTES + 1:,} bytes; at most {MAX_BYTES:,} (16 MiB) are read",
        ),
    ],
)  # fmt: skip
def test_the_limits_stop_what_is_just_above_them(text: str, message: str) -> None:
    with pytest.raises(UserMistake) as caught:
        parse(text.encode(), FILE)
    assert [p.message for p in caught.value.problems] == [message]


def test_aliases_cannot_nest_deeper_than_the_limit_either() -> None:
    chain = "".join(f"a{i + 1}: &a{i + 1} [[[[[[[[[[*a{i}]]]]]]]]]]\n" for i in range(20))
    assert told("a0: &a0 x\n" + chain)[0] == ("11:21", f"nested deeper than {MAX_DEPTH} levels")


# What is made to hurt: an expression that makes the text -> part of the message.
HURTFUL = {
    "'a: ' + '[' * 10_000": "nested deeper than",
    "'[' * 16_000_000": "nested deeper than",
    "'{a: ' * 3_200_000": "nested deeper than",
    "'- ' * 8_000_000": "nested deeper than",
    "'? ' * 8_000_000": "nested deeper than",
    "''.join(' ' * i + 'a:\\n' for i in range(3_500))": "nested deeper than",
    "'a: &a [x,x]\\n' + ''.join(f'b{i}: &b{i} [*b{i-1},*b{i-1}]\\n' for i in range(1, 60)).replace('*b0', '*a')": (
        "values, aliases followed"
    ),
    "'a: ' + '[' * 90 + 'a,' * 8_000_000": "values, aliases followed",
    "'- x\\n' * 4_000_000": "values, aliases followed",
    "'x' * 20_000_000": "at most 16,777,216 (16 MiB) are read",
    "''.join(f'%TAG !a{i}! b\\n' for i in range(800_000)) + '---\\na: 1\\n'": "lines begin with %TAG",
    "'a: 1\\n' * 2_000_000": "more than 100 problems",
    "'a: !x y\\n' * 1_800_000": "this tag is not known|is not allowed",
    "'a: \"' + chr(10) * 16_000_000": "a quote is opened but never closed",
    "'x' * 16_000_000 + ': a'": "a ':' stands where no key can be",
    "'a: ' + '9' * 16_000_000": "this number has 16,000,000 digits",
    "'#' * 16_000_000": "the file is empty",
    "HEADER + 'tags: [' + '1,' * 495_000 + ']'": "more problems from here on",
    "HEADER + ''.join(f'k{i}: 1\\n' for i in range(9_990))": "more problems from here on",
    "HEADER + ''.join(f'k{i}: 1\\n' for i in range(240_000))": "this mapping holds more than 10,000 keys",
    "HEADER + 'schema: [{name: t, relationships: [' + '{from: 1, to: 1},' * 97_000 + ']}]'": (
        "more problems from here on"
    ),
    "HEADER + 'schema: [{name: t, properties: [' + '{nme: a},' * 160_000 + ']}]'": "more problems from here on",
    "HEADER + 'schema: [{name: t, properties: [' + '{name: a, items: ' * 40 + '{x: 1}' + '}' * 40 + ']}]'": (
        "unknown key 'x'"
    ),
}

RUN = """
import re, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from contracts_svc import odcs
from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.errors import UserMistake
HEADER = sys.argv[2]
try:
    odcs.read(eval(sys.argv[1]).encode(), "x", PackagedSchemas().schema)
except UserMistake as error:
    print(str(error)[-4000:])
    sys.exit(0)
sys.exit("it was read")
"""


@pytest.mark.parametrize("made", HURTFUL)
def test_what_is_made_to_hurt_ends_in_a_clear_error(made: str) -> None:
    """In a process of its own, so that a crash, a hang or a gigabyte of memory is a failure here."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, made, HEADER], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert any(part in done.stdout for part in HURTFUL[made].split("|")), done.stdout


def test_depth_needs_no_stack() -> None:
    """Threads of servers have small stacks: a recursive reader would crash the interpreter here."""
    found: list[str] = []
    deep = b"a: " + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)

    def run() -> None:
        for text in (deep, b"[" * 10_000, HEADER.encode() + deep):
            found.extend(p.message for p in problems(text))

    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
    finally:
        threading.stack_size(before)
    assert len(found) == 3


def in_the_text(text: bytes, error: UserMistake) -> bool:
    lines = len(text.decode("utf-8", "replace").splitlines()) + 1  # the end may be on a line of its own
    return all(p.at and 1 <= p.at.line <= lines and p.at.column >= 1 for p in error.problems)


def read_or_mistake(text: bytes) -> None:
    try:
        contract = read(text)
    except UserMistake as error:
        assert error.problems
        assert in_the_text(text, error)
    else:
        odcs.lint(contract)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_told_as_a_mistake(text: bytes) -> None:
    read_or_mistake(text)
    read_or_mistake(HEADER.encode() + text)


PIECES = st.sampled_from([
    b"", b" ", b"\t", b"\n", b":", b"- ", b"'", b'"', b"[", b"]", b"{", b"}", b"&a ", b"*a", b"!!str ", b"!x ", b"#",
    b"|", b">", b"\\", b"~", b"1", b"1e9", b"true", b"null", b"\x00", b"\xff", b"%", b"@", b"---\n", b"? ", b"\xc2\x85",
    b"\xe2\x80\xa8", b"\r", b"<<: *a\n",
])  # fmt: skip


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_contract_is_read_or_told_as_a_mistake(data: st.DataObject) -> None:
    text = bytearray(EVERYTHING)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.integers(0, 12)))
        text[at:end] = data.draw(PIECES)
    read_or_mistake(bytes(text))
