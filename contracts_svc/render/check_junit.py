"""Check runs as JUnit XML, which CI servers show beside the results of tests.

The form is the one that Jenkins and GitLab read (https://github.com/testmoapp/junitxml). A suite is a
table, a case is a check. JUnit knows no warnings: WARNED is a case that passes, with its text as output.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as xml

from contracts_svc.runs import Outcome, Result, Run, Unsupported

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_COUNTS = {"failures": Outcome.FAILED, "errors": Outcome.ERRORED, "skipped": Outcome.SKIPPED}


def junit(runs: Sequence[Run]) -> str:
    """The runs as one JUnit document. Promises that no check can show are skipped cases."""
    root = xml.Element("testsuites", name="contracts check")
    for run in runs:
        root.append(_suite(run))
    for name in ("tests", *_COUNTS):
        root.set(name, str(sum(int(suite.get(name) or 0) for suite in root)))
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(run: Run) -> xml.Element:
    suite = xml.Element("testsuite", name=_plain(f"{run.contract}.{run.table}"))
    suite.set("tests", str(len(run.results) + len(run.unsupported)))
    for name, outcome in _COUNTS.items():
        count = sum(r.outcome is outcome for r in run.results)
        suite.set(name, str(count + (len(run.unsupported) if name == "skipped" else 0)))
    suite.set("timestamp", run.started.isoformat(timespec="seconds"))
    suite.set("time", f"{(run.finished - run.started).total_seconds():.3f}")
    about = xml.SubElement(suite, "properties")
    for name, value in (("version", run.version), ("server", run.server), ("scope", run.scope)):
        xml.SubElement(about, "property", name=name, value=_plain(value))
    suite.extend(_case(run, r) for r in run.results)
    suite.extend(_unsupported(run, u) for u in run.unsupported)
    return suite


def _case(run: Run, result: Result) -> xml.Element:
    check = result.check
    case = xml.Element("testcase", classname=_plain(f"{run.contract}.{run.table}"), name=_plain(check.id))
    if check.at.file:
        case.set("file", _plain(check.at.file))
        case.set("line", str(check.at.line))
    match result.outcome:
        case Outcome.FAILED:
            _child(case, "failure", f"expected {result.expected}, found {result.found}", _details(result))
        case Outcome.ERRORED:
            _child(case, "error", result.reason, result.reason)
        case Outcome.SKIPPED:
            _child(case, "skipped", result.reason, "")
        case Outcome.WARNED:
            xml.SubElement(case, "system-out").text = _plain("WARNED: " + _details(result))
    return case


def _child(case: xml.Element, name: str, message: str, text: str) -> None:
    child = xml.SubElement(case, name, message=_plain(message))
    if name != "skipped":
        child.set("type", case.get("name", "").rpartition(".")[2])
        child.text = _plain(text)


def _details(result: Result) -> str:
    lines = [result.check.title, f"expected {result.expected}", f"found {result.found}"]
    lines += [f"{b.where}: {b.failing:,}" for b in result.breakdown[:10]]
    lines += [", ".join(f"{k}={v}" for k, v in sample.items()) for sample in result.samples]
    return "\n".join(lines)


def _unsupported(run: Run, promise: Unsupported) -> xml.Element:
    case = xml.Element("testcase", classname=_plain(f"{run.contract}.{run.table}"), name=_plain(promise.what))
    xml.SubElement(case, "skipped", message=_plain(f"cannot be checked: {promise.reason}"))
    return case


def _plain(text: str) -> str:
    """Text without the characters that XML 1.0 does not have."""
    return _NOT_XML.sub("\ufffd", text)
