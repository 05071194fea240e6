"""Pure renderings: a value in, text (or plain data) out. What contracts say is never trusted."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from contracts_svc.lineage.graph import Edge

_MOST_PLACES = 12


def clean(text: object) -> str:
    """One line of text without what could steer a terminal or turn the direction of writing.

    Line breaks and tabs become blanks; other control and format characters become ``\\ufffd``.
    """
    shown = (" " if c in "\t\n\v\f\r\x85\u2028\u2029" else c for c in str(text))
    plain = ("\ufffd" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") else c for c in shown)
    return " ".join("".join(plain).split())


def path_text(path: Sequence[Edge], arrow: str = " -> ") -> str:
    """``flights.dep_delay -> carrier_scorecard.worst_dep_delay``; not cleaned.

    Where an effect on a whole dataset goes on through one of its columns, both are named. Of a long
    path the middle is only counted.
    """
    places: list[str] = []
    for edge in path:
        for place in (str(edge.source), str(edge.target)):
            if not places or places[-1] != place:
                places.append(place)
    if len(places) > _MOST_PLACES:
        half = _MOST_PLACES // 2
        places[half:-half] = [f"({len(places) - 2 * half} more)"]
    return arrow.join(places)
