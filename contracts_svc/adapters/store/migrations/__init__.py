"""Migrations of the database: numbered modules in ``versions``, run by :mod:`..schema`."""
