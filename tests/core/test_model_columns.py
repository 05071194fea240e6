"""Looking up a column of a wide table: one look through it for all of its columns."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contracts_svc.model import Column, Table


def wide(number: int, *more: Column) -> Table:
    columns = [Column(name=f"c{n}", path=f"c{n}") for n in range(number)]
    nested = Column(name="a", path="a", columns=(Column(name="b", path="a.b"),))
    return Table(name="t", columns=(*columns, nested, *more))


@pytest.mark.parametrize("number", [1, 15, 16, 17, 300])
def test_a_column_is_found_by_its_path_in_any_table(number: int) -> None:
    table = wide(number, Column(name="c0", path="c0", description="a second one"))
    assert [table.column(c.path) for c in wide(number).walk()] == list(wide(number).walk())
    assert table.column("c0") == table.columns[0]
    assert (table.column("b"), table.column("a.x"), table.column("")) == (None, None, None)
    # Another table of the same look is not taken for it.
    other = wide(number, Column(name="z", path="z"))
    assert (table.column("z"), other.column("z")) == (None, other.columns[-1])


def test_many_columns_of_a_wide_table_take_one_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    walks = 0
    usual = Table.walk

    def counted(self: Table) -> Iterator[Column]:
        nonlocal walks
        walks += 1
        return usual(self)

    monkeypatch.setattr(Table, "walk", counted)
    table = wide(2_000)
    found = [table.column(f"c{n}") for n in range(2_000)]
    assert [c.name for c in found if c] == [f"c{n}" for n in range(2_000)]
    assert walks == 1
