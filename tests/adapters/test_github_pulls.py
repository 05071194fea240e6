"""Check runs, comments and reviews: what is sent, and that crafted names lead nowhere."""

from __future__ import annotations

import pytest

from contracts_svc.adapters.github.client import GitHubClient
from contracts_svc.adapters.github.pulls import GitHubPulls
from contracts_svc.errors import CouldNotCheck, Location, Problem, UserMistake
from contracts_svc.github.check_run import ACCEPT, Conclusion, check_of_error, superseded
from contracts_svc.github.names import RepositoryName
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_github import SHOP
from tests.github_stand_in import Repository, StandIn

NAME = RepositoryName.parse(SHOP)


@pytest.fixture
def pulls(client: GitHubClient) -> GitHubPulls:
    return GitHubPulls(client, NAME)


@pytest.fixture
def head(shop: Repository) -> str:
    shop.commit({"a": "1"}, branch="main")
    return shop.commit({"a": "2"})


def report(count: int = 120) -> object:
    return check_of_error(
        UserMistake(Problem(Location("a.yaml", n + 1, 1), f"wrong {n}") for n in range(count))
    )


def test_a_run_that_was_left_goes_on_where_it_was(
    pulls: GitHubPulls, shop: Repository, head: str, hub: StandIn
) -> None:
    """A worker died after the first of three batches; the next one sends the other two."""
    wanted = report()
    check = pulls.start_check(head, "pull-request-1")
    hub.fault("PATCH", 500, times=1_000)
    hub.faults[0].match = "never"
    sent = 0

    def die_after_one(call: str) -> None:
        nonlocal sent
        if call.startswith("PATCH"):
            sent += 1
            hub.faults[0].match = "PATCH" if sent > 1 else "never"

    hub.on_call = die_after_one
    with pytest.raises(CouldNotCheck):
        pulls.complete_check(check, wanted)  # type: ignore[arg-type]
    hub.faults.clear()
    hub.on_call = lambda call: None
    again = pulls.start_check(head, "pull-request-1")
    assert (again.id, again.annotated) == (check.id, 50)
    pulls.complete_check(again, wanted)  # type: ignore[arg-type]
    (run,) = shop.runs_on(head)
    assert [a["start_line"] for a in run["annotations"]] == list(range(1, 121))
    assert run["conclusion"] == "failure"


def test_a_batch_that_was_taken_and_answered_502_is_not_sent_twice(
    pulls: GitHubPulls, shop: Repository, head: str, hub: StandIn
) -> None:
    check = pulls.start_check(head, "pull-request-1")
    hub.fault("PATCH", 502, times=3, executed=True)
    pulls.complete_check(check, report())  # type: ignore[arg-type]
    (run,) = shop.runs_on(head)
    assert [a["start_line"] for a in run["annotations"]] == list(range(1, 121))
    assert (hub.count("PATCH"), run["status"]) == (3, "completed")


def test_runs_of_other_pull_requests_on_the_same_commit_stay(
    pulls: GitHubPulls, shop: Repository, head: str
) -> None:
    pulls.start_check(head, "pull-request-1")
    pulls.start_check(head, "pull-request-2")
    pulls.cancel_checks(head, "pull-request-1", superseded("c" * 40))
    assert [r["status"] for r in shop.runs_on(head)] == ["completed", "in_progress"]
    assert shop.runs_on(head)[0]["conclusion"] == Conclusion.CANCELLED


def test_a_button_fits_what_github_takes() -> None:
    assert (len(ACCEPT.label), len(ACCEPT.description), len(ACCEPT.identifier)) <= (20, 40, 20)
    assert len(ACCEPT.description) <= 40
    assert len(ACCEPT.identifier) <= 20


@pytest.mark.parametrize(
    "commit", ["", "main", "../../../octo/secret/check-runs", "a" * 40 + "/../x", "a" * 39]
)
def test_a_commit_that_is_none_is_not_asked_for(commit: str, pulls: GitHubPulls, hub: StandIn) -> None:
    with pytest.raises(UserMistake):
        pulls.start_check(commit, "k")
    with pytest.raises(UserMistake):
        pulls.cancel_checks(commit, "k", superseded("c" * 40))
    assert hub.calls == []


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        ("..", ".."),
        ("octo", ".."),
        ("octo/shop/git", "x"),
        ("octo", "shop/../secret"),
        ("", "x"),
        ("octo", ""),
    ],
)
def test_a_repository_that_is_none_cannot_be_made(owner: str, name: str) -> None:
    with pytest.raises(UserMistake):
        RepositoryName(owner, name)


def test_reviews_of_people_who_are_gone(pulls: GitHubPulls, shop: Repository, head: str) -> None:
    number = shop.open_pull(head)
    shop.review(number, "ada", "approved")
    shop.reviews[number][0]["user"] = None
    (review,) = pulls.reviews(number)
    assert (review.user, review.state, review.commit) == ("ghost", "approved", head)


def test_over_a_hundred_reviews(pulls: GitHubPulls, shop: Repository, head: str) -> None:
    number = shop.open_pull(head)
    for _ in range(150):
        shop.review(number, "ada", "commented")
    assert len(pulls.reviews(number)) == 150


def test_a_pull_request_that_is_not_there(pulls: GitHubPulls, shop: Repository) -> None:
    with pytest.raises(CouldNotCheck, match="404") as told:
        pulls.pull(99)
    assert not told.value.retryable
