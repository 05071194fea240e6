"""What each webhook asks us to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from contracts_svc.github.check_run import key_of, number_of
from contracts_svc.github.events import read_event
from contracts_svc.github.work import Task, Work, work_of
from tests.core.test_github_events import BASE, HEAD, PAYLOADS, ZERO, read
from tests.support import case_rows, shared


def asked(name: str, app_id: int | None = None, **changes: Any) -> list[tuple[Any, ...]]:
    payload = copy.deepcopy(PAYLOADS[name])
    for path, value in changes.items():
        *places, last = path.split("__")
        place = payload
        for key in places:
            place = place.setdefault(key, {})
        place[last] = value
    return [
        (w.task, str(w.repository), w.number, w.before, w.head, w.user)
        for w in work_of(read(name, payload), app_id)
    ]


CHECK = (Task.CHECK, "octo/shop", 7, None, None, None)


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        *(("pull_request", {"action": a}, [CHECK]) for a in ("opened", "reopened", "ready_for_review")),
        ("pull_request", {"action": "synchronize", "before": BASE}, [(Task.CHECK, "octo/shop", 7, BASE, None, None)]),
        ("pull_request", {"action": "edited", "changes": {"base": {"ref": {}}}}, [CHECK]),
        ("pull_request", {"action": "edited", "changes": {"title": {}}}, []),
        *(("pull_request", {"action": a}, []) for a in ("closed", "labeled", "assigned", "locked", None)),
        *(("pull_request_review", {"action": a}, [CHECK]) for a in ("submitted", "edited", "dismissed")),
        ("pull_request_review", {"pull_request__state": "closed"}, []),
        ("check_run", {"action": "rerequested"}, [CHECK]),
        ("check_run", {"action": "rerequested", "check_run__pull_requests": [], "check_run__external_id": "pull-request-12"}, [(Task.CHECK, "octo/shop", 12, None, None, None)]),
        ("check_run", {"action": "rerequested", "check_run__name": "other"}, []),
        ("check_run", {"action": "completed"}, []),
        ("check_run", {"sender": {"login": "ada"}}, [(Task.PRESS, "octo/shop", 7, None, HEAD, "ada")]),
        ("check_run", {"requested_action__identifier": "other"}, []),
        ("check_suite", {}, [CHECK]),
        ("check_suite", {"action": "requested"}, []),
        ("merge_group", {}, [(Task.CHECK_GROUP, "octo/shop", None, BASE, HEAD, None)]),
        ("merge_group", {"action": "destroyed"}, []),
        ("push", {}, [(Task.REGISTER, "octo/shop", None, BASE, HEAD, None)]),
        ("push", {"ref": "refs/heads/other"}, []),
        ("push", {"ref": "refs/tags/main"}, []),
        ("push", {"after": ZERO}, []),
        ("installation", {}, [(Task.INSTALLED, "octo/shop", None, None, None, None)]),
        ("installation", {"action": "deleted"}, [(Task.REMOVED, "octo/shop", None, None, None, None)]),
        ("installation", {"action": "suspend"}, [(Task.REMOVED, "octo/shop", None, None, None, None)]),
        ("installation_repositories", {}, [(Task.REMOVED, "octo/shop", None, None, None, None)]),
    ],
)  # fmt: skip
def test_each_event(name: str, changes: dict[str, Any], expected: list[Any]) -> None:
    assert asked(name, **changes) == expected


def test_checks_of_other_apps_are_not_ours() -> None:
    for name in ("check_run", "check_suite"):
        assert asked(name, 5, **{f"{name}__app": {"id": 6}}) == []
        assert len(asked(name, 6, **{f"{name}__app": {"id": 6}})) == 1


def test_what_is_the_same_has_one_key() -> None:
    def keys(name: str, **changes: Any) -> set[str]:
        payload = copy.deepcopy(PAYLOADS[name]) | changes
        return {w.key for w in work_of(read(name, payload))}

    opened = keys("pull_request")
    assert (
        opened
        == keys("pull_request", action="synchronize", before=BASE)
        == keys("pull_request_review")
        == keys("check_suite")
    )
    presses = {k for user in ("ada", "bob") for k in keys("check_run", sender={"login": user})}
    assert len(presses | opened) == 3


@pytest.mark.parametrize(
    "key",
    [
        "",
        None,
        "pull-request-",
        "pull-request-x",
        "pull-request--1",
        "pull-request-1²",
        "x-1",
        "pull-request-" + "9" * 30,
    ],
)
def test_a_key_that_is_not_ours(key: str | None) -> None:
    assert number_of(key) is None


def test_a_key_reads_back() -> None:
    assert number_of(key_of(12)) == 12


def test_every_payload_of_the_suite_asks_for_what_it_should() -> None:
    """Each opened or pushed pull request is checked, and what nobody asked for is not."""
    found: dict[tuple[str, str | None], set[Task]] = {}
    for row in case_rows("github_webhooks"):
        event = read_event(row["event"], shared(f"cases/{row['file']}").read_bytes())
        found.setdefault((event.name, event.action), set()).update(w.task for w in work_of(event))
    checked = {key for key, tasks in found.items() if tasks == {Task.CHECK}}
    assert checked == {
        ("pull_request", "opened"),
        ("pull_request", "synchronize"),
        ("pull_request", "reopened"),
        ("pull_request", "ready_for_review"),
        ("check_suite", "rerequested"),
    }
    others = {key for key, tasks in found.items() if tasks} - checked
    assert others == {("installation", "created"), ("installation", "deleted")}


def test_work_needs_nothing_but_its_repository() -> None:
    work = Work(task=Task.INSTALLED, repository=read("push", PAYLOADS["push"]).repository)  # type: ignore[arg-type]
    assert work.key == "installed:octo/shop"
