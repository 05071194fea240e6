"""``/slack/interactivity``: somebody pressed a button below a message in Slack.

Source: https://docs.slack.dev/interactivity/handling-user-interaction. It is answered at once, and done
after that: Slack waits 3 seconds.
"""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Header, Request, Response

from contracts_svc.api.deps import ServiceOf
from contracts_svc.api.problems import Refused

PATH = "/slack/interactivity"

router = APIRouter(tags=["slack"])


@router.post(PATH, include_in_schema=False)
async def interactivity(
    service: ServiceOf,
    request: Request,
    x_slack_request_timestamp: Annotated[str, Header()] = "",
    x_slack_signature: Annotated[str, Header()] = "",
) -> Response:
    """Take a press of a button. Whoever presses is answered in Slack, and nobody else sees it."""
    desk = service.slack
    if desk is None or not desk.takes_http:
        raise Refused(404, "no signing secret of Slack is set: see CONTRACTS_SLACK_SIGNING_SECRET")
    body = await request.body()
    if not desk.is_from_slack(x_slack_request_timestamp, body, x_slack_signature):
        raise Refused(401, "this is not signed by Slack, or it is more than 5 minutes old")
    if not desk.take(_payload(body)):
        raise Refused(503, "too much waits to be done", headers={"Retry-After": "5"})
    return Response(status_code=200)


def _payload(body: bytes) -> object:
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=10, strict_parsing=True)
        return json.loads(fields["payload"][0])
    except (ValueError, KeyError, RecursionError):
        raise Refused(400, "the body is no form with a 'payload' of JSON") from None
