"""Block Kit as Slack takes it: what Slack would refuse raises here too.

Source: https://docs.slack.dev/reference/block-kit. Only what we send is known; the rest is refused.
"""

from __future__ import annotations

from typing import Any

MOST_BLOCKS = 50
MOST_TEXT = 3_000
MOST_IN_ALL = 13_200
"""Slack refuses longer ones with msg_blocks_too_long; it documents no figure, others have measured this."""


class InvalidBlocks(ValueError):
    """Slack answers ``invalid_blocks``."""


def check(blocks: object) -> None:
    """Raises InvalidBlocks for what Slack would not take."""
    _must(isinstance(blocks, list) and 1 <= len(blocks) <= MOST_BLOCKS, f"1 to {MOST_BLOCKS} blocks")
    assert isinstance(blocks, list)
    ids = [b["block_id"] for b in blocks if "block_id" in b]
    _must(len(set(ids)) == len(ids), "block_id is there twice")
    total = 0
    for block in blocks:
        _must(isinstance(block, dict), "a block is an object")
        known = _BLOCKS.get(block.get("type", ""))
        _must(known is not None, f"no such block: {block.get('type')}")
        assert known is not None
        _length(block.get("block_id", "x"), 1, 255)
        total += known({k: v for k, v in block.items() if k not in ("type", "block_id")})
    _must(total <= MOST_IN_ALL, f"{total} characters in all")


def _header(block: dict[str, Any]) -> int:
    _only(block, "text")
    return _plain(block["text"], 150)


def _context(block: dict[str, Any]) -> int:
    _only(block, "elements")
    _count(block["elements"], 1, 10)
    return sum(_plain(e, MOST_TEXT) for e in block["elements"])


def _section(block: dict[str, Any]) -> int:
    _only(block, "text")
    return _plain(block["text"], MOST_TEXT)


def _actions(block: dict[str, Any]) -> int:
    _only(block, "elements")
    _count(block["elements"], 1, 25)
    ids = [e["action_id"] for e in block["elements"]]
    _must(len(set(ids)) == len(ids), "action_id is there twice")
    return sum(_button(e) for e in block["elements"])


def _button(element: dict[str, Any]) -> int:
    _only(element, "type", "text", "action_id", "value")
    _must(element["type"] == "button", "a button")
    _length(element["action_id"], 1, 255)
    _length(element["value"], 1, 2_000)
    return _plain(element["text"], 75)


def _rich_text(block: dict[str, Any]) -> int:
    _only(block, "elements")
    _count(block["elements"], 1, 200)
    return sum(_rich_part(e) for e in block["elements"])


def _rich_part(part: dict[str, Any]) -> int:
    kind = part.get("type")
    if kind == "rich_text_list":
        _only(part, "type", "style", "elements")
        _must(part["style"] in ("bullet", "ordered"), "style of a list")
        _count(part["elements"], 1, 200)
        _must(all(e["type"] == "rich_text_section" for e in part["elements"]), "a list holds sections")
        return sum(_rich_part(e) for e in part["elements"])
    _must(kind in ("rich_text_section", "rich_text_preformatted"), f"no such part: {kind}")
    _only(part, "type", "elements")
    _count(part["elements"], 1, 200)
    return sum(_rich_text_element(e) for e in part["elements"])


def _rich_text_element(element: dict[str, Any]) -> int:
    if element["type"] == "link":
        _only(element, "type", "text", "url")
        _length(element["url"], 1, 3_000)
        _must(element["url"].startswith(("https://", "http://")), "where a link leads")
        return _length(element["text"], 1, MOST_TEXT)
    _only(element, "type", "text", "style")
    _must(element["type"] == "text", "text and links are all we write: no mentions")
    style = element.get("style", {})
    _must(set(style) <= {"bold", "italic", "strike", "code"}, "style of text")
    return _length(element["text"], 1, MOST_TEXT)


_BLOCKS = {
    "header": _header, "context": _context, "section": _section, "actions": _actions, "rich_text": _rich_text,
}  # fmt: skip


def _plain(text: Any, most: int) -> int:
    _must(isinstance(text, dict), "text is an object")
    _only(text, "type", "text", "emoji")
    _must(text["type"] == "plain_text", "mrkdwn would read what data holds as mark-up")
    _must(isinstance(text.get("emoji", False), bool), "emoji is true or false")
    return _length(text["text"], 1, most)


def _length(text: Any, least: int, most: int) -> int:
    _must(isinstance(text, str) and least <= len(text) <= most, f"{least} to {most} characters: {text!r:.80}")
    return len(text)


def _count(found: Any, least: int, most: int) -> None:
    _must(isinstance(found, list) and least <= len(found) <= most, f"{least} to {most} elements")


def _only(given: dict[str, Any], *known: str) -> None:
    _must(set(given) <= set(known), f"unknown fields: {sorted(set(given) - set(known))}")


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise InvalidBlocks(what)


def text_of(blocks: list[dict[str, Any]]) -> str:
    """What a person reads: one line for each paragraph, buttons in brackets."""
    lines: list[str] = []
    for block in blocks:
        match block["type"]:
            case "header":
                lines.append(f"== {block['text']['text']}")
            case "context":
                lines += [f"   {e['text']}" for e in block["elements"]]
            case "actions":
                lines.append("   " + " ".join(f"[{e['text']['text']}]" for e in block["elements"]))
            case "rich_text":
                for part in block["elements"]:
                    lines += _rich_lines(part)
    return "\n".join(lines)


def _rich_lines(part: dict[str, Any]) -> list[str]:
    if part["type"] == "rich_text_list":
        return [f"   • {''.join(map(_shown, e['elements']))}" for e in part["elements"]]
    text = "".join(t["text"] for t in part["elements"])
    if part["type"] == "rich_text_preformatted":
        return [f"   | {line}" for line in text.splitlines()]
    return [text]


def _shown(element: dict[str, Any]) -> str:
    return f"{element['text']} <{element['url']}>" if element["type"] == "link" else str(element["text"])
