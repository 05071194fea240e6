"""Errors of three kinds that never mix: a user's mistake, "could not check", and a bug.

A *finding* (the contract is broken, the data fails) is a result and no error: see
:mod:`contracts_svc.findings` and :mod:`contracts_svc.runs`. Each kind has its own exit code and
HTTP status; :func:`worst` says which one a command ends with when several occur in one run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What every command ends with."""

    OK = 0
    BROKEN = 1
    """A finding: the contract is broken, or the data fails."""
    MISTAKE = 2
    """A mistake in what the user gave."""
    COULD_NOT_CHECK = 3
    """A source was unreachable, denied access or timed out. Neither passed nor failed."""
    BUG = 70
    """A defect of this program."""


_RANK = {
    ExitCode.OK: 0,
    ExitCode.BROKEN: 1,
    ExitCode.COULD_NOT_CHECK: 2,
    ExitCode.MISTAKE: 3,
    ExitCode.BUG: 4,
}


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code of a run in which all of these occurred: 70 beats 2 beats 3 beats 1 beats 0."""
    return max(codes, key=_RANK.__getitem__, default=ExitCode.OK)


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a text that somebody wrote. Line and column count from 1, in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with what a user gave: where, what, and what to do about it."""

    at: Location | None
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.at}: " if self.at else ""
        return f"{where}{self.message}" + (f"\n    {self.hint}" if self.hint else "")


class ContractsError(Exception):
    """Base of the errors that this program raises on purpose."""

    exit_code: ExitCode = ExitCode.BUG
    http_status: int = 500


class UserMistake(ContractsError):
    """What the user gave cannot be used. Carries every problem found, sorted, without repeats."""

    exit_code = ExitCode.MISTAKE
    http_status = 422

    def __init__(self, problems: Iterable[Problem]) -> None:
        # A problem without a place comes first: it is about the whole of what was given.
        ordered = sorted(
            set(problems),
            key=lambda p: (p.at is not None, p.at or Location("", 0, 0), p.message, p.hint),
        )
        self.problems: tuple[Problem, ...] = tuple(ordered)
        super().__init__("\n".join(str(p) for p in self.problems))

    @classmethod
    def of(cls, message: str, hint: str = "", at: Location | None = None) -> UserMistake:
        """A mistake with one problem."""
        return cls([Problem(at, message, hint)])


class CouldNotCheck(ContractsError):
    """Something outside could not be reached or read, so there is no verdict.

    ``what`` was to be done, ``cause`` is why it could not be (never holds a secret), ``hint`` is
    what to do, ``retryable`` says whether trying again later can help.
    """

    exit_code = ExitCode.COULD_NOT_CHECK
    http_status = 503

    def __init__(self, what: str, cause: str, hint: str = "", *, retryable: bool = True) -> None:
        self.what, self.cause, self.hint, self.retryable = what, cause, hint, retryable
        super().__init__(f"could not check: {what}: {cause}" + (f"\n    {hint}" if hint else ""))
