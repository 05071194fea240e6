"""One SELECT (or set operation) resolved over the scopes that sqlglot finds in it.

Nothing is rewritten: a column is looked up where it stands, through CTEs and subqueries down to
tables, and every answer is kept. So the cost is bounded by the size of the query and not by what it
would be with everything inlined, and a column that cannot be resolved spoils no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

from sqlglot import exp
from sqlglot.optimizer.scope import Scope

from contracts_svc.lineage.graph import DatasetId, EdgeType
from contracts_svc.lineage.sql_decides import ANYWHERE, Place, add_effects
from contracts_svc.lineage.sql_digest import digest_of
from contracts_svc.lineage.sql_inline import Inliner
from contracts_svc.lineage.sql_joins import Merged
from contracts_svc.lineage.sql_made import MAX_COLUMNS, Gap, Made, TooLarge, Trace, digest
from contracts_svc.lineage.sql_outputs import NoSource, Output, named, path_of, pattern_of, star_of
from contracts_svc.lineage.sql_relations import FunctionRelation, Relation, TableRelation
from contracts_svc.lineage.sql_resolver import Resolver
from contracts_svc.lineage.sql_sources import Item, Sources, told_apart
from contracts_svc.lineage.sql_trace import trace_expression


class QueryRelation:
    """A SELECT."""

    def __init__(self, resolver: Resolver, select: exp.Select, scope: Scope) -> None:
        self.resolver, self.select, self.scope = resolver, select, scope
        self._made: dict[int, Made] = {}
        self._at: dict[int, Made] = {}
        self._building: set[int] = set()

    @cached_property
    def items(self) -> Sequence[Item]:
        """What it selects from."""
        found = tuple(Sources(self.scope, self.resolver, self._made_of, self._trace_over).items())
        return told_apart(found) if self.resolver.query_digest else found

    @cached_property
    def merged(self) -> Merged:
        """The columns that its joins merge."""
        joins = list(self.scope.find_all(exp.Join))
        return Merged(joins, self.items, self.resolver.using_order)

    def _made_of(self, nodes: Sequence[exp.Expr], position: int) -> Made:
        trace = Trace(self.resolver.step)
        for node in nodes:
            self.trace(trace, node, EdgeType.TRANSFORMATION, Place(sources=position))
        if not self.resolver.query_digest:
            return trace.made()
        return replace(
            trace.made(),
            digest=digest("of", *(self.digest_of(node, Place(sources=position)) for node in nodes)),
        )

    def _trace_over(self, inner: Relation, trace: Trace, node: exp.Expr, usage: EdgeType) -> None:
        def look_up(column: exp.Column | exp.Dot) -> Made:
            made = inner.column(column.name)
            return made or self._gap(column, f"there is no column `{column.name}` to pivot")

        trace_expression(trace, node, usage, look_up, self._subquery, self.resolver.step)

    # -- what it gives

    @cached_property
    def outputs(self) -> Sequence[Output]:
        found: list[Output] = []
        for position, projection in enumerate(self.select.expressions):
            found += self._outputs_of(projection, position)
            if len(found) > MAX_COLUMNS:
                raise TooLarge(f"a query has more than {MAX_COLUMNS:,} columns")
        renamed = self.scope.outer_columns
        if renamed and not any(o.name is None for o in found[: len(renamed)]):
            for index, name in enumerate(renamed[: len(found)]):
                found[index] = Output(name, found[index].make, found[index].relation)
        return tuple(found)

    def _outputs_of(self, projection: exp.Expr, position: int) -> Iterator[Output]:
        star = star_of(projection)
        if star is not None:
            yield from self._expanded(star, projection)
            return
        if projection.find(exp.Columns, exp.Apply):
            gap = partial(
                self._gap, projection, "which columns COLUMNS(...) and APPLY(...) make is not followed"
            )
            yield Output(None, gap, NoSource(self.tables))
            return
        make = self._maker(projection, position)
        if isinstance(projection, exp.Aliases):
            yield from (Output(alias.name, make) for alias in projection.aliases)
            return
        yield Output(projection.alias_or_name or projection.output_name or named(projection, position), make)

    def _maker(self, projection: exp.Expr, position: int) -> Callable[[], Made]:
        def make() -> Made:
            # Only a column of an enclosing recursion can ask for itself while it is being made.
            if position in self._building:
                return Made(digest=f"itself {position}")
            if position not in self._made:
                self._building.add(position)
                try:
                    self._made[position] = self._column_made(
                        projection, Place(aliases=position, projected=True)
                    )
                finally:
                    self._building.discard(position)
            return self._made[position]

        return make

    def _column_made(self, projection: exp.Expr, place: Place) -> Made:
        node = projection.this if isinstance(projection, (exp.Alias, exp.Aliases)) else projection
        if isinstance(node, exp.Column):
            return self.look_up(node, place)
        trace = Trace(self.resolver.step)
        self.trace(trace, node, EdgeType.IDENTITY, place)
        expression, size = Inliner(lambda c: self.look_up(c, place), self.resolver.relation).of(node)
        made = trace.made(expression, size)
        return replace(made, digest=self.digest_of(node, place)) if self.resolver.query_digest else made

    def digest_of(self, node: exp.Expr, place: Place) -> str:
        """The digest of an expression that stands in this query."""
        query = self.resolver.query_digest
        if query is None:
            return ""
        own = digest_of(node, lambda c: self.look_up(c, place), query, self.every_column)
        named = [self.window(w.alias) for w in node.find_all(exp.Window) if w.alias]
        return digest(own, *(self.digest_of(w, place) for w in named if w)) if named else own

    def merged_digest(self, name: str) -> str:
        """The digest of a column that a USING merges."""
        return self.merged.column(name).digest if name in self.merged.by_name else ""

    def _expanded(self, star: exp.Star, projection: exp.Expr) -> Iterator[Output]:
        excluded = frozenset(e.name for e in star.args.get("except_") or ())
        replaced = {e.alias: e.this for e in star.args.get("replace") or ()}
        renamed = {e.this.name: e.alias for e in star.args.get("rename") or ()}
        qualifier = projection.table if isinstance(projection, exp.Column) else ""
        items = self._starred(projection, qualifier)
        if items is None:
            reason = f"there is no source `{qualifier}` for `{qualifier}.*`"
            yield Output(None, lambda: self._gap(projection, reason), NoSource(self.tables))
            return
        like = pattern_of(star)
        merged = {} if qualifier else self.merged.by_name
        first = () if qualifier else self.merged.first()
        for name in first:
            if name not in excluded:
                yield Output(renamed.get(name, name), partial(self.merged.column, name))
        given = set(first)
        for item in items:
            for index, name in enumerate(item.relation.names):
                if name in excluded or (name in merged and name in given) or not like.fullmatch(name):
                    continue
                given.add(name)
                if name in replaced:
                    make = partial(self._column_made, replaced[name], ANYWHERE)
                elif name in merged:
                    make = partial(self.merged.column, name)
                else:
                    make = partial(item.relation.at, index)
                yield Output(renamed.get(name, name), make)
            if item.relation.open or item.relation.may_have(""):
                yield Output(None, Made, item.relation, excluded, star.sql())

    def _starred(self, projection: exp.Expr, qualifier: str) -> Sequence[Item] | None:
        if not qualifier:
            return [i for i in self.items if i.visible]
        parts = [p.name for p in projection.parts][:-1] if isinstance(projection, exp.Column) else []
        found = self._item(parts)
        return None if found is None else [found]

    @cached_property
    def names(self) -> Sequence[str]:
        return tuple(o.name for o in self.outputs if o.name is not None)

    @cached_property
    def _index(self) -> Mapping[str, int]:
        """The first output column of each name."""
        return {name: index for index, name in reversed(list(enumerate(self.names)))}

    @cached_property
    def _named_outputs(self) -> Sequence[Output]:
        return tuple(o for o in self.outputs if o.name is not None)

    @cached_property
    def open_stars(self) -> Sequence[Output]:
        """The stars over relations whose columns are not known."""
        return tuple(o for o in self.outputs if o.name is None)

    @cached_property
    def open(self) -> frozenset[DatasetId]:
        return frozenset(d for o in self.open_stars if o.relation for d in o.relation.open)

    def may_have(self, name: str) -> bool:
        return any(name not in o.excluded for o in self.open_stars)

    def column(self, name: str) -> Made | None:
        index = self._index.get(name)
        if index is not None:
            return self.at(index)
        stars = [o for o in self.open_stars if name not in o.excluded and o.relation is not None]
        if len(stars) == 1 and stars[0].relation is not None:
            return stars[0].relation.column(name)
        if stars:
            return Made.unknown(Gap(self.open, f"`{name}` may come from more than one `*`"))
        return None

    def at(self, index: int) -> Made:
        found = self._at.get(index)
        if found is None:
            found = self._at[index] = self._named_outputs[index].make()
        return found

    def effects(self, trace: Trace) -> None:
        trace.add(self._effects)

    @cached_property
    def tables(self) -> frozenset[DatasetId]:
        return frozenset(d for i in self.items for d in i.relation.tables)

    @cached_property
    def _effects(self) -> Trace:
        trace = Trace(self.resolver.step)
        add_effects(self, trace)
        self.resolver.step(len(trace.uses))
        return trace

    # -- looking columns up

    def trace(self, trace: Trace, node: exp.Expr, usage: EdgeType, place: Place) -> None:
        """Add the sources of an expression that stands in this query."""
        trace_expression(
            trace, node, usage, lambda c: self.look_up(c, place), self._subquery, self.resolver.step, self
        )

    def _subquery(self, query: exp.Expr) -> Relation:
        return self.resolver.relation(query)

    def window(self, name: str) -> exp.Window | None:
        """The window of that name in the WINDOW clause."""
        return next((w for w in self.select.args.get("windows") or () if w.name == name), None)

    def every_column(self) -> Iterator[Made]:
        """Every column of every source: what a bare ``*`` inside of an expression means."""
        for item in self.items:
            yield from (item.relation.at(i) for i in range(len(item.relation.names)))
            if item.relation.open:
                yield Made.unknown(Gap(item.relation.open, "which columns `*` stands for is not known"))

    def look_up(self, column: exp.Column | exp.Dot, place: Place) -> Made:
        """What a column, or a field of a struct, is made of."""
        path = path_of(column)
        for length in range(min(len(path) - 1, 3), 0, -1):
            item = self._item(path[:length]) or self._outer_item(path[:length])
            if item is not None:
                made = item.relation.column(path[length])
                if made is None:
                    return self._gap(column, f"`{item.name}` has no column `{path[length]}`")
                return self._counted(made.field_of(path[length + 1 :]))
        return self._counted(self._unqualified(path[0], place, column).field_of(path[1:]))

    def _counted(self, made: Made) -> Made:
        self.resolver.step()
        return made

    def _item(self, parts: Sequence[str]) -> Item | None:
        found = [i for i in self.items if len(parts) == 1 and i.name == parts[0]]
        # A qualified name, or the name of a table that has an alias.
        found = found or [i for i in self.items if i.parts[-len(parts) :] == tuple(parts)]
        return found[0] if found else None

    @cached_property
    def _outer(self) -> QueryRelation | None:
        """The query around this one, where this one may refer to it."""
        select = self.resolver.enclosing(self.scope)
        found = None if select is None else self.resolver.relation(select)
        return found if isinstance(found, QueryRelation) else None

    def _outer_item(self, parts: Sequence[str]) -> Item | None:
        outer = self._outer
        while outer is not None:
            if found := outer._item(parts):
                return found
            outer = outer._outer
        return None

    def _unqualified(self, name: str, place: Place, node: exp.Expr) -> Made:
        alias = self._alias(name, place)
        if alias is not None and place.alias_first:
            return alias
        if name in self.merged.by_name and place.sources is None:
            return self.merged.column(name)
        items = [i for i in self.items[: place.sources] if i.visible or place.in_join]
        sure = [i for i in items if name in i.relation.names]
        if len(sure) == 1:
            return sure[0].relation.column(name) or Made()
        if sure:
            tables = frozenset(d for i in sure for d in i.relation.tables)
            return self._gap(node, f"`{name}` is in more than one source", tables)
        maybe = [i for i in items if i.relation.may_have(name)]
        hidden = place.projected and not self.resolver.lateral_aliases
        if alias is not None and not (maybe and (hidden or _is_built_on(alias, name))):
            return alias
        return self._from_unsure(name, maybe, items, node)

    def _from_unsure(self, name: str, maybe: list[Item], items: list[Item], node: exp.Expr) -> Made:
        """A column that no source is known to have."""
        outer = self._outer_sure(name)
        if outer is not None and not maybe:
            return outer
        if outer is None and len(maybe) == 1:
            return maybe[0].relation.column(name) or Made()
        if maybe:
            tables = frozenset(d for i in maybe for d in i.relation.tables)
            return self._gap(node, f"which source `{name}` comes from is not known", tables)
        as_row = next((i for i in items if i.name == name), None)
        if as_row is not None:
            return self._whole_row(as_row, node)
        only = [i.relation for i in items if isinstance(i.relation, TableRelation)]
        if len(only) == 1 and len(items) == 1:
            # The contract does not list it, but it can only be a column of this table.
            return only[0].column(name) or Made()
        if self._outer is not None:
            return self._outer._unqualified(name, ANYWHERE, node)
        return self._gap(node, f"there is no column `{name}`")

    def _outer_sure(self, name: str) -> Made | None:
        outer = self._outer
        while outer is not None:
            sure = [i for i in outer.items if name in i.relation.names]
            if len(sure) == 1:
                return sure[0].relation.column(name)
            outer = outer._outer
        return None

    def _alias(self, name: str, place: Place) -> Made | None:
        position = self._aliases.get(name)
        if position is None or position >= place.aliases:
            return None
        return self._maker(self.select.expressions[position], position)()

    @cached_property
    def _aliases(self) -> Mapping[str, int]:
        """The first projection of each alias."""
        found: dict[str, int] = {}
        for position, projection in enumerate(self.select.expressions):
            if isinstance(projection, exp.Alias):
                found.setdefault(projection.alias, position)
        return found

    def _whole_row(self, item: Item, node: exp.Expr) -> Made:
        if isinstance(item.relation, FunctionRelation):
            return item.relation.column(item.name) or item.relation.at(0)
        if item.relation.open:
            return self._gap(node, f"`{item.name}` is a whole row whose columns are not known")
        trace = Trace(self.resolver.step)
        for index in range(len(item.relation.names)):
            trace.take(item.relation.at(index), EdgeType.TRANSFORMATION)
        columns = (item.relation.at(i).digest for i in range(len(item.relation.names)))
        return replace(trace.made(), digest=digest("row", *columns))

    def _gap(self, node: exp.Expr, reason: str, tables: frozenset[DatasetId] | None = None) -> Made:
        if tables is None:
            tables = self.tables
        identifier = next(iter(node.find_all(exp.Identifier)), node)
        line = identifier.meta_get("line") or 0
        # sqlglot gives the column of the last character.
        column = (identifier.meta_get("col") or 0) - max(0, len(identifier.name) - 1)
        hint = "write the table's name before the column, or register a contract for the table"
        return Made.unknown(Gap(tables, reason, hint, line, column))


def _is_built_on(made: Made, name: str) -> bool:
    """Whether a source column of that very name is in it: then the source has such a column."""
    return any((ref.column or "").lower() == name for ref in made.uses)
