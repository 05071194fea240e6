"""``/events/publish``: data was published, so what was promised of it is checked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from contracts_svc.api.access import Publisher
from contracts_svc.api.deps import LineageOf, ServiceOf
from contracts_svc.api.problems import PREFIX, RESPONSES
from contracts_svc.flows.published import announce
from contracts_svc.publish import read_notice

router = APIRouter(prefix=f"{PREFIX}/events", tags=["events"], responses=RESPONSES)

_EXAMPLE = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventTime": "2026-11-24T12:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": "lake"},
                "object": {"key": "orders/day%3D2026-11-24/a.parquet", "sequencer": "0055AED6DCD90281E5"},
            },
        }
    ]
}
_MESSAGE = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": ["object", "array"]}}]}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": _MESSAGE, "example": _EXAMPLE}},
    }
}


class TableShown(BaseModel):
    """A table that will be checked."""

    contract: str
    table: str


class Heard(BaseModel):
    """What came of a message."""

    checks: list[TableShown] = Field(
        description="Tables that are checked as soon as nothing further is published in them for a while"
    )
    heard_before: int = Field(description="Happenings that an earlier message told of")
    unmatched: list[str] = Field(description="Datasets that no contract describes")
    passed_over: list[str] = Field(description="What of the message touches no data")


async def _raw(request: Request) -> bytes:
    # SNS sends its JSON as text/plain.
    return await request.body()


@router.post("/publish", status_code=202, openapi_extra=_BODY)
def publish_event(
    service: ServiceOf, caller: Publisher, lineage: LineageOf, text: Annotated[bytes, Depends(_raw)]
) -> Heard:
    """Take a message of S3 (plain, or wrapped by SNS, SQS, Lambda or EventBridge) or of OpenLineage.

    The tables that it touches are checked when nothing further is published in them for a while (the setting
    CONTRACTS_PUBLISH_QUIET_SECONDS; after five minutes anyway). The same message again starts nothing.
    """
    notice = read_notice(text)
    done = announce(
        notice,
        store=service.store,
        identities=lineage.refresh(caller.tenant).identities,
        tenant=caller.tenant,
        now=service.clock.now(),
    )
    return Heard(
        checks=[TableShown(contract=contract, table=table) for contract, table in done.tables],
        heard_before=done.heard_before,
        unmatched=list(done.unmatched[:100]),
        passed_over=list(notice.passed_over[:100]),
    )
