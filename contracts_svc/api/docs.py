"""The API's description (OpenAPI) as a page for people: plain HTML, no script, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

from contracts_svc.api.access import ROLES
from contracts_svc.api.problems import PREFIX
from contracts_svc.api.rules import RULES

PATH = f"{PREFIX}/docs"
_RULES = {(method, path.replace(":path}", "}")): rule for (method, path), rule in RULES.items()}

_STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font: 0.9em/1.45 ui-monospace, monospace }
pre { overflow-x: auto; padding: 0.7rem; border: 1px solid #8886; border-radius: 4px }
section { border-top: 1px solid #8886; margin-top: 1.5rem }
h2 { margin-top: 3rem } h3 { margin-bottom: 0.3rem; overflow-wrap: anywhere }
nav ul { columns: 22rem; list-style: none; padding: 0 } nav li { break-inside: avoid }
table { border-collapse: collapse; display: block; overflow-x: auto }
th, td { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0 }
"""
_HOW = (
    "Every request but those that say otherwise needs a token, which `contracts token create` makes, in the "
    "header `Authorization: Bearer TOKEN`. In the examples, $URL is this service and $TOKEN the token."
)


def add_docs(app: FastAPI) -> None:
    """Serve the page at :data:`PATH`, of what the application describes when it is first asked for."""
    made: list[str] = []

    def docs(_: Request) -> HTMLResponse:
        if not made:
            made.append(page(app.openapi()))
        return HTMLResponse(made[0])

    app.add_route(PATH, docs, include_in_schema=False)


def page(document: Mapping[str, Any]) -> str:
    """The page of an OpenAPI document (3.1)."""
    title = f"{document['info']['title']} {document['info']['version']}"
    html = ET.Element("html", lang="en")
    head = _add(html, "head")
    _add(head, "meta", charset="utf-8")
    _add(head, "meta", name="viewport", content="width=device-width")
    _add(head, "title", title)
    _add(head, "style", _STYLE)
    body = _add(html, "body")
    _add(body, "h1", title)
    _text(body, document["info"]["description"])
    _text(body, _HOW)
    operations = _by_tag(document)
    usual = _usual([o for found in operations.values() for _, _, o in found])
    _text(body, f"Any request may be answered by these problems: {_listed(usual)}.")
    _add(_add(body, "p"), "a", "OpenAPI document", href=f"{PREFIX}/openapi.json")
    nav = _add(body, "nav")
    for tag, found in operations.items():
        _add(nav, "h3", tag)
        entries = _add(nav, "ul")
        for method, path, operation in found:
            _add(_add(entries, "li"), "a", f"{method} {path}", href=f"#{operation['operationId']}")
    schemas = document.get("components", {}).get("schemas", {})
    for tag, found in operations.items():
        _add(body, "h2", tag)
        for method, path, operation in found:
            _operation(body, method, path, operation, schemas, usual)
    return "<!doctype html>\n" + ET.tostring(html, encoding="unicode", method="html")


