"""``contracts settings``"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from contracts_svc import settings
from contracts_svc.cli.output import print_json
from contracts_svc.errors import ExitCode
from contracts_svc.render import clean


def run(format: str) -> ExitCode:
    """Every setting, what is secret hidden, and where it comes from."""
    found = settings.shown()
    if format == "json":
        print_json(ExitCode.OK, {"settings": [asdict(each) for each in found]})
        return ExitCode.OK
    width = max(len(each.name) for each in found)
    for each in found:
        source = "" if each.source == "default" else f"  ({clean(each.source)})"
        print(f"{each.name:{width}}  {_text(each.value)}{source}")
        print(f"    {each.meaning}")
    return ExitCode.OK


def _text(value: Any) -> str:
    if value in ("", None, [], {}):
        return "-"
    return clean(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
