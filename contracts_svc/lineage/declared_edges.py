"""Declarations and relationships of contracts -> edges, consumers and pins.

A **relationship** (a foreign key of ODCS) is no flow of data: no value of the child is made from the
parent. But the child's contract promises that its key has a match, and whoever reads it joins on that. So
it is an edge INDIRECT, JOIN from the parent's column, to a node of its own that stands for the promise:
a parent's key that is removed or retyped, or is unique no more, reaches the child's owner, and there it
ends. Were the edge to lead to the child's column, every reader of the child would be told of a change
that no byte of the child comes from. The parent does not depend on its children: nothing leads back.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from contracts_svc.errors import Location, Problem
from contracts_svc.impact import consumers_of
from contracts_svc.lineage.column_names import lineage_name, lineage_names
from contracts_svc.lineage.declared import DataProduct, Declaration, Reads, Subscription
from contracts_svc.lineage.graph import (
    PROMISED,
    ColumnRef,
    Consumer,
    ConsumerKind,
    DatasetId,
    Edge,
    EdgeKind,
    EdgeType,
)
from contracts_svc.lineage.heard import Heard, Pin
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.resolve import DECLARED
from contracts_svc.model import Column, Contract, Table
from contracts_svc.odcs.references import resolve
from contracts_svc.quality.references import resolver

PRODUCTS = "data-products"
"""The namespace of data products of which no contract is known."""
SUBSCRIPTIONS = "subscriptions"
CONTRACTS = "contracts"
"""The namespace of contracts that are named but not known, and of the promises of relationships."""
MAX_EDGES = 200_000
"""Most edges made of declarations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What all declarations say, under the names that lineage has."""

    heard: Heard
    pins: tuple[Pin, ...] = ()


def declared(
    declarations: Iterable[Declaration],
    contracts: Mapping[str, Sequence[Contract]],
    identities: Identities,
    seen: datetime | None = None,
) -> Declared:
    """The edges, consumers and pins of data products and subscriptions. ``contracts`` are by id.

    A contract that is named and not known is told, and kept as a node of its own.
    """
    maker = _Maker(identities, contracts, seen)
    for declaration in declarations:
        if isinstance(declaration, DataProduct):
            maker.product(declaration)
        else:
            maker.subscription(declaration)
    heard = Heard(
        edges=tuple(maker.edges),
        consumers=tuple(maker.consumers.values()),
        problems=tuple(maker.problems),
    )
    return Declared(heard=heard, pins=tuple(sorted(maker.pins)))


@dataclass(slots=True)
class _Maker:
    identities: Identities
    contracts: Mapping[str, Sequence[Contract]]
    seen: datetime | None
    edges: dict[Edge, None] = field(default_factory=dict)
    consumers: dict[DatasetId, Consumer] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)
    pins: set[Pin] = field(default_factory=set)

    def product(self, product: DataProduct) -> None:
        node = DatasetId(PRODUCTS, product.id)
        made: list[tuple[DatasetId, tuple[Reads, ...]]] = []
        for output in product.outputs:
            if not output.contract:
                continue
            inputs = output.inputs or product.inputs
            made += [(d, inputs) for d in self._datasets(output.contract, output.at)]
        if not made:
            made = [(node, product.inputs)]
            self.consumers[node] = _consumer(product, product.title, node)
        for target, inputs in made:
            for reads in inputs:
                for source in self._datasets(reads.contract, reads.at):
                    reason = f"the data product {product.title} names contracts, not columns"
                    self._table_level(source, target, product.at, reason)
        for reads in (*product.inputs, *(r for o in product.outputs for r in o.inputs)):
            self._pin(reads, product.title)

    def subscription(self, subscription: Subscription) -> None:
        node = DatasetId(SUBSCRIPTIONS, subscription.consumer)
        self.consumers.setdefault(node, _consumer(subscription, subscription.consumer, node))
        self._pin(subscription.reads, subscription.consumer)
        sources = self._datasets(subscription.reads.contract, subscription.reads.at)
        if not subscription.columns:
            for source in sources:
                self._table_level(source, node, subscription.at, "the subscription names no columns")
        known = [s for s in sources if self.identities.contract_of(s)]
        for column, at in subscription.columns if known else ():
            for ref in self._columns(column, known, subscription.reads.contract, at):
                target = ColumnRef(node, ref.column)
                self._add(ref, target, EdgeKind.DIRECT, EdgeType.IDENTITY, subscription.at)
        for source in sources if subscription.columns and not known else ():
            for column, _ in subscription.columns:
                ends = ColumnRef(source, column), ColumnRef(node, column)
                self._add(*ends, EdgeKind.DIRECT, EdgeType.IDENTITY, subscription.at)

    def _datasets(self, contract: str, at: Location) -> tuple[DatasetId, ...]:
        """The tables of a contract; a node for the contract itself where it is not known."""
        known = self.contracts.get(contract)
        if known:
            tables = [(c, t) for c in known for t in c.tables]
            found = (self.identities.resolve(self.identities.dataset(c, t)) for c, t in tables)
            return tuple(dict.fromkeys(found))
        close = difflib.get_close_matches(contract, list(self.contracts), n=1)
        hint = f"did you mean {close[0]!r}?" if close else "register the contract, or correct the id"
        self.problems.setdefault(Problem(at, f"no contract with the id {contract!r} is known", hint))
        return (DatasetId(CONTRACTS, contract),)

    def _columns(
        self, written: str, sources: Iterable[DatasetId], contract: str, at: Location
    ) -> tuple[ColumnRef, ...]:
        """The columns of that path, or of that table and path; a problem where there is none."""
        paths: defaultdict[str, dict[ColumnRef, None]] = defaultdict(dict)
        for source in sources:
            found = self.identities.contract_of(source)
            if found is None:
                continue
            for name, column in lineage_names(found[1]):
                ref = ColumnRef(source, name)
                paths[column.path].setdefault(ref)
                paths[f"{found[1].name}.{column.path}"].setdefault(ref)
        if written in paths:
            return tuple(paths[written])
        close = difflib.get_close_matches(written, list(paths), n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has: {', '.join(list(paths)[:20])}"
        self.problems.setdefault(Problem(at, f"the contract {contract} has no column {written!r}", hint))
        return ()

    def _pin(self, reads: Reads, consumer: str) -> None:
        if reads.version:
            self.pins.add(Pin(contract=reads.contract, version=reads.version, consumer=consumer))

    def _table_level(self, source: DatasetId, target: DatasetId, at: Location, reason: str) -> None:
        if source != target:
            ends = ColumnRef(source, None), ColumnRef(target, None)
            self._add(*ends, EdgeKind.INDIRECT, EdgeType.UNKNOWN, at, reason)

    def _add(
        self,
        source: ColumnRef,
        target: ColumnRef,
        kind: EdgeKind,
        type_: EdgeType,
        at: Location,
        reason: str = "",
    ) -> None:
        if len(self.edges) >= MAX_EDGES:
            message = f"the declarations make more than {MAX_EDGES:,} edges; the others are left out"
            self.problems.setdefault(Problem(at, message, "name columns, or fewer contracts"))
            return
        edge = Edge(
            source=source,
            target=target,
            kind=kind,
            type=type_,
            origin=f"{DECLARED}{at.file}",
            seen=self.seen,
            reason=reason,
        )
        self.edges.setdefault(edge)


def _consumer(declaration: Declaration, name: str, node: DatasetId) -> Consumer:
    is_product = isinstance(declaration, DataProduct)
    return Consumer(
        name=name,
        kind=ConsumerKind.DATA_PRODUCT if is_product else ConsumerKind.SUBSCRIPTION,
        dataset=node,
        team=declaration.team,
        owner=declaration.owner,
        channels=declaration.channels,
    )


def relationships(
    promised: Iterable[Contract],
    by_file: Mapping[str, Contract],
    identities: Identities,
    seen: datetime | None = None,
) -> Heard:
    """The foreign keys of ``promised``, as edges to the promise of each from its parent in ``by_file``."""
    edges: dict[Edge, None] = {}
    consumers: dict[DatasetId, Consumer] = {}
    for contract in promised:
        for table in contract.tables:
            node = DatasetId(CONTRACTS, f"{contract.id}/{table.name}")
            for parent, child in _keys(contract, table, by_file, identities):
                edge = Edge(
                    source=parent,
                    target=ColumnRef(node, child),
                    kind=EdgeKind.INDIRECT,
                    type=EdgeType.JOIN,
                    origin=f"{PROMISED}{contract.id}",
                    seen=seen,
                )
                edges.setdefault(edge)
                (consumer,) = consumers_of({node: (contract, table)})
                consumers[node] = replace(consumer, name=f"{table.name} (relationship)")
    return Heard(edges=tuple(edges), consumers=tuple(consumers.values()))


def _keys(
    contract: Contract, table: Table, by_file: Mapping[str, Contract], identities: Identities
) -> Iterator[tuple[ColumnRef, str]]:
    """(the parent's column, the child's path) of every key column of a table."""
    target_of = resolver(contract, by_file)
    for child, target in _pairs(contract, table):
        parent = target_of(target)
        if parent is None or (parent[1].name == table.name and parent[0].id == contract.id):
            continue
        dataset = identities.resolve(identities.dataset(parent[0], parent[1]))
        yield ColumnRef(dataset, lineage_name(parent[1], parent[2])), child


def _pairs(contract: Contract, table: Table) -> Iterator[tuple[str, str]]:
    """(the child's path, the reference to the parent's column)"""
    for column in table.walk():
        for relationship in column.relationships:
            yield from ((column.path, target) for target in relationship.target)
    for relationship in table.relationships:
        for source, target in zip(relationship.source, relationship.target, strict=False):
            child = resolve(source, contract)
            if isinstance(child, Column):
                yield child.path, target
