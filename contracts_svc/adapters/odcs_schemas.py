"""The JSON Schemas of the Open Data Contract Standard, as the package datacontract-cli ships them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, files

from contracts_svc.errors import CouldNotCheck
from contracts_svc.model import Json

PACKAGE = "datacontract-cli"


class PackagedSchemas:
    """Reads the schema files of the installed package without importing it, which takes over a second."""

    def __init__(self, package: str = PACKAGE) -> None:
        self._package = package
        self._schemas: dict[str, Mapping[str, Json]] = {}

    def schema(self, version: str) -> Mapping[str, Json]:
        """The JSON Schema of an ODCS version, as in ``3.1.0``; the same object every time.

        Raises CouldNotCheck when the package, or this schema in it, is missing or damaged.
        """
        if version not in self._schemas:
            self._schemas[version] = self._read(version)
        return self._schemas[version]

    def _read(self, version: str) -> Mapping[str, Json]:
        what = f"contracts against the JSON Schema of ODCS {version}"
        name = f"odcs-{version}.schema.json"
        hint = f"install it again: pip install --force-reinstall --no-deps {self._package}"
        try:
            listed = files(self._package) or []
        except PackageNotFoundError:
            raise CouldNotCheck(
                what,
                f"the package {self._package} is not installed",
                f"pip install {self._package}",
                retryable=False,
            ) from None
        found = next((file for file in listed if file.name == name), None)
        if found is None:
            raise CouldNotCheck(
                what, f"the package {self._package} has no file {name}", hint, retryable=False
            )
        try:
            schema = json.loads(found.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            cause = f"the file {name} of the package {self._package} cannot be read: {error}"
            raise CouldNotCheck(what, cause, hint, retryable=False) from error
        if not isinstance(schema, dict):
            raise CouldNotCheck(
                what, f"the file {name} of the package {self._package} is no schema", hint, retryable=False
            )
        return schema
