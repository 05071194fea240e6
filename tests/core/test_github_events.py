"""Webhooks are read for what we use of them, and never refused for anything else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts_svc.errors import UserMistake
from contracts_svc.github.events import (
    CheckRunEvent,
    CheckSuiteEvent,
    Event,
    InstallationEvent,
    MergeGroupEvent,
    PullRequestEvent,
    PushEvent,
    ReviewEvent,
    read_event,
)
from contracts_svc.github.names import RepositoryName, branch_name, commit_id
from contracts_svc.github.signature import is_signed, signature
from tests.support import case_rows, shared

HEAD, BASE, ZERO = "a" * 40, "b" * 40, "0" * 40
PULL: dict[str, Any] = {
    "number": 7,
    "state": "open",
    "user": {"login": "mona"},
    "head": {"sha": HEAD, "ref": "slim", "repo": {"full_name": "mona/shop"}},
    "base": {"sha": BASE, "ref": "main", "repo": {"full_name": "octo/shop"}},
}
REPOSITORY = {"full_name": "octo/shop", "private": False, "default_branch": "main"}
RUN = {"id": 5, "head_sha": HEAD, "name": "contracts", "external_id": "x", "pull_requests": [{"number": 7}]}
PAYLOADS: dict[str, dict[str, Any]] = {
    "pull_request": {"action": "opened", "pull_request": PULL, "repository": REPOSITORY},
    "pull_request_review": {
        "action": "submitted",
        "review": {"id": 3, "user": {"login": "ada"}, "state": "approved", "commit_id": HEAD},
        "pull_request": PULL,
        "repository": REPOSITORY,
    },
    "check_run": {
        "action": "requested_action",
        "check_run": RUN,
        "requested_action": {"identifier": "accept"},
        "repository": REPOSITORY,
    },
    "check_suite": {"action": "rerequested", "check_suite": RUN, "repository": REPOSITORY},
    "merge_group": {
        "action": "checks_requested",
        "merge_group": {
            "head_sha": HEAD,
            "head_ref": "refs/heads/gh-readonly-queue/main/pr-7",
            "base_sha": BASE,
            "base_ref": "refs/heads/main",
        },
        "repository": REPOSITORY,
    },
    "push": {
        "ref": "refs/heads/main",
        "before": BASE,
        "after": HEAD,
        "forced": True,
        "commits": [{"added": ["a.odcs.yaml"], "removed": [], "modified": ["b.sql"]}],
        "repository": REPOSITORY,
    },
    "installation": {
        "action": "created",
        "installation": {"id": 9, "account": {"login": "octo"}},
        "repositories": [{"full_name": "octo/shop"}],
    },
    "installation_repositories": {
        "action": "removed",
        "installation": {"id": 9},
        "repositories_removed": [{"full_name": "octo/shop"}],
    },
}


def read(name: str, payload: Any, delivery: str = "d-1") -> Event:
    return read_event(name, json.dumps(payload).encode(), delivery)


def told(event: Event) -> dict[str, Any]:
    """An event in the words of the case rows."""
    pull = event.pull if isinstance(event, PullRequestEvent | ReviewEvent) else None
    head = pull or (event if isinstance(event, CheckRunEvent | CheckSuiteEvent | MergeGroupEvent) else None)
    return {
        "action": event.action,
        "repo": str(event.repository) if event.repository else None,
        "sender": event.sender,
        "installation_id": event.installation_id,
        "pr_number": pull.number if pull else None,
        "head_sha": event.after if isinstance(event, PushEvent) else head.head_sha if head else None,
        "head_ref": getattr(head, "head_ref", None),
        "base_ref": pull.base_ref if pull else None,
        "base_sha": pull.base_sha if pull else None,
        "merged": pull.merged if pull else None,
        "draft": pull.draft if pull else None,
        "status": getattr(event, "status", None),
        "conclusion": getattr(event, "conclusion", None),
        "associated_prs": list(getattr(event, "pulls", ())),
    }


def test_every_payload_of_the_suite_is_read() -> None:
    rows = list(case_rows("github_webhooks"))
    wrong = []
    for row in rows:
        event = read_event(row["event"], shared(f"cases/{row['file']}").read_bytes(), row["id"])
        found = told(event)
        wrong += [(row["file"], k, v, found[k]) for k, v in row["expected"].items() if found[k] != v]
        assert (event.name, event.delivery) == (row["event"], row["id"])
    assert (len(rows), wrong) == (60, [])


def test_each_event_says_what_we_use() -> None:
    events = {name: read(name, payload) for name, payload in PAYLOADS.items()}
    pull = events["pull_request"]
    assert isinstance(pull, PullRequestEvent)
    assert (pull.pull.from_fork, pull.pull.author, pull.private, pull.base_changed) == (
        True,
        "mona",
        False,
        False,
    )
    review = events["pull_request_review"]
    assert isinstance(review, ReviewEvent)
    assert (review.review.user, review.review.state, review.review.commit) == ("ada", "approved", HEAD)
    run = events["check_run"]
    assert isinstance(run, CheckRunEvent)
    assert (run.check_run_id, run.requested_action, run.external_id, run.pulls) == (5, "accept", "x", (7,))
    group = events["merge_group"]
    assert isinstance(group, MergeGroupEvent)
    assert (group.head_sha, group.base_sha, group.base_ref) == (HEAD, BASE, "refs/heads/main")
    push = events["push"]
    assert isinstance(push, PushEvent)
    assert (push.to_default_branch, push.forced, push.deleted) == (True, True, False)
    assert push.paths == {"a.odcs.yaml", "b.sql"}
    added, removed = events["installation"], events["installation_repositories"]
    assert isinstance(added, InstallationEvent)
    assert isinstance(removed, InstallationEvent)
    shop = RepositoryName("octo", "shop")
    assert (added.added, added.removed, removed.added, removed.removed) == ((shop,), (), (), (shop,))


def test_a_fork_that_is_gone_and_a_base_that_changed() -> None:
    payload = copy.deepcopy(PAYLOADS["pull_request"])
    payload["pull_request"]["head"]["repo"] = None
    payload["changes"] = {"base": {"ref": {"from": "old"}}}
    event = read("pull_request", payload)
    assert isinstance(event, PullRequestEvent)
    assert (event.pull.from_fork, event.pull.head_repository, event.base_changed) == (True, None, True)


def test_an_event_that_we_do_not_know_is_still_one() -> None:
    event = read("sponsorship", {"action": "created", "sender": {"login": "mona"}, "repository": None})
    assert (type(event), event.action, event.sender, event.private) == (Event, "created", "mona", True)


def used(payload: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = (
        payload.items()
        if isinstance(payload, dict)
        else enumerate(payload)
        if isinstance(payload, list)
        else ()
    )
    return [at] * bool(at) + [p for key, value in inner for p in used(value, (*at, key))]


def replaced(payload: Any, path: tuple[str | int, ...], value: Any) -> Any:
    made = copy.deepcopy(payload)
    place = made
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return made


PLACES = [(name, path) for name, payload in PAYLOADS.items() for path in used(payload)]


@pytest.mark.parametrize(
    "value", [12, -1, 2**70, 1.5, True, "x y", "", [], [1], {}, {"x": 1}, "\ud800"], ids=ascii
)
def test_a_wrong_type_anywhere_is_told_by_its_path_or_does_not_matter(value: Any) -> None:
    refused = 0
    for name, path in PLACES:
        try:
            read(name, replaced(PAYLOADS[name], path, value))
        except UserMistake as error:
            refused += 1
            assert str(path[0]) in error.problems[0].message
    assert refused > 0


def test_messages_name_the_field() -> None:
    for path, value, message in (
        (("pull_request", "number"), "seven", "pull_request.number is a text, not a whole number"),
        (("pull_request", "number"), None, "pull_request.number is missing"),
        (("pull_request", "head"), "x", "pull_request.head is a text, not an object"),
        (("pull_request", "head", "sha"), "../x", "pull_request.head.sha: '../x' is no full commit id"),
        (
            ("repository", "full_name"),
            "octo/..",
            "repository.full_name: 'octo/..' is no name of a repository",
        ),
    ):
        with pytest.raises(UserMistake) as told:
            read("pull_request", replaced(PAYLOADS["pull_request"], path, value))
        assert told.value.problems[0].message == message


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff{}", b"[" * 200_000, b'{"number": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_payload_is_a_mistake(body: bytes) -> None:
    with pytest.raises(UserMistake):
        read_event("push", body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(place=st.sampled_from(PLACES), value=json_values, more=json_values)
def test_any_value_anywhere_gives_an_event_or_a_mistake(
    place: tuple[str, Any], value: Any, more: Any
) -> None:
    name, path = place
    payload = replaced(PAYLOADS[name], path, value)
    payload["something_new"] = more
    try:
        assert read(name, payload).name == name
    except UserMistake as error:
        assert error.problems


class TestNames:
    @pytest.mark.parametrize("text", ["octo/shop", "mona_acme/x.y-z", "a/.github", "A1/b"])
    def test_repositories(self, text: str) -> None:
        assert str(RepositoryName.parse(text)) == text

    @pytest.mark.parametrize(
        "text",
        ["", "/", "octo", "octo/", "/shop", "octo/..", "octo/.", "../shop", "octo/shop/x", "octo/sh op", "octo/shop?x", "octo/shop#x",
         "octo/%2e%2e", "-octo/shop", "octo/shop\n", "öcto/shop", "octo//shop", "octo\\shop", "o" * 101 + "/x", "octo/" + "x" * 101],
    )  # fmt: skip
    def test_what_is_no_repository(self, text: str) -> None:
        with pytest.raises(UserMistake):
            RepositoryName.parse(text)

    @pytest.mark.parametrize(
        "text", ["", "abc", "g" * 40, "a" * 39, "a" * 41, "a" * 40 + "\n", "../" + "a" * 37, "HEAD"]
    )
    def test_what_is_no_commit(self, text: str) -> None:
        with pytest.raises(UserMistake):
            commit_id(text)

    def test_commits(self) -> None:
        assert commit_id("A" * 40) == "a" * 40
        assert commit_id("b" * 64) == "b" * 64

    @pytest.mark.parametrize("text", ["main", "release/1.0", "a@b", "ünï", "x%2f..y".replace("..", ".")])
    def test_branches(self, text: str) -> None:
        assert branch_name(text) == text

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "@",
            "a..b",
            "../x",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?b",
            "a*",
            "a[b",
            "a\\b",
            "/a",
            "a/",
            "a//b",
            "a/.b",
            "a.lock",
            "-x",
            "a.",
            "x@{1}",
            "a\n",
            "\ud800",
            "x" * 1025,
        ],
    )
    def test_what_is_no_branch(self, text: str) -> None:
        with pytest.raises(UserMistake):
            branch_name(text)


class TestSignatures:
    def test_githubs_own_example(self) -> None:
        """docs.github.com, "Validating webhook deliveries": the values to test with."""
        header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        assert signature(b"Hello, World!", "It's a Secret to Everybody") == header
        assert is_signed(b"Hello, World!", header, ["It's a Secret to Everybody"])

    def test_two_secrets_are_valid_at_once(self) -> None:
        for secret in ("old", "new"):
            assert is_signed(b"{}", signature(b"{}", secret), ["old", "new"])
        assert not is_signed(b"{}", signature(b"{}", "older"), ["old", "new"])

    @pytest.mark.parametrize(
        "header",
        [
            None,
            "",
            "sha256=",
            "sha1=" + "0" * 40,
            "sha256=" + "0" * 64,
            "sha256=" + "é" * 64,
            "sha256=" + "A" * 64,
        ],
    )
    def test_what_is_no_signature(self, header: str | None) -> None:
        assert not is_signed(b"{}", header, ["secret"])

    def test_without_a_secret_nothing_is_signed(self) -> None:
        assert not is_signed(b"{}", signature(b"{}", ""), [])
        assert not is_signed(b"{}", signature(b"{}", ""), [""])

    def test_one_other_byte_is_enough(self) -> None:
        assert not is_signed(b"{ }", signature(b"{}", "secret"), ["secret"])
