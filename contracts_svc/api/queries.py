"""Queries: a parameter that is misspelt is a mistake, since a filter left out would give too much."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from contracts_svc.api.problems import Refused

_ANY = frozenset({"/auth/callback"})
"""Paths that others send a browser to, with more parameters than we know of."""


async def known_only(request: Request) -> None:
    """Raises Refused (422) for parameters that the endpoint does not have, or that come twice, and for
    U+0000 in an address, which no database of ours can hold or look for."""
    if "\x00" in request.scope["path"] or any("\x00" in v for v in request.query_params.values()):
        raise Refused(422, "the address holds the character U+0000")
    route = request.scope.get("route")
    given = Counter(name for name, _ in request.query_params.multi_items())
    if not given or not isinstance(route, APIRoute):
        return
    known = list(_parameters(route.dependant))
    for name, times in given.items():
        if name not in known and route.path not in _ANY:
            close = difflib.get_close_matches(name[:100], known, n=1)
            meant = f"; did you mean {close[0]!r}?" if close else f"; there are: {', '.join(known) or 'none'}"
            raise Refused(422, f"there is no parameter {name[:100]!r} here{meant}")
        if times > 1:
            raise Refused(422, f"the parameter {name!r} is given {times} times; give it once")


def _parameters(dependant: Dependant) -> Iterator[str]:
    yield from (p.alias for p in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _parameters(inner)
