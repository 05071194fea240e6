"""JUnit of check runs: well-formed, with the right counts, whatever is in the data."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as xml

from contracts_svc.render.check_junit import junit
from tests.core.quality import contract, run, write

COLUMNS = [
    {"name": "x", "logicalType": "string", "required": True, "logicalTypeOptions": {"maxLength": 2}},
    {"name": "y", "logicalType": "integer", "logicalTypeOptions": {"minimum": 1}},
    {"name": "z", "logicalType": "string", "logicalTypeOptions": {"format": "isbn"}},
]


def test_every_outcome_has_its_place(tmp_path: Path) -> None:
    write(tmp_path / "t/a.parquet", {"x": ["VARCHAR", None, "<&\"'\x01\u2028>"], "y": ["VARCHAR", "1", "2"]})
    sql = {"type": "sql", "query": "SELECT MAX(x) FROM t", "mustBe": 1}
    given = contract(tmp_path, {"name": "t", "properties": COLUMNS, "quality": [sql]})
    text = junit([run(given), run(given)])
    root = xml.fromstring(text)
    suite = root[0]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    kinds = {name: [child.tag for child in case] for name, case in cases.items()}
    assert kinds["t.table-present"] == []
    assert kinds["t.x.required"] == kinds["t.y.logical-type"] == ["failure"]
    assert kinds["t.y.minimum"] == ["skipped"]
    assert kinds["t.sql"] == ["error"]
    assert kinds["t.z: format isbn"] == ["skipped"]
    failure = cases["t.x.max-length"][0]
    assert "x=<&\"'\ufffd" in (failure.text or "")
    assert failure.get("type") == "max-length"
    assert (cases["t.x.required"].get("file"), int(cases["t.x.required"].get("line") or 0) > 1) == (
        "c.odcs.yaml",
        True,
    )
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name) or 0) == sum(tag in tags for tags in kinds.values()) > 0
        assert int(root.get(name) or 0) == 2 * int(suite.get(name) or 0)
    assert int(suite.get("tests") or 0) == len(list(suite.iter("testcase")))


def test_a_warning_passes_and_says_so(tmp_path: Path) -> None:
    write(tmp_path / "t/a.parquet", {"x": ["VARCHAR", "a"], "more": ["INTEGER", "1"]})
    root = xml.fromstring(junit([run(contract(tmp_path, {"name": "t", "properties": COLUMNS[:1]}))]))
    (case,) = (c for c in root.iter("testcase") if c.get("name") == "t.extra-column")
    assert [child.tag for child in case] == ["system-out"]
    assert (case[0].text or "").startswith("WARNED: ")
    assert root.get("failures") == "0"


def test_no_runs() -> None:
    assert xml.fromstring(junit([])).attrib["tests"] == "0"
