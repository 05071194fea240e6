"""A Report as JUnit XML, in the form that Jenkins, GitLab, Azure and others read.

https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from contracts_svc.policy import Outcome
from contracts_svc.render import clean
from contracts_svc.render.places import relative
from contracts_svc.render.report import Note, Report

SUITE = "contracts"
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even as references."""


def junit_text(report: Report) -> str:
    """One suite, with a test per note: a failure where it blocks, skipped where it is waived.

    What only warns passes, with its text as output. What could not be checked is an error. Without
    anything of these there is one test that passed, so that no reader takes the run for empty.
    """
    suite = ET.Element("testsuite", name=SUITE)
    for note in report.notes:
        _case(suite, note)
    for text in report.could_not_check:
        case = ET.SubElement(suite, "testcase", classname=SUITE, name="could not check")
        ET.SubElement(case, "error", message=_xml(text), type="could-not-check")
    if not len(suite):
        ET.SubElement(suite, "testcase", classname=SUITE, name=_xml(report.headline))
    counts = {
        "tests": len(suite),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    for name, number in counts.items():
        suite.set(name, str(number))
    root = ET.Element("testsuites", suite.attrib | {"name": SUITE})
    root.append(suite)
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    # `##[...]` is a command to the logs of some CI systems.
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + text.replace("##", "#&#35;")


def _case(suite: ET.Element, note: Note) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=_xml(note.contract or SUITE), name=_xml(f"{note.rule}: {note.subject}")
    )
    text = note.text
    if note.at:
        file = relative(note.at.file)
        case.set("file", _xml(file))
        case.set("line", str(note.at.line))
        text = f"{file}:{note.at.line}:{note.at.column}: {text}"
    if note.outcome is Outcome.BLOCK:
        failure = ET.SubElement(case, "failure", message=_xml(note.message), type=_xml(note.rule))
        failure.text = _xml(text)
    elif note.waivers:
        ET.SubElement(case, "skipped", message=_xml(_waived(note)))
    else:
        ET.SubElement(case, "system-out").text = _xml(f"{note.outcome}: {text}")


def _waived(note: Note) -> str:
    return clean("; ".join(f"waived by {w.approver}: {w.reason}" for w in note.waivers))


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
