"""Edits of a contract as it is written: single lines or entries, so that comments and style stay.

What is written in a way that cannot be edited line by line (flow style, JSON, aliases) gives no edit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import yaml

from contracts_svc.errors import Location
from contracts_svc.findings import Suggestion
from contracts_svc.model import Column, Json
from contracts_svc.odcs.write import entry, scalar


class Edits:
    """The text of a contract that was read without a problem (``file`` is its path)."""

    def __init__(self, text: str, file: str) -> None:
        self._lines = text.split("\n")
        self._text = text
        self._file = file

    def value(self, key: Location | None, new: Json) -> Suggestion | None:
        """The line of a field with another value; without the field where that is None. ``key`` is where the
        field is written."""
        if key is None or (found := self._pairs.get((key.line, key.column))) is None:
            return None
        _, value = found
        alone = self._lines[key.line - 1][: key.column - 1].strip() in ("", "-")
        if not isinstance(value, yaml.ScalarNode) or value.end_mark.line != key.line - 1 or not alone:
            return None
        line = self._lines[key.line - 1]
        if new is None:
            return None if line.lstrip().startswith("-") else self._lines_as(key.line, key.line, [])
        kept = line[value.end_mark.column :]
        return self._lines_as(key.line, key.line, [f"{line[: value.start_mark.column]}{scalar(new)}{kept}"])

    def removed(self, column: Location) -> Suggestion | None:
        """The text without a column."""
        lines = self._entry(column)
        return self._lines_as(*lines, []) if lines else None

    def after(self, column: Location, new: Column) -> Suggestion | None:
        """The text with another column behind one."""
        lines = self._entry(column)
        if lines is None:
            return None
        first, last = lines
        indent = self._lines[first - 1].index("-")
        shown = [self._lines[last - 1], *entry(new, " " * indent)]
        return self._lines_as(last, last, shown)

    def without_overlaps(self, edits: Sequence[Suggestion | None]) -> list[Suggestion | None]:
        """The same edits, so that all of them can be made: those of the same lines are one, which the first
        of them has; the others have none."""
        found = list(edits)
        groups: list[list[int]] = []
        end = 0
        for first, last, number in sorted((e.first, e.last, n) for n, e in enumerate(edits) if e):
            if first <= end:
                groups[-1].append(number)
            else:
                groups.append([number])
            end = max(end, last)
        for group in groups:
            leader, *others = sorted(group)
            if others:
                found[leader] = self.joined([e for n in (leader, *others) if (e := edits[n])])
                for number in others:
                    found[number] = None
        return found

    def joined(self, edits: Sequence[Suggestion]) -> Suggestion:
        """One edit that does what these do."""
        first, last = min(e.first for e in edits), max(e.last for e in edits)
        lines: list[str] = []
        for number in range(first, last + 1):
            here, behind = [self._lines[number - 1]], []
            for edit in edits:
                if edit.first <= number <= edit.last:
                    new = edit.text.split("\n") if edit.text else []
                    if new[:1] == [self._lines[number - 1]]:
                        behind += new[1:]
                    else:
                        here = new
            lines += [*here, *behind]
        return self._lines_as(first, last, lines)

    def _lines_as(self, first: int, last: int, lines: list[str]) -> Suggestion:
        return Suggestion(file=self._file, first=first, last=last, text="\n".join(lines))

    def _entry(self, column: Location) -> tuple[int, int] | None:
        """The lines of an entry of a block list; None where it is written otherwise."""
        node = self._mappings.get((column.line, column.column))
        if node is None or node.flow_style:
            return None
        if self._lines[column.line - 1][: column.column - 1].strip() != "-":
            return None
        return column.line, _last_line(node) + 1

    @cached_property
    def _nodes(self) -> tuple[yaml.Node, ...]:
        # It was read before, within the bounds of our own reader.
        root = yaml.compose(self._text, Loader=yaml.CSafeLoader)
        return tuple(_walk(root)) if root is not None else ()

    @cached_property
    def _mappings(self) -> dict[tuple[int, int], yaml.MappingNode]:
        return {_place(n): n for n in self._nodes if isinstance(n, yaml.MappingNode)}

    @cached_property
    def _pairs(self) -> dict[tuple[int, int], tuple[yaml.Node, yaml.Node]]:
        return {_place(key): (key, value) for node in self._mappings.values() for key, value in node.value}


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _walk(root: yaml.Node) -> Iterator[yaml.Node]:
    """Every node once: an alias is the node that it names."""
    left, seen = [root], set()
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        if isinstance(node, yaml.MappingNode):
            left += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


def _last_line(node: yaml.Node) -> int:
    """The last line (from 0) on which something of a node stands; a block ends where the next one begins."""
    while not isinstance(node, yaml.ScalarNode) and node.value and not node.flow_style:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    at_start = isinstance(node, yaml.ScalarNode) and node.style in ("|", ">") and node.end_mark.column == 0
    return int(node.end_mark.line) - (1 if at_start else 0)
