"""The standard's JSON Schemas, from the files of the installed package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from contracts_svc.adapters.odcs_schemas import PackagedSchemas
from contracts_svc.errors import CouldNotCheck


@pytest.mark.parametrize("version", ["3.0.2", "3.1.0", "3.2.0"])
def test_every_schema_that_is_needed_is_there(version: str) -> None:
    schema = PackagedSchemas().schema(version)
    assert f"v{version}" in schema["properties"]["apiVersion"]["enum"]


def test_a_schema_is_read_once() -> None:
    schemas = PackagedSchemas()
    assert schemas.schema("3.1.0") is schemas.schema("3.1.0")


def test_a_version_without_schema() -> None:
    with pytest.raises(CouldNotCheck) as caught:
        PackagedSchemas().schema("9.9.9")
    assert caught.value.cause == "the package datacontract-cli has no file odcs-9.9.9.schema.json"
    assert not caught.value.retryable


def test_a_missing_package_is_named() -> None:
    with pytest.raises(CouldNotCheck) as caught:
        PackagedSchemas("no-such-package-here").schema("3.1.0")
    assert caught.value.cause == "the package no-such-package-here is not installed"
    assert caught.value.hint == "pip install no-such-package-here"


@pytest.mark.parametrize("content", ["{", "[]", None])
def test_a_damaged_file_is_named(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed package whose file is cut off, holds something else, or is gone."""
    info = tmp_path / "damaged-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: damaged\nVersion: 1.0\n")
    (info / "RECORD").write_text("damaged/odcs-3.1.0.schema.json,,\n")
    (tmp_path / "damaged").mkdir()
    if content is not None:
        (tmp_path / "damaged" / "odcs-3.1.0.schema.json").write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(CouldNotCheck, match=r"odcs-3\.1\.0\.schema\.json"):
        PackagedSchemas("damaged").schema("3.1.0")


def test_the_package_itself_is_not_imported() -> None:
    script = (
        "import sys; from contracts_svc.adapters.odcs_schemas import PackagedSchemas; "
        "PackagedSchemas().schema('3.1.0'); print('datacontract' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "False"
