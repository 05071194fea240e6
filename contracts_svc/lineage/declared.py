"""What people declare in YAML: data products (ODPS) and subscriptions.

A **data product** is a document of the Open Data Product Standard
(https://bitol-io.github.io/open-data-product-standard/), ``kind: DataProduct``: its ``inputPorts`` say
which contracts, at which versions, it reads, its ``outputPorts`` which contracts it keeps.

A **subscription** is a form of our own, for a reader that no tool reports: a person, a notebook, a model::

    kind: Subscription
    consumer: revenue forecast        # what people call the reader
    team: finance-science
    owner: ada                        # optional
    channels:                         # where the team is told, optional
      - tool: slack
        channel: "#finance-science"
    contract: orders-v1               # the contract's id
    version: 1.2.0                    # optional: the version it was built for
    columns: [order_id, amount]       # optional: without it, every column may be read

``columns`` are paths as the contract writes them, with ``table.`` before them where the contract has
several tables. ``subscriptions:`` with a list of such entries holds several of them in one file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from contracts_svc.errors import Location, Problem, UserMistake
from contracts_svc.lineage.graph import Channel
from contracts_svc.model import NOWHERE
from contracts_svc.odcs.yaml_nodes import Form, Node, parse

ODPS_VERSIONS = ("v0.9.0", "v1.0.0")
"""Values of ``apiVersion`` of a data product that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """A contract that is read, at a version ("" where none is given)."""

    contract: str
    version: str = ""
    at: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a data product makes: a contract ("" where none is named), of what where that is said."""

    name: str
    contract: str = ""
    inputs: tuple[Reads, ...] = ()
    at: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataProduct:
    """A document of the Open Data Product Standard, as far as lineage needs it."""

    id: str
    title: str
    tenant: str = ""
    team: str = ""
    owner: str = ""
    channels: tuple[Channel, ...] = ()
    inputs: tuple[Reads, ...] = ()
    outputs: tuple[Output, ...] = ()
    at: Location = field(default=NOWHERE, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A reader of a contract, or of some columns of it (with the place of each)."""

    consumer: str
    reads: Reads
    team: str = ""
    owner: str = ""
    channels: tuple[Channel, ...] = ()
    columns: tuple[tuple[str, Location], ...] = ()
    at: Location = field(default=NOWHERE, compare=False)


Declaration: TypeAlias = DataProduct | Subscription

_FORM = Form(noun="declaration", start="kind: DataProduct, or kind: Subscription")

_PRODUCT_KEYS = frozenset(
    {
        "apiVersion", "kind", "id", "name", "version", "status", "domain", "tenant",
        "authoritativeDefinitions", "description", "customProperties", "tags", "inputPorts",
        "outputPorts", "managementPorts", "support", "team", "productCreatedTs",
    }
)  # fmt: skip
_PORT_KEYS = frozenset(
    {"name", "version", "contractId", "tags", "customProperties", "authoritativeDefinitions"}
)
_OUTPUT_KEYS = _PORT_KEYS | {"description", "type", "sbom", "inputContracts"}
_SUBSCRIPTION_KEYS = frozenset(
    {"kind", "consumer", "team", "owner", "channels", "contract", "version", "columns"}
)


def read_declarations(text: bytes, file: str) -> tuple[Declaration, ...]:
    """The data product or the subscriptions in a YAML text; ``file`` is its name in locations.

    Raises UserMistake with every problem, each with its line and column.
    """
    if not text.strip():
        raise UserMistake.of(f"{file} is empty", "write a data product or a subscription in it")
    root = parse(text, file, _FORM)
    reader = _Reader(file)
    kind = root.child("kind")
    if kind is not None and kind.value == "DataProduct":
        found: tuple[Declaration, ...] = (reader.product(root),)
    elif kind is not None and kind.value == "DataContract":
        at = Location(file, *root.keys["kind"])
        raise UserMistake.of("this is a contract, no lineage", "give it with --contracts", at)
    elif "subscriptions" in root.keys:
        reader.unknown(root, frozenset({"kind", "subscriptions"}), "a file of subscriptions")
        found = tuple(reader.subscription(n) for n in reader.entries(root, "subscriptions"))
    elif "consumer" in root.keys or (kind is not None and kind.value == "Subscription"):
        found = (reader.subscription(root),)
    else:
        at = Location(file, root.line, root.column)
        hint = "write 'kind: DataProduct' (ODPS), or 'kind: Subscription' with consumer and contract"
        raise UserMistake.of("this declares neither a data product nor a subscription", hint, at)
    if reader.problems:
        raise UserMistake(reader.problems)
    return found


