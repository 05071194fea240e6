"""Finds and keeps the relation of every query in a statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.optimizer.scope import Scope, ScopeType, traverse_scope

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql_made import MAX_STEPS, Made, TooLarge, Trace
from contracts_svc.lineage.sql_relations import (
    FunctionRelation,
    Relation,
    Renamed,
    SetRelation,
    TableRelation,
)

# Dialects in which a column of the SELECT list may use the aliases before it.
_LATERAL_ALIASES = frozenset(
    {"clickhouse", "databricks", "duckdb", "redshift", "snowflake", "spark", "teradata"}
)


class Resolver:
    """Everything that the queries of one statement share."""

    def __init__(
        self,
        root: exp.Query,
        table_of: Callable[[exp.Table], TableRelation],
        dialect: Dialect,
        select: Callable[[Resolver, exp.Select, Scope], Relation],
    ) -> None:
        """``table_of`` gives the table that a node names, ``select`` makes a relation of a SELECT."""
        self.query_digest: Callable[[exp.Expr], str] | None = None
        """Gives the digest of a subquery. Where it is set, every column is made with a digest."""
        self.table_of = table_of
        self._select = select
        self.lateral_aliases = type(dialect).__name__.lower() in _LATERAL_ALIASES
        self.using_order = dialect.USING_COLUMN_ORDER
        self.steps = 0
        self.read: dict[DatasetId, None] = {}
        self._scopes: dict[int, Scope] = {}
        self._relations: dict[int, Relation] = {}
        if any(isinstance(cte.this, exp.DML) for cte in root.find_all(exp.CTE)):
            raise TooLarge("a CTE that writes is not followed")
        for scope in traverse_scope(root):
            self._scopes[id(scope.expression)] = scope

    def step(self, count: int = 1) -> None:
        """Count work. Raises TooLarge."""
        self.steps += count
        if self.steps > MAX_STEPS:
            raise TooLarge("the statement needs too many steps to be followed")

    def prepare(self) -> None:
        """Work out every query's columns, inner ones first, so that long chains need no deep stack."""
        for query in self.queries():
            relation = self.relation(query)
            if not relation.open:
                for index in range(len(relation.names)):
                    relation.at(index)
            if isinstance(query, exp.Select):
                relation.effects(Trace())

    def queries(self) -> Sequence[exp.Query]:
        """Every SELECT and set operation, inner ones first."""
        found = (scope.expression for scope in self._scopes.values())
        return [q for q in found if isinstance(q, (exp.Select, exp.SetOperation))]

    def relation(self, query: exp.Expr) -> Relation:
        """The relation that a query is."""
        query = query.unnest()
        found = self._relations.get(id(query))
        if found is None:
            scope = self._scopes.get(id(query))
            if scope is None:
                raise TooLarge("a part of the statement could not be given a scope")
            found = self._build(query, scope)
            self._relations[id(query)] = found
        return found

    def _build(self, query: exp.Expr, scope: Scope) -> Relation:
        if isinstance(query, exp.SetOperation):
            combined: Relation = SetRelation(
                self.relation(query.this),
                self.relation(query.expression),
                type(query),
                bool(query.args.get("by_name")),
                query.args.get("distinct") is not False,
                str(query.args.get("side") or query.args.get("kind") or "").replace("FULL", ""),
                [o.this for o in order.expressions] if (order := query.args.get("order")) else (),
            )
            return Renamed(combined, scope.outer_columns) if scope.outer_columns else combined
        if isinstance(query, exp.Select):
            return self._select(self, query, scope)
        # VALUES and the like as an operand of a set operation.
        return FunctionRelation(scope.outer_columns, True, Made)

    def base_table(self, node: exp.Table) -> TableRelation:
        """The table that a node names, noted as read."""
        found = self.table_of(node)
        self.read.setdefault(found.dataset)
        return found

    def reached(self, root: exp.Expr) -> frozenset[DatasetId]:
        """The tables whose rows take part in a query; those of a CTE that nothing reads do not."""
        found: set[DatasetId] = set()
        seen: set[int] = set()
        todo = [root.unnest()]
        while todo:
            query = todo.pop()
            scope = self._scopes.get(id(query))
            if scope is None or id(query) in seen:
                continue
            seen.add(id(query))
            inner = [*scope.set_operation_scopes, *scope.subquery_scopes, *scope.table_scopes]
            todo += [s.expression for s in inner]
            for table in scope.tables:
                cte = scope.cte_sources.get(table.name) if not table.db else None
                if isinstance(cte, Scope):
                    todo.append(cte.expression)
                elif not isinstance(table.this, exp.Func):
                    found.add(self.table_of(table).dataset)
        return frozenset(found)

    @staticmethod
    def enclosing(scope: Scope) -> exp.Select | None:
        """The query that a correlated one may refer to: what a subquery or a lateral source stands in.

        A derived table or a CTE sees nothing of the query that it is a source of.
        """
        current: Scope | None = scope
        while current is not None:
            correlated = current.scope_type in (ScopeType.SUBQUERY, ScopeType.UDTF)
            current = current.parent
            if correlated and current is not None and isinstance(current.expression, exp.Select):
                return current.expression
        return None
