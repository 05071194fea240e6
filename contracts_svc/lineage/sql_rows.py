"""What decides which rows a query has, part by part, so that two versions of it can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from contracts_svc.lineage.sql_decides import ANYWHERE, Place
from contracts_svc.lineage.sql_digest import conjuncts, digest, digest_set
from contracts_svc.lineage.sql_made import text_of
from contracts_svc.lineage.sql_query import QueryRelation
from contracts_svc.lineage.sql_relations import (
    FunctionRelation,
    Pivoted,
    Relation,
    Renamed,
    SetRelation,
    TableRelation,
)
from contracts_svc.lineage.sql_resolver import Resolver
from contracts_svc.lineage.sql_sources import Item, inner_of


class RowKind(StrEnum):
    """In which way something decides about rows."""

    SOURCE = "source"
    JOIN = "join"
    FILTER = "filter"
    GROUP_BY = "group by"
    DISTINCT = "distinct"
    SET = "set operation"
    EXPLODE = "explode"
    PIVOT = "pivot"
    LIMIT = "limit"
    SAMPLE = "sample"
    SORT = "order by"


@dataclass(frozen=True, slots=True)
class RowPart:
    """One thing that decides about rows; ``digest`` "" where what it stands on is not known."""

    kind: RowKind
    digest: str


Parts = Mapping[RowPart, str]
"""Each with its text, as the SQL has it."""

_SHOWN = 100
_EXPLODES = (exp.Explode, exp.Posexplode, exp.Unnest, exp.Inline, exp.GenerateSeries)


class RowReader:
    """Reads the parts of every query of one statement, each query once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._known: dict[int, Parts] = {}

    def prepare(self) -> None:
        """Read every query, inner ones first, so that long chains need no deep stack."""
        for query in self._resolver.queries():
            self.parts(self._resolver.relation(query))

    def query_digest(self, query: exp.Expr) -> str:
        """The digest of a subquery: of its columns and its rows."""
        relation = self._resolver.relation(query)
        if relation.open:
            return ""
        columns = (relation.at(index).digest for index in range(len(relation.names)))
        rows = digest_set([p.digest and digest(p.kind, p.digest) for p in self.parts(relation)])
        return digest("query", rows, *columns)

    def parts(self, relation: Relation) -> Parts:
        """The parts of a relation, those of what it selects from included."""
        relation = inner_of(relation)
        if id(relation) not in self._known:
            self._known[id(relation)] = {}  # What recurses adds nothing to itself.
            found = dict(self._parts(relation))
            self._resolver.step(len(found))
            self._known[id(relation)] = found
        return self._known[id(relation)]

    def _parts(self, relation: Relation) -> Iterator[tuple[RowPart, str]]:
        match relation:
            case Renamed():
                yield from self.parts(relation.inner).items()
            case SetRelation():
                yield from self._set(relation)
            case Pivoted():
                yield from self.parts(relation.inner).items()
                yield RowPart(RowKind.PIVOT, relation.digest), _text(relation.pivot)
            case QueryRelation():
                yield from self._select(relation)

    def _set(self, relation: SetRelation) -> Iterator[tuple[RowPart, str]]:
        """A long chain of unions is deep on its left: no recursion there."""
        branches: list[Relation] = []
        kinds: list[str] = []
        current: Relation = relation
        while isinstance(current, SetRelation):
            branches.append(current.right)
            kinds.append(f"{current.kind.__name__} {current.distinct} {current.by_name}")
            current = current.left
        branches = [current, *reversed(branches)]
        for number, branch in enumerate(branches):
            place = str(number) if number else ""
            yield from ((_placed(part, place), text) for part, text in self.parts(branch).items())
        shape = digest("set", *reversed(kinds), *(_identity(b) for b in branches))
        yield RowPart(RowKind.SET, shape), f"{len(branches)} queries"
        if relation.distinct:
            columns = [relation.at(index).digest for index in range(len(relation.names))]
            yield RowPart(RowKind.DISTINCT, "" if relation.open else digest_set(columns)), "no repeats"

    def star(self, relation: Relation) -> str:
        """A digest of the stars whose columns are not known; "" when all columns are known."""
        relation = inner_of(relation)
        if not relation.open:
            return ""
        match relation:
            case QueryRelation():
                stars = [(o.star, o.relation) for o in relation.open_stars if o.relation]
                return digest("stars", *(digest(text or "*", self.star(r) or "none") for text, r in stars))
            case Renamed() | Pivoted():
                return digest(type(relation).__name__, self.star(relation.inner))
            case SetRelation():
                sides = (self.star(s) or "none" for s in (relation.left, relation.right))
                return digest("sides", *sides)
        return _identity(relation)

    # -- a SELECT

    def _select(self, query: QueryRelation) -> Iterator[tuple[RowPart, str]]:
        yield from self._sources(query)
        select = query.select
        everything = Place(aliases=len(select.expressions))
        for key in ("prewhere", "where", "having", "qualify"):
            if clause := select.args.get(key):
                for condition in conjuncts(clause.this):
                    own = query.digest_of(condition, everything)
                    yield RowPart(RowKind.FILTER, digest(key, own) if own else ""), _text(condition)
        yield from self._grouping(query)
        yield from self._distinct(query)
        for key in ("limit", "offset", "fetch"):
            if clause := select.args.get(key):
                yield RowPart(RowKind.LIMIT, digest(key, _text(clause))), _text(clause)
        for key in ("order", "sort", "cluster", "distribute"):
            if clause := select.args.get(key):
                yield self._order(query, clause)
        if connect := select.args.get("connect"):
            yield RowPart(RowKind.JOIN, query.digest_of(connect, ANYWHERE)), _text(connect)
        for position, projection in enumerate(select.expressions):
            for node in projection.find_all(*_EXPLODES):
                own = query.digest_of(node, Place(aliases=position, projected=True))
                yield RowPart(RowKind.EXPLODE, own), _text(node)

    def _sources(self, query: QueryRelation) -> Iterator[tuple[RowPart, str]]:
        joins = {j.alias_or_name: j for j in query.scope.find_all(exp.Join)}
        alone = len(query.items) == 1
        for item in query.items:
            relation = inner_of(item.relation)
            place = "" if alone else _identity(relation)
            yield from ((_placed(p, place), text) for p, text in self.parts(relation).items())
            join = joins.get(item.name)
            if join is not None:
                yield self._join(query, item, join), _text(join)
            elif isinstance(relation, FunctionRelation):
                own = digest("function", *(relation.at(i).digest for i in range(len(relation.names) or 1)))
                yield RowPart(RowKind.EXPLODE, own if relation.names else relation.at(0).digest), item.name
            elif isinstance(relation, TableRelation) or not alone:
                yield RowPart(RowKind.SOURCE, _identity(relation)), item.name
        for table in query.scope.tables:
            if sample := table.args.get("sample"):
                yield RowPart(RowKind.SAMPLE, digest(table.name, _text(sample))), _text(sample)

    def _join(self, query: QueryRelation, item: Item, join: exp.Join) -> RowPart:
        kind = " ".join([join.method, join.side, join.kind]).upper().replace("INNER", "").replace("OUTER", "")
        on, using = join.args.get("on"), join.args.get("using") or ()
        conditions = [query.digest_of(c, Place(in_join=True)) for c in conjuncts(on)] if on else []
        merged = [query.merged_digest(u.name) for u in using]
        if not all([*conditions, *merged]):
            return RowPart(RowKind.JOIN, "")
        words = ("join", " ".join(kind.split()) or "INNER", _identity(item.relation), *sorted(conditions))
        return RowPart(RowKind.JOIN, digest(*words, "using", *sorted(merged)))

    def _grouping(self, query: QueryRelation) -> Iterator[tuple[RowPart, str]]:
        select = query.select
        group = select.args.get("group")
        if group is None:
            if any(_aggregates(p) for p in select.expressions):
                yield RowPart(RowKind.GROUP_BY, "all rows as one"), "all rows as one"
            return
        keys = [*group.iter_expressions()]
        if group.args.get("all"):
            keys += [p for p in select.expressions if not _aggregates(p)]
        own = [self._key(query, key) for key in keys]
        yield RowPart(RowKind.GROUP_BY, digest("keys", digest_set(own))), _text(group)

    def _distinct(self, query: QueryRelation) -> Iterator[tuple[RowPart, str]]:
        distinct = query.select.args.get("distinct")
        if not isinstance(distinct, exp.Distinct):
            return
        if on := distinct.args.get("on"):
            own = [self._key(query, key) for key in on.expressions]
            yield RowPart(RowKind.DISTINCT, digest("on", digest_set(own))), _text(distinct)
            return
        columns = [query.at(index).digest for index in range(len(query.names))]
        yield RowPart(RowKind.DISTINCT, "" if query.open else digest_set(columns)), "DISTINCT"

    def _order(self, query: QueryRelation, clause: exp.Expr) -> tuple[RowPart, str]:
        own = []
        for key in clause.expressions:
            column = key.this if isinstance(key, exp.Ordered) else key
            way = "desc" if isinstance(key, exp.Ordered) and key.args.get("desc") else "asc"
            found = self._key(query, column, Place(len(query.select.expressions), alias_first=True))
            own.append(digest(way, found) if found else "")
        return RowPart(RowKind.SORT, digest("order", *own)), _text(clause)

    def _key(self, query: QueryRelation, key: exp.Expr, place: Place | None = None) -> str:
        """A key of grouping or sorting; a whole number names an output column by its position."""
        if isinstance(key, exp.Literal) and key.is_int:
            index = int(key.name) - 1
            return query.at(index).digest if 0 <= index < len(query.names) and not query.open else ""
        if isinstance(key, exp.Alias):
            key = key.this
        return query.digest_of(key, place or Place(len(query.select.expressions)))


def _placed(part: RowPart, place: str) -> RowPart:
    return RowPart(part.kind, digest(place, part.digest)) if place and part.digest else part


def _identity(relation: Relation) -> str:
    """Which tables are at the bottom of it: what it is called says nothing."""
    return digest("over", *sorted(map(str, relation.tables))) if relation.tables else "no table"


def _aggregates(projection: exp.Expr) -> bool:
    """Whether it makes one value of many rows (in no window, and in no subquery)."""
    for node in projection.walk(prune=lambda n: isinstance(n, (exp.Window, exp.Query))):
        if isinstance(node, exp.AggFunc):
            return True
    return False


def _text(node: exp.Expr) -> str:
    text = " ".join(text_of(node).split()) or "..."
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
