"""Messages about published data, in every form in which AWS documents them (tests/data/publish.jsonl)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts_svc.errors import UserMistake
from contracts_svc.publish import MAX_RECORDS, read_notice, read_run_event
from tests.support import ROOT

ROWS = [json.loads(line) for line in (ROOT / "tests" / "data" / "publish.jsonl").read_text().splitlines()]
BY_NAME = {row["name"]: row["body"] for row in ROWS}


def notice(body: Any) -> Any:
    return read_notice(json.dumps(body).encode())


@pytest.mark.parametrize("row", [r for r in ROWS if "datasets" in r], ids=lambda r: r["name"])
def test_it_tells_the_datasets(row: dict[str, Any]) -> None:
    found = notice(row["body"])
    assert [str(t.dataset) for t in found.touched] == row["datasets"]
    assert list(found.passed_over) == row["passed_over"]


@pytest.mark.parametrize("row", [r for r in ROWS if "mistake" in r], ids=lambda r: r["name"])
def test_what_is_no_message_is_a_mistake(row: dict[str, Any]) -> None:
    with pytest.raises(UserMistake, match=row["mistake"]):
        notice(row["body"])


def test_one_happening_has_one_id_whichever_way_it_came() -> None:
    ways = [
        "S3, as it is",
        "SNS",
        "SNS to Lambda",
        "SQS to Lambda",
        "SNS in SQS",
        "EventBridge",
        "EventBridge in SQS",
    ]
    assert len({t.id for way in ways for t in notice(BY_NAME[way]).touched}) == 1
    later = json.loads(
        json.dumps(BY_NAME["S3, as it is"]).replace("0055AED6DCD90281E5", "0055AED6DCD90281E6")
    )
    assert notice(later).touched[0].id != notice(BY_NAME["SNS"]).touched[0].id


def test_another_run_of_a_job_is_another_happening() -> None:
    event = BY_NAME["OpenLineage, COMPLETE"]
    again = event | {"run": {"runId": "another"}}
    assert read_run_event(event) == read_run_event(event)
    assert read_run_event(event).touched[0].id != read_run_event(again).touched[0].id


def test_it_is_bounded() -> None:
    record = BY_NAME["S3, as it is"]["Records"][0]
    with pytest.raises(UserMistake, match="records"):
        notice([{"detail-type": "x"}] * (MAX_RECORDS + 1))
    deep: Any = {"Records": [record]}
    for _ in range(6):
        deep = {"Type": "Notification", "Message": json.dumps(deep)}
    with pytest.raises(UserMistake, match="inside one another"):
        notice(deep)
    with pytest.raises(UserMistake):
        read_notice(b"[" * 100_000)
    with pytest.raises(UserMistake, match="bytes"):
        read_notice(b" " * 1_000_001)
    with pytest.raises(UserMistake):
        read_notice(b"\xff")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["Records", "s3", "Sns", "body", "Message", "Type", "detail-type", "source",
                                       "detail", "bucket", "object", "key", "name", "eventName", "eventType", "run"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_whatever_comes_is_read_or_is_a_mistake(body: Any) -> None:
    try:
        notice(body)
    except UserMistake as error:
        assert error.problems[0].hint
    read_run_event(body)
