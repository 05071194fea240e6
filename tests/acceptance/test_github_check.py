"""The check of a pull request, end to end against a stand-in of GitHub over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from contracts_svc.adapters.github.client import GitHubClient
from contracts_svc.adapters.github.content import GitHubCode
from contracts_svc.adapters.github.pulls import GitHubPulls
from contracts_svc.adapters.github.tokens import GivenToken
from contracts_svc.cli.preflight import Request, judge
from contracts_svc.demo import files
from contracts_svc.errors import CouldNotCheck
from contracts_svc.flows.pull_request import (
    Checked,
    End,
    Heard,
    Manner,
    Told,
    check_group,
    check_pull_request,
)
from contracts_svc.github.check_run import Conclusion
from contracts_svc.github.comment import MARKER
from contracts_svc.github.events import PullRequest, read_event
from contracts_svc.github.names import RepositoryName
from contracts_svc.github.signature import is_signed, signature
from contracts_svc.github.signoff import Override, People
from contracts_svc.github.work import Work, work_of
from tests.acceptance.test_preflight import BROKEN, FILES, READER, SOURCE
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_github import SHOP, TOKEN
from tests.github_stand_in import NOW, Repository, StandIn
from tests.support import shared

NAME = RepositoryName.parse(SHOP)
US = "github-actions[bot]"
PAYLOAD = "cases/github/payloads/api.github.com__pull_request__synchronize.payload.json"
SECOND = READER.replace("revenue", "stock").replace("finance", "logistics")
TWO = {**FILES, "stock.odcs.yaml": SECOND, "stock.sql": "CREATE TABLE stock AS SELECT id, amount FROM orders"}
TWO_BROKEN = {**TWO, "orders.odcs.yaml": BROKEN["orders.odcs.yaml"]}
PEOPLE = People(
    logins={"finance": frozenset({"ada"}), "logistics": frozenset({"lin"})},
    administrators=frozenset({"root"}),
)


class World:
    """The stand-in, and a worker that checks pull requests as the service does."""

    def __init__(self, hub: StandIn, shop: Repository) -> None:
        self.hub, self.shop = hub, shop
        self.waits: list[float] = []
        self.link = "https://contracts.example/report/1"
        self.heard = Heard(people=PEOPLE)
        self.manner = Manner(link=self.link, buttons=True)
        self.between: Callable[[], None] = lambda: None
        """What happens while a pull request is judged."""

    def main(self, texts: Any, *parents: str) -> str:
        return self.shop.commit(texts, *parents, branch="main")

    def opened(self, before: Any, after: Any, **more: Any) -> int:
        start = self.main(before)
        return self.shop.open_pull(self.shop.commit(after, start), **more)

    def push(self, number: int, texts: Any, *parents: str) -> str:
        """Push to the branch of a pull request; gives the head from before."""
        pull = self.shop.pulls[number]
        before = pull.head_sha
        pull.head_sha = self.shop.commit(texts, *(parents or (before,)))
        return before

    def check(self, number: int, **more: Any) -> Checked:
        with GitHubClient(
            GivenToken(TOKEN), self.hub.base_url, sleep=lambda s: self.waits.append(s)
        ) as client:
            code = GitHubCode(client, NAME)

            def judged(pull: PullRequest) -> Told:
                parting = code.parting(pull.base_ref, pull.head_sha)
                request = Request(
                    repository=Path(), base=parting.tip, head=pull.head_sha, dialect="duckdb", format="json"
                )
                found = judge(request, code, NOW)
                self.between()
                return Told(
                    verdict=found.done.verdict,
                    touched=bool(found.done.changed or found.done.verdict.findings),
                )

            host = GitHubPulls(client, NAME, login=US, link=self.link)
            more.setdefault("heard", self.heard)
            return check_pull_request(host, number, judged, manner=self.manner, **more)

    def run(self, commit: str) -> dict[str, Any]:
        (found,) = self.shop.runs_on(commit)
        return found

    @property
    def comment(self) -> str:
        (found,) = self.shop.comments_by(US)
        return found


@pytest.fixture
def world(hub: StandIn, shop: Repository) -> World:
    return World(hub, shop)


def test_the_pull_request_of_the_demo(world: World) -> None:
    before = {f"contracts/{n}": t for n, t in files.contracts().items()} | {
        f"sql/{n}": t for n, t in files.sql().items()
    }
    before |= files.policy()
    after = before | {f"contracts/{n}": t for n, t in files.pull_request().items()}
    number = world.opened(before, after)
    head = world.shop.pulls[number].head_sha
    done = world.check(number)
    run = world.run(head)
    assert (done.end, run["status"], run["conclusion"]) == (End.COMPLETED, "completed", "action_required")
    assert run["details_url"] == world.link
    lines = files.pull_request()["flights.odcs.yaml"].decode().splitlines()
    places = [
        (a["path"], lines[a["start_line"] - 1].strip(), a["title"])
        for a in run["annotations"]
        if a["annotation_level"] == "failure"
    ]
    assert places == [
        ("contracts/flights.odcs.yaml", "name: destination", "column-renamed: flights.dest"),
        (
            "contracts/flights.odcs.yaml",
            "physicalType: SMALLINT",
            "type-narrowed: flights.dep_delay.physicalType",
        ),
    ]
    assert "```mermaid" in run["output"]["text"]
    assert "carrier_scorecard" in run["output"]["summary"]
    assert world.comment.startswith(MARKER)
    assert "carrier_scorecard" in world.comment
    assert len(world.comment) < 3_000
    assert [a["identifier"] for a in run["actions"]] == ["accept"]


def test_nothing_is_posted_where_no_contract_is_touched(world: World) -> None:
    number = world.opened(FILES, {**FILES, "README.md": "more"})
    assert world.check(number).conclusion is Conclusion.SUCCESS
    assert world.shop.comments == {}
    assert world.run(world.shop.pulls[number].head_sha)["conclusion"] == "success"


def test_a_push_that_takes_the_change_back_edits_the_comment(world: World) -> None:
    number = world.opened(FILES, BROKEN)
    world.check(number)
    assert "revenue" in world.comment
    before = world.push(number, FILES)
    assert world.check(number, before=before).conclusion is Conclusion.SUCCESS
    assert world.comment == f"{MARKER}\nNo contract is touched any more."


class TestPushes:
    def test_a_newer_push_supersedes_a_run_that_was_left_under_way(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.hub.fault("/compare/", 502, times=100)
        with pytest.raises(CouldNotCheck):
            world.check(number, last_try=False)
        world.hub.faults.clear()
        before = world.push(number, FILES)
        assert world.run(before)["status"] == "in_progress"
        world.check(number, before=before)
        old, new = world.run(before), world.run(world.shop.pulls[number].head_sha)
        assert (old["status"], old["conclusion"], new["conclusion"]) == ("completed", "cancelled", "success")

    def test_a_push_while_it_is_judged(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.between = lambda: self.once(world, number)
        done = world.check(number)
        old = world.run(done.head)
        assert (done.end, old["conclusion"], old["annotations"]) == (End.SUPERSEDED, "cancelled", [])
        assert world.shop.comments == {}
        assert world.check(number, before=done.head).end is End.COMPLETED

    def once(self, world: World, number: int) -> None:
        world.push(number, FILES)
        world.between = lambda: None

    def test_a_force_push_and_a_rebase(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.check(number)
        tip = world.main({**FILES, "README.md": "x"}, world.shop.pulls[number].base_sha)
        before = world.push(number, {**BROKEN, "README.md": "x"}, tip)
        done = world.check(number, before=before)
        assert done.conclusion is Conclusion.ACTION_REQUIRED
        assert (world.run(before)["conclusion"], world.run(done.head)["conclusion"]) == (
            "action_required",
        ) * 2
        assert "revenue" in world.comment

    def test_what_main_has_done_since_is_not_the_branchs(self, world: World) -> None:
        number = world.opened(FILES, {**FILES, "README.md": "x"})
        world.main(BROKEN, world.shop.pulls[number].base_sha)
        assert world.check(number).conclusion is Conclusion.SUCCESS

    def test_a_closed_pull_request_is_left_alone(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.shop.pulls[number].state = "closed"
        assert world.check(number).end is End.CLOSED
        assert world.hub.counts() == {"GET": 1}


@pytest.mark.parametrize("fork", ["mona/shop", None])
def test_a_fork_is_read_through_the_repository_itself(fork: str | None, world: World) -> None:
    number = world.opened(FILES, BROKEN, fork=fork)
    if fork is None:
        # That is what GitHub answers where the fork was deleted, though its description does not say so.
        world.hub.known.add("answers null is not of type \"object\" at ['head', 'repo']")
    assert world.check(number).conclusion is Conclusion.ACTION_REQUIRED
    assert {"/".join(c.split("/")[1:4]) for c in world.hub.calls} == {f"repos/{SHOP}"}


def test_a_contract_that_is_deleted(world: World) -> None:
    number = world.opened(FILES, {n: t for n, t in FILES.items() if n != "orders.odcs.yaml"})
    done = world.check(number)
    assert done.conclusion is Conclusion.ACTION_REQUIRED
    assert {a["path"] for a in world.run(done.head)["annotations"]} == {"orders.odcs.yaml"}


def test_a_contract_that_cannot_be_read_is_told_at_its_place(world: World) -> None:
    number = world.opened(FILES, {**FILES, "orders.odcs.yaml": SOURCE.replace("version: 1.0.0\n", "")})
    done = world.check(number)
    (note,) = world.run(done.head)["annotations"]
    assert (done.conclusion, note["path"], note["start_line"]) == (Conclusion.FAILURE, "orders.odcs.yaml", 1)
    assert "No verdict yet" in world.comment


def test_a_policy_of_the_branch_does_not_count(world: World) -> None:
    lenient = {"contracts-policy.yaml": "version: 1\nbreaks: pass\nmay_break: pass\nerror_alone: pass\n"}
    assert world.check(world.opened(FILES, BROKEN | lenient)).conclusion is Conclusion.ACTION_REQUIRED
    assert world.check(world.opened(FILES | lenient, BROKEN | lenient)).conclusion is Conclusion.SUCCESS


class TestSignOff:
    def again(self, world: World, number: int, done: Checked) -> Checked:
        """The check after something was said: the service remembers what asked at each commit."""
        heard = replace(world.heard, seen={**world.heard.seen, done.head: done.asked})
        world.heard = heard
        return world.check(number)

    def test_two_consumers_one_agrees_and_one_asks_for_a_change(self, world: World) -> None:
        number = world.opened(TWO, TWO_BROKEN)
        done = world.check(number)
        assert done.signed
        assert set(done.signed.waiting) == {"finance", "logistics"}
        world.shop.review(number, "ada", "approved")
        objection = world.shop.review(number, "lin", "changes_requested")
        done = self.again(world, number, done)
        assert done.signed
        assert (done.conclusion, done.signed.waiting) == (Conclusion.ACTION_REQUIRED, ("logistics",))
        assert "Agreed:\n\n- finance (ada): orders.amount" in world.comment
        assert "Asks for a change:\n\n- logistics (lin): orders.amount" in world.comment
        world.shop.dismiss(number, objection)
        world.shop.review(number, "lin", "approved")
        done = self.again(world, number, done)
        assert done.conclusion in (Conclusion.SUCCESS, Conclusion.NEUTRAL)
        world.shop.dismiss(number, 0)
        assert self.again(world, number, done).conclusion is Conclusion.ACTION_REQUIRED

    def test_a_push_that_changes_the_break_asks_again_and_one_that_does_not_does_not(
        self, world: World
    ) -> None:
        number = world.opened(FILES, BROKEN)
        done = world.check(number)
        world.shop.review(number, "ada", "approved")
        done = self.again(world, number, done)
        assert done.conclusion is not Conclusion.ACTION_REQUIRED
        world.push(number, {**BROKEN, "README.md": "x"})
        done = self.again(world, number, done)
        assert done.conclusion is not Conclusion.ACTION_REQUIRED
        narrowed = SOURCE.replace("physicalType: BIGINT", "physicalType: SMALLINT")
        world.push(number, {**FILES, "orders.odcs.yaml": narrowed})
        assert self.again(world, number, done).conclusion is Conclusion.ACTION_REQUIRED

    def test_the_author_does_not_agree_with_themselves(self, world: World) -> None:
        number = world.opened(FILES, BROKEN, author="ada")
        world.shop.review(number, "ada", "approved")
        assert world.check(number).conclusion is Conclusion.ACTION_REQUIRED

    def test_an_administrator_overrides_loudly(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        done = world.check(number)
        override = Override(user="root", reason="the shop is down", seen=done.asked)
        done = world.check(number, heard=replace(world.heard, overrides=[override]))
        assert done.conclusion is not Conclusion.ACTION_REQUIRED
        assert "Overridden by an administrator:" in world.comment
        assert "override by root: the shop is down" in world.comment


class TestTheComment:
    def test_it_is_edited_in_place(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        for text in ("a", "b", "c"):
            world.check(number)
            world.push(number, {**BROKEN, "README.md": text})
        assert "revenue" in world.comment

    def test_one_that_says_the_same_is_not_written_again(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.check(number)
        world.check(number)
        assert (world.hub.count("POST", "/comments"), world.hub.count("PATCH", "/comments/")) == (1, 0)

    def test_what_others_write_is_not_ours(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.shop.say(number, "mallory", f"{MARKER}\neverything is fine")
        world.shop.say(number, US, "something else of the workflow's")
        world.check(number)
        assert world.shop.comments_by("mallory") == [f"{MARKER}\neverything is fine"]
        assert sum(c.startswith(MARKER) for c in world.shop.comments_by(US)) == 1

    def test_it_is_found_behind_hundreds_of_others(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        for text in range(230):
            world.shop.say(number, "mona", f"{text}")
        world.check(number)
        world.check(number)
        assert "revenue" in world.comment

    def test_of_two_that_a_race_has_left_one_stays(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        raced = []

        def other_worker(call: str) -> None:
            if call.startswith("POST") and "/issues/" in call and not raced:
                raced.append(world.shop.say(number, US, f"{MARKER}\nof the other worker"))

        world.hub.on_call = other_worker
        world.check(number)
        assert raced
        assert "revenue" in world.comment


class TestFaults:
    def same(self, world: World, number: int) -> None:
        """The end state is the one without faults."""
        *earlier, run = world.shop.runs_on(world.shop.pulls[number].head_sha)
        # GitHub shows the last run of a name; one that was ended before the worker died may stand before it.
        assert {r["status"] for r in earlier} <= {"completed"}
        assert (run["status"], run["conclusion"]) == ("completed", "action_required")
        keys = [(a["path"], a["start_line"], a["title"]) for a in run["annotations"]]
        assert keys
        assert len(keys) == len(set(keys))
        assert "revenue" in world.comment

    @pytest.mark.parametrize("executed", [False, True])
    @pytest.mark.parametrize("match", ["POST", "PATCH", "GET", "/check-runs", "/comments", "/git/", " "])
    def test_502_for_a_while(self, match: str, executed: bool, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.hub.fault(match, 502, times=3, executed=executed)
        world.check(number)
        assert world.hub.faults[0].times < 3
        self.same(world, number)

    def test_502_on_every_second_call(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        odd = [True]

        def every_second(call: str) -> None:
            odd[0] = not odd[0]
            if odd[0]:
                world.hub.fault(call, 502, executed=len(world.hub.calls) % 3 == 0)

        world.hub.on_call = every_second
        world.check(number)
        self.same(world, number)

    def test_killed_at_any_call_and_done_again(self, world: World) -> None:
        """Whatever the last call was, the next attempt ends as if nothing had happened."""
        number = world.opened(FILES, BROKEN)
        world.check(number)
        whole = len(world.hub.calls)
        killed = 0
        for stop in range(whole):
            world.push(number, {**BROKEN, "README.md": str(stop)})
            world.hub.calls.clear()
            world.hub.on_call = lambda call, stop=stop: self.kill(world, stop)  # type: ignore[misc]
            try:
                world.check(number)
            except Killed:
                killed += 1
            world.hub.on_call = lambda call: None
            world.hub.faults.clear()
            world.waits = []
            world.check(number)
            self.same(world, number)
        # A second check need not write its comment again: that is all that it has less to do.
        assert killed >= whole - 3

    def kill(self, world: World, stop: int) -> None:
        if len(world.hub.calls) == stop + 1:
            world.waits = Deadly()
            world.hub.fault(" ", 502, times=1_000, executed=stop % 2 == 0)

    def test_rate_limits_on_the_way(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        for match in ("/git/blobs/", "POST", "PATCH"):
            world.hub.fault(match, 403, headers={"Retry-After": "7"}, message="secondary rate limit")
        world.check(number)
        assert world.waits.count(7) == 3
        self.same(world, number)

    def test_what_cannot_be_checked_for_long_is_told_so(self, world: World) -> None:
        number = world.opened(FILES, BROKEN)
        world.hub.fault("/compare/", 502, times=1_000)
        done = world.check(number)
        run = world.run(done.head)
        assert (run["conclusion"], "502" in run["output"]["title"]) == ("failure", True)
        assert world.shop.comments == {}


class Killed(BaseException):
    """The worker is gone."""


class Deadly(list[float]):
    """A worker that dies where it would have waited."""

    def append(self, seconds: float) -> None:
        raise Killed


def test_a_public_repository_is_not_told_who_reads_elsewhere(world: World) -> None:
    number = world.opened(FILES, BROKEN)
    world.manner = Manner(link=world.link, visible=lambda consumer: False)
    done = world.check(number)
    run = world.run(done.head)
    assert done.conclusion is Conclusion.ACTION_REQUIRED
    for text in (world.comment, str(run["output"]), str(run["annotations"])):
        assert "revenue" not in text
        assert "finance" not in text
    assert "1 consumer elsewhere" in world.comment
    before = world.push(number, FILES)
    world.hub.fault("/compare/", 502, times=100, message="secretsource")
    done = world.check(number, before=before)
    assert "secretsource" not in str(world.run(done.head))


def delivery(world: World, number: int, action: str, before: str = "") -> bytes:
    """A webhook about a pull request, as GitHub sends it."""
    payload = json.loads(shared(PAYLOAD).read_text())
    pull = world.shop.pulls[number]
    payload |= {"action": action, "number": number, "repository": payload["repository"] | {"full_name": SHOP}}
    payload["pull_request"] |= {"number": number, "state": pull.state}
    payload["pull_request"]["head"] |= {"sha": pull.head_sha}
    payload["pull_request"]["base"] |= {"sha": pull.base_sha, "ref": pull.base_ref}
    return json.dumps(payload | ({"before": before} if before else {})).encode()


def test_a_storm_of_a_thousand_deliveries(world: World) -> None:
    """In any order, with duplicates, and GitHub failing at times: the end state is that of the last push."""
    random = Random(7)
    start = world.main(FILES)
    sent: list[bytes] = []
    for turn in range(5):
        number = world.shop.open_pull(world.shop.commit({**FILES, "README.md": f"{turn}"}, start))
        sent.append(delivery(world, number, "opened"))
        for push in range(9):
            text = BROKEN if (turn + push) % 2 else FILES
            before = world.push(number, {**text, "README.md": f"{turn}.{push}"})
            sent.append(delivery(world, number, "synchronize", before))
    storm = [random.choice(sent) for _ in range(1_000 - len(sent))] + sent
    random.shuffle(storm)
    checks = 0
    for begin in range(0, 1_000, 100):
        waiting: dict[str, Work] = {}
        for body in storm[begin : begin + 100]:
            signed = signature(body, "secret")
            assert is_signed(body, signed, ["older", "secret"])
            for work in work_of(read_event("pull_request", body)):
                waiting[work.key] = work
        for work in waiting.values():
            if random.random() < 0.3:
                world.hub.fault(" ", 502, times=2, executed=random.random() < 0.5)
            assert work.number
            world.check(work.number, before=work.before)
            checks += 1
    assert checks == 50
    for number, pull in world.shop.pulls.items():
        *_, run = world.shop.runs_on(pull.head_sha)
        broken = number % 2 == 0
        assert (run["status"], run["conclusion"]) == ("completed", "action_required" if broken else "success")
        said = [
            c["body"] for c in world.shop.comments.values() if c["issue_url"].endswith(f"/issues/{number}")
        ]
        assert [("revenue" in text) for text in said] == ([True] if broken else [])
    assert all(r["status"] == "completed" for r in world.shop.runs.values())


def test_a_merge_group(world: World) -> None:
    start = world.main(FILES)
    head = world.shop.commit(BROKEN, start)
    with GitHubClient(GivenToken(TOKEN), world.hub.base_url) as client:
        code = GitHubCode(client, NAME)

        def judged() -> Told:
            request = Request(repository=Path(), base=start, head=head, dialect="duckdb", format="json")
            return Told(verdict=judge(request, code, NOW).done.verdict, touched=True)

        done = check_group(GitHubPulls(client, NAME), head, judged)
    assert (done.conclusion, world.run(head)["conclusion"]) == (Conclusion.FAILURE, "failure")
    assert world.shop.comments == {}


def test_three_hundred_contracts_in_one_pull_request(world: World) -> None:
    """Requests grow with what is read, and annotations come in batches; nothing is asked for twice."""
    texts = {f"c/{n:03}.odcs.yaml": SOURCE.replace("orders", f"orders_{n:03}") for n in range(300)}
    note = "      - {name: note, logicalType: string, physicalType: VARCHAR}\n"
    changed = {n: t.replace(note, "") for n, t in texts.items()}
    number = world.opened(
        {**texts, "r.sql": "CREATE TABLE r AS SELECT note FROM orders_000"},
        {**changed, "r.sql": "CREATE TABLE r AS SELECT note FROM orders_000"},
    )
    done = world.check(number)
    run = world.run(done.head)
    findings = len(run["annotations"])
    assert findings >= 300
    assert len({a["path"] for a in run["annotations"]}) == 300
    assert world.hub.count("GET", "/git/blobs/") == 601
    assert world.hub.count("GET", "/git/trees/") == 2
    assert world.hub.count("PATCH", "/check-runs/") == -(-findings // 50)
    others = len(world.hub.calls) - 603 - -(-findings // 50)
    assert others <= 12
    assert timedelta(seconds=sum(world.waits)) == timedelta()
