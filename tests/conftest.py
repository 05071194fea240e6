"""Fixtures that every test may name."""

from tests.fixtures_s3 import own_lake, s3_server

__all__ = ["own_lake", "s3_server"]
