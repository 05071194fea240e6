"""``contracts check`` on files: text, JSON and JUnit say the same, and hide no promise that is not checked."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
import yaml

from contracts_svc.cli.main import main


@pytest.fixture
def given(tmp_path: Path) -> str:
    (tmp_path / "t.csv").write_text("id,name\n1,a\nx,b\n", encoding="utf-8")
    document = {
        "apiVersion": "v3.1.0",
        "kind": "DataContract",
        "id": "c",
        "version": "1.0.0",
        "status": "active",
        "servers": [{"server": "s", "type": "local", "path": str(tmp_path / "t.csv"), "format": "csv"}],
        "schema": [
            {
                "name": "t",
                "properties": [
                    {"name": "id", "logicalType": "integer"},
                    {"name": "name", "logicalType": "string", "logicalTypeOptions": {"format": "isbn"}},
                ],
            }
        ],
    }
    path = tmp_path / "c.odcs.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return str(path)


def test_text_json_and_junit(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", given]) == 1
    text = capsys.readouterr().out
    assert "t.id.value-type" in text
    assert "NO CHECK t.name: format isbn" in text
    assert "isbn is not a format that is known" in text

    assert main(["check", given, "--format", "json"]) == 1
    (body,) = json.loads(capsys.readouterr().out)["runs"]
    assert [u["what"] for u in body["unsupported"]] == ["t.name: format isbn"]

    assert main(["check", given, "--format", "junit"]) == 1
    root = xml.fromstring(capsys.readouterr().out)
    assert root.get("failures") == str(body["counts"]["failed"]) == "1"
    assert root.get("skipped") == "1"
