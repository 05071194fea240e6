"""Messages that tell of published data -> the datasets that they touch.

Read are the event notifications of S3
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html), as S3 sends
them, as SNS, SQS and Lambda wrap them, in any order; S3's events by EventBridge
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html); and OpenLineage's run events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_plus

from contracts_svc.errors import UserMistake
from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.json_text import Unreadable, parsed
from contracts_svc.model import Json

MAX_BYTES = 1_000_000
"""Of a message; those of SQS, SNS and EventBridge have at most 256 KiB, or 1 MiB."""
MAX_RECORDS = 10_000
_DEEPEST = 5
"""Wrappings inside one another: SNS in SQS in Lambda are three."""
_HINT = "send what S3, SNS, SQS, EventBridge or OpenLineage sends, as it is"
_NOT_DATA = "_temporary"
"""Where Spark and Hadoop write before they publish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A dataset (or a file of it) that was written or removed, by a message that has an id.

    The same happening has the same id however it came: S3 sends at least once, and may send by several
    ways.
    """

    id: str
    dataset: DatasetId


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What a message says. ``passed_over`` tells, in sentences, what of it touches no data."""

    touched: tuple[Touched, ...] = ()
    passed_over: tuple[str, ...] = ()


def read_notice(text: bytes) -> Notice:
    """The datasets that a message touches. Raises UserMistake for what is none of the known messages."""
    return _Reader().read(text)


def read_run_event(event: Json) -> Notice:
    """The outputs of an OpenLineage run event, when it says that the run is COMPLETE; else nothing.

    Never raises: the event has been judged by whoever takes lineage in.
    """
    if not isinstance(event, Mapping) or event.get("eventType") != "COMPLETE":
        return Notice()
    run_id = _text(_inner(event, "run"), "runId")
    outputs = event.get("outputs")
    found = [
        DatasetId(namespace, name)
        for output in (outputs if isinstance(outputs, list) else [])[:MAX_RECORDS]
        if isinstance(output, Mapping)
        if (namespace := _text(output, "namespace")) and (name := _text(output, "name"))
    ]
    # Without an id of the run, its time tells it from others.
    said = run_id or _text(event, "eventTime")
    return Notice(
        touched=tuple(Touched(id=f"openlineage:{said}:{d.namespace}:{d.name}", dataset=d) for d in found)
    )


