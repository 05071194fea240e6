"""The examples of the API's description: every endpoint has them, and they are of the shape they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest

from contracts_svc.api.docs import page
from contracts_svc.api.examples import ANSWERS, BODIES
from tests.acceptance.test_api import World, orders
from tests.fixtures_store import memory_store


@pytest.fixture(scope="module")
def document() -> Iterator[dict[str, Any]]:
    store = memory_store()
    found: dict[str, Any] = World(store).get("/api/v1/openapi.json").json()
    yield found
    store.close()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def of_schema(document: dict[str, Any], schema: dict[str, Any], value: Any) -> list[str]:
    whole = schema | {"components": document["components"]}
    return [e.message for e in jsonschema.Draft202012Validator(whole).iter_errors(value)]


def test_every_body_answer_and_parameter_has_an_example_of_its_shape(document: dict[str, Any]) -> None:
    wrong: list[str] = []
    for key, operation in operations(document):
        bodies = list(operation.get("requestBody", {}).get("content", {}).values())
        answers = [
            content
            for status, response in operation["responses"].items()
            if int(status) < 400
            for content in response.get("content", {}).values()
        ]
        for content in [*bodies, *answers]:
            if "example" not in content:
                wrong.append(f"{key}: no example")
                continue
            found = of_schema(document, content["schema"], content["example"])
            wrong += [f"{key}: {message}" for message in found]
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                found = of_schema(document, parameter["schema"], parameter["example"])
                wrong += [f"{key} {parameter['name']}: {message}" for message in found]
            elif parameter.get("required"):
                wrong.append(f"{key} {parameter['name']}: no example")
    assert wrong == []


def test_what_is_said_of_single_endpoints_is_said_of_some_that_there_are(document: dict[str, Any]) -> None:
    known = {key for key, _ in operations(document)}
    assert BODIES.keys() | ANSWERS.keys() <= known


def test_examples_of_bodies_are_taken(document: dict[str, Any]) -> None:
    """Those that need nothing that is there before but the contract that they all speak of."""
    store = memory_store()
    world = World(store)
    world.put(orders())
    token = world.token("admin")
    sent = ("contracts", "preflight", "lineage", "lineage/batch", "waivers")
    bodies = {
        key: operation.get("requestBody", {}).get("content", {}) for key, operation in operations(document)
    }
    for end in sent:
        for kind, content in bodies[f"POST /api/v1/{end}"].items():
            example = content["example"]
            body = example.encode() if isinstance(example, str) else example
            answer = world.send("POST", f"/api/v1/{end}", token, body)
            # The same contract as YAML and as JSON is the same version with other bytes.
            there = end == "contracts" and kind == "application/json"
            assert (answer.status_code == 409) if there else answer.is_success, (end, answer.text)
    store.close()


class Links(HTMLParser):
    """What a page holds: its elements, its text, what it links to, and what it has as places."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            assert name not in ("src", "srcset", "style")
            assert not name.startswith("on")
            if name in ("href", "id"):
                (self.links if name == "href" else self.places).add(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_of_the_api_tells_all_of_it_and_needs_nothing_else(document: dict[str, Any]) -> None:
    store = memory_store()
    answer = World(store).get("/api/v1/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    found = Links()
    found.feed(answer.text)
    store.close()
    assert {"script", "link", "img", "iframe", "form"}.isdisjoint(found.tags)
    assert found.places == {operation["operationId"] for _, operation in operations(document)}
    assert found.links == {f"#{place}" for place in found.places} | {"/api/v1/openapi.json"}
    for key, operation in operations(document):
        assert key in found.text
        for parameter in operation.get("parameters", []):
            assert parameter["name"] in found.text
    # What is public needs no token, and is said to be for anybody.
    assert 'curl "$URL/health"' in found.text
    assert 'curl -H "Authorization: Bearer $TOKEN" "$URL/api/v1/contracts/CONTRACT_ID"' in found.text


def test_what_a_description_says_is_text_on_the_page() -> None:
    said = "<script>alert(1)</script> & `<b>`"
    operation = {"operationId": "x", "description": said, "responses": {"200": {"description": said}}}
    text = page(
        {"info": {"title": said, "version": "1", "description": said}, "paths": {"/x": {"get": operation}}}
    )
    assert "<script" not in text
    assert "<b>" not in text
    found = Links()
    found.feed(text)
    assert found.text.count("<script>alert(1)</script>") == 5  # the title is there twice
