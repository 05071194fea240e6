"""The file of kept figures: it is made when needed, shared by processes, and thrown away when damaged."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from contracts_svc.adapters.state_file import StateFile
from contracts_svc.errors import CouldNotCheck

FIGURES = {"k": 1, "latest": "2026-01-01T00:00:00+00:00", "none": None, "share": 0.5, "own": {"groups": 2}}


def test_what_is_put_is_there(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "new" / "states.db")
    assert file.states("p", ["a"]) == {}
    file.put_states("p", {})
    assert not (tmp_path / "new").exists()
    file.put_states("p", {"a": FIGURES, "b": {}})
    file.put_states("q", {"a": {"k": 2}})
    assert file.states("p", ["a", "x"]) == {"a": FIGURES}
    file.put_states("p", {"a": {"k": 3}}, keep=["a"])
    assert file.states("p", ["a", "b"]) == {"a": {"k": 3}}
    assert file.states("q", ["a"]) == {"a": {"k": 2}}


def test_many_units(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "states.db")
    many = {str(n): {"k": n} for n in range(40_000)}
    file.put_states("p", many)
    assert file.states("p", many) == many
    file.put_states("p", {}, keep=[])
    assert file.states("p", many) == {}


def test_a_damaged_file_is_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "states.db"
    path.write_bytes(b"no database at all, and long enough to be looked at" * 100)
    file = StateFile(path)
    assert file.states("p", ["a"]) == {}
    file.put_states("p", {"a": FIGURES})
    assert file.states("p", ["a"]) == {"a": FIGURES}


def test_a_file_of_another_version_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "states.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE states (other TEXT)")
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert StateFile(path).states("p", ["a"]) == {}


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CouldNotCheck) as raised:
        StateFile(tmp_path / "file" / "states.db").put_states("p", {"a": {}})
    assert str(tmp_path) in raised.value.what


def _put(path: Path, number: int) -> None:
    for n in range(20):
        StateFile(path).put_states("p", {f"{number}-{n}": {"k": n}})


def test_several_processes_write(tmp_path: Path) -> None:
    path = tmp_path / "states.db"
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(_put, [path] * 3, range(3)))
    assert len(StateFile(path).states("p", [f"{p}-{n}" for p in range(3) for n in range(20)])) == 60
