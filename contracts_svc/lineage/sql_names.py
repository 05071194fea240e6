"""Names in a text of SQL: how they are folded and spelt, and the columns of tables as it changes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.sql_relations import TableRelation
from contracts_svc.lineage.sql_write import WRITTEN, Write, name_of


@dataclass(slots=True)
class Names:
    """``name_of`` gives the dataset of a table's name as SQL writes it."""

    dialect: Dialect
    name_of: Callable[[str], DatasetId]
    schemas: dict[DatasetId, dict[str, str]] = field(default_factory=dict)
    """Folded column name -> the name as the schema spells it."""
    _made_here: set[DatasetId] = field(default_factory=set)
    """Tables whose columns are known from the text alone: statements change them."""
    _spellings: dict[str, str] = field(default_factory=dict)

    def know(self, schemas: Mapping[str, Mapping[str, str]]) -> None:
        """Take the columns of tables that were known before."""
        for table, columns in schemas.items():
            self.schemas[self.name_of(table)] = {c.lower(): c for c in columns}

    def fold(self, tree: exp.Expr) -> None:
        """Fold all names of a statement to lower case, and remember how the dialect spells them.

        Where two columns differ only in case (``"ID"`` and ``id``), the quoted one keeps its quotes.
        """
        self._spellings = {}
        for table in tree.find_all(exp.Table):
            table.meta[WRITTEN] = name_of(table)
        found = [i for i in tree.find_all(exp.Identifier) if isinstance(i.this, str)]
        spelt: dict[str, set[str]] = {}
        for identifier in found:
            spelt.setdefault(identifier.this.lower(), set()).add(self._normal(identifier))
        for identifier in found:
            normal, folded = self._normal(identifier), identifier.this.lower()
            if len(spelt[folded]) > 1 and normal != self._normal(exp.to_identifier(folded)):
                folded = f'"{normal}"'
            self._spellings.setdefault(folded, normal)
            identifier.set("this", folded)

    def _normal(self, identifier: exp.Identifier) -> str:
        return self.dialect.normalize_identifier(identifier.copy()).name

    def spelt(self, name: str) -> str:
        """A folded name as the dialect spells it."""
        return self._spellings.get(name, name)

    def dataset(self, written: str) -> DatasetId:
        """The dataset of a table's name as written."""
        found = self.name_of(written)
        if found != DatasetId("", written) or "/" in written or found in self.schemas:
            return found
        parts = (self.spelt(part.lower()) for part in written.split("."))
        return DatasetId("", ".".join(parts))

    def table(self, node: exp.Table) -> TableRelation:
        """The table that a node names."""
        dataset = self.dataset(name_of(node))
        return TableRelation(dataset, self.schemas.get(dataset), self.spelt)

    def targets(
        self, write: Write, names: Sequence[str], open_: bool, dataset: DatasetId | None
    ) -> list[str]:
        """The target column of every output column; ``open_`` says that there are more than ``names``."""
        targets = [self.spelt(name) for name in names]
        known = self.schemas.get(dataset, {}) if dataset is not None else {}
        listed = [self.spelt(c.lower()) for c in write.columns]
        if not listed and write.target and not (write.by_name or write.defines or open_):
            # INSERT matches by position; where the counts differ, the names are the better witness.
            free = [c for c in known if c not in write.set_apart and c not in write.last]
            listed = [known.get(c, self.spelt(c)) for c in (*free, *write.last)]
            if len(listed) != len(targets):
                listed = targets[: len(targets) - len(write.last)] + [self.spelt(c) for c in write.last]
        if listed and not open_:
            targets[: len(listed)] = listed[: len(targets)]
        return [known.get(name.lower(), name) for name in targets]

    def define(self, dataset: DatasetId, names: Sequence[str]) -> None:
        """A statement makes a table with these columns. What a contract says of it counts more."""
        if dataset in self.schemas and dataset not in self._made_here:
            return
        self._made_here.add(dataset)
        self.schemas[dataset] = {name.lower(): self.spelt(name) for name in names}

    def change(self, dataset: DatasetId, write: Write) -> None:
        """A statement drops a table, or changes its columns."""
        if write.forgets and dataset in self._made_here:
            del self.schemas[dataset]
            self._made_here.discard(dataset)
        columns = self.schemas.get(dataset)
        if columns is None:
            return
        for former, new in write.renames:
            spelt = {new: self.spelt(new)} if new else {}
            if former not in columns:
                columns |= spelt
                continue
            kept = [{name: c} if name != former else spelt for name, c in columns.items()]
            columns = {name: c for part in kept for name, c in part.items()}
        self.schemas[dataset] = columns