@dataclass(slots=True)
class _Reader:
    file: str
    problems: list[Problem] = field(default_factory=list)

    def product(self, root: Node) -> DataProduct:
        self.unknown(root, _PRODUCT_KEYS, "a data product")
        version = root.child("apiVersion")
        if version is None or version.value not in ODPS_VERSIONS:
            place = self._at(version or root)
            message = "'apiVersion' must name a version of ODPS that is known"
            self._problem(place, message, f"write one of: {', '.join(ODPS_VERSIONS)}")
        id = self.text(root, "id", "a data product")
        team = root.child("team")
        members = [m for m in self._members(team) if m]
        return DataProduct(
            id=id,
            title=self.text(root, "name") or id,
            tenant=self.text(root, "tenant"),
            team=self.text(team, "name") if team and isinstance(team.value, dict) else "",
            owner=next(iter(members), ""),
            channels=tuple(self._channels(root, "support")),
            inputs=tuple(self._port(n) for n in self.entries(root, "inputPorts")),
            outputs=tuple(self._output(n) for n in self.entries(root, "outputPorts")),
            at=self._at(root),
        )

    def subscription(self, node: Node) -> Subscription:
        self.unknown(node, _SUBSCRIPTION_KEYS, "a subscription")
        return Subscription(
            consumer=self.text(node, "consumer", "a subscription"),
            reads=Reads(
                contract=self.text(node, "contract", "a subscription"),
                version=self.text(node, "version"),
                at=self._at(node.child("contract") or node),
            ),
            team=self.text(node, "team"),
            owner=self.text(node, "owner"),
            channels=tuple(self._channels(node, "channels")),
            columns=tuple(self._columns(node)),
            at=self._at(node),
        )

    def _port(self, node: Node) -> Reads:
        self.unknown(node, _PORT_KEYS, "an input port")
        self.text(node, "name", "an input port")
        return Reads(
            contract=self.text(node, "contractId", "an input port"),
            version=self.text(node, "version", "an input port"),
            at=self._at(node.child("contractId") or node),
        )

    def _output(self, node: Node) -> Output:
        self.unknown(node, _OUTPUT_KEYS, "an output port")
        self.text(node, "version", "an output port")
        inputs = [
            Reads(
                contract=self.text(n, "id", "an input contract"),
                version=self.text(n, "version", "an input contract"),
                at=self._at(n),
            )
            for n in self.entries(node, "inputContracts")
        ]
        return Output(
            name=self.text(node, "name", "an output port"),
            contract=self.text(node, "contractId"),
            inputs=tuple(inputs),
            at=self._at(node.child("contractId") or node),
        )

    def _members(self, team: Node | None) -> Iterator[str]:
        """Owners first. Version 0.9 has a list of members where 1.0 has an object with them."""
        if team is None or team.value is None:
            return
        listed = isinstance(team.value, list)
        nodes = list(self._items(team)) if listed else list(self.entries(team, "members"))
        owners = [n for n in nodes if self.text(n, "role").lower().endswith("owner")]
        for node in (*owners, *nodes):
            yield self.text(node, "username")

    def _channels(self, node: Node, key: str) -> Iterator[Channel]:
        for entry in self.entries(node, key):
            address = self.text(entry, "channel") or self.text(entry, "address") or self.text(entry, "url")
            if address:
                yield Channel(tool=self.text(entry, "tool") or "slack", address=address)
            else:
                self._problem(self._at(entry), f"an entry of '{key}' has no channel", "write 'channel: ...'")

    def _columns(self, node: Node) -> Iterator[tuple[str, Location]]:
        columns = node.child("columns")
        if columns is None or columns.value is None:
            return
        if not isinstance(columns.value, list) or not isinstance(columns.children, list):
            self._problem(self._at(columns), "'columns' must be a list of names", "write columns: [a, b]")
            return
        if not columns.children:
            hint = "leave 'columns' out when every column may be read"
            self._problem(self._at(columns), "'columns' is empty, so nothing would be read", hint)
        for entry in columns.children:
            if isinstance(entry.value, str) and entry.value:
                yield entry.value, self._at(entry)
            else:
                hint = f"put it in quotes: '{entry.text}'" if entry.text else "write its name"
                self._problem(self._at(entry), "a column must be text", hint)

    # -- parts

    def text(self, node: Node | None, key: str, needed_by: str = "") -> str:
        """The text under a key, "" where there is none; a problem where it is needed or no text."""
        if node is None:
            return ""
        child = node.child(key)
        if child is None or child.value is None:
            if needed_by:
                self._problem(
                    self._at(node), f"'{key}' is missing: {needed_by} needs it", f"write '{key}: ...'"
                )
            return ""
        if isinstance(child.value, str) and (child.value or not needed_by):
            return child.value
        hint = f"put it in quotes: '{child.text}'" if child.text else f"write '{key}: ...'"
        self._problem(self._at(child), f"'{key}' must be text", hint)
        return ""

    def entries(self, node: Node, key: str) -> Iterator[Node]:
        """The mappings in the list under a key."""
        child = node.child(key)
        if child is None or child.value is None:
            return
        if not isinstance(child.value, list):
            self._problem(self._at(child), f"'{key}' must be a list", f"begin each entry of '{key}' with '-'")
            return
        yield from self._items(child)

    def _items(self, node: Node) -> Iterator[Node]:
        for entry in node.children if isinstance(node.children, list) else ():
            if isinstance(entry.value, dict):
                yield entry
            else:
                self._problem(self._at(entry), "this entry must be a mapping", "write 'key: value' pairs")

    def unknown(self, node: Node, known: frozenset[str], what: str) -> None:
        """A problem for every key that is not known: a slip of the pen would hide a reader."""
        for key, (line, column) in node.keys.items():
            if key in known:
                continue
            close = difflib.get_close_matches(key, sorted(known), n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(sorted(known))}"
            self._problem(Location(self.file, line, column), f"'{key:.60}' is no key of {what}", hint)

    def _at(self, node: Node) -> Location:
        return Location(self.file, node.line, node.column)

    def _problem(self, at: Location, message: str, hint: str) -> None:
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(Problem(at, message, hint))


_MAX_PROBLEMS = 100
