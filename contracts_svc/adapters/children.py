"""What child processes are given that read what anybody may have written."""

from __future__ import annotations

import os

_CREDENTIALS = ("AWS_", "CONTRACTS_")
"""How the names of variables begin that may hold secrets."""


def bare_environment(*also: str) -> dict[str, str]:
    """The environment of this process without what may hold a secret; ``also`` are further beginnings of
    names that are left out."""
    hidden = (*_CREDENTIALS, *also)
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
