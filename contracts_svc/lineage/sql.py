"""Column-level lineage out of SQL.

The types of the edges are OpenLineage's
(https://openlineage.io/docs/spec/facets/dataset-facets/column_lineage_facet): filters, joins,
grouping and sorting decide which rows there are and so point at the target as a whole; conditions
and windows point at the column that they are in. Where a statement, or one column of it, cannot be
resolved, a table-level edge says so, with the reason: nothing is guessed and nothing left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from contracts_svc.errors import Location, Problem
from contracts_svc.lineage.graph import ColumnRef, DatasetId, Edge, EdgeKind, EdgeType
from contracts_svc.lineage.sql_faults import TOO_DEEP, Fault, in_words
from contracts_svc.lineage.sql_forms import common_form
from contracts_svc.lineage.sql_made import DIRECT, Gap, Made, TooLarge, Trace, text_of
from contracts_svc.lineage.sql_names import Names
from contracts_svc.lineage.sql_query import QueryRelation
from contracts_svc.lineage.sql_resolver import Resolver
from contracts_svc.lineage.sql_rows import Parts, RowReader
from contracts_svc.lineage.sql_text import Statement, dialect_of, statements
from contracts_svc.lineage.sql_types import result_type
from contracts_svc.lineage.sql_write import Write, name_of
from contracts_svc.lineage.sql_writes import writes

__all__ = ["Meaning", "SqlLineage", "lineage_of", "meanings_of", "result_type"]

MAX_EDGES = 200_000
"""Most edges kept of one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLineage:
    """What a text of SQL does: its edges, what could not be followed, which datasets it touches."""

    edges: tuple[Edge, ...] = ()
    problems: tuple[Problem, ...] = ()
    reads: tuple[DatasetId, ...] = ()
    writes: tuple[DatasetId, ...] = ()
    """Datasets whose rows or columns it changes, those that it only drops or empties included."""
    columns: Mapping[DatasetId, tuple[str, ...]] = field(default_factory=dict)
    """The columns of what it makes anew, in order, where all of them are known."""


