"""A pull request changes an Avro schema and not the contract made of it: whom that breaks is told, with the edit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from contracts_svc.cli.main import main

CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    customProperties:
      - property: schemaSource
        value: ../schemas/orders.avsc
    properties:
      - name: id
        logicalType: integer
        required: true
      - name: note
        logicalType: string
servers: []
"""


def schema(*fields: dict[str, Any]) -> str:
    return json.dumps({"type": "record", "name": "orders", "fields": fields})


ID, NOTE = {"name": "id", "type": "long"}, {"name": "note", "type": ["null", "string"]}


def git(folder: Path, *argv: str) -> None:
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.com")
    subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    files = {
        "contracts/orders.odcs.yaml": CONTRACT,
        "schemas/orders.avsc": schema(ID, NOTE),
        "deeper/schemas/orders.avsc": schema(ID, NOTE),
        "sql/notes.sql": "create table notes as select note from orders",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "base")
    git(tmp_path, "checkout", "-qb", "change")
    return tmp_path


def preflight(repository: Path, capsys: pytest.CaptureFixture[str], form: str = "json") -> tuple[int, str]:
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "change")
    argv = [
        "preflight",
        "--repository",
        str(repository),
        "--base",
        "main",
        "--head",
        "change",
        "--format",
        form,
    ]
    code = main(argv)
    return code, capsys.readouterr().out


def test_a_column_that_goes_from_the_schema_breaks_who_reads_it(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "schemas/orders.avsc").write_text(schema(ID))
    code, out = preflight(repository, capsys)
    said = json.loads(out)["verdict"]
    assert code == 1
    assert said["outcome"] == "BLOCK"
    (finding,) = said["findings"]
    assert finding["rule"] == "schema-source-column-removed"
    assert finding["at"] == {"file": "contracts/orders.odcs.yaml", "line": 15, "column": 9}
    assert finding["suggestion"] == {
        "file": "contracts/orders.odcs.yaml",
        "first": 15,
        "last": 16,
        "text": "",
    }
    assert [i["consumer"]["name"] for i in finding["impacts"]] == ["notes"]


def test_the_headline_says_that_it_is_the_source_that_changed(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "schemas/orders.avsc").write_text(schema(ID))
    _, out = preflight(repository, capsys, "text")
    assert "0 changed contracts and 1 contract whose schema source changed between" in out


def test_once_the_contract_says_so_too_only_the_contract_is_judged(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "schemas/orders.avsc").write_text(schema(ID))
    contract = repository / "contracts/orders.odcs.yaml"
    contract.write_text(CONTRACT.replace("      - name: note\n        logicalType: string\n", ""))
    _, out = preflight(repository, capsys)
    assert [f["rule"] for f in json.loads(out)["verdict"]["findings"]] == [
        "column-removed",
        "version-not-raised",
    ]


def test_the_same_name_in_another_folder_is_another_file(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "deeper/schemas/orders.avsc").write_text(schema(ID))
    code, out = preflight(repository, capsys)
    assert (code, json.loads(out)["verdict"]["findings"]) == (0, [])


@pytest.mark.parametrize("text", ["no avro", None])
def test_a_schema_that_nobody_can_read_is_no_silence(
    repository: Path, capsys: pytest.CaptureFixture[str], text: str | None
) -> None:
    file = repository / "schemas/orders.avsc"
    if text is None:
        file.unlink()
    else:
        file.write_text(text)
    code, out = preflight(repository, capsys)
    said = json.loads(out)["verdict"]
    (finding,) = said["findings"]
    assert finding["rule"] == "schema-source-unread"
    assert finding["at"]["line"] == 10
    assert (code, said["outcome"]) == (0, "WARN")


def test_a_source_that_can_be_none_is_a_mistake_at_its_line(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = repository / "contracts/orders.odcs.yaml"
    contract.write_text(CONTRACT.replace("../schemas/orders.avsc", "../../etc/passwd.avsc"))
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "change")
    code = main(["preflight", "--repository", str(repository), "--base", "main", "--head", "change"])
    assert code == 2
    assert "contracts/orders.odcs.yaml:10" in capsys.readouterr().err
