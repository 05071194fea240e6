"""Finding the contracts that a command names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from contracts_svc import odcs
from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.model import Contract
from contracts_svc.odcs import CONTRACT_SUFFIXES
from contracts_svc.odcs.yaml_text import MAX_BYTES

__all__ = ["CONTRACT_SUFFIXES", "content", "contract_files", "expand", "load", "read_file", "read_text"]


@cache
def _schema_of() -> Callable[[str], Mapping[str, object]]:
    return PackagedSchemas().schema


def read_text(text: bytes, file: str) -> Contract:
    """A contract from its text. Raises UserMistake with every problem."""
    return odcs.read(text, file, _schema_of())


def read_file(path: Path) -> Contract:
    """A contract from its file. Raises UserMistake."""
    return read_text(content(path), str(path))


def content(path: Path, most: int = MAX_BYTES) -> bytes:
    """The bytes of a file, up to one more than ``most``. Raises UserMistake."""
    try:
        # One byte more than the reader takes, so that it says "too large" without reading on.
        with path.open("rb") as stream:
            return stream.read(most + 1)
    except FileNotFoundError:
        raise UserMistake.of(f"{path} does not exist", "check the path") from None
    except IsADirectoryError:
        raise UserMistake.of(f"{path} is a folder", "name a file in it") from None
    except OSError as error:
        raise UserMistake.of(f"{path} cannot be read: {error.strerror}") from error


def contract_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files as given, and every ``*.odcs.yaml`` below a folder. Raises UserMistake."""
    return tuple(dict.fromkeys(expand(paths, CONTRACT_SUFFIXES, "contract")))


def expand(paths: Iterable[Path], suffixes: Sequence[str], what: str) -> Iterator[Path]:
    """Files as given, and every file below a folder whose name ends so. Raises UserMistake."""
    problems = []
    for path in paths:
        if path.is_dir():
            found = [p for p in sorted(path.rglob("*")) if p.name.endswith(tuple(suffixes)) and p.is_file()]
            if not found:
                endings = " or ".join(f"*{s}" for s in suffixes)
                problems.append(Problem(None, f"{path} holds no {what} file", f"these end with {endings}"))
            yield from found
        elif path.exists():
            yield path
        else:
            problems.append(Problem(None, f"{path} does not exist", "check the path"))
    if problems:
        raise UserMistake(problems)


def load(paths: Iterable[Path]) -> dict[Path, Contract]:
    """Read all these contracts. Raises UserMistake with the problems of all files together."""
    found: dict[Path, Contract] = {}
    problems: list[Problem] = []
    for path in contract_files(paths):
        try:
            found[path] = read_file(path)
        except UserMistake as error:
            problems += error.problems
    if problems:
        raise UserMistake(problems)
    return found
