"""The API's own description (OpenAPI), with its errors as what they are, and examples."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from contracts_svc.api.examples import add_examples
from contracts_svc.api.problems import MEDIA_TYPE
from contracts_svc.api.sessions import SESSION, cookie_name


def describe(app: FastAPI) -> None:
    """Give the application a description in which errors are of the media type that they have."""
    usual = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = usual()
            for path in document["paths"].values():
                for operation in path.values():
                    _correct(operation["responses"])
                    for parameter in operation.get("parameters", ()):
                        _bound(parameter["schema"])
            add_examples(document)
            login = app.state.service.login
            if login is not None:
                _add_sessions(document, cookie_name(login.public_url, SESSION))
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]


def _add_sessions(document: dict[str, Any], cookie: str) -> None:
    """People's sessions, beside tokens, wherever one has to say who one is."""
    scheme = {
        "type": "apiKey",
        "in": "cookie",
        "name": cookie,
        "description": "A session of `/login`. What changes something must come from a page of this service",
    }
    document["components"]["securitySchemes"]["Session"] = scheme
    for path in document["paths"].values():
        for operation in path.values():
            if operation.get("security"):
                operation["security"] = [*operation["security"], {"Session": []}]


def _bound(schema: dict[str, Any]) -> None:
    """Text of an address never holds U+0000 (see :mod:`.queries`)."""
    for each in (schema, *schema.get("anyOf", ())):
        if each.get("type") == "string" and not {"pattern", "format", "enum", "const"} & each.keys():
            each["pattern"] = r"^[^\x00]*$"


def _correct(responses: dict[str, dict[str, Any]]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if int(status) >= 400 and schema.get("$ref", "").endswith("/ProblemDetails"):
            response["content"] = {MEDIA_TYPE: content["application/json"]}
