"""The action as a workflow runs it: its own script, the environment of GitHub's runner, a real checkout."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from dulwich.repo import Repo

from contracts_svc.adapters.openlineage import read_parsed, take
from contracts_svc.cli.main import main
from contracts_svc.flows.stored_lineage import StoredLineage
from contracts_svc.github import events
from contracts_svc.github.comment import MARKER
from contracts_svc.github.manifest import EVENTS, PERMISSIONS
from tests.acceptance.test_api import World
from tests.acceptance.test_api_lineage import served
from tests.acceptance.test_preflight import BROKEN, FILES, SOURCE, History, waiver
from tests.fixtures_github import *  # noqa: F403
from tests.fixtures_github import SHOP, TOKEN
from tests.fixtures_store import memory_store, read_contract
from tests.github_description import description
from tests.github_stand_in import Grant, Repository, StandIn
from tests.hub_world import NOW, reads
from tests.support import ROOT, shared

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS = {h["id"]: h for h in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
PAYLOAD = "cases/github/payloads/api.github.com__pull_request__opened.payload.json"
LENIENT = "version: 1\nbreaks: warn\n"


class Workflow:
    """A job on a runner, its repository checked out with `fetch-depth: 0`."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace, self.temp = folder / "workspace", folder / "temp"
        self.temp.mkdir()
        self.workspace.mkdir()
        self.history = History(self.workspace, Repo.init(str(self.workspace)))
        self.payload: dict[str, Any] = json.loads(shared(PAYLOAD).read_text())
        self.payload["repository"]["full_name"] = SHOP
        self.event = "pull_request"
        self.monkeypatch = monkeypatch
        self.environment = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_EVENT_PATH": str(self.temp / "event.json"),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"),
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": SHOP,
            "GITHUB_RUN_ID": "42",
            "RUNNER_TEMP": str(self.temp),
        }

    def pull(self, before: Any, after: Any) -> None:
        """A pull request from `before` to `after`, checked out as actions/checkout leaves it."""
        base = self.history.commit("main", before)
        head = self.history.commit("pr", after, base)
        self.history.repo.refs[b"refs/remotes/origin/main"] = base.encode()  # type: ignore[index,assignment]
        pull = self.payload["pull_request"]
        pull["base"] |= {"sha": base, "ref": "main"}
        pull["head"] |= {"sha": head}
        pull["base"]["repo"]["full_name"] = pull["head"]["repo"]["full_name"] = SHOP
        pull["number"] = 1

    def prepare(self) -> None:
        Path(self.environment["GITHUB_EVENT_PATH"]).write_text(json.dumps(self.payload))
        for name in ("output", "summary.md"):
            (self.temp / name).write_text("")
        self.environment["GITHUB_EVENT_NAME"] = self.event

    def __call__(self, *options: str) -> int:
        self.prepare()
        for name, value in self.environment.items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.chdir(self.temp)
        return main(["github", "action", *options])

    @property
    def outputs(self) -> dict[str, str]:
        lines = (self.temp / "output").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)  # type: ignore[misc]

    @property
    def summary(self) -> str:
        return (self.temp / "summary.md").read_text()


@pytest.fixture
def workflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workflow:
    for name in [n for n in os.environ if n.startswith(("GITHUB_", "CONTRACTS_"))]:
        monkeypatch.delenv(name)
    return Workflow(tmp_path, monkeypatch)


