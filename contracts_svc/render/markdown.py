"""A Verdict as GitHub-flavoured Markdown, with a mermaid graph of the affected paths.

Everything that a contract or the lineage says is escaped: it cannot form markup, tables, links,
HTML, mentions or mermaid statements.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from contracts_svc.findings import Finding
from contracts_svc.impact import Impact, Level
from contracts_svc.lineage.graph import ColumnRef, Consumer, Edge
from contracts_svc.render import clean, path_text
from contracts_svc.verdict import Verdict

LIMIT = 65_000
"""Characters that a report may have; GitHub takes 65,535."""
_ROWS = 25
"""Rows of one table, or lines of one list, before the rest is only counted."""
_EDGES = 80
"""Edges of the graph. GitHub draws no graph of more than 500 edges or 50,000 characters."""
_LONGEST = 400
"""Characters of one text of a contract."""
_LABEL = 60
_JOINER = "\u2060"
_MARKUP = re.compile(r"[\\`*\[\]<>#|~&$]|^[-+=]|^\d+[.)]|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])")
"""What forms markup, anywhere or at the start; an underscore within a word does not."""
_SHORTHANDS = re.compile(
    r"@|#(?=\d)|:(?=[\w+-]+:)|\b(?:www|https?|ftp|mailto|xmpp|GH)(?=[.:-])", re.IGNORECASE
)
"""What GitHub turns into something else in the text that is shown, however it was escaped:
mentions, references to issues, emoji, addresses."""


def verdict_markdown(verdict: Verdict) -> str:
    """The whole verdict: outcome, a table per consumer (most affected first), the graph, coverage.

    At most 65,000 characters: what does not fit is counted.
    """
    also = [*verdict.reasons[1:], *(f"could not check: {c}" for c in verdict.could_not_check)]
    head = "\n".join([f"## {escape(verdict.headline)}", "", *_bullets(also)]).rstrip()
    coverage = _coverage(verdict)
    consumers = [_consumer(c, impacts) for c, impacts in _by_consumer(verdict.impacts)]
    rest = [_graph(verdict.impacts), _unaffected(verdict), _changes(verdict.findings)]
    left = LIMIT - len(head) - len(coverage) - 200
    shown: list[str] = []
    cut = 0
    for number, part in enumerate((*consumers, *rest)):
        if len(part) + 2 <= left:
            shown.append(part)
            left -= len(part) + 2
        elif number < len(consumers):
            cut += 1
    if cut:
        shown.append(f"{cut} more consumers are affected; they do not fit in here.")
    return "\n\n".join(p for p in (head, *shown, coverage) if p) + "\n"


def escape(text: object) -> str:
    """Text as Markdown that shows exactly it, on one line, also inside a table's cell."""
    plain = clean(text)
    if len(plain) > _LONGEST:
        plain = plain[: _LONGEST - 1] + "…"
    # A joiner that nobody sees keeps a shorthand from being one.
    broken = _SHORTHANDS.sub(rf"\g<0>{_JOINER}", plain)
    return _MARKUP.sub(lambda m: re.sub(r"(\D)", r"\\\1", m[0]), broken)


def _by_consumer(impacts: Sequence[Impact]) -> list[tuple[Consumer, list[Impact]]]:
    found: defaultdict[Consumer, list[Impact]] = defaultdict(list)
    for impact in impacts:
        found[impact.consumer].append(impact)

    def most_affected(item: tuple[Consumer, list[Impact]]) -> tuple[int, int, str]:
        worst = min(i.level.rank for i in item[1])
        return worst, -sum(i.level.rank == worst for i in item[1]), item[0].name

    return sorted(found.items(), key=most_affected)


def _consumer(consumer: Consumer, impacts: Sequence[Impact]) -> str:
    worst = min((i.level for i in impacts), key=lambda level: level.rank)
    team = f" ({consumer.team})" if consumer.team else ""
    rows = [
        (
            _level(i.level),
            escape(i.finding.change.path if i.finding.change else i.finding.message),
            escape(", ".join(i.columns) or "the whole dataset"),
            escape(i.reason),
            escape(path_text(i.path)) + ("" if i.direct else " (a knock-on)"),
        )
        for i in impacts
    ]
    title = f"### {escape(f'{consumer.name}{team}')}: {_level(worst)}"
    return f"{title}\n\n{_table(('Level', 'Change', 'Columns reached', 'Why', 'Path'), rows)}"


