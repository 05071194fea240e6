"""Drawings as SVG, made on the server: figures over time, and where data comes from and goes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from contracts_svc.flows.promises import Figure, Trend
from contracts_svc.web.words import count, number, percent

_WIDTH, _HEIGHT, _PAD = 240, 48, 5


def sparkline(trend: Trend) -> Markup:
    """A line of a figure over time; what did not keep a promise is a ring on it."""
    values = [f.value for f in trend.found]
    low, high = min(values), max(values)
    times = [f.at.timestamp() for f in trend.found]
    first, length = times[0], max(times[-1] - times[0], 1e-9)
    points = [
        (
            _PAD + (t - first) / length * (_WIDTH - 2 * _PAD),
            _HEIGHT - _PAD - ((v - low) / (high - low) if high > low else 0.5) * (_HEIGHT - 2 * _PAD),
        )
        for t, v in zip(times, values, strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    rings = Markup().join(
        Markup('<circle class="bad" cx="{}" cy="{}" r="3.5"/>').format(f"{x:.1f}", f"{y:.1f}")
        for (x, y), f in zip(points, trend.found, strict=True)
        if f.bad
    )
    bad = sum(f.bad for f in trend.found)
    said = f"{trend.title}: {count(len(values), 'run')}, from {figure(trend, low)} to {figure(trend, high)}"
    said += f"; {bad} did not keep the promise" if bad else ""
    return Markup(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="{}">'
        '<polyline points="{}"/><circle class="last" cx="{}" cy="{}" r="2.5"/>{}</svg>'
    ).format(_WIDTH, _HEIGHT, said, line, f"{points[-1][0]:.1f}", f"{points[-1][1]:.1f}", rings)


def figure(trend: Trend, value: float) -> str:
    """A figure of a trend with its unit."""
    return percent(value) if trend.figure is Figure.SHARE else number(value)


# --- lineage --------------------------------------------------------------------------------------

_BOX, _GAP_X, _GAP_Y, _ROW = 190, 56, 12, 34
_LONGEST_NAME = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A box: ``layer`` 0 is what the drawing is about, below 0 what it is made of, above 0 who reads it."""

    key: str
    name: str
    layer: int
    href: str = ""
    kind: str = ""
    """The class it is drawn as."""


def flow(nodes: Sequence[Node], edges: Sequence[tuple[str, str]], said: str) -> Markup:
    """Boxes in columns from left to right, with lines between them."""
    layers = sorted({n.layer for n in nodes})
    columns = [[n for n in nodes if n.layer == layer] for layer in layers]
    tallest = max(map(len, columns))
    height = tallest * (_ROW + _GAP_Y) + _GAP_Y
    width = len(columns) * (_BOX + _GAP_X) - _GAP_X + 4
    place: dict[str, tuple[float, float]] = {}
    for at, column in enumerate(columns):
        top = (height - len(column) * (_ROW + _GAP_Y) + _GAP_Y) / 2
        for row, node in enumerate(column):
            place[node.key] = (2 + at * (_BOX + _GAP_X), top + row * (_ROW + _GAP_Y))
    lines = Markup().join(_line(place[a], place[b]) for a, b in edges if a in place and b in place)
    boxes = Markup().join(_box(n, *place[n.key]) for n in nodes)
    return Markup(
        '<svg class="flow" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="group" aria-label="{said}">'
        "{lines}{boxes}</svg>"
    ).format(w=width, h=round(height), said=said, lines=lines, boxes=boxes)


def _line(source: tuple[float, float], target: tuple[float, float]) -> Markup:
    (x1, y1), (x2, y2) = source, target
    x1, y1, y2 = x1 + _BOX, y1 + _ROW / 2, y2 + _ROW / 2
    if x2 < x1:
        # Back, in a cycle: around from below.
        x2 += _BOX
    bend = max(20.0, abs(x2 - x1) / 2)
    path = f"M{x1:.0f} {y1:.0f}C{x1 + bend:.0f} {y1:.0f} {x2 - bend:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    return Markup('<path d="{}"/>').format(path)


def _box(node: Node, x: float, y: float) -> Markup:
    name = node.name if len(node.name) <= _LONGEST_NAME else node.name[: _LONGEST_NAME - 1] + "…"
    box = Markup(
        '<g class="box {}"><title>{}</title><rect x="{}" y="{}" width="{}" height="{}" rx="6"/>'
        '<text x="{}" y="{}">{}</text></g>'
    ).format(node.kind, node.name, f"{x:.0f}", f"{y:.0f}", _BOX, _ROW, f"{x + 12:.0f}", f"{y + 22:.0f}", name)
    return Markup('<a href="{}">{}</a>').format(node.href, box) if node.href else box
