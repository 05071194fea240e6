"""What endpoints are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from contracts_svc.api.service import Service
from contracts_svc.flows.stored_lineage import StoredLineage


def _service(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


ServiceOf = Annotated[Service, Depends(_service)]


def _lineage(request: Request) -> StoredLineage:
    found: StoredLineage = request.app.state.lineage
    return found


LineageOf = Annotated[StoredLineage, Depends(_lineage)]
