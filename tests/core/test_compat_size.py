"""Large contracts and long histories: what is done grows with them, counted in calls and never in time."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.compat import physical
from contracts_svc.compat.diff import diff
from contracts_svc.compat.modes import Mode
from contracts_svc.compat.rules import judge
from contracts_svc.flows.history import Earlier, judge_change
from contracts_svc.model import Contract
from contracts_svc.odcs.read import read
from contracts_svc.ports import FileVersion
from tests.benchmarks.compat import contract as text

SCHEMAS = PackagedSchemas()


def contract(columns: int, version: str, changed_every: int = 0) -> Contract:
    written = text(columns, version, changed_every=changed_every)
    return read(written.encode(), "wide.odcs.yaml", SCHEMAS.schema)


def calls(run: Callable[[], object]) -> int:
    found: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, arg: found.update([event]))
    try:
        run()
    finally:
        sys.setprofile(None)
    return found["call"]


def compared(columns: int) -> int:
    old, new = contract(columns, "1.0.0"), contract(columns, "2.0.0", 5)
    return calls(lambda: judge(diff(old, new), old, new))


def test_comparing_grows_with_the_columns() -> None:
    compared(100)  # what is remembered of types is remembered from here on
    assert compared(800) < 2.1 * compared(400)


def test_reading_grows_with_the_columns() -> None:
    def reading(columns: int) -> int:
        written = text(columns, "1.0.0").encode()
        return calls(lambda: read(written, "wide.odcs.yaml", SCHEMAS.schema))

    reading(10)
    assert reading(800) < 2.1 * reading(400)


def judged(versions: int) -> int:
    texts = [text(10, f"1.{i}.0", changed_every=2 + i % 7).encode() for i in range(versions)]

    def newest_first(path: str) -> Iterator[FileVersion]:
        for written in reversed(texts):
            yield FileVersion(commit="0" * 40, path=path, text=written)

    earlier = Earlier(versions=newest_first, read=lambda t, file: read(t, file, SCHEMAS.schema))
    old, new = earlier.read(texts[-1], "wide.odcs.yaml"), contract(10, "2.0.0")
    return calls(lambda: judge_change(old, new, Mode.FULL_TRANSITIVE, earlier))


def test_judging_grows_with_the_versions() -> None:
    judged(10)
    assert judged(80) < 2.1 * judged(40)


def test_a_type_is_parsed_once_however_many_columns_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    parse = physical._sql_type

    def counted(written: str, name: str, dialect: str) -> object:
        seen.append(written)
        return parse(written, name, dialect)

    monkeypatch.setattr(physical, "_sql_type", counted)
    physical._parse.cache_clear()
    old, new = contract(500, "1.0.0"), contract(500, "2.0.0", 5)
    judge(diff(old, new), old, new)
    assert seen
    assert len(seen) == len(set(seen))


def test_a_contract_of_ten_thousand_columns_is_read_and_compared() -> None:
    old = contract(10_000, "1.0.0")
    table = old.tables[0]
    assert len(table.columns) == 10_000
    fewer = dataclasses.replace(table, columns=table.columns[::2])
    new = dataclasses.replace(old, version="2.0.0", tables=(fewer,))
    assert Counter(f.rule for f in judge(diff(old, new), old, new)) == {"column-removed": 5_000}