class TestWithoutAToken:
    def test_a_break(self, workflow: Workflow, capsys: pytest.CaptureFixture[str]) -> None:
        workflow.pull(FILES, BROKEN)
        assert workflow() == 1
        said = capsys.readouterr()
        assert said.out.startswith("::error file=orders.odcs.yaml,line=")
        assert said.err == ""
        assert workflow.outputs == {
            "outcome": "BLOCK",
            "headline": "BLOCK: 1 change breaks 1 consumer; finance must agree",
            "must-agree": "finance",
            "findings": workflow.outputs["findings"],
            "changed-contracts": "1",
            "report-url": f"https://github.com/{SHOP}/actions/runs/42",
        }
        assert "## BLOCK" in workflow.summary
        assert "```mermaid" in workflow.summary

    def test_nothing_changed(self, workflow: Workflow) -> None:
        workflow.pull(FILES, {**FILES, "README.md": "x"})
        assert workflow() == 0
        assert (workflow.outputs["outcome"], workflow.outputs["changed-contracts"]) == ("PASS", "0")

    @pytest.mark.parametrize(("fail_on", "code"), [("block", 0), ("warn", 1), ("never", 0)])
    def test_from_which_verdict_on_it_fails(self, fail_on: str, code: int, workflow: Workflow) -> None:
        lenient = {"contracts-policy.yaml": LENIENT}
        workflow.pull(FILES | lenient, BROKEN | lenient)
        assert workflow("--fail-on", fail_on) == code
        assert workflow.outputs["outcome"] == "WARN"

    def test_a_block_that_shall_not_fail(self, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN)
        assert workflow("--fail-on", "never") == 0
        assert workflow.outputs["outcome"] == "BLOCK"

    def test_a_contract_that_cannot_be_read(
        self, workflow: Workflow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        workflow.pull(FILES, {**FILES, "orders.odcs.yaml": SOURCE.replace("version: 1.0.0\n", "")})
        assert workflow() == 2
        assert capsys.readouterr().out.startswith("::error file=orders.odcs.yaml,line=1,col=1,title=mistake")
        assert workflow.outputs["outcome"] == "COULD_NOT_CHECK"
        assert "orders" in workflow.summary

    @pytest.mark.parametrize(("manner", "code"), [("failure", 3), ("neutral", 0)])
    def test_commits_that_were_not_fetched(
        self, manner: str, code: int, workflow: Workflow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        workflow.pull(FILES, BROKEN)
        blob = next(
            p
            for p in (workflow.workspace / ".git" / "objects").rglob("*")
            if p.is_file() and len(p.name) == 38
        )
        for path in blob.parent.parent.rglob("*"):
            if path.is_file() and b"blob" in __import__("zlib").decompress(path.read_bytes())[:5]:
                path.unlink()
        assert workflow("--could-not-check", manner) == code
        assert "fetch-depth" in workflow.summary
        assert workflow.outputs["outcome"] == "COULD_NOT_CHECK"

    def test_other_events(self, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN)
        base, head = (workflow.payload["pull_request"][side]["sha"] for side in ("base", "head"))
        repository = {"full_name": SHOP}
        for event, payload, code in (
            ("pull_request_target", workflow.payload, 1),
            (
                "merge_group",
                {"merge_group": {"base_sha": base, "head_sha": head}, "repository": repository},
                1,
            ),
            ("push", {"ref": "refs/heads/x", "before": base, "after": head, "repository": repository}, 1),
            ("push", {"ref": "refs/heads/x", "before": "0" * 40, "after": head, "repository": repository}, 0),
            ("push", {"ref": "refs/heads/x", "before": base, "after": "0" * 40, "repository": repository}, 0),
            ("issue_comment", {"repository": repository}, 2),
        ):
            workflow.event, workflow.payload = event, payload
            assert workflow() == code

    @pytest.mark.parametrize("name", ["GITHUB_WORKSPACE", "GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH"])
    def test_outside_of_a_workflow(
        self, name: str, workflow: Workflow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        workflow.pull(FILES, BROKEN)
        workflow.prepare()
        for key, value in workflow.environment.items():
            if key != name:
                workflow.monkeypatch.setenv(key, value)
        assert main(["github", "action"]) == 2
        assert f"{name} is not set" in capsys.readouterr().err


class TestTheBranchIsNotItsOwnJudge:
    def test_its_policy_waivers_and_settings_do_not_count(self, workflow: Workflow) -> None:
        own = {
            "contracts-policy.yaml": LENIENT,
            "contracts-waivers.yaml": waiver("0" * 16),
            "contracts.toml": 'lineage = ["nowhere"]\n',
        }
        workflow.pull(FILES, BROKEN | own)
        assert workflow() == 1

    def test_a_named_policy_is_that_of_the_base_branch(self, workflow: Workflow) -> None:
        workflow.pull(
            FILES | {"ci/policy.yaml": LENIENT}, BROKEN | {"ci/policy.yaml": "version: 1\nbreaks: pass\n"}
        )
        assert workflow("--policy", "ci/policy.yaml") == 0
        assert workflow.outputs["outcome"] == "WARN"

    def test_one_that_only_the_branch_has_is_none(self, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN | {"ci/policy.yaml": LENIENT})
        assert workflow("--policy", "ci/policy.yaml") == 2
        assert "is not on the base branch" in workflow.outputs["headline"] + workflow.summary

    @pytest.mark.parametrize("path", ["revenue.sql", "./revenue.sql", "sql", "sql/more.sql", "x/../sql"])
    def test_its_lineage_is_not_given_again(self, path: str, workflow: Workflow) -> None:
        more = {"sql/more.sql": "CREATE TABLE x AS SELECT id FROM orders"}
        workflow.pull(FILES | more, BROKEN | more)
        assert workflow("--lineage", path) == 2
        assert "branch's own" in workflow.summary

    def test_lineage_from_elsewhere(self, workflow: Workflow) -> None:
        workflow.pull(
            {"orders.odcs.yaml": SOURCE, "revenue.odcs.yaml": FILES["revenue.odcs.yaml"]},
            {n: t for n, t in BROKEN.items() if n != "revenue.sql"},
        )
        (workflow.workspace / "artifact.sql").write_text(FILES["revenue.sql"])
        assert workflow("--lineage", "artifact.sql\n") == 1

    def test_lineage_of_a_server(self, workflow: Workflow) -> None:
        """The job that reads is only known to the service, whose token comes by the environment."""
        store = memory_store()
        world = World(store)
        for name in ("orders.odcs.yaml", "revenue.odcs.yaml"):
            store.put_contract(read_contract(FILES[name].encode(), name), FILES[name].encode(), NOW)
        StoredLineage(store, take, read_parsed).take(
            [reads("revenue", id="orders.id", amount="orders.amount")], tenant="", now=NOW
        )
        workflow.pull({"orders.odcs.yaml": SOURCE}, {"orders.odcs.yaml": BROKEN["orders.odcs.yaml"]})
        assert workflow() == 0
        workflow.environment["SERVER_TOKEN"] = world.token("viewer")
        with served(world) as url:
            assert workflow("--server", url, "--server-token-from", "SERVER_TOKEN") == 1
            assert workflow.outputs["must-agree"] == "finance"
            assert workflow("--server", url) == 3
            assert workflow("--server", url, "--lineage", str(workflow.temp)) == 2
            assert "cannot both be given" in workflow.summary
        store.close()

    @pytest.mark.parametrize(
        ("globs", "code"),
        [("orders.*", 1), ("*.yaml", 1), ("x/*\n*orders*", 1), ("other/*", 0), ("revenue*", 0)],
    )
    def test_only_some_contracts(self, globs: str, code: int, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN)
        assert workflow("--contracts", globs) == code

    def test_a_text_of_the_branch_is_no_command_to_the_runner(
        self, workflow: Workflow, capsys: pytest.CaptureFixture[str]
    ) -> None:
        bad = SOURCE.replace(
            "name: orders\nversion", 'name: "x\\n::add-path::/evil\\noutcome=PASS"\nversion'
        ).replace("kind: DataContract", 'kind: "a\\n::set-env name=x::y"')
        workflow.pull(FILES, {**FILES, "orders.odcs.yaml": bad})
        assert workflow() == 2
        said = capsys.readouterr()
        assert {line.split(" ")[0] for line in (said.out + said.err).splitlines()} <= {"::error", "::notice"}
        assert workflow.outputs["outcome"] == "COULD_NOT_CHECK"


class TestWithAToken:
    @pytest.fixture(autouse=True)
    def connected(self, hub: StandIn, workflow: Workflow) -> None:
        workflow.environment |= {"GITHUB_API_URL": hub.base_url, "CHECK_TOKEN": TOKEN}

    def opened(self, workflow: Workflow, shop: Repository, after: Any = BROKEN) -> str:
        """The pull request in the checkout, and on GitHub with the same commits."""
        workflow.pull(FILES, after)
        pull = workflow.payload["pull_request"]
        for sha in workflow.history.repo.object_store:
            shop.git.object_store.add_object(workflow.history.repo.object_store[sha])
        shop.git.refs[b"refs/heads/main"] = pull["base"]["sha"].encode()  # type: ignore[index,assignment]
        if not shop.pulls:
            shop.open_pull(pull["head"]["sha"])
        shop.pulls[1].head_sha = pull["head"]["sha"]
        head: str = pull["head"]["sha"]
        return head

    def test_it_writes_the_check_run_and_the_comment(
        self, workflow: Workflow, shop: Repository, capsys: pytest.CaptureFixture[str]
    ) -> None:
        head = self.opened(workflow, shop)
        assert workflow("--token-from", "CHECK_TOKEN") == 1
        (run,) = shop.runs_on(head)
        assert (run["conclusion"], run["details_url"]) == (
            "action_required",
            f"https://github.com/{SHOP}/actions/runs/42",
        )
        assert run["annotations"]
        (comment,) = shop.comments_by("github-actions[bot]")
        assert comment.startswith(MARKER)
        assert "finance" in comment
        # The same annotations from the step would stand beside those of the run.
        assert capsys.readouterr().out.startswith("::notice title=contracts::BLOCK")
        workflow("--token-from", "CHECK_TOKEN")
        assert len(shop.comments) == 1

    def test_a_person_s_token_edits_its_own_comment(
        self, workflow: Workflow, shop: Repository, hub: StandIn
    ) -> None:
        hub.tokens[TOKEN] = Grant("deploy-bot", frozenset({SHOP}), has_user=True)
        self.opened(workflow, shop)
        for _ in range(2):
            workflow("--token-from", "CHECK_TOKEN")
        assert len(shop.comments_by("deploy-bot")) == 1

    def test_the_token_of_a_fork_may_not_write(
        self, workflow: Workflow, shop: Repository, hub: StandIn, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.opened(workflow, shop)
        hub.fault("POST", 403, times=100, message="Resource not accessible by integration")
        assert workflow("--token-from", "CHECK_TOKEN") == 1
        said = capsys.readouterr().out
        assert said.startswith(
            "::warning title=contracts::the check run was not written: GitHub answered 403"
        )
        assert "::error file=orders.odcs.yaml" in said
        assert (shop.runs, shop.comments) == ({}, {})

    def test_a_newer_push_is_not_told_the_verdict_of_an_older_one(
        self, workflow: Workflow, shop: Repository
    ) -> None:
        self.opened(workflow, shop)
        shop.pulls[1].head_sha = shop.commit({"a": "newer"})
        assert workflow("--token-from", "CHECK_TOKEN") == 1
        assert (shop.runs, shop.comments) == ({}, {})

    def test_a_mistake_is_written_too(self, workflow: Workflow, shop: Repository) -> None:
        head = self.opened(
            workflow, shop, {**FILES, "orders.odcs.yaml": SOURCE.replace("version: 1.0.0\n", "")}
        )
        assert workflow("--token-from", "CHECK_TOKEN") == 2
        assert [r["conclusion"] for r in shop.runs_on(head)] == ["failure"]

    def test_without_the_variable_nothing_is_called(
        self, workflow: Workflow, shop: Repository, hub: StandIn
    ) -> None:
        self.opened(workflow, shop)
        assert workflow() == 1
        assert hub.calls == []


class TestActionYml:
    def script(self, workflow: Workflow, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run the judging step as the runner does: expressions filled in, bash, and nothing else set."""
        step = ACTION["runs"]["steps"][1]
        given = {name: str(i["default"]) for name, i in ACTION["inputs"].items()} | inputs
        fill = re.compile(r"\$\{\{ inputs\.([a-z-]+) \}\}")
        variables = {k: fill.sub(lambda m: given[m[1]], v) for k, v in step["env"].items()}
        program = workflow.temp / "contracts-svc" / "bin" / "contracts"
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!{sys.executable}\nfrom contracts_svc.cli.main import run\nrun()\n")
        program.chmod(0o755)
        workflow.prepare()
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            env={"PATH": os.environ["PATH"], **workflow.environment, **variables},
            cwd=workflow.temp, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def test_its_script_runs(self, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN)
        done = self.script(workflow, {})
        assert (done.returncode, workflow.outputs["outcome"]) == (1, "BLOCK"), done.stderr
        assert self.script(workflow, {"fail-on": "never"}).returncode == 0

    def test_an_input_cannot_become_a_command(self, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN)
        evil = '"; touch "$RUNNER_TEMP/owned"; $(touch "$RUNNER_TEMP/owned") `touch owned`'
        chosen = ("fail-on", "could-not-check")
        others = ["policy", "waivers", "mode", "lineage", "dialect", "report-url", "contracts", "server"]
        others.append("server-token")
        assert {*chosen, *others, "token", "python"} == set(ACTION["inputs"])
        for names in (chosen, others):
            assert self.script(workflow, dict.fromkeys(names, evil)).returncode == 2
        assert not (workflow.temp / "owned").exists()
        assert all("${{" not in step["run"] for step in ACTION["runs"]["steps"])

    def test_every_input_is_used_and_every_output_is_written(self, workflow: Workflow) -> None:
        text = (ROOT / "action.yml").read_text()
        assert [n for n in ACTION["inputs"] if f"inputs.{n} " not in text] == []
        workflow.pull(FILES, BROKEN)
        workflow()
        assert set(workflow.outputs) == set(ACTION["outputs"])

    def test_it_runs_outside_of_the_checkout(self) -> None:
        assert all(s["working-directory"] == "${{ runner.temp }}" for s in ACTION["runs"]["steps"])


class TestPreCommit:
    def test_lint_takes_the_files_that_it_is_given(self, capsys: pytest.CaptureFixture[str]) -> None:
        hook = HOOKS["contracts-lint"]
        wanted = ["a.odcs.yaml", "x/a.odcs.yml", "contracts-policy.yaml", "x/contracts-waivers.yaml"]
        assert [
            f
            for f in [*wanted, "a.yaml", "my-contracts-policy.yaml", "a.odcs.yaml.txt"]
            if re.search(hook["files"], f)
        ] == wanted
        assert main([*shlex.split(hook["entry"])[1:], str(ROOT / "contracts" / "flights.odcs.yaml")]) == 0

    def test_preflight_judges_against_the_base(self, workflow: Workflow) -> None:
        workflow.pull(FILES, BROKEN)
        workflow.monkeypatch.chdir(workflow.workspace)
        workflow.history.repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/pr")  # type: ignore[arg-type]
        hook = HOOKS["contracts-preflight"]
        assert main([*shlex.split(hook["entry"])[1:], *hook["args"]]) == 1


class TestManifest:
    def test_its_permissions_are_ones_that_github_knows(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["github", "manifest", "https://contracts.example/", "--name", "our contracts"]) == 0
        told = json.loads(capsys.readouterr().out)
        known = description()["components"]["schemas"]["app-permissions"]["properties"]
        assert all(level in known[name]["enum"] for name, level in told["default_permissions"].items())
        assert {n for n, (level, _) in PERMISSIONS.items() if level == "write"} == {"checks", "pull_requests"}
        assert told["hook_attributes"]["url"] == "https://contracts.example/github/webhook"
        assert (told["name"], told["public"]) == ("our contracts", False)

    def test_its_events_are_those_that_are_read(self) -> None:
        assert set(EVENTS) | {"installation", "installation_repositories"} == set(events.EVENTS)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "contracts.example",
            "http://x.example",
            "https://",
            "javascript:x",
            "https://a:b@x",
            "https://x?y",
        ],
    )
    def test_an_address_that_is_none(self, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["github", "manifest", url]) == 2
