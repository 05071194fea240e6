"""The lineage of a running service, as ``contracts preflight --service`` asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from contracts_svc.adapters.service_client import ServiceClient
from contracts_svc.api.lineage_part import part_of
from contracts_svc.cli.workspace import read_text
from contracts_svc.errors import CouldNotCheck, Problem
from contracts_svc.flows.lineage import Lineage
from contracts_svc.lineage.graph import ColumnRef, DatasetId
from contracts_svc.waivers import Waiver

MOST = 10_000
"""Columns and names that one question takes."""


class ServiceLineage:
    """Implements :class:`contracts_svc.flows.preflight.LineageParts` by a service at a URL.

    ``problems`` are gaps that the caller knows of.
    """

    def __init__(self, url: str, token: str, problems: Sequence[Problem] = ()) -> None:
        self._url = url
        self._client = ServiceClient(url, token)
        self._problems = tuple(problems)

    def part(
        self, starts: Sequence[ColumnRef], names: Iterable[DatasetId], fingerprints: Iterable[str]
    ) -> tuple[Lineage, tuple[Waiver, ...]]:
        """The part that the service knows. Raises CouldNotCheck, UserMistake."""
        asked: dict[str, list[Any]] = {
            "starts": [{"dataset": _name(r.dataset), "column": r.column} for r in starts],
            "names": [_name(d) for d in sorted(names)],
            "fingerprints": list(dict.fromkeys(fingerprints)),
        }
        if any(len(entries) > MOST for entries in asked.values()):
            raise CouldNotCheck(
                f"lineage of the service {self._url}",
                f"the change touches more than {MOST:,} columns or contracts",
                "split it, or give lineage as files with --lineage",
                retryable=False,
            )
        text = self._client.part(asked)
        try:
            document = part_of(text)
            contracts = tuple(read_text(c.text.encode(), c.id) for c in document.contracts)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CouldNotCheck(
                f"lineage of the service {self._url}",
                f"its answer cannot be read ({type(error).__name__})",
                "see that the address is that of a service of this version",
                retryable=False,
            ) from None
        found = document.lineage()
        return replace(
            found, contracts=contracts, problems=(*found.problems, *self._problems)
        ), document.waivers


def _name(dataset: DatasetId) -> dict[str, str]:
    return {"namespace": dataset.namespace, "name": dataset.name}
