"""What to write instead, as lines that can be copied into the file."""

from __future__ import annotations

import unicodedata

from contracts_svc.findings import Suggestion
from contracts_svc.render import clean

_MOST_LINES = 40
_LONGEST = 400


def suggestion_lines(suggestion: Suggestion) -> list[str]:
    """Where, and then the text as it is to stand there: blanks stay, and nothing steers a terminal."""
    first, last = suggestion.first, suggestion.last
    where = f"line {first}" if first == last else f"lines {first} to {last}"
    if not suggestion.text:
        return [f"take {where} out of {clean(suggestion.file)}"]
    return [f"in {clean(suggestion.file)}, instead of {where}:", *raw_lines(suggestion)]


def raw_lines(suggestion: Suggestion) -> list[str]:
    """The text alone; a very long one is cut, and says so."""
    every = suggestion.text.split("\n") if suggestion.text else []
    shown = ["".join(map(_visible, line))[:_LONGEST] for line in every[:_MOST_LINES]]
    return shown + ([f"# and {len(every) - _MOST_LINES} more lines"] if len(every) > _MOST_LINES else [])


def _visible(character: str) -> str:
    steers = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "\ufffd" if steers else character
