"""What the tests of reading contracts share."""

from __future__ import annotations

from contracts_svc import odcs
from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.errors import Problem, UserMistake
from contracts_svc.model import Contract
from tests.support import DATA

SCHEMA_OF = PackagedSchemas().schema
FILE = "x.yaml"
EVERYTHING = (DATA / "odcs" / "everything-v3.2.0.odcs.yaml").read_bytes()

HEADER = """\
apiVersion: v3.1.0
kind: DataContract
id: x
version: 1.0.0
status: active
"""
"""Five lines: what is written after it begins at line 6."""


def read(text: str | bytes, file: str = FILE) -> Contract:
    return odcs.read(text.encode() if isinstance(text, str) else text, file, SCHEMA_OF)


def problems(text: str | bytes) -> tuple[Problem, ...]:
    """What is wrong with a text; none when it can be read."""
    try:
        read(text)
    except UserMistake as error:
        return error.problems
    return ()


def told(text: str | bytes) -> list[tuple[str, str]]:
    """Place and message of every problem: ``("6:3", "...")``."""
    return [(f"{p.at.line}:{p.at.column}" if p.at else "", p.message) for p in problems(text)]
