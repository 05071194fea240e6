"""Commands as a user runs them: what they say, and what they end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.cli.main import main
from contracts_svc.demo import files
from contracts_svc.demo.history import build_history
from tests.support import ROOT

FLIGHTS = str(ROOT / "contracts" / "flights.odcs.yaml")
CHANGED = str(ROOT / "contracts_svc" / "demo" / "pull_request" / "flights.odcs.yaml")
LINEAGE = ["--lineage", str(ROOT / "contracts_svc" / "demo" / "sql")]
LINEAGE += ["--lineage", str(ROOT / "contracts_svc" / "demo" / "lineage")]
CONTRACTS = ["--contracts", str(ROOT / "contracts")]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings from outside, and an S3 endpoint where nobody answers."""
    import os

    for name in list(os.environ):
        if name.startswith(("CONTRACTS_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONTRACTS_S3_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("CONTRACTS_S3_ACCESS_KEY", "key-of-the-test")
    monkeypatch.setenv("CONTRACTS_S3_SECRET_KEY", "secret-of-the-test")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    before = {f"contracts/{n}": t for n, t in files.contracts().items()}
    before |= {f"sql/{n}": t for n, t in files.sql().items()}
    before |= {f"lineage/{n}": t for n, t in files.lineage_events().items()}
    after = before | {f"contracts/{n}": t for n, t in files.pull_request().items()}
    build_history(tmp_path / "git", before, after)
    return tmp_path / "git"


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


BROKEN_YAML = "apiVersion: v3.1.0\nkind: DataContract\n  id: x\n"
OLD_VERSION = "apiVersion: v2.2.2\nkind: DataContract\nid: x\n"
RANGE_UPSIDE_DOWN = """apiVersion: v3.1.0
kind: DataContract
id: x
version: 1.0.0
status: active
schema:
  - name: t
    properties:
      - {name: c, logicalType: integer, logicalTypeOptions: {minimum: 5, maximum: 1}}
"""


class TestExitCodes:
    def test_0_when_all_is_fine(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["lint", FLIGHTS]) == 0
        assert "1 file read, 0 invalid" in capsys.readouterr().out

    def test_1_when_a_contract_contradicts_itself(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["lint", write(tmp_path / "x.odcs.yaml", RANGE_UPSIDE_DOWN)]) == 1
        assert "x.odcs.yaml:9:" in capsys.readouterr().out

    def test_1_when_a_change_breaks_readers(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["diff", FLIGHTS, CHANGED]) == 1
        assert "[column-renamed]" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("text", "place"), [(BROKEN_YAML, "x.odcs.yaml:3:"), (OLD_VERSION, "x.odcs.yaml:1:")]
    )
    def test_2_with_the_place_when_the_text_is_no_contract(
        self, text: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["lint", write(tmp_path / "x.odcs.yaml", text)]) == 2
        assert place in capsys.readouterr().out

    @pytest.mark.parametrize(
        "argv",
        [
            ["lint", "no-such-file.odcs.yaml"],
            ["lint", "."],
            ["lnt"],
            ["diff", FLIGHTS],
            ["diff", FLIGHTS, "no-such-file.odcs.yaml"],
            ["preflight", "--base", "main"],
            ["check", FLIGHTS, "--server", "nowhere"],
            ["check", FLIGHTS, "--table", "nothing"],
            ["check", FLIGHTS, "--partition", "month"],
            ["lineage", "impact", "flihgts", *CONTRACTS, *LINEAGE],
            ["lineage", "impact", "flights", "no_such_column", *CONTRACTS, *LINEAGE],
            ["lineage", "impact", "flights", *CONTRACTS],
            ["demo", "--source", "no-such-folder"],
            ["rules", "--format", "xml"],
        ],
        ids=lambda argv: " ".join(a.rpartition("/")[2] for a in argv),
    )
    def test_2_for_a_mistake_with_something_to_read(
        self, argv: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(argv) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert len(said.err.strip()) > 20
        assert "Traceback" not in said.err

    def test_3_when_the_data_cannot_be_reached(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", str(ROOT / "contracts" / "airlines.odcs.yaml"), "--format", "json"]) == 3
        said = capsys.readouterr()
        outcomes = {r["outcome"] for run in json.loads(said.out)["runs"] for r in run["results"]}
        assert outcomes == {"errored"}
        assert "secret-of-the-test" not in said.out + said.err

    def test_70_for_a_bug_of_ours(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError("planted")

        monkeypatch.setattr("contracts_svc.odcs.lint", broken)
        assert main(["lint", FLIGHTS]) == 70
        said = capsys.readouterr().err
        assert "report id" in said
        assert "Traceback" not in said
        assert main(["--debug", "lint", FLIGHTS]) == 70
        assert "Traceback" in capsys.readouterr().err


class TestJson:
    def body(self, argv: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        code = main([*argv, "--format", "json"])
        body = json.loads(capsys.readouterr().out)
        assert body["exit_code"] == code
        return body

    def test_a_mistake_has_file_line_and_column(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = write(tmp_path / "x.odcs.yaml", OLD_VERSION)
        problem = self.body(["lint", path], capsys)["problems"][0]
        assert (problem["file"], problem["line"]) == (path, 1)
        assert problem["hint"]

    def test_every_error_has_one_shape(self, capsys: pytest.CaptureFixture[str]) -> None:
        for argv in (["lint", "nothing-here"], ["lnt"], ["preflight", "--base", "main"]):
            error = self.body(argv, capsys)["error"]
            assert error["kind"] == "mistake"
            assert error["problems"][0].keys() == {"file", "line", "column", "message", "hint"}

    def test_rules_lists_all_tables(self, capsys: pytest.CaptureFixture[str]) -> None:
        body = self.body(["rules"], capsys)
        assert all(body[k] for k in ("compatibility", "lint", "checks", "receivers", "settings"))

    def test_impact_gives_the_path(self, capsys: pytest.CaptureFixture[str]) -> None:
        argv = ["lineage", "impact", "flights", "dest", *CONTRACTS, *LINEAGE]
        readers = self.body(argv, capsys)["columns"][0]["readers"]
        assert [(r["dataset"]["name"], r["column"], r["team"]) for r in readers] == [
            ("carrier_scorecard", "destinations", "finance")
        ]


class TestPreflight:
    def test_it_reads_both_sides_and_the_lineage_from_git(
        self, repository: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = ["preflight", "--repository", str(repository), "--base", "main", "--head", "pull-request"]
        assert main(argv) == 1
        said = capsys.readouterr().out
        assert "finance must agree" in said
        assert "nobody reads it" in said

    def test_a_branch_that_changes_no_contract_passes(
        self, repository: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        argv = ["preflight", "--repository", str(repository), "--base", "main", "--head", "main"]
        assert main(argv) == 0
        assert "0 changed contracts" in capsys.readouterr().out

    def test_a_changed_job_is_told_to_those_who_read_what_it_makes(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = {f"contracts/{n}": t for n, t in files.contracts().items()}
        before |= {f"sql/{n}": t for n, t in files.sql().items()}
        before |= {f"lineage/{n}": t for n, t in files.lineage_events().items()}
        path = "sql/carrier_scorecard.sql"
        text = before[path].replace(b"max(f.dep_delay) AS worst_dep_delay,", b"")
        after = before | {path: text.replace(b"JOIN airlines", b"LEFT JOIN airlines")}
        build_history(tmp_path / "git", before, after)
        argv = ["preflight", "--repository", str(tmp_path / "git"), "--base", "main", "--format", "json"]
        assert main([*argv, "--head", "pull-request"]) == 1
        verdict = json.loads(capsys.readouterr().out)["verdict"]
        told = {(f["rule"], f["at"]["file"]) for f in verdict["findings"]}
        assert told == {("SQL_COLUMN_REMOVED", path), ("SQL_ROWS_CHANGED", path)}
        impacts = [i for f in verdict["findings"] for i in f["impacts"]]
        levels = {(i["level"], i["consumer"]["name"]) for i in impacts}
        assert levels == {("BREAKS", "On-time performance"), ("MAY_BREAK", "On-time performance")}

    def test_a_job_that_is_adapted_in_the_same_pull_request_does_not_break(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = {f"contracts/{n}": t for n, t in files.contracts().items()}
        before |= {f"sql/{n}": t for n, t in files.sql().items()}
        path = "sql/carrier_scorecard.sql"
        adapted = before[path].replace(b"    count(DISTINCT f.dest) AS destinations,\n", b"")
        after = before | {f"contracts/{n}": t for n, t in files.pull_request().items()} | {path: adapted}
        build_history(tmp_path / "git", before, after)
        argv = ["preflight", "--repository", str(tmp_path / "git"), "--base", "main", "--format", "json"]
        main([*argv, "--head", "pull-request"])
        findings = json.loads(capsys.readouterr().out)["verdict"]["findings"]
        impacts = {f["change"]["path"]: [i["consumer"]["name"] for i in f["impacts"]] for f in findings}
        assert impacts["flights.dest"] == []
        assert impacts["flights.dep_delay.physicalType"] == ["carrier_scorecard"]

    def test_without_lineage_nothing_is_called_safe(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = {f"contracts/{n}": t for n, t in files.contracts().items()}
        after = before | {f"contracts/{n}": t for n, t in files.pull_request().items()}
        build_history(tmp_path / "bare", before, after)
        argv = ["preflight", "--repository", str(tmp_path / "bare"), "--base", "main"]
        main([*argv, "--head", "pull-request"])
        said = capsys.readouterr().out
        assert "no lineage is known" in said
        assert not said.splitlines()[1].startswith("PASS")


# --- routes -------------------------------------------------------------------------------------

ROUTES = """\
route:
  receiver: contract
  routes:
    - {matchers: [severity=error], receiver: on-call, group_by: [squad], active_time_intervals: [days]}
receivers:
  - {name: on-call, type: slack, channel: "#on-call", token: env:SLACK_TOKEN, escalate: {after: 30m, to: head}}
  - {name: head, type: slack, channel: "#head", token: env:SLACK_TOKEN}
time_intervals:
  - {name: days, time_intervals: [{times: [{start_time: '08:00', end_time: '20:00'}]}]}
"""


def test_routes_test_shows_the_way_of_an_alert(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "routes.yaml", ROUTES)
    night = ["--file", path, "--at", "2026-11-24T23:00+00:00"]
    assert main(["routes", "test", "severity=error", "squad=menu", *night]) == 0
    said = capsys.readouterr().out
    assert '{}/{severity="error"}' in said
    assert "receiver: on-call (slack, channel #on-call)" in said
    assert "not acknowledged after 30m: head (slack, channel #head)" in said
    assert "quiet at 2026-11-24 23:00 UTC: outside days" in said
    assert main(["routes", "test", "severity=warning", "-f", "json", *night]) == 0
    (route,) = json.loads(capsys.readouterr().out)["routes"]
    assert (route["receiver"], route["quiet"]) == ("contract", None)


def test_routes_check_tells_what_is_there_and_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "routes.yaml", ROUTES)
    assert main(["routes", "check", "--file", path]) == 0
    assert "2 routes, 2 receivers, 1 time interval, 0 inhibit rules, 0 channels" in capsys.readouterr().out
    path = write(tmp_path / "bad.yaml", ROUTES.replace("to: head", "to: nobody"))
    assert main(["routes", "check", "--file", path]) == 2
    assert "bad.yaml:6:106: no receiver is called 'nobody'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [["severity"], ["=error"], ["a=b", "--at", "tomorrow"], ["a=b", "--file", "nowhere.yaml"]],
)
def test_routes_test_says_what_is_wrong_with_what_it_is_given(argv: list[str], tmp_path: Path) -> None:
    write(tmp_path / "routes.yaml", ROUTES)
    assert main(["routes", "test", *argv]) == 2


@pytest.mark.parametrize(
    ("rule", "mode", "code"),
    [
        ("pattern-widened", "FORWARD", 1),
        ("pattern-widened", "BACKWARD", 0),
        ("pattern-narrowed", "BACKWARD", 1),
        ("pattern-changed", "FULL", 1),
        ("pattern-undecided", "FULL", 0),
        ("pattern-rewritten", "FULL", 0),
    ],
)
def test_patterns_are_compared_by_diff(
    rule: str, mode: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ROOT / "tests" / "data" / "compat" / rule
    argv = ["diff", str(folder / "old.yaml"), str(folder / "new.yaml"), "--mode", mode, "--format", "json"]
    assert main(argv) == code
    assert rule in [f["rule"] for f in json.loads(capsys.readouterr().out)["findings"]]


def test_patterns_are_compared_by_preflight(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ROOT / "tests" / "data" / "compat" / "pattern-widened"
    sides = [{"orders.odcs.yaml": (folder / name).read_bytes()} for name in ("old.yaml", "new.yaml")]
    build_history(tmp_path / "git", *sides)
    argv = ["preflight", "--repository", str(tmp_path / "git"), "--base", "main", "--head", "pull-request"]
    main([*argv, "--format", "json"])
    assert '"pattern-widened"' in capsys.readouterr().out


def test_the_help_begins_with_what_one_person_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f" {name} ") for name in ("lint", "check", "demo", "serve", "worker")]
    assert places == sorted(places)


def test_a_file_that_is_no_database_is_told_with_the_setting(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "x.db").write_text("garbage")
    monkeypatch.setenv("CONTRACTS_DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
    assert main(["incidents", "list"]) == 3
    assert "CONTRACTS_DATABASE_URL" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("unmatched",), ("impact", "orders")])
def test_lineage_without_a_folder_of_contracts_says_how_to_name_one(
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["lineage", *words]) == 2
    assert "--contracts" in capsys.readouterr().err


def test_one_contract_has_nothing_to_be_compared_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", FLIGHTS]) == 2
    said = capsys.readouterr().err
    assert f"contracts diff OLD {FLIGHTS}" in said
    assert "contracts preflight" in said
