"""The sources of a SELECT: what stands in its FROM, JOIN and LATERAL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from contracts_svc.lineage.graph import DatasetId, EdgeType
from contracts_svc.lineage.sql_made import Made, Trace, digest
from contracts_svc.lineage.sql_relations import (
    FunctionRelation,
    Pivoted,
    Relation,
    Renamed,
    TableRelation,
)

_READERS = {
    "cloud_files", "delta_scan", "gcs", "hdfs", "iceberg_scan", "parquet_scan", "read_avro", "read_blob",
    "read_csv", "read_csv_auto", "read_files", "read_json", "read_json_auto", "read_json_objects",
    "read_kafka", "read_ndjson", "read_parquet", "read_text", "read_xlsx", "s3", "s3cluster", "url",
}  # fmt: skip
"""Functions that read the files at an address, which comes first."""


@dataclass(frozen=True, eq=False)
class Item:
    """One source in FROM or JOIN."""

    name: str
    parts: tuple[str, ...]
    relation: Relation
    visible: bool
    """False for the right side of a semi or anti join: only its own condition sees it."""


class Finder(Protocol):
    """Knows the relations of a statement."""

    def relation(self, query: exp.Expr) -> Relation: ...

    def base_table(self, node: exp.Table) -> TableRelation: ...


@dataclass(frozen=True)
class Sources:
    """``made_of`` gives what the arguments of a table function are made of, which see the sources
    before it (their count is given); ``trace_over`` traces a node over one relation."""

    scope: Scope
    finder: Finder
    made_of: Callable[[Sequence[exp.Expr], int], Made]
    trace_over: Callable[[Relation, Trace, exp.Expr, EdgeType], None]

    def items(self) -> Iterator[Item]:
        """In the order in which they are written, which is that of their columns in ``*``."""
        for position, (name, node) in enumerate(self.scope.references):
            relation = self._source(node, position)
            columns = getattr(node, "alias_column_names", None) or []
            pivots = node.args.get("pivots") or []
            for pivot in pivots:
                relation = self._pivoted(relation, pivot)
                name = pivot.alias or name
            if columns and not pivots and not isinstance(relation, FunctionRelation):
                relation = Renamed(relation, columns)
            parts = tuple(p.name for p in node.parts) if isinstance(node, exp.Table) else ()
            hidden = name in self.scope.semi_or_anti_join_tables
            yield Item(name, parts, relation, not hidden)

    def _source(self, node: exp.Expr, position: int) -> Relation:
        if isinstance(node, exp.Table):
            if isinstance(node.this, exp.Func):
                return self._table_function(node, position)
            cte = self.scope.cte_sources.get(node.name) if not node.db else None
            if isinstance(cte, Scope):
                return self.finder.relation(cte.expression)
            return self.finder.base_table(node)
        if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Subquery):
            return self.finder.relation(node.this)
        if isinstance(node, exp.UDTF):
            return self._function(node, position)
        return self.finder.relation(node)

    def _function(self, node: exp.Expr, position: int) -> Relation:
        names = list(getattr(node, "alias_column_names", None) or [])
        unnest = node.this if isinstance(node.this, exp.Unnest) else node
        lists = unnest.expressions if isinstance(unnest, exp.Unnest) and len(unnest.expressions) > 1 else []
        each = [partial(self.made_of, [one], position) for one in lists] if len(lists) == len(names) else []
        offset = unnest.args.get("offset")
        if isinstance(offset, exp.Identifier):
            names.append(offset.name)
        arguments = [a for a in node.iter_expressions() if not isinstance(a, exp.TableAlias)]
        complete = bool(names) or isinstance(node, exp.Values)
        alias = node.args.get("alias")
        # BigQuery's and Redshift's alias of an element, not of a table of them.
        struct = isinstance(node, exp.Unnest) and isinstance(alias, exp.TableAlias) and alias.this is None
        return FunctionRelation(names, complete, lambda: self.made_of(arguments, position), struct, each)

    def _table_function(self, node: exp.Table, position: int) -> Relation:
        function = node.this
        name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
        first = next(function.iter_expressions(), None)
        if name.lower() in _READERS and isinstance(first, exp.Literal) and first.is_string:
            return self.finder.base_table(exp.Table(this=exp.to_identifier(first.name, quoted=True)))
        # Named options (``header = true``) are no columns.
        arguments = [a for a in function.iter_expressions() if not isinstance(a, (exp.EQ, exp.PropertyEQ))]
        names = node.alias_column_names
        return FunctionRelation(names, bool(names), lambda: self.made_of(arguments, position))

    def _pivoted(self, inner: Relation, pivot: exp.Pivot) -> Relation:
        return Pivoted(inner, pivot, lambda trace, node, usage: self.trace_over(inner, trace, node, usage))


@dataclass(frozen=True, eq=False)
class _Again:
    """A relation over tables that another one before it is over too: its columns are not the same."""

    inner: Relation
    number: int

    @property
    def names(self) -> Sequence[str]:
        return self.inner.names

    @property
    def open(self) -> frozenset[DatasetId]:
        return self.inner.open

    @property
    def tables(self) -> frozenset[DatasetId]:
        return self.inner.tables

    def may_have(self, name: str) -> bool:
        return self.inner.may_have(name)

    def column(self, name: str) -> Made | None:
        made = self.inner.column(name)
        return None if made is None else self._marked(made)

    def at(self, index: int) -> Made:
        return self._marked(self.inner.at(index))

    def effects(self, trace: Trace) -> None:
        self.inner.effects(trace)

    def _marked(self, made: Made) -> Made:
        return replace(made, digest=digest(made.digest, f"#{self.number}"))


def inner_of(relation: Relation) -> Relation:
    """A relation without the mark that tells it from others over the same tables."""
    return relation.inner if isinstance(relation, _Again) else relation


def told_apart(items: Sequence[Item]) -> Sequence[Item]:
    """The sources, such that the two sides of a self-join have columns of different digests."""
    found: list[Item] = []
    for item in items:
        before = sum(1 for other in found if other.relation.tables & item.relation.tables)
        found.append(replace(item, relation=_Again(item.relation, before)) if before else item)
    return tuple(found)
