"""``/datasets/…/gate``: may a pipeline read this now?"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from contracts_svc.api.access import Reader
from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.fields import Moment
from contracts_svc.api.problems import PREFIX, RESPONSES, responses
from contracts_svc.findings import Severity
from contracts_svc.flows.gate import gate_of
from contracts_svc.render.gate import gate_json

router = APIRouter(prefix=f"{PREFIX}/datasets", tags=["gate"], responses=RESPONSES)


class GateShown(BaseModel):
    """Whether a dataset may be read."""

    open: bool
    unknown: bool = Field(description="Nobody can tell: never checked, not lately, or not with success")
    reasons: list[str] = Field(examples=[["flights is as promised"]])
    contract: str = Field(examples=["urn:flights"])
    tables: list[str]
    incidents: dict[Severity, int] = Field(description="How many are not over, by severity")
    checked: Moment | None = Field(description="When the last check ended; of several tables the earliest")


@router.get("/{name:path}/gate", responses=responses(404))
def dataset_gate(
    service: ServiceOf,
    caller: Reader,
    name: Annotated[
        str,
        Path(max_length=1_000, description="Contract id, table, or OpenLineage name", examples=["flights"]),
    ],
    severity: Annotated[Severity, Query(description="An incident closes the gate if it is this bad")] = (
        Severity.ERROR
    ),
    max_age: Annotated[
        float | None, Query(ge=0, le=100_000, description="Hours: the last check may not be older")
    ] = None,
) -> GateShown:
    """May a pipeline read this dataset now? It may when it was checked and nothing bad is open."""
    found = gate_of(
        service.store,
        name,
        caller.tenant,
        now=service.clock.now(),
        closes=severity,
        max_age=None if max_age is None else timedelta(hours=max_age),
    )
    return GateShown(**gate_json(found))
