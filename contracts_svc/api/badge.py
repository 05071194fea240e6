"""A badge: two words on two colours, as SVG."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

_CHARACTER = 6.5
"""Width of a character in pixels, about."""
_PAD = 10
_LONGEST = 60


def badge(label: str, state: str, colour: str) -> str:
    """An SVG picture. Texts may hold anything."""
    shown = [_clean(text) for text in (label, state)]
    left, right = (int(len(text) * _CHARACTER) + _PAD for text in shown)
    title = quoteattr(f"{shown[0]}: {shown[1]}")
    texts = "".join(
        f'<text x="{x}" y="14" fill="#fff" text-anchor="middle">{escape(text)}</text>'
        for x, text in ((left / 2, shown[0]), (left + right / 2, shown[1]))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f"aria-label={title}>"
        f'<rect width="{left}" height="20" fill="#555"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        f'<g font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>'
    )


def _clean(text: str) -> str:
    kept = "".join(c if c.isprintable() else " " for c in text)
    return kept if len(kept) <= _LONGEST else kept[: _LONGEST - 1] + "…"
