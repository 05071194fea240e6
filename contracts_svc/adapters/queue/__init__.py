"""Queues that carry scheduled runs to workers: within one process, and over PostgreSQL."""
