"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import TEXT, BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from contracts_svc.errors import UserMistake

Id = BigInteger().with_variant(Integer(), "sqlite")
"""A number that the database gives (only SQLite's INTEGER counts by itself)."""


LONGEST_NAME = 800
"""Bytes in UTF-8. Three of them fit in one entry of an index."""


class Clean(TypeDecorator[str]):
    """Text of any length. Refuses what PostgreSQL cannot keep, on SQLite too."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        # Byte order, as SQLite has it: lists come in the same order, and an update of the machine's
        # locales cannot break an index.
        return TEXT(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None or (value.isascii() and "\x00" not in value):
            return value
        try:
            value.encode()
        except UnicodeEncodeError:
            wrong = "half a character (a lone surrogate)"
        else:
            if "\x00" not in value:
                return value
            wrong = "the character U+0000"
        raise UserMistake.of(f"{_shown(value)} holds {wrong}, which cannot be stored", "take it out")


class Name(Clean):
    """Text that is looked up by, and so is bounded: an index of PostgreSQL takes 2,704 bytes an entry."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        value = super().process_bind_param(value, dialect)
        if value is not None and len(value.encode()) > LONGEST_NAME:
            raise UserMistake.of(
                f"{_shown(value)} is longer than {LONGEST_NAME} bytes", "give it a shorter name"
            )
        return value


def _shown(value: str) -> str:
    return repr(value if len(value) <= 80 else value[:77] + "...")


class Instant(TypeDecorator[datetime]):
    """A moment, kept in UTC. A time without a zone is a defect of ours."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"{value} has no time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)