def _unaffected(verdict: Verdict) -> str:
    lines = [f"{_path(f)}: nobody reads it, as far as the lineage knows" for f in verdict.unread]
    lines += [f"{_path(a.finding)}: absorbed, {a.reason}" for a in verdict.absorbed]
    lines += [f"{_path(f)}: waived by {w.approver}, {w.reason}" for w, f in verdict.waived]
    bullets = "\n".join(_bullets(lines))
    return f"### Where nothing breaks\n\n{bullets}" if lines else ""


def _changes(findings: Sequence[Finding]) -> str:
    rows = [
        (f.severity.value, escape(f.rule), escape(f.at), escape(f.message), escape(f.fix)) for f in findings
    ]
    if not rows:
        return ""
    table = _table(("Severity", "Rule", "Place", "What changed", "How to make it safe"), rows)
    return f"### Changes\n\n{table}"


def _coverage(verdict: Verdict) -> str:
    known = verdict.coverage
    said = f"The lineage knows {known.datasets_known} datasets and {known.consumers} consumers."
    lines = [said, "", *_bullets(f"not known: {s}" for s in known.unknown)]
    return "\n".join(["### Coverage", "", *lines]).rstrip()


def _path(finding: Finding) -> str:
    return finding.change.path if finding.change else finding.rule


def _level(level: Level) -> str:
    return level.value.replace("_", " ")


def _bullets(lines: Iterable[str]) -> list[str]:
    every = list(lines)
    shown = [f"- {escape(line)}" for line in every[:_ROWS]]
    return shown + ([f"- and {len(every) - _ROWS} more"] if len(every) > _ROWS else [])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows[:_ROWS]]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return text + (f"\n\nand {len(rows) - _ROWS} more" if len(rows) > _ROWS else "")


_CLASSES = {
    Level.BREAKS: "fill:#ffd7d5,stroke:#cf222e,color:#1f2328",
    Level.MAY_BREAK: "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    Level.UNKNOWN: "fill:#eaeef2,stroke:#57606a,color:#1f2328,stroke-dasharray:4",
    Level.NOTIFY: "fill:#ddf4ff,stroke:#0969da,color:#1f2328",
}


def _graph(impacts: Sequence[Impact]) -> str:
    """The paths, the worst first; every place coloured by the worst that is shown of it."""
    edges: dict[tuple[ColumnRef, ColumnRef], Edge] = {}
    ends: dict[ColumnRef, Level] = {}
    left_out = 0
    for impact in sorted(impacts, key=lambda i: i.level.rank):
        new = {(e.source, e.target): e for e in impact.path}
        if len(edges | new) > _EDGES:
            left_out += 1
            continue
        edges = new | edges
        ends.setdefault(impact.path[-1].target, impact.level)
    if not edges:
        return ""
    places = list(dict.fromkeys(ref for pair in edges for ref in pair))
    names = {ref: f"n{number}" for number, ref in enumerate(places)}
    lines = ["```mermaid", "graph LR"]
    lines += [f'  {names[ref]}["{_label(ref)}"]' for ref in places]
    lines += [
        f'  {names[s]} -->|"{_words(edge)}"| {names[t]}' for (s, t), edge in sorted(edges.items(), key=str)
    ]
    lines += [f"  classDef {level.value} {style}" for level, style in _CLASSES.items()]
    lines += [f"  class {names[ref]} {level.value}" for ref, level in ends.items()]
    more = f"\n\n{left_out} more paths are not drawn." if left_out else ""
    return "\n".join([*lines, "```"]) + more


def _words(edge: Edge) -> str:
    return edge.type.value.lower().replace("_", " ")


def _label(ref: ColumnRef) -> str:
    """Letters and digits as they are, all else as mermaid's character codes."""
    plain = clean(ref)
    if len(plain) > _LABEL:
        plain = plain[: _LABEL - 1] + "…"
    return "".join(c if c.isalnum() or c in " _.-" else f"#{ord(c)};" for c in plain)
