"""JSON as text that neither a terminal nor the log of a CI system can be steered by."""

from __future__ import annotations

import json
import re
from typing import Any

# Controls, format characters (which turn the direction of writing), line separators, lone halves of
# surrogate pairs, private use. JSON may hold them as they are; a terminal acts on some of them.
UNSAFE = re.compile(
    "[\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ue000-\uf8ff\ufeff\ufff0-\uffff\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f\U000f0000-\U0010ffff]"
)


def json_text(value: Any) -> str:
    """The value as indented JSON. What is not plain data is shown by its ``str``.

    Unsafe characters stand as escapes, and so does a ``#`` after another: ``##[...]`` is a command to
    the logs of some CI systems. A JSON reader gets the same value.
    """
    text = json.dumps(value, indent=2, default=str, ensure_ascii=False)
    return UNSAFE.sub(lambda m: json.dumps(m[0])[1:-1], text).replace("##", "#\\u0023")
