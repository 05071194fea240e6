"""YAML text -> a tree of JSON values that knows where each was written.

Reads libyaml's events in a loop instead of composing recursively: deep nesting costs no C stack, and
every limit below is checked while reading, before memory is spent. Plain scalars mean what the core
schema of YAML 1.2 says (https://yaml.org/spec/1.2.2/#103-core-schema), not what YAML 1.1 says: ``no``,
``on``, ``10:30`` and ``2024-01-01`` are text. In one thing it is stricter: digits after a leading zero
are text, as the article number ``0068780060324``; YAML 1.1, 1.2 and JSON disagree on what number that is,
and the zeros would be lost. Nothing that a tag names is ever built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

import yaml

from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.model import Json
from contracts_svc.odcs.yaml_text import decode, syntax_problem

MAX_DEPTH = 100
"""Mappings and lists inside each other, aliases followed."""
MAX_NODES = 500_000
"""Keys and values in a document, aliases followed; a table of 10,000 columns has about 300,000."""
MAX_KEYS = 10_000
"""Keys of one mapping: judging unknown ones takes 20 microseconds and a kilobyte for each."""
MAX_PROBLEMS = 100
"""Problems shown for one document; what follows is only counted."""
MAX_DIGITS = 308
"""Of a whole number: larger ones are beyond what a double can hold."""

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_BASED_INT = re.compile(r"0(?:o[0-7]+|x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_MAY_BE_NUMBER = frozenset("-+.0123456789")
_WORDS: dict[str, Json] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip

_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}


@dataclass(slots=True, eq=False)
class Node:
    """A value, where it begins (line and column count from 1), and the nodes inside it."""

    value: Json
    line: int
    column: int
    text: str = ""
    """A scalar as written, without quotes."""
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of a mapping: where each key is written."""
    children: dict[str, Node] | list[Node] = field(default_factory=list)
    nodes: int = 1
    """This and everything inside, aliases followed."""
    height: int = 0
    """Levels of mappings and lists, this one included, aliases followed."""

    def child(self, step: str | int) -> Node | None:
        """The node under a key or an index, or None."""
        if isinstance(self.children, dict):
            return self.children.get(step) if isinstance(step, str) else None
        if isinstance(step, int) and 0 <= step < len(self.children):
            return self.children[step]
        return None


@dataclass(slots=True, eq=False)
class _Open:
    """A mapping or list whose end has not been read yet."""

    node: Node
    values: dict[str, Json] | list[Json]
    key: str | None = None
    """The key whose value comes next."""
    value_next: bool = False
    """Mapping: a key was read (perhaps an unusable one), its value comes next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What kind of document is read, for its problems: what it is called, and how it begins."""

    noun: str
    start: str
    root: type[dict[str, Json]] | type[list[Json]] = dict
    may_be_empty: bool = False


CONTRACT = Form(noun="contract", start="apiVersion: v3.1.0")


def parse(text: bytes, file: str, form: Form = CONTRACT) -> Node:
    """The document in ``text`` as a tree whose root is a mapping (or a list, where ``form`` says so).

    Raises UserMistake for whatever is not one YAML document of plain JSON values, or is beyond the
    limits of this module; every problem has its place.
    """
    decoded = decode(text, file)
    return _Reader(decoded, file, form).read()