def lineage_of(
    sql: str,
    *,
    dialect: str,
    schemas: Mapping[str, Mapping[str, str]],
    name_of: Callable[[str], DatasetId],
    origin: str,
    seen: datetime | None,
    target: str | None = None,
) -> SqlLineage:
    """The lineage of every statement in ``sql``. Never raises for what the text says.

    ``dialect`` is a name that sqlglot knows, or a common other one (``postgresql``, ``ansi``).
    ``schemas`` gives the columns of known tables (table -> column -> type), ``name_of`` the dataset
    of a table's name as SQL writes it (``DatasetId("", name)`` for one that is not known).
    ``target`` is what a SELECT that stands alone makes. A table that one statement creates is known
    to those after it. Problems have line and column in the text, under ``origin`` as file.
    """
    found = dialect_of(dialect)
    if found is None:
        hint = "use a name that sqlglot has, such as duckdb, postgres, snowflake, bigquery or spark"
        return SqlLineage(problems=(Problem(None, f"unknown SQL dialect {dialect!r}", hint),))
    reader = _Reader(found, dialect, Names(found, name_of), origin, seen, target)
    reader.names.know(schemas)
    for statement in statements(sql, found):
        reader.read(statement)
    return reader.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What one statement gives to one dataset: its columns, with digests, and what decides its rows."""

    dataset: DatasetId
    columns: Mapping[str, Made]
    rows: Parts
    query: exp.Query
    star: str
    """A digest of the stars whose columns are not known; "" when ``columns`` is all there is."""


def meanings_of(
    sql: str,
    *,
    dialect: str,
    schemas: Mapping[str, Mapping[str, str]],
    name_of: Callable[[str], DatasetId],
    origin: str,
    target: str | None = None,
) -> tuple[tuple[Meaning, ...], SqlLineage]:
    """What every statement means that could be followed, and the lineage of all; see ``lineage_of``."""
    found = dialect_of(dialect)
    if found is None:
        return (), lineage_of(
            sql, dialect=dialect, schemas=schemas, name_of=name_of, origin=origin, seen=None
        )
    meanings: list[Meaning] = []
    reader = _Reader(found, dialect, Names(found, name_of), origin, None, target, keep=meanings.append)
    reader.names.know(schemas)
    for statement in statements(sql, found):
        reader.read(statement)
    return tuple(meanings), reader.result()


@dataclass(slots=True)
class _Reader:
    """Reads statements one after the other and gathers what they say."""

    dialect: Dialect
    dialect_name: str
    names: Names
    origin: str
    seen: datetime | None
    target: str | None
    edges: dict[Edge, None] = field(default_factory=dict)
    problems: dict[Problem, None] = field(default_factory=dict)
    reads: dict[DatasetId, None] = field(default_factory=dict)
    written: dict[DatasetId, None] = field(default_factory=dict)
    made: dict[DatasetId, tuple[str, ...]] = field(default_factory=dict)
    keep: Callable[[Meaning], None] | None = None
    """Where it is set, it is given what every statement means."""

    def result(self) -> SqlLineage:
        return SqlLineage(
            edges=tuple(self.edges),
            problems=tuple(self.problems),
            reads=tuple(self.reads),
            writes=tuple(self.written),
            columns=self.made,
        )

    def read(self, statement: Statement) -> None:
        tree = statement.tree
        if tree is None:
            self._unparsed(statement)
            return
        if isinstance(tree, exp.Command):
            return
        self.names.fold(tree)
        common_form(tree, self.dialect)
        for write in writes(tree):
            self._follow(write)

    # -- one statement

    def _follow(self, write: Write) -> None:
        target = write.target if write.target is not None else self.target
        dataset = self.names.dataset(target) if target else None
        if dataset is not None and (write.target or write.query or write.unfollowed):
            self.written.setdefault(dataset)
        if write.unfollowed is not None:
            pivot = isinstance(write.unfollowed, exp.Pivot)
            what = "a PIVOT that stands alone" if pivot else "what gives its rows"
            reason = write.reason or f"{what} is not followed"
            self._unresolved(write.unfollowed, dataset, reason)
            return
        if write.query is None:
            if dataset is not None and write.defines:
                self.names.define(dataset, write.columns)
            if dataset is not None:
                self.names.change(dataset, write)
            return
        if write.query.find(exp.MatchRecognize):
            self._unresolved(write.query, dataset, "MATCH_RECOGNIZE is not followed")
            return
        try:
            self._resolve(write, write.query, dataset)
        except TooLarge as error:
            self._unresolved(write.query, dataset, str(error))
        except SqlglotError as error:
            self._unresolved(write.query, dataset, f"it cannot be followed: {in_words(str(error))}")
        except AssertionError:
            # sqlglot asserts where it finds a shape that its scopes do not know.
            self._unresolved(write.query, dataset, "a part of the statement is not followed")
        except RecursionError:
            self._unresolved(write.query, dataset, TOO_DEEP)

    def _resolve(self, write: Write, query: exp.Query, dataset: DatasetId | None) -> None:
        root = query.unnest()
        assert isinstance(root, exp.Query)
        resolver = Resolver(root, self.names.table, self.dialect, QueryRelation)
        rows = RowReader(resolver) if self.keep else None
        resolver.query_digest = rows.query_digest if rows else None
        resolver.prepare()
        relation = resolver.relation(root)
        names = self.names.targets(write, relation.names, bool(relation.open), dataset)
        edges: list[Edge] = []
        gaps: dict[Gap, None] = {}
        made = [relation.at(index) for index in range(len(names))]
        effects = Trace()
        relation.effects(effects)
        self.reads.update({d: None for d in resolver.read if d != dataset or not write.in_place})
        if dataset is None:
            self._note_standalone()
            return
        if rows and self.keep:
            rows.prepare()
            self.keep(
                Meaning(
                    dataset=dataset,
                    columns=dict(zip(names, made, strict=True)),
                    rows=rows.parts(relation),
                    query=root,
                    star=rows.star(relation),
                )
            )
        whole = not (relation.open or relation.may_have(""))
        if not whole:
            gaps[Gap(relation.open, "which columns `*` stands for is not known")] = None
        if len(self.edges) + sum(len(column.uses) for column in made) > MAX_EDGES:
            raise TooLarge(f"the SQL text makes more than {MAX_EDGES:,} edges")
        for name, column in zip(names, made, strict=True):
            gaps.update(dict.fromkeys(column.gaps))
            edges += self._column_edges(column, ColumnRef(dataset, name))
        gaps.update(effects.gaps)
        edges += self._effect_edges(effects, dataset)
        edges += self._gap_edges(gaps, dataset)
        edges += self._row_edges(resolver.reached(root), edges, dict(zip(names, made, strict=True)), dataset)
        self.edges.update(dict.fromkeys(edges))
        if whole and (write.defines or not write.target):
            self.made[dataset] = tuple(names)
        if write.defines and whole:
            self.names.define(dataset, names)

    def _note_standalone(self) -> None:
        message = "a SELECT that stands alone makes nothing that is known"
        hint = "say what it makes, or write CREATE TABLE ... AS before it"
        self.problems.setdefault(Problem(self._at(1, 1), message, hint))

    # -- edges

    def _edge(self, source: ColumnRef, target: ColumnRef, type_: EdgeType, **more: str) -> Edge:
        kind = EdgeKind.DIRECT if type_ in DIRECT else EdgeKind.INDIRECT
        return Edge(
            source=source,
            target=target,
            kind=kind,
            type=type_,
            origin=self.origin,
            seen=self.seen,
            **more,
        )

    def _column_edges(self, made: Made, target: ColumnRef) -> Iterator[Edge]:
        text = "" if made.expression is None else text_of(made.expression, self.dialect)
        how = {"expression": text, "dialect": self.dialect_name} if text else {}
        for source, types in made.uses.items():
            direct = [t for t in types if t in DIRECT]
            if direct:
                strongest = max(direct, key=DIRECT.index)
                yield self._edge(source, target, strongest, **how)
            yield from (self._edge(source, target, t, **how) for t in sorted(types) if t not in DIRECT)

    def _effect_edges(self, effects: Trace, dataset: DatasetId) -> Iterator[Edge]:
        """What a table's own columns decide about itself (UPDATE, MERGE) is no lineage."""
        for source, types in effects.uses.items():
            if source.dataset != dataset:
                yield from (self._edge(source, ColumnRef(dataset, None), t) for t in sorted(types))

    def _gap_edges(self, gaps: Mapping[Gap, None], dataset: DatasetId) -> Iterator[Edge]:
        for gap in gaps:
            at = self._at(gap.line or 1, gap.column or 1)
            hint = gap.hint or "register a contract for the table, or name the columns"
            self.problems.setdefault(Problem(at, gap.reason, hint))
            for table in sorted(gap.tables - {dataset}):
                yield self._table_edge(table, dataset, gap.reason)

    def _table_edge(self, source: DatasetId, target: DatasetId, reason: str) -> Edge:
        """Which columns is not known."""
        return Edge(
            source=ColumnRef(source, None),
            target=ColumnRef(target, None),
            kind=EdgeKind.INDIRECT,
            type=EdgeType.UNKNOWN,
            origin=self.origin,
            seen=self.seen,
            reason=reason,
        )

    def _row_edges(
        self,
        reached: frozenset[DatasetId],
        edges: list[Edge],
        made: Mapping[str, Made],
        dataset: DatasetId,
    ) -> Iterator[Edge]:
        """A table of which no column is read still gives rows (``SELECT count(*) FROM it``).

        Its edge has no source column, but a target column: the rows make it, no column does.
        """
        linked = {e.source.dataset for e in edges} | {dataset}
        rows_only = [name for name, m in made.items() if not m.uses and not m.gaps]
        for table in sorted(reached - linked):
            for name in rows_only:
                yield self._edge(ColumnRef(table, None), ColumnRef(dataset, name), EdgeType.AGGREGATION)
            if not rows_only:
                ends = ColumnRef(table, None), ColumnRef(dataset, None)
                yield self._edge(*ends, EdgeType.JOIN, reason="none of its columns is read, only its rows")

    # -- what cannot be followed

    def _unresolved(self, query: exp.Expr, dataset: DatasetId | None, reason: str) -> None:
        self.problems.setdefault(Problem(self._at(1, 1), reason, "its lineage is table-level only"))
        defined = {cte.alias for cte in query.root().find_all(exp.CTE)}
        for table in query.find_all(exp.Table):
            if isinstance(table.this, exp.Func) or (not table.db and table.name in defined):
                continue
            source = self.names.dataset(name_of(table))
            self.reads.setdefault(source)
            if dataset not in (None, source):
                self.edges.setdefault(self._table_edge(source, dataset, reason))

    def _unparsed(self, statement: Statement) -> None:
        fault = statement.fault or Fault("the SQL cannot be parsed", 1, 1)
        self.problems.setdefault(Problem(self._at(fault.line, fault.column), fault.reason, fault.hint))
        target = statement.target or self.target
        if target:
            self.written.setdefault(self.names.dataset(target))
        for name in statement.sources:
            self.reads.setdefault(self.names.dataset(name))
            if target:
                edge = self._table_edge(self.names.dataset(name), self.names.dataset(target), fault.reason)
                self.edges.setdefault(edge)

    def _at(self, line: int, column: int) -> Location:
        return Location(self.origin.removeprefix("sql:"), line, column)