class _Reader:
    def __init__(self) -> None:
        self._touched: dict[str, Touched] = {}
        self._passed_over: dict[str, None] = {}
        self._records = 0

    def read(self, text: bytes) -> Notice:
        try:
            body = parsed(text, MAX_BYTES)
        except Unreadable as error:
            raise UserMistake.of(f"the message is {error.reason}", _HINT) from None
        self._body(body, _DEEPEST)
        return Notice(touched=tuple(self._touched.values()), passed_over=tuple(self._passed_over))

    def _body(self, body: Json, deepest: int) -> None:
        """Any of the forms; each tells itself by keys that the others do not have."""
        if deepest == 0:
            raise UserMistake.of(f"more than {_DEEPEST} messages inside one another", _HINT)
        if isinstance(body, list):
            for each in body:
                self._counted()
                self._body(each, deepest - 1)
            return
        if not isinstance(body, Mapping):
            raise UserMistake.of("the message is no JSON object", _HINT)
        if body.get("Event") == "s3:TestEvent":
            self._pass_over("a test of S3, which tells of no object")
        elif "detail-type" in body:
            self._event_bridge(body)
        elif "Message" in body and "Type" in body:
            self._sns(body, deepest)
        elif "eventType" in body and "run" in body:
            for touched in read_run_event(body).touched:
                self._touched.setdefault(touched.id, touched)
            if body.get("eventType") != "COMPLETE":
                self._pass_over("a run event that is not COMPLETE")
        elif isinstance(body.get("Records"), list):
            self._records_of(body["Records"], deepest)
        elif isinstance(body.get("Messages"), list):
            self._records_of(body["Messages"], deepest)
        elif any(k in body for k in ("body", "Body", "Sns", "s3")):
            self._records_of([body], deepest)
        else:
            raise UserMistake.of("the message is none that is known here", _HINT)

    def _records_of(self, records: list[Json], deepest: int) -> None:
        for record in records:
            self._counted()
            if not isinstance(record, Mapping):
                raise UserMistake.of("a record of the message is no JSON object", _HINT)
            body = record.get("body", record.get("Body"))
            if isinstance(record.get("s3"), Mapping):
                self._s3(record)
            elif isinstance(record.get("Sns"), Mapping):
                self._sns(record["Sns"], deepest)
            elif isinstance(body, str):
                self._wrapped(body, deepest)
            else:
                raise UserMistake.of("a record of the message is neither of S3 nor of SNS or SQS", _HINT)

    def _sns(self, body: Mapping[str, Json], deepest: int) -> None:
        kind = body.get("Type")
        if kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
            # Its address is not followed: whoever may send here could make us call anything.
            self._pass_over("SNS asks to confirm a subscription: open its SubscribeURL yourself")
            return
        message = body.get("Message")
        if not isinstance(message, str):
            raise UserMistake.of("a message of SNS has no text in 'Message'", _HINT)
        self._wrapped(message, deepest)

    def _wrapped(self, text: str, deepest: int) -> None:
        try:
            inner = parsed(text.encode("utf-8", "surrogatepass"), MAX_BYTES)
        except Unreadable as error:
            raise UserMistake.of(f"a message inside the message is {error.reason}", _HINT) from None
        self._body(inner, deepest - 1)

    def _s3(self, record: Mapping[str, Json]) -> None:
        event = _text(record, "eventName").removeprefix("s3:")
        s3 = _inner(record, "s3")
        thing = _inner(s3, "object")
        # The key is encoded as a form is: a space comes as +.
        key = unquote_plus(_text(thing, "key"), errors="replace")
        written = event.startswith("ObjectCreated:")
        removed = event.startswith(("ObjectRemoved:", "LifecycleExpiration:"))
        if not (written or removed):
            self._pass_over(f"{event or 'an event without name'} changes no data")
            return
        request = _text(_inner(record, "responseElements"), "x-amz-request-id")
        said = _text(thing, "sequencer") or f"{request}:{_text(record, 'eventTime')}"
        self._object(_text(_inner(s3, "bucket"), "name"), key, "created" if written else "deleted", said)

    def _event_bridge(self, body: Mapping[str, Json]) -> None:
        kind, detail = _text(body, "detail-type"), _inner(body, "detail")
        what = {"Object Created": "created", "Object Deleted": "deleted"}.get(kind)
        if body.get("source") != "aws.s3" or what is None:
            self._pass_over(f"{kind or 'an event without type'} changes no data in S3")
            return
        thing = _inner(detail, "object")
        said = _text(thing, "sequencer") or _text(body, "id")
        # EventBridge gives keys as they are.
        self._object(_text(_inner(detail, "bucket"), "name"), _text(thing, "key"), what, said)

    def _object(self, bucket: str, key: str, what: str, said: str) -> None:
        if not bucket or not key:
            raise UserMistake.of("a record names no bucket and object", _HINT)
        if any(part == _NOT_DATA or part.startswith(".") for part in key.split("/")):
            self._pass_over("files that are not published yet")
            return
        name = f"s3:{bucket}/{key}:{what}:{said}"
        self._touched.setdefault(name, Touched(id=name, dataset=DatasetId(f"s3://{bucket}", key)))

    def _counted(self) -> None:
        self._records += 1
        if self._records > MAX_RECORDS:
            raise UserMistake.of(f"more than {MAX_RECORDS:,} records in one message", "send several")

    def _pass_over(self, why: str) -> None:
        self._passed_over.setdefault(why)


def _inner(parent: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    found = parent.get(key)
    return found if isinstance(found, Mapping) else {}


def _text(parent: Mapping[str, Json], key: str) -> str:
    found = parent.get(key)
    return found if isinstance(found, str) else ""
