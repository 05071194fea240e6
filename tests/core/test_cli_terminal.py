"""Names that others chose do not steer a terminal."""

from __future__ import annotations

import io
from typing import TextIO, cast

import pytest

from contracts_svc.cli.terminal import Spelling, spelt


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("flights · 12 rows\n", "flights · 12 rows\n"),
        ("\x1b[1;31merror\x1b[0m a\tb", "\x1b[1;31merror\x1b[0m a\tb"),
        ("\x1b[38;5;208mhelp", "\x1b[38;5;208mhelp"),
        ("am\x1b[2Jount", "am\\x1b[2Jount"),
        ("\x1b[8mhidden", "\\x1b[8mhidden"),
        ("\x1b[1;8mhidden", "\\x1b[1;8mhidden"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("PASSED\rFAILED", "PASSED\\rFAILED"),
        ("a\u202eb\u2066c\x9b2J", "a\\u202eb\\u2066c\\x9b2J"),
        (
            "narrow\u00a0space, family \U0001f468\u200d\U0001f469",
            "narrow\u00a0space, family \U0001f468\u200d\U0001f469",
        ),
    ],
)
def test_only_colours_reach_a_terminal(text: str, shown: str) -> None:
    assert spelt(text) == shown


def test_a_stream_tells_how_much_of_a_text_was_written() -> None:
    inner = io.StringIO()
    stream = cast(TextIO, Spelling(inner))
    print("a\x1b[2Jb", file=stream, flush=True)
    assert (stream.write("\x07"), inner.getvalue()) == (1, "a\\x1b[2Jb\n\\x07")
