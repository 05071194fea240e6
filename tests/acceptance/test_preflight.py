"""`contracts preflight` under policies and with waivers, as a repository's history has them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit
from dulwich.repo import Repo

from contracts_svc.cli.main import main
from tests.support import ROOT

SOURCE = """apiVersion: v3.1.0
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
domain: shop
servers: [{server: lake, type: s3, location: "s3://lake/orders/*.parquet", format: parquet}]
schema:
  - name: orders
    properties:
      - {name: id, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: amount, logicalType: integer, physicalType: BIGINT}
      - {name: note, logicalType: string, physicalType: VARCHAR}
"""
READER = """apiVersion: v3.1.0
kind: DataContract
id: revenue
name: revenue
version: 1.0.0
status: active
team: {name: finance, members: [{username: ada@example.com, role: owner}]}
servers: [{server: lake, type: s3, location: "s3://lake/revenue/*.parquet", format: parquet}]
schema:
  - name: revenue
    properties:
      - {name: id, logicalType: string, physicalType: VARCHAR, required: true}
      - {name: amount, logicalType: integer, physicalType: BIGINT}
"""
FILES = {
    "orders.odcs.yaml": SOURCE,
    "revenue.odcs.yaml": READER,
    "revenue.sql": "CREATE TABLE revenue AS SELECT id, amount FROM orders",
}
EVENT = {
    "eventTime": "2020-01-01T00:00:00Z",
    "producer": "https://example.com/etl",
    "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/JobEvent",
    "job": {"namespace": "etl", "name": "report"},
    "inputs": [{"namespace": "s3://lake", "name": "orders"}],
    "outputs": [{"namespace": "s3://lake", "name": "old_report"}],
}
"""A job that was last heard of years ago, and did not say which columns it reads."""
AMOUNT = "      - {name: amount, logicalType: integer, physicalType: BIGINT}\n"
NOTE = "      - {name: note, logicalType: string, physicalType: VARCHAR}\n"
BROKEN = {**FILES, "orders.odcs.yaml": SOURCE.replace(AMOUNT, "")}
Files = Mapping[str, str]


@dataclass
class History:
    """A bare repository whose branches the tests write."""

    path: Path
    repo: Repo
    time: int = 1_700_000_000

    def commit(self, branch: str, files: Files, parent: str = "") -> str:
        entries = []
        for name, text in sorted(files.items()):
            blob = Blob.from_string(text.encode())
            self.repo.object_store.add_object(blob)
            entries.append((name.encode(), blob.id, 0o100644))
        made = Commit()
        made.tree = commit_tree(self.repo.object_store, entries)
        made.parents = [parent.encode()] if parent else []
        made.author = made.committer = b"Ada <ada@example.com>"
        self.time += 60
        made.author_time = made.commit_time = self.time
        made.author_timezone = made.commit_timezone = 0
        made.message = b"change\n"
        self.repo.object_store.add_object(made)
        self.repo.refs[f"refs/heads/{branch}".encode()] = made.id
        return made.id.decode()


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "git").mkdir()
    return History(tmp_path / "git", Repo.init_bare(str(tmp_path / "git")))


class Told:
    """Runs the command and gives what it says."""

    def __init__(self, history: History, capsys: pytest.CaptureFixture[str]) -> None:
        self.history, self.capsys = history, capsys

    def __call__(self, *more: str) -> tuple[int, str]:
        argv = ["preflight", "--repository", str(self.history.path), "--base", "main", "--head", "pr"]
        code = main([*argv, *more])
        said = self.capsys.readouterr()
        return code, said.out + said.err

    def json(self, *more: str) -> dict[str, Any]:
        code, said = self(*more, "--format", "json")
        body: dict[str, Any] = json.loads(said)
        assert body["exit_code"] == code
        return body


@pytest.fixture
def told(history: History, capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(history, capsys)


def branch(history: History, base: Files, head: Files) -> None:
    history.commit("pr", head, history.commit("main", base))


def waiver(fingerprint: str, approver: str = "finance", days: float = 7) -> str:
    until = datetime.now(UTC) + timedelta(days=days)
    return (
        f'- fingerprint: "{fingerprint}"\n  approver: {approver}\n  reason: we move\n'
        f"  expires: {until:%Y-%m-%dT%H:%M:%SZ}\n"
    )


def fingerprints(body: dict[str, Any], outcome: str = "BLOCK") -> list[str]:
    return [f["fingerprint"] for f in body["verdict"]["findings"] if f["outcome"] == outcome]


LENIENT = "version: lenient\nbreaks: pass\nmay_break: pass\nerror_alone: pass\n"


def test_it_blocks_without_a_policy(history: History, told: Told) -> None:
    branch(history, FILES, BROKEN)
    code, said = told()
    assert code == 1
    assert "BLOCK: 1 change breaks 1 consumer; finance must agree" in said


def test_the_policy_of_the_base_branch_judges(history: History, told: Told) -> None:
    branch(history, {**FILES, "contracts-policy.yaml": LENIENT}, {**BROKEN, "contracts-policy.yaml": LENIENT})
    body = told.json()
    assert (body["verdict"]["outcome"], body["verdict"]["policy"]["version"]) == ("PASS", "lenient")


def test_a_branch_cannot_weaken_its_own_judge(history: History, told: Told) -> None:
    branch(history, FILES, {**BROKEN, "contracts-policy.yaml": LENIENT})
    assert told.json()["verdict"]["outcome"] == "BLOCK"


def test_a_branch_cannot_move_its_contract_under_a_milder_policy(history: History, told: Told) -> None:
    policy = (
        f"version: 1\noverrides:\n  - match: {{domain: sandbox}}\n    breaks: pass\n    error_alone: pass\n"  # noqa: F541
    )
    base = {**FILES, "contracts-policy.yaml": policy}
    moved = BROKEN["orders.odcs.yaml"].replace("domain: shop", "domain: sandbox")
    branch(history, base, {**base, "orders.odcs.yaml": moved})
    assert told.json()["verdict"]["outcome"] == "BLOCK"


def test_the_policy_is_that_of_the_tip_and_not_of_where_the_branch_left(history: History, told: Told) -> None:
    start = history.commit("main", FILES)
    history.commit("pr", BROKEN, start)
    history.commit("main", {**FILES, "contracts-policy.yaml": LENIENT}, start)
    assert told.json()["verdict"]["outcome"] == "PASS"


def test_a_named_policy_beats_that_of_the_branch(history: History, told: Told, tmp_path: Path) -> None:
    branch(history, {**FILES, "contracts-policy.yaml": LENIENT}, BROKEN)
    (tmp_path / "strict.yaml").write_text("version: strict\n")
    body = told.json("--policy", "strict.yaml")
    assert (body["verdict"]["outcome"], body["verdict"]["policy"]["version"]) == ("BLOCK", "strict")


@pytest.mark.parametrize("side", ["base", "head", "named"])
def test_a_policy_with_a_mistake_is_one(side: str, history: History, told: Told, tmp_path: Path) -> None:
    wrong = {"contracts-policy.yaml": "version: 1\nbreks: warn\n"}
    branch(
        history,
        FILES | wrong if side == "base" else FILES,
        BROKEN | wrong if side == "head" else BROKEN,
    )
    (tmp_path / "contracts-policy.yaml").write_text(wrong["contracts-policy.yaml"])
    code, said = told(*(["--policy", "contracts-policy.yaml"] if side == "named" else []))
    assert code == 2
    assert "contracts-policy.yaml:2:1: unknown key 'breks'; did you mean 'breaks'?" in said


def test_only_the_file_at_the_top_is_the_policy(history: History, told: Told) -> None:
    lenient = {"docs/contracts-policy.yaml": LENIENT, "my-contracts-policy.yaml": LENIENT}
    branch(history, FILES | lenient, BROKEN | lenient)
    assert told.json()["verdict"]["outcome"] == "BLOCK"


def test_severities_and_mode_of_a_domain(history: History, told: Told) -> None:
    policy = "version: 1\noverrides:\n  - match: {domain: shop}\n    mode: NONE\n    severities: {column-removed: warning}\n"
    base = {**FILES, "contracts-policy.yaml": policy}
    branch(history, base, {**base, **BROKEN})
    finding = next(f for f in told.json()["verdict"]["findings"] if f["rule"] == "column-removed")
    assert (finding["severity"], finding["default_severity"], finding["outcome"]) == (
        "warning",
        "info",
        "WARN",
    )
    assert "warning by policy (default info) column-removed" in told()[1]
    assert told.json("--mode", "FORWARD")["mode"] == "FORWARD"


class TestWaivers:
    def blocked(self, history: History, told: Told) -> str:
        branch(history, FILES, BROKEN)
        (fingerprint,) = fingerprints(told.json())
        return fingerprint

    def judged(self, history: History, told: Told, waivers: str, head: Files = BROKEN) -> dict[str, Any]:
        """With these waivers merged to the base branch after the branch has left it."""
        start = history.commit("main", FILES)
        history.commit("pr", head, start)
        history.commit("main", {**FILES, "contracts-waivers.yaml": waivers}, start)
        return told.json()["verdict"]

    def test_a_waiver_on_the_base_branch_lifts_the_block(self, history: History, told: Told) -> None:
        verdict = self.judged(history, told, waiver(self.blocked(history, told)))
        assert (verdict["outcome"], verdict["must_agree"]) == ("PASS", [])
        assert verdict["headline"] == "PASS: 1 change is waived"

    def test_one_of_the_branch_itself_does_not(self, history: History, told: Told) -> None:
        mark = self.blocked(history, told)
        branch(history, FILES, {**BROKEN, "contracts-waivers.yaml": waiver(mark)})
        assert told.json()["verdict"]["outcome"] == "BLOCK"

    def test_one_by_somebody_else_does_not(self, history: History, told: Told) -> None:
        verdict = self.judged(history, told, waiver(self.blocked(history, told), "mallory"))
        assert (verdict["outcome"], verdict["must_agree"]) == ("BLOCK", ["finance"])

    def test_an_expired_one_blocks_again_and_says_so(self, history: History, told: Told) -> None:
        verdict = self.judged(history, told, waiver(self.blocked(history, told), days=-1))
        assert verdict["outcome"] == "BLOCK"
        assert any("the waiver of finance for orders.amount expired on" in r for r in verdict["reasons"])

    def test_a_changed_change_needs_a_new_one(self, history: History, told: Told) -> None:
        narrowed = {
            **FILES,
            "orders.odcs.yaml": SOURCE.replace("physicalType: BIGINT", "physicalType: SMALLINT"),
        }
        branch(history, FILES, narrowed)
        (mark,) = fingerprints(told.json())
        assert self.judged(history, told, waiver(mark), narrowed)["outcome"] == "PASS"
        other = {**FILES, "orders.odcs.yaml": SOURCE.replace("physicalType: BIGINT", "physicalType: TINYINT")}
        assert self.judged(history, told, waiver(mark), other)["outcome"] == "BLOCK"

    def test_it_survives_a_push_that_moves_lines(self, history: History, told: Told) -> None:
        mark = self.blocked(history, told)
        moved = {**BROKEN, "orders.odcs.yaml": "# a comment\n\n" + BROKEN["orders.odcs.yaml"]}
        assert self.judged(history, told, waiver(mark), moved)["outcome"] == "PASS"

    def test_one_that_is_named(self, history: History, told: Told, tmp_path: Path) -> None:
        (tmp_path / "w.yaml").write_text(waiver(self.blocked(history, told)))
        assert told.json("--waivers", "w.yaml")["verdict"]["outcome"] == "PASS"

    def test_one_that_runs_too_long_is_a_mistake(self, history: History, told: Told) -> None:
        wrong = {"contracts-waivers.yaml": waiver(self.blocked(history, told), days=200)}
        branch(history, FILES, BROKEN | wrong)
        code, said = told()
        assert code == 2
        assert "contracts-waivers.yaml:4:12: 'expires' is more than 90 days from now" in said

    def test_the_policy_says_how_long(self, history: History, told: Told) -> None:
        texts = {"contracts-waivers.yaml": waiver(self.blocked(history, told), days=200)}
        texts["contracts-policy.yaml"] = "version: 1\nwaiver_days: 365\n"
        branch(history, FILES | texts, BROKEN | texts)
        assert told.json()["verdict"]["outcome"] == "PASS"


class TestOnlyNewBreaksBlock:
    def test_what_is_broken_on_the_base_branch_does_not(self, history: History, told: Told) -> None:
        """The base lost the column; revenue still promises it. A branch that changes something else passes."""
        head = {
            **BROKEN,
            "orders.odcs.yaml": BROKEN["orders.odcs.yaml"].replace(
                "name: orders\nversion", "name: Orders\nversion"
            ),
        }
        branch(history, BROKEN, head)
        body = told.json()
        assert body["verdict"]["outcome"] == "PASS"
        assert [f["change"]["column"] for f in body["verdict"]["findings"] if f["change"]["column"]] == []

    def test_what_the_base_has_broken_since_is_not_the_branchs(self, history: History, told: Told) -> None:
        start = history.commit("main", FILES)
        history.commit("pr", {**FILES, "README.md": "more"}, start)
        history.commit("main", BROKEN, start)
        assert told.json()["verdict"]["outcome"] == "PASS"

    def test_what_both_have_done_is_told_and_does_not_block(self, history: History, told: Told) -> None:
        start = history.commit("main", FILES)
        history.commit("pr", BROKEN, start)
        history.commit("main", BROKEN, start)
        verdict = told.json()["verdict"]
        assert (verdict["outcome"], verdict["findings"]) == ("PASS", [])
        assert len(verdict["on_base"]) > 0
        assert "on the base branch already" in verdict["headline"]

    def test_what_the_branch_breaks_beyond_that_does(self, history: History, told: Told) -> None:
        start = history.commit("main", FILES)
        without_id = BROKEN["orders.odcs.yaml"].replace(
            "      - {name: id, logicalType: string, physicalType: VARCHAR, required: true}\n", ""
        )
        history.commit("pr", {**FILES, "orders.odcs.yaml": without_id}, start)
        history.commit("main", BROKEN, start)
        verdict = told.json()["verdict"]
        assert verdict["outcome"] == "BLOCK"
        assert {f["change"]["column"] for f in verdict["findings"] if f["outcome"] == "BLOCK"} == {"id"}


class TestMajorVersions:
    POLICY = "version: 1\nmajor_version_with_old_alive: warn\n"

    def outcome(self, history: History, told: Told, more: Files, version: str = "2.0.0") -> str:
        base = {**FILES, "contracts-policy.yaml": self.POLICY}
        new = BROKEN["orders.odcs.yaml"].replace("version: 1.0.0", f"version: {version}")
        branch(history, base, {**base, "orders.odcs.yaml": new, **more})
        found: str = told.json()["verdict"]["outcome"]
        return found

    def test_beside_the_old_one(self, history: History, told: Told) -> None:
        assert self.outcome(history, told, {"orders-v1.odcs.yaml": SOURCE}) == "WARN"
        assert self.outcome(history, told, {"v1/orders.odcs.yaml": SOURCE}) == "WARN"

    def test_alone(self, history: History, told: Told) -> None:
        assert self.outcome(history, told, {}) == "BLOCK"

    def test_a_minor_one(self, history: History, told: Told) -> None:
        assert self.outcome(history, told, {"orders-v1.odcs.yaml": SOURCE}, "1.1.0") == "BLOCK"


def test_a_removal_needs_its_deprecation_period(history: History, told: Told) -> None:
    policy = {"contracts-policy.yaml": "version: 1\ndeprecation_days: 30\n"}
    head = {**FILES, **policy, "orders.odcs.yaml": SOURCE.replace(NOTE, "")}
    branch(history, FILES | policy, head)
    verdict = told.json()["verdict"]
    assert verdict["outcome"] == "BLOCK"
    assert "orders.note is removed without 30 days of deprecation" in " ".join(verdict["reasons"])
    old = "customProperties: [{property: deprecatedSince, value: '2024-01-01'}]}\n"
    base = {**FILES, **policy, "orders.odcs.yaml": SOURCE.replace(NOTE, NOTE.replace("}\n", f", {old}"))}
    branch(history, base, head)
    assert told.json()["verdict"]["outcome"] == "WARN"


def test_coverage_names_what_is_not_known(history: History, told: Told) -> None:
    more = {
        "broken.sql": "CREATE TABLE x AS SELECT a FROM (",
        "old.jsonl": json.dumps(EVENT) + "\n",
        "contracts-policy.yaml": "version: 1\nstale_days: 90\n",
    }
    branch(history, FILES | more, {**FILES, **more, "orders.odcs.yaml": SOURCE.replace(NOTE, "")})
    body = told.json()
    coverage = body["verdict"]["coverage"]
    assert (coverage["readers"], coverage["columns_unknown"]) == (2, ["old_report"])
    assert [(u["reader"], u["source"]) for u in coverage["stale"]] == [("old_report", "orders")]
    assert any("broken.sql" in sentence for sentence in coverage["unresolved"])
    (removed,) = (f for f in body["verdict"]["findings"] if f["rule"] == "column-removed")
    assert [(i["consumer"]["name"], i["level"]) for i in removed["impacts"]] == [("old_report", "UNKNOWN")]
    assert "1 stale" in told()[1]


class TestForms:
    def test_every_form_ends_with_the_same_code(self, history: History, told: Told) -> None:
        branch(history, FILES, BROKEN)
        forms = ("text", "json", "markdown", "sarif", "junit", "github", "gitlab-codequality")
        said = {form: told("--format", form) for form in forms}
        assert {code for code, _ in said.values()} == {1}
        assert all("column-removed" in text for _, text in said.values())

    def test_json_keeps_to_its_schema(self, history: History, told: Told) -> None:
        schema = json.loads((ROOT / "contracts_svc" / "render" / "verdict.schema.json").read_text())
        for head in (BROKEN, FILES, {**FILES, "revenue.odcs.yaml": ""}):
            branch(history, FILES, {n: t for n, t in head.items() if t})
            assert list(jsonschema_rs.validator_for(schema).iter_errors(told.json())) == []

    def test_to_a_file(self, history: History, told: Told, tmp_path: Path) -> None:
        branch(history, FILES, BROKEN)
        code, said = told("--format", "junit", "--output", "out.xml")
        assert (code, said.strip()) == (1, "BLOCK: 1 change breaks 1 consumer; finance must agree")
        assert ET.parse(tmp_path / "out.xml").getroot().get("failures") == "1"

    def test_to_a_file_that_cannot_be_written(self, history: History, told: Told) -> None:
        branch(history, FILES, BROKEN)
        code, said = told("--output", "no/such/folder.txt")
        assert code == 2
        assert "no/such/folder.txt cannot be written" in said

    def test_mistakes_are_annotated_too(self, history: History, told: Told) -> None:
        branch(history, FILES, {**FILES, "orders.odcs.yaml": SOURCE.replace("version: 1.0.0\n", "")})
        code, said = told("--format", "github")
        assert code == 2
        assert said.startswith(
            "::error file=orders.odcs.yaml,line=1,col=1,title=mistake%3A orders.odcs.yaml::"
        )

    def test_a_report_url_must_be_one(self, history: History, told: Told) -> None:
        branch(history, FILES, BROKEN)
        assert told("--report-url", "javascript:alert(1)")[0] == 2


class TestDiff:
    @pytest.fixture(autouse=True)
    def files(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "old.yaml").write_text(SOURCE)
        (tmp_path / "new.yaml").write_text(BROKEN["orders.odcs.yaml"])
        (tmp_path / "policy.yaml").write_text(
            "version: 1\noverrides: [{match: {contract: orders}, severities: {column-removed: info, contract: info}}]\n"
        )

    def test_a_policy_grades_its_findings(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["diff", "old.yaml", "new.yaml"]) == 1
        capsys.readouterr()
        assert main(["diff", "old.yaml", "new.yaml", "--policy", "policy.yaml"]) == 0
        assert "info by policy (default error) [column-removed]" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("form", "start"),
        [
            ("github", "::error file=new.yaml,line="),
            ("markdown", "## orders 1.0.0 -> 1.0.0".replace(">", "\\>")),
            ("sarif", "{"),
            ("junit", "<?xml"),
            ("gitlab-codequality", "["),
        ],
    )
    def test_its_forms(self, form: str, start: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["diff", "old.yaml", "new.yaml", "--format", form]) == 1
        said = capsys.readouterr().out
        assert said.startswith(start)
        assert "column-removed" in said


class TestLint:
    def test_a_policy_and_waivers(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        policy, waivers = tmp_path / "contracts-policy.yaml", tmp_path / "contracts-waivers.yaml"
        policy.write_text("version: 1\nwaiver_days: 300\n")
        waivers.write_text(waiver("0" * 16, days=200))
        assert main(["lint", str(policy), str(waivers)]) == 0
        policy.write_text("version: 1\nmust_agre: []\n")
        assert main(["lint", str(policy)]) == 2
        assert "contracts-policy.yaml:2:1 unknown key".replace(":1 ", ":1: ") in capsys.readouterr().out


def test_a_dialect_that_is_none_is_a_mistake(history: History, told: Told) -> None:
    """Under it no SQL could be read, and nobody would seem to break."""
    branch(history, FILES, BROKEN)
    code, said = told("--dialect", "snowflak")
    assert code == 2
    assert "'snowflak' is no SQL dialect" in said
    assert "did you mean snowflake?" in said
