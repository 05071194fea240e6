"""``contracts diff`` and ``contracts preflight`` on histories of a contract, and on what is wrong with one."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from dulwich.index import commit_tree
from dulwich.objects import Blob, Commit
from dulwich.repo import Repo

from contracts_svc.cli.main import main

Files = Mapping[str, str]
PATH = "contracts/orders.odcs.yaml"


def contract(version: str, *columns: str, id: str = "orders", name: str = "Orders", more: str = "") -> str:
    listed = "".join(f"      - {{{c}}}\n" for c in columns)
    head = f"apiVersion: v3.1.0\nkind: DataContract\nid: {id}\nname: {name}\nversion: {version}\n"
    return f"{head}status: active\n{more}schema:\n  - name: {id}\n    properties:\n{listed}"


def write(folder: Path, *texts: str) -> list[str]:
    paths = [folder / f"v{i}.odcs.yaml" for i, _ in enumerate(texts, start=1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    return [str(p) for p in paths]


def repository(folder: Path, commits: Sequence[Files]) -> Path:
    """A bare repository: branch main is the last but one of these commits, ``change`` the last."""
    folder.mkdir()
    repo = Repo.init_bare(str(folder))
    parents: list[bytes] = []
    for number, files in enumerate(commits):
        entries = []
        for path, text in sorted(files.items()):
            blob = Blob.from_string(text.encode())
            repo.object_store.add_object(blob)
            entries.append((path.encode(), blob.id, 0o100644))
        commit = Commit()
        commit.tree = commit_tree(repo.object_store, entries)
        commit.parents = parents
        commit.author = commit.committer = b"A <a@example.com>"
        commit.author_time = commit.commit_time = number
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = b"x"
        repo.object_store.add_object(commit)
        if number == len(commits) - 2:
            repo.refs[b"refs/heads/main"] = commit.id
        parents = [commit.id]
    repo.refs[b"refs/heads/change"] = parents[0]
    return folder


def preflight(repo: Path, *options: str) -> list[str]:
    return ["preflight", "--repository", str(repo), "--base", "main", "--head", "change", *options]


def body(argv: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    code = main([*argv, "--format", "json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert found["exit_code"] == code
    return found


AB, A = ("name: a", "name: b"), ("name: a",)


class TestHistories:
    def test_diff_takes_a_history(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        files = write(tmp_path, contract("1.0.0", *AB), contract("2.0.0", *A), contract("2.0.1", *A))
        assert main(["diff", *files]) == 0
        assert f"{files[0]}: version 1.0.0 was not looked at" in capsys.readouterr().out
        assert main(["diff", *files, "--mode", "forward_transitive"]) == 1
        said = capsys.readouterr().out
        assert "column orders.b is removed (against version 1.0.0)" in said
        assert "Orders 1.0.0, 2.0.0 -> 2.0.1 (FORWARD_TRANSITIVE)" in said

    def test_in_json_each_version_and_finding_says_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        retired = contract("0.9.0", *AB).replace("status: active", "status: retired")
        files = write(tmp_path, retired, contract("1.0.0", *AB), contract("2.0.0", *A), contract("2.0.1", *A))
        found = body(["diff", *files, "--mode", "FULL_TRANSITIVE"], capsys)
        assert [(v["version"], v["judged"]) for v in found["history"]] == [
            ("0.9.0", False),
            ("1.0.0", True),
            ("2.0.0", True),
        ]
        (removed,) = (f for f in found["findings"] if f["rule"] == "column-removed")
        assert removed["against"] == ["1.0.0"]

    COMMITS = (
        {PATH: contract("1.0.0", *AB)},
        {PATH: contract("2.0.0", *A)},
        {PATH: contract("2.0.0", *A), "unrelated.txt": "x"},
        {PATH: contract("2.0.1", *A)},
    )

    def test_preflight_finds_the_history_in_git(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        repo = repository(tmp_path / "git", self.COMMITS)
        found = body(preflight(repo, "--mode", "FORWARD_TRANSITIVE"), capsys)
        assert found["against"] == {"orders": ["1.0.0", "2.0.0"]}
        (removed,) = (f for f in found["verdict"]["findings"] if f["rule"] == "column-removed")
        assert (removed["against"], removed["at"]["file"]) == (["1.0.0"], PATH)
        main(preflight(repo, "--mode", "FORWARD_TRANSITIVE"))
        said = " ".join(capsys.readouterr().out.split())
        assert "orders is judged against 2 earlier versions: 1.0.0, 2.0.0" in said
        assert body(preflight(repo), capsys)["verdict"]["findings"] == []

    def test_whoever_still_reads_a_version_has_it_judged(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pinned = "customProperties: [{property: reads, value: [{contractId: orders, version: 1.0.0}]}]\n"
        reader = {"contracts/report.odcs.yaml": contract("1.0.0", "name: x", id="report", more=pinned)}
        repo = repository(tmp_path / "git", [{**c, **reader} for c in self.COMMITS])
        found = body(preflight(repo), capsys)
        assert found["against"] == {"orders": ["1.0.0", "2.0.0"]}
        assert "column-removed" in [f["rule"] for f in found["verdict"]["findings"]]

    @pytest.mark.parametrize(
        ("file", "declared", "reader"),
        [
            (
                "readers/forecast.subscription.yaml",
                "kind: Subscription\nconsumer: revenue forecast\nteam: finance\n"
                "contract: orders\nversion: 1.0.0\n",
                "revenue forecast",
            ),
            (
                "readers/revenue.odps.yaml",
                "apiVersion: v1.0.0\nkind: DataProduct\nid: revenue\nname: Revenue\nstatus: active\n"
                "inputPorts: [{name: orders, version: 1.0.0, contractId: orders}]\n",
                "Revenue",
            ),
        ],
    )
    def test_a_declared_reader_of_a_version_has_it_judged_and_is_named(
        self, file: str, declared: str, reader: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        repo = repository(tmp_path / "git", [{**c, file: declared} for c in self.COMMITS])
        found = body(preflight(repo), capsys)
        assert found["against"] == {"orders": ["1.0.0", "2.0.0"]}
        (removed,) = (f for f in found["verdict"]["findings"] if f["rule"] == "column-removed")
        assert removed["message"].endswith(f"(against version 1.0.0, read by {reader})")

    def test_all_who_read_a_version_are_named(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        told = "customProperties: [{property: reads, value: [{contractId: orders, version: 1.0.0}]}]\n"
        report = contract("1.0.0", "name: x", id="report", name="Report", more=told)
        subscription = "kind: Subscription\nconsumer: a\nteam: t\ncontract: orders\nversion: 1.0.0\n"
        more = {"contracts/report.odcs.yaml": report, "readers/a.subscription.yaml": subscription}
        repo = repository(tmp_path / "git", [{**c, **more} for c in self.COMMITS])
        (removed,) = (
            f for f in body(preflight(repo), capsys)["verdict"]["findings"] if f["rule"] == "column-removed"
        )
        assert removed["message"].endswith("(against version 1.0.0, read by Report, a)")

    def test_pins_that_are_wrong_are_told(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        wrong = (
            "customProperties:\n  - property: reads\n"
            "    value: [{contractId: orders, version: 1.0}, {contractId: orders, version: 7.7.7}]\n"
        )
        reader = {"contracts/report.odcs.yaml": contract("1.0.0", "name: x", id="report", more=wrong)}
        repo = repository(tmp_path / "git", [{**c, **reader} for c in self.COMMITS])
        unknown = "\n".join(body(preflight(repo), capsys)["verdict"]["coverage"]["unknown"])
        assert "contracts/report.odcs.yaml:8:5: this entry of 'reads' names no contract's version" in unknown
        assert "version 7.7.7 of Orders, read by Orders, is not among its earlier versions" in unknown

    def test_a_shallow_clone_is_could_not_check(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        repo = repository(tmp_path / "git", self.COMMITS)
        main_commit = Repo(str(repo)).refs[b"refs/heads/main"]
        (repo / "shallow").write_bytes(main_commit + b"\n")
        found = body(preflight(repo, "--mode", "FULL_TRANSITIVE"), capsys)
        assert found["exit_code"] == 3
        assert "this is a shallow clone" in found["verdict"]["could_not_check"][0]
        assert body(preflight(repo, "--mode", "FULL"), capsys)["exit_code"] == 0


NO_YAML = "apiVersion: v3.1.0\nkind: DataContract\n  id: x\n"
TYPE = "name: a, physicalType: {}"
PATTERN = "name: a, logicalType: string, logicalTypeOptions: {{pattern: '{}'}}"
CIRCLE = "name: a, relationships: [{to: orders.b}]", "name: b, relationships: [{to: orders.a}]"
CHANGES = {
    "an unknown type": (
        [TYPE.format("frobnitz(3)")],
        [TYPE.format("gizmo")],
        (10, "type-unknown", "type frobnitz(3) -> gizmo (unknown type, compared by name)"),
    ),
    "a known type that becomes an unknown one": (
        [TYPE.format("INT")],
        [TYPE.format("gizmo")],
        (10, "type-unknown", "type INT -> gizmo (unknown type, compared by name)"),
    ),
    "a pattern that becomes no regular expression": (
        [PATTERN.format("^a+$")],
        [PATTERN.format("(a")],
        (10, "pattern-invalid", "is no regular expression"),
    ),
    "a pattern that was no regular expression": (
        [PATTERN.format("[a")],
        [PATTERN.format("^a+$")],
        (10, "pattern-", "[a"),
    ),
    "a relationship that goes in a circle": (
        ["name: a, relationships: [{to: orders.b}]", "name: b"],
        CIRCLE,
        (11, "relationship-added", "b -> orders.a"),
    ),
    "a relationship that no longer goes in a circle": (
        CIRCLE,
        ["name: a, relationships: [{to: orders.b}]", "name: b"],
        (11, "relationship-removed", "b -> orders.a"),
    ),
    "a relationship of a column with itself": (
        ["name: a"],
        ["name: a, relationships: [{to: orders.a}]"],
        (10, "relationship-added", "a -> orders.a"),
    ),
}  # fmt: skip


def test_what_is_removed_before_its_announced_day_is_an_error_of_both_commands(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def texts(day: str) -> list[str]:
        announced = (
            f"name: b, deprecated: true, customProperties: [{{property: removalDate, value: '{day}'}}]"
        )
        olds = contract("1.0.0", *A, announced).replace("v3.1.0", "v3.2.0")
        return [olds, contract("2.0.0", *A).replace("v3.1.0", "v3.2.0")]

    for day, rule in (
        ("2999-01-01", "deprecation-period-not-kept"),
        ("2020-01-01", "deprecated-column-removed"),
    ):
        folder = tmp_path / day
        folder.mkdir()
        told = body(["diff", *write(folder, *texts(day))], capsys)["findings"]
        verdict = body(preflight(repository(folder / "git", [{PATH: t} for t in texts(day)])), capsys)[
            "verdict"
        ]
        for findings in (told, verdict["findings"]):
            assert rule in [f["rule"] for f in findings]


class TestBadInput:
    @pytest.mark.parametrize("name", CHANGES)
    def test_what_cannot_be_compared_is_a_finding_of_both_commands(
        self, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        olds, news, (line, rule, words) = CHANGES[name]
        texts = contract("1.0.0", *olds), contract("2.0.0", *news)
        files = write(tmp_path, *texts)
        found = body(["diff", *files], capsys)
        assert found["exit_code"] == 0
        repo = repository(tmp_path / "git", [{PATH: t} for t in texts])
        verdict = body(preflight(repo), capsys)["verdict"]
        for file, findings in ((files[1], found["findings"]), (PATH, verdict["findings"])):
            (finding,) = (f for f in findings if f["rule"].startswith(rule) and words in f["message"])
            assert (finding["at"]["file"], finding["at"]["line"]) == (file, line)
            assert finding["at"]["column"] > 8
            assert finding["why"]
            assert finding["fix"]

    def test_two_contracts_that_are_not_versions_of_one_another(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = write(tmp_path, contract("1.0.0", *AB), contract("1.0.0", *AB, id="other", name="Others"))
        error = body(["diff", *files], capsys)
        assert error["exit_code"] == 2
        (problem,) = error["error"]["problems"]
        assert (problem["file"], problem["line"], problem["column"]) == (files[1], 3, 1)
        assert "not two versions of one contract: the ids are 'orders' and 'other'" in problem["message"]
        assert problem["hint"]

    def test_another_contract_in_the_same_file_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        texts = contract("1.0.0", *AB), contract("1.0.0", *AB, id="other", name="Others")
        found = body(preflight(repository(tmp_path / "git", [{PATH: t} for t in texts])), capsys)
        rules = {f["rule"]: f for f in found["verdict"]["findings"]}
        # No lineage is known here: whom it breaks cannot be said, but it is no pass.
        assert found["verdict"]["outcome"] == "WARN"
        assert rules["id-changed"]["severity"] == "error"
        assert rules["id-changed"]["at"] == {"file": PATH, "line": 3, "column": 1}
        assert {"name-changed", "table-removed", "version-not-raised"} <= set(rules)

    @pytest.mark.parametrize(
        ("old", "new"), [(NO_YAML, contract("1.0.0")), (contract("1.0.0"), NO_YAML), (NO_YAML, NO_YAML)]
    )
    def test_an_invalid_contract_on_either_side(
        self, old: str, new: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = write(tmp_path, old, new)
        assert main(["diff", *files]) == 2
        said = capsys.readouterr().err
        for file, text in zip(files, (old, new), strict=True):
            assert (f"{file}:3:5: a ':' stands where no key can be\n    put text" in said) is (
                text == NO_YAML
            )

    def test_every_version_of_a_history_must_be_valid(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        files = write(tmp_path, NO_YAML, contract("1.0.0", *A), NO_YAML, contract("2.0.0", *A))
        found = body(["diff", *files], capsys)
        assert [p["file"] for p in found["error"]["problems"]] == [files[0], files[2]]

    def test_an_invalid_contract_in_a_pull_request(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        repo = repository(tmp_path / "git", [{PATH: contract("1.0.0", *AB)}, {PATH: NO_YAML}])
        assert main(preflight(repo)) == 2
        assert f"{PATH}:3:5: a ':' stands where no key can be\n    put text" in capsys.readouterr().err

    def test_an_invalid_contract_on_the_base_side(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        repo = repository(tmp_path / "git", [{PATH: NO_YAML}, {PATH: contract("1.0.0", *AB)}])
        found = body(preflight(repo), capsys)
        assert found["exit_code"] == 3
        (sentence,) = found["verdict"]["could_not_check"]
        assert f"{PATH}:3:5" in sentence
        assert "correct it there" in sentence


def test_a_terminal_gets_no_line_that_is_wider_than_it(tmp_path: Path) -> None:
    olds = write(tmp_path, contract("1.0.0", *AB), contract("1.0.1", *A))
    program = Path(sys.executable).with_name("contracts")
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "wb") as terminal:
            told = subprocess.run(
                [program, "diff", *(Path(o).name for o in olds)],
                cwd=tmp_path,
                env={**os.environ, "COLUMNS": "80"},
                stdout=terminal,
                check=False,
            )
        said = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said.splitlines()]
    assert told.returncode == 1
    assert lines[0].startswith("v2.odcs.yaml:9:5: error [column-removed] column")
    assert "\x1b[1;31merror" in said
    assert max(map(len, lines)) <= 80
    assert len(lines) > 6