class _Reader:
    """Turns one stream of events into one tree."""

    def __init__(self, text: str, file: str, form: Form) -> None:
        self._text = text
        self._file = file
        self._form = form
        self._open: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._problems: list[Problem] = []
        self._nodes = 0
        self._root: Node | None = None

    def read(self) -> Node:
        for event in self._events():
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._start(event, {} if kind is yaml.MappingStartEvent else [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._end()
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent and self._root is not None:
                self._fail(
                    *_place(event),
                    "a second YAML document begins here",
                    f"one file holds one {self._form.noun}: put the second document into a file of its own",
                )
        return self._checked_root()

    def _events(self) -> Iterator[yaml.Event]:
        try:
            # What yaml.parse does, but for a second call per event.
            take = yaml.CSafeLoader(self._text).get_event
            event = take()
            while type(event) is not yaml.StreamEndEvent:
                yield event
                event = take()
        except yaml.YAMLError as error:
            self._problems.append(syntax_problem(error, self._text, self._file))
            raise UserMistake(self._problems) from None

    def _checked_root(self) -> Node:
        root = self._root
        form = self._form
        if root is None or (root.value is None and not root.text):
            if not form.may_be_empty:
                self._fail(
                    1, 1, "the file is empty", f"write {_article(form)}, beginning with '{form.start}'"
                )
            root = Node(form.root(), 1, 1, children=form.root())
        if not isinstance(root.value, form.root):
            mapping = form.root is dict
            self._fail(
                root.line,
                root.column,
                f"{_article(form)} is a {'mapping' if mapping else 'list'} at its top level, "
                f"as in '{form.start}'",
                f"begin with the keys of the {form.noun}, without '-' before them"
                if mapping
                else "begin each entry with '- '",
            )
        if self._problems:
            raise UserMistake(self._problems)
        return root

    # -- events ---------------------------------------------------------------------------------

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        line, column = _place(event)
        text: str = event.value
        value: Json = text
        if event.tag is not None:
            value = self._tagged(event.tag, text, line, column)
        elif not event.style:  # plain: may be something else than text
            value = self._plain(text, line, column)
        elif event.style == '"' and "\0" in text:
            self._problem(line, column, "this text holds a NUL character", r"remove the escape '\0'")
        node = Node(value, line, column, text)
        self._count(1, line, column)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        self._place_value(node)

    def _start(self, event: yaml.CollectionStartEvent, values: dict[str, Json] | list[Json]) -> None:
        line, column = _place(event)
        self._check_depth(len(self._open) + 1, line, column)
        self._count(1, line, column)
        core = "map" if isinstance(values, dict) else "seq"
        if event.tag not in (None, "!", _CORE + core):
            self._refuse_tag(event.tag, line, column)
        node = Node(values, line, column, children={} if core == "map" else [], height=1)
        self._open.append(_Open(node, values))
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _end(self) -> None:
        self._place_value(self._open.pop().node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        line, column = _place(event)
        node = self._anchors.get(event.anchor)
        if node is None:
            self._fail(
                line,
                column,
                f"the alias '*{event.anchor}' has no anchor '&{event.anchor}' before it",
                "define the anchor first, or put text that begins with '*' in quotes",
            )
        if any(frame.node is node for frame in self._open):
            self._fail(
                line,
                column,
                f"the alias '*{event.anchor}' stands inside what it repeats, so it never ends",
                "write the inner part out",
            )
        self._check_depth(len(self._open) + node.height, line, column)
        self._count(node.nodes, line, column)
        self._place_value(node)

    # -- building -------------------------------------------------------------------------------

    def _place_value(self, node: Node) -> None:
        """Put a finished node where the stream is: the root, an item of a list, a key or its value."""
        if not self._open:
            self._root = node
            return
        frame = self._open[-1]
        parent = frame.node
        if isinstance(frame.values, list):
            frame.values.append(node.value)
            assert isinstance(parent.children, list)
            parent.children.append(node)
        elif not frame.value_next:
            frame.key = self._key(parent, node)
            frame.value_next = True
            return
        else:
            frame.value_next = False
            if frame.key is not None:
                frame.values[frame.key] = node.value
                assert isinstance(parent.children, dict)
                parent.children[frame.key] = node
        parent.nodes += node.nodes
        parent.height = max(parent.height, node.height + 1)

    def _key(self, mapping: Node, node: Node) -> str | None:
        """The key as text, or None after noting why it cannot be one."""
        key = node.value
        if not isinstance(key, str):
            what = (
                "a mapping or a list"
                if isinstance(key, (dict, list))
                else f"not text: {node.text or 'nothing'}"
            )
            hint = f"put it in quotes: '{node.text}'" if node.text else "write a name before the ':'"
            self._problem(node.line, node.column, f"this key is {what}", hint)
            return None
        first = mapping.keys.get(key)
        if first is not None:
            self._problem(
                node.line,
                node.column,
                f"the key '{_short(key)}' is here a second time; the first is at line {first[0]}",
                "keep one of the two",
            )
            return None
        if key == "<<":
            self._problem(
                node.line,
                node.column,
                "the merge key '<<' is not part of YAML 1.2",
                "write the keys out, or use an alias for a whole value",
            )
            return None
        if len(mapping.keys) >= MAX_KEYS:
            self._fail(
                node.line,
                node.column,
                f"up to here this mapping holds more than {MAX_KEYS:,} keys",
                f"no part of {_article(self._form)} has so many: make it a list",
            )
        mapping.keys[key] = (node.line, node.column)
        return key

    # -- scalars --------------------------------------------------------------------------------

    def _plain(self, text: str, line: int, column: int) -> Json:
        """What a plain scalar means in the core schema of YAML 1.2."""
        if text in _WORDS:
            return _WORDS[text]
        if text[0] not in _MAY_BE_NUMBER:
            return text
        if _INT.match(text) or _BASED_INT.match(text):
            return self._int(text, line, column)
        if _FLOAT.match(text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                self._problem(
                    line, column, "this number is too large", f"put it in quotes if it is text: '{text}'"
                )
            return number
        if _NOT_FINITE.match(text):
            self._problem(
                line,
                column,
                f"{text} is not a number that JSON knows",
                f"put it in quotes if it is text: '{text}'",
            )
        return text

    def _int(self, text: str, line: int, column: int) -> int:
        if len(text) > MAX_DIGITS:
            self._problem(
                line,
                column,
                f"this number has {len(text):,} digits; at most {MAX_DIGITS} can be read",
                "put it in quotes if it is text",
            )
            return 0
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))

    def _tagged(self, tag: str, text: str, line: int, column: int) -> Json:
        """The value of a scalar with an explicit tag; only the core schema's tags are known."""
        if tag == "!":
            return text
        name = tag.removeprefix(_CORE)
        if name == tag or name not in _SCALAR_TAGS:
            self._refuse_tag(tag, line, column)
            return text
        if name == "str":
            return text
        value = self._plain(text, line, column)
        if type(value) not in _SCALAR_TAGS[name]:
            self._problem(line, column, f"the tag '!!{name}' does not fit '{_short(text)}'", "remove the tag")
        return float(value) if name == "float" and type(value) is int else value

    # -- problems -------------------------------------------------------------------------------

    def _refuse_tag(self, tag: str, line: int, column: int) -> None:
        shown = tag.replace(_CORE, "!!")
        self._problem(
            line,
            column,
            f"the tag '{_short(shown)}' is not allowed; {_article(self._form)} holds plain values only",
            "remove the tag, or put text that begins with '!' in quotes",
        )

    def _check_depth(self, depth: int, line: int, column: int) -> None:
        if depth > MAX_DEPTH:
            self._fail(
                line,
                column,
                f"nested deeper than {MAX_DEPTH} levels",
                f"no {self._form.noun} needs this: flatten the structure",
            )

    def _count(self, nodes: int, line: int, column: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            self._fail(
                line,
                column,
                f"up to here the document holds more than {MAX_NODES:,} values, aliases followed",
                f"split the {self._form.noun}, or use fewer aliases",
            )

    def _problem(self, line: int, column: int, message: str, hint: str) -> None:
        self._problems.append(Problem(Location(self._file, line, column), message, hint))
        if len(self._problems) >= MAX_PROBLEMS:
            self._fail(line, column, f"more than {MAX_PROBLEMS} problems up to here", "correct these first")

    def _fail(self, line: int, column: int, message: str, hint: str) -> NoReturn:
        """Stop: what follows cannot be read, or not safely."""
        self._problems.append(Problem(Location(self._file, line, column), message, hint))
        raise UserMistake(self._problems)


def _place(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


def _article(form: Form) -> str:
    return f"{'an' if form.noun[0] in 'aeiou' else 'a'} {form.noun}"


def _short(text: str) -> str:
    """Text fit for one line of a message."""
    line = text if len(text) <= 60 else text[:57] + "..."
    return line.replace("\n", " ")