def _by_tag(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Any]]]:
    found: dict[str, list[tuple[str, str, Any]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = next(iter(operation.get("tags", ())), "others")
            found.setdefault(tag, []).append((method.upper(), path, operation))
    return found


def _usual(operations: list[Any]) -> dict[str, str]:
    """Status -> meaning, of the problems that most operations may end with."""
    found = Counter((s, a["description"]) for o in operations for s, a in o["responses"].items())
    return {s: told for (s, told), n in sorted(found.items()) if int(s) >= 400 and n > len(operations) / 2}


def _listed(problems: Mapping[str, str]) -> str:
    return ", ".join(f"{status} ({told})" for status, told in problems.items())


def _operation(
    body: ET.Element, method: str, path: str, operation: Any, schemas: Any, usual: Mapping[str, str]
) -> None:
    section = _add(body, "section", id=operation["operationId"])
    _add(_add(section, "h3"), "code", f"{method} {path}")
    _text(section, operation.get("description", ""))
    _text(section, _who(method, path))
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [(p["name"], p["in"], *_row(p["schema"], p.get("required", False), p)) for p in parameters]
        _table(section, ("parameter", "in", "type", "meaning"), rows)
    content = operation.get("requestBody", {}).get("content", {})
    if content:
        _add(section, "p", f"Body: {' or '.join(content)}")
        _fields(section, next(iter(content.values())).get("schema", {}), schemas)
    _add(section, "pre", _curl(method, path, operation))
    for status, answer in operation["responses"].items():
        if int(status) < 400:
            _answer(section, status, answer, schemas)
    problems = {s: a["description"] for s, a in sorted(operation["responses"].items()) if int(s) >= 400}
    others = {status: told for status, told in problems.items() if usual.get(status) != told}
    if others:
        _add(section, "p", f"Problems besides: {_listed(others)}")


def _who(method: str, path: str) -> str:
    rule = _RULES.get((method, path))
    if rule is None:
        return ""
    roles = [role for role, may in ROLES.items() if rule.permission in may]
    return f"For {', '.join(f'`{role}`' for role in roles) or 'anybody'}: {rule.whose.value}."


def _answer(section: ET.Element, status: str, answer: Any, schemas: Any) -> None:
    _add(section, "p", f"Answer {status}: {answer['description']}")
    for media_type, content in answer.get("content", {}).items():
        details = _add(section, "details")
        _add(details, "summary", media_type)
        _fields(details, content.get("schema", {}), schemas)
        example = content.get("example")
        if example is not None:
            _add(details, "pre", example if isinstance(example, str) else _json(example, indent=2))


def _fields(parent: ET.Element, schema: Any, schemas: Any, *, deep: bool = True) -> None:
    """The fields of an object, or of the objects in an array or a page."""
    schema = schemas.get(_name(schema), schema)
    rows = []
    for name, field in schema.get("properties", {}).items():
        rows.append((name, *_row(field, name in schema.get("required", ()), field)))
    if rows:
        _table(parent, ("field", "type", "meaning"), rows)
    for inner in (schema, *schema.get("properties", {}).values()) if deep else ():
        item = inner.get("items", {})
        if _name(item) in schemas:
            _add(parent, "p", f"Each {_name(item)}:")
            _fields(parent, item, schemas, deep=False)


def _row(schema: Any, required: bool, told: Any) -> tuple[str, str]:
    meaning = [told.get("description", "")]
    if required:
        meaning.append("Required")
    elif schema.get("default") not in (None, "", [], {}):
        meaning.append(f"Default: {_json(schema['default'])}")
    return _type(schema), ". ".join(part.rstrip(".") for part in meaning if part)


def _type(schema: Any) -> str:
    if "$ref" in schema:
        return _name(schema)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(each) for each in schema["anyOf"]))
    found = schema.get("type", "any")
    found = " or ".join(found) if isinstance(found, list) else str(found)
    return f"{found} of {_type(schema['items'])}" if "items" in schema else found


def _name(schema: Any) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _curl(method: str, path: str, operation: Any) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    query = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query" and p.get("required")]
    address = "$URL" + re.sub(r"\{(\w+)\}", lambda found: found[1].upper(), path)
    address += "".join(f"{'&' if number else '?'}{name}=..." for number, name in enumerate(query))
    parts = ["curl", *(['-H "Authorization: Bearer $TOKEN"'] if operation.get("security") else [])]
    if method not in ("GET", "POST"):
        parts.append(f"-X {method}")
    if "application/yaml" in content:
        parts.append("--data-binary @FILE.yaml")
    elif content:
        given = _json(content["application/json"].get("example", {})).replace("'", "'\\''")
        parts.append(f"--json '{given}'")
    elif method == "POST":
        parts.append("-X POST")
    return " ".join([*parts, f'"{address}"'])


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False)


# --- HTML -----------------------------------------------------------------------------------------


def _add(parent: ET.Element, tag: str, text: str = "", /, **attributes: str) -> ET.Element:
    found = ET.SubElement(parent, tag, attributes)
    found.text = text
    return found


def _text(parent: ET.Element, text: str) -> None:
    """Paragraphs of text; what stands in back quotes is code."""
    for paragraph in filter(None, text.split("\n\n")):
        found = _add(parent, "p")
        for number, part in enumerate(paragraph.replace("``", "`").split("`")):
            _add(found, "code" if number % 2 else "span", part)


def _table(parent: ET.Element, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = _add(parent, "table")
    row = _add(table, "tr")
    for cell in head:
        _add(row, "th", cell)
    for name, *cells in rows:
        row = _add(table, "tr")
        _add(_add(row, "td"), "code", name)
        for cell in cells:
            _add(row, "td", cell)
