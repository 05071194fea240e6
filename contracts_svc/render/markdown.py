"""A Verdict as GitHub-flavoured Markdown, with a mermaid graph of the affected paths.

Everything that a contract or the lineage says is escaped: it cannot form markup, tables, links,
HTML, mentions or mermaid statements.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from urllib.parse import quote

from contracts_svc.findings import Finding
from contracts_svc.impact import Impact, Level
from contracts_svc.lineage.graph import ColumnRef, Consumer, Edge
from contracts_svc.policy_files import WAIVERS_FILE
from contracts_svc.render import clean, path_text
from contracts_svc.render.approve import waivers_yaml
from contracts_svc.render.suggestion import suggestion_lines
from contracts_svc.verdict import Verdict

LIMIT = 65_000
"""Bytes in UTF-8 that a report may have. GitHub takes 65,535 characters, and counts some as several."""
_HEAD = 12_000
_COVERAGE = 10_000
_TAIL = 800
"""Bytes that these parts may take of it, so that there is always room for consumers."""
_ROWS = 25
"""Rows of one table, or lines of one list, before the rest is only counted."""
_EDGES = 80
"""Edges of the graph. GitHub draws no graph of more than 500 edges or 50,000 characters."""
_LONGEST = 400
"""Characters of one text of a contract."""
_LABEL = 60
_URL = "/:?#@!$&*+,;=%-._~"
"""Characters of a link that stay as they are; brackets and blanks would end it."""
_JOINER = "\u2060"
_MARKUP = re.compile(r"[\\`*\[\]<>#|~&$]|^[-+=]|^\d+[.)]|(?<![A-Za-z0-9])_+|_+(?![A-Za-z0-9])")
"""What forms markup, anywhere or at the start; an underscore within a word does not."""
_SHORTHANDS = re.compile(
    r"@|#(?=\d)|:(?=[\w+-]+:)|\b(?:www|https?|ftp|mailto|xmpp|GH)(?=[.:-])", re.IGNORECASE
)
"""What GitHub turns into something else in the text that is shown, however it was escaped:
mentions, references to issues, emoji, addresses."""


def verdict_markdown(verdict: Verdict, link: str = "") -> str:
    """The whole verdict: outcome, a table per consumer (most affected first), the graph, how to
    approve, coverage.

    At most 65,000 bytes: what does not fit is counted, with ``link`` (a URL) to the whole.
    """
    also = [*verdict.reasons[1:], *(f"could not check: {c}" for c in verdict.could_not_check)]
    head = "\n".join([f"## {escape(verdict.headline)}", "", *_bullets(also, _HEAD)]).rstrip()
    coverage = _coverage(verdict)
    consumers = [_consumer(c, impacts) for c, impacts in _by_consumer(verdict.impacts)]
    approve = _approve(verdict)
    rest = {
        "the graph": _graph(verdict),
        "what contracts would have to say": _suggestions(verdict),
        "the list of changes": _changes(verdict),
        "where nothing breaks": _unaffected(verdict),
    }
    left = LIMIT - sum(map(_size, (head, coverage, approve, link))) - _TAIL
    # Half of what is left is for the consumers, and what the rest does not need.
    kept = _fitting(consumers, left - min(left // 2, sum(map(_size, rest.values()))))
    left -= sum(map(_size, kept))
    cut = [f"{_hidden(len(consumers) - len(kept))} affected"] if len(kept) < len(consumers) else []
    shown = []
    for name, part in rest.items():
        if _size(part) <= left:
            shown.append(part)
            left -= _size(part)
        else:
            cut.append(name)
    return "\n\n".join(p for p in (head, *kept, approve, *shown, coverage, _cut(cut, link)) if p) + "\n"


def _fitting(parts: Sequence[str], left: int) -> list[str]:
    """The first parts that fit: none after one that does not, since those mean less."""
    kept = []
    for part in parts:
        left -= _size(part)
        if left < 0:
            break
        kept.append(part)
    return kept


def _hidden(number: int) -> str:
    return "1 more consumer that is" if number == 1 else f"{number} more consumers that are"


def _size(part: str) -> int:
    return len(part.encode()) + 2


def _cut(what: Sequence[str], link: str) -> str:
    if not what:
        return ""
    whole = f" [The whole report]({quote(link, safe=_URL)})." if link else ""
    return f"Too long to show here: {', '.join(what)}.{whole}"


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


def _approve(verdict: Verdict) -> str:
    lines = waivers_yaml(verdict)
    if not lines:
        return ""
    how = f"Who agrees adds this to `{WAIVERS_FILE}` on the base branch, with a reason:"
    return "\n".join(["### To approve", "", how, "", "```yaml", *lines, "```"])


def _unaffected(verdict: Verdict) -> str:
    lines = [f"{_path(f)}: nobody reads it, as far as the lineage knows" for f in verdict.unread]
    lines += [f"{_path(a.finding)}: absorbed, {a.reason}" for a in verdict.absorbed]
    lines += [f"{_path(f)}: waived by {w.approver}, {w.reason}" for w, f in verdict.waived]
    bullets = "\n".join(_bullets(lines, _HEAD))
    return f"### Where nothing breaks\n\n{bullets}" if lines else ""


def _suggestions(verdict: Verdict) -> str:
    """A block for each place: what to have there instead of these lines."""
    suggested = [(f, f.suggestion) for f in verdict.findings if f.suggestion]
    blocks: list[str] = []
    for finding, suggestion in suggested[:_ROWS]:
        where, *text = suggestion_lines(suggestion)
        # Longer than what the text itself may hold, so that it cannot end the block.
        fence = "`" * max(3, 1 + max((len(run) for t in text for run in re.findall("`+", t)), default=0))
        blocks.append(f"{escape(finding.message)}: {escape(where)}")
        if text:
            blocks.append("\n".join([f"{fence}suggestion", *text, fence]))
    if len(suggested) > _ROWS:
        blocks.append(f"and {len(suggested) - _ROWS} more")
    return "\n\n".join(["### What the contracts would have to say", *blocks]) if blocks else ""


def _changes(verdict: Verdict) -> str:
    rows = [
        (
            r.outcome.value + (" (waived)" if r.waived else ""),
            f"{r.finding.graded} {escape(r.finding.rule)}",
            escape(r.finding.at),
            escape(r.finding.message),
            escape(r.finding.fix),
            f"`{r.finding.fingerprint}`",
        )
        for r in verdict.rulings
    ]
    header = ("Leads to", "Rule", "Place", "What changed", "How to make it safe", "Fingerprint")
    return f"### Changes\n\n{_table(header, rows)}" if rows else ""


def findings_markdown(findings: Sequence[Finding], headline: str) -> str:
    """Findings without a verdict, as one table; at most 25 of them are shown, the others counted."""
    rows = [
        (f"{f.graded} {escape(f.rule)}", escape(f.at), escape(f.message), escape(f.why), escape(f.fix))
        for f in findings
    ]
    header = ("Rule", "Place", "What changed", "Why", "How to make it safe")
    parts = [f"## {escape(headline)}", _table(header, rows) if rows else ""]
    return "\n\n".join(p for p in parts if p) + "\n"


def _coverage(verdict: Verdict) -> str:
    unknown = (f"not known: {s}" for s in verdict.coverage.unknown)
    said = f"{verdict.coverage.summary}; judged by {verdict.policy.title}"
    lines = ["### Coverage", "", escape(said), "", *_bullets(unknown, _COVERAGE)]
    return "\n".join(lines).rstrip()


def _path(finding: Finding) -> str:
    return finding.change.path if finding.change else finding.rule


def _level(level: Level) -> str:
    return level.value.replace("_", " ")


def _bullets(lines: Iterable[str], most: int) -> list[str]:
    """A list of at most 25 entries and ``most`` bytes; the others are counted."""
    every = [f"- {escape(line)}" for line in lines]
    shown: list[str] = []
    for line in every[:_ROWS]:
        most -= _size(line)
        if most < 0:
            break
        shown.append(line)
    return shown + ([f"- and {len(every) - len(shown)} more"] if len(every) > len(shown) else [])


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


def _graph(verdict: Verdict) -> str:
    """The paths, the worst first; every place coloured by the worst that is shown of it."""
    impacts = verdict.impacts
    stale = {(u.source, u.reader) for u in verdict.coverage.stale}
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
    lines = ["### Affected paths", "", "```mermaid", "graph LR"]
    lines += [f'  {names[ref]}["{_label(ref)}"]' for ref in places]
    lines += [
        f'  {names[s]} -->|"{_words(edge, stale)}"| {names[t]}'
        for (s, t), edge in sorted(edges.items(), key=str)
    ]
    lines += [f"  classDef {level.value} {style}" for level, style in _CLASSES.items()]
    lines += [f"  class {names[ref]} {level.value}" for ref, level in ends.items()]
    more = f"\n\n{left_out} more paths are not drawn." if left_out else ""
    return "\n".join([*lines, "```"]) + more


def _words(edge: Edge, stale: AbstractSet[tuple[str, str]]) -> str:
    old = ", stale" if (edge.source.dataset.name, edge.target.dataset.name) in stale else ""
    return edge.type.value.lower().replace("_", " ") + old


def _label(ref: ColumnRef) -> str:
    """Letters and digits as they are, all else as mermaid's character codes."""
    plain = clean(ref)
    if len(plain) > _LABEL:
        plain = plain[: _LABEL - 1] + "…"
    return "".join(c if c.isalnum() or c in " _.-" else f"#{ord(c)};" for c in plain)
