"""Every form that a verdict is shown in, one row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts_svc.render.github import github_text
from contracts_svc.render.gitlab import gitlab_text
from contracts_svc.render.json import verdict_json
from contracts_svc.render.json_text import json_text
from contracts_svc.render.junit import junit_text
from contracts_svc.render.markdown import verdict_markdown
from contracts_svc.render.report import Report, report_of
from contracts_svc.render.sarif import sarif_text
from contracts_svc.render.text import WIDTH, verdict_text, wrapped
from contracts_svc.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What belongs to a verdict and is not in it: one line for people, more keys for JSON, the URL of the
    whole report for where it must be cut, and how wide text may be."""

    line: str = ""
    json: Mapping[str, Any] = field(default_factory=dict)
    link: str = ""
    width: int = WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A form of a verdict. ``lines`` shows any Report so, where the form is one of single notes."""

    name: str
    purpose: str
    verdict: Callable[[Verdict, About], str]
    lines: Callable[[Report], str] | None = None


def _text(verdict: Verdict, about: About) -> str:
    return "\n".join((*wrapped(about.width, about.line), verdict_text(verdict, about.width)))


def _json(verdict: Verdict, about: About) -> str:
    return json_text({"exit_code": int(verdict.exit_code), **about.json, "verdict": verdict_json(verdict)})


def _by_note(name: str, purpose: str, lines: Callable[[Report], str]) -> Format:
    return Format(name=name, purpose=purpose, verdict=lambda v, _: lines(report_of(v)), lines=lines)


FORMATS: Mapping[str, Format] = {
    row.name: row
    for row in (
        Format(name="text", purpose="for a person at a terminal", verdict=_text),
        Format(name="json", purpose="everything, for programs (render/verdict.schema.json)", verdict=_json),
        Format(
            name="markdown",
            purpose="for a comment on a pull request, with a graph that GitHub draws",
            verdict=lambda v, about: verdict_markdown(v, about.link),
        ),
        _by_note("sarif", "SARIF 2.1.0, for GitHub code scanning and editors", sarif_text),
        _by_note("junit", "JUnit XML, for what shows test results", junit_text),
        _by_note("github", "annotations in a GitHub workflow", github_text),
        _by_note("gitlab-codequality", "GitLab's Code Quality artifact", gitlab_text),
    )
}
"""Commands, documentation and tests read this table."""
