"""Checks of Soda as checks of ours: SodaCL lines (``missing_count(x) = 0``) and the mapping that ODCS shows.

https://docs.soda.io/soda-cl/metrics-and-checks.html. Soda counts the keys that are there twice, and we
the rows beyond the first of each: the two are one only where none is allowed. Soda's ``between`` includes
its ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from contracts_svc.model import Json
from contracts_svc.quality import foreign
from contracts_svc.quality.foreign import NotTranslated, Translated
from contracts_svc.quality.kind import RuleAt
from contracts_svc.runs import Operator, Threshold, Unit

Options = Mapping[str, Json]
Thresholds = tuple[Threshold, ...]

_LINE = re.compile(
    r"(?P<metric>[a-z_]+)\s*(?:\((?P<columns>[^()]*)\))?\s*"
    r"(?:(?P<not>not\s+)?between\s+(?P<low>-?\d+(?:\.\d+)?)\s*%?\s+and\s+(?P<high>-?\d+(?:\.\d+)?)|"
    r"(?P<operator>!=|<>|>=|<=|=|>|<)\s*(?P<limit>-?\d+(?:\.\d+)?))\s*%?"
)
_SIGNS = {
    "=": Operator.MUST_BE, "!=": Operator.MUST_NOT_BE, "<>": Operator.MUST_NOT_BE,
    ">": Operator.GREATER_THAN, ">=": Operator.GREATER_OR_EQUAL,
    "<": Operator.LESS_THAN, "<=": Operator.LESS_OR_EQUAL,
}  # fmt: skip
_WORDS = {
    "must_be": Operator.MUST_BE,
    "must_not_be": Operator.MUST_NOT_BE,
    "must_be_greater_than": Operator.GREATER_THAN,
    "must_be_greater_than_or_equal": Operator.GREATER_OR_EQUAL,
    "must_be_greater_than_or_equal_to": Operator.GREATER_OR_EQUAL,
    "must_be_less_than": Operator.LESS_THAN,
    "must_be_less_than_or_equal": Operator.LESS_OR_EQUAL,
    "must_be_less_than_or_equal_to": Operator.LESS_OR_EQUAL,
}
_IGNORED = {"name", "attributes", "identity", "title", "description"}


def translate(at: RuleAt, written: Json) -> tuple[Translated, ...]:
    """The checks that say what Soda's say. Raises NotTranslated."""
    found = tuple(check for one in _each(written) for check in _one(at, *one))
    if not found:
        raise NotTranslated("its implementation has no check")
    return found


def _each(written: Json) -> Iterator[tuple[str, Options, Thresholds, tuple[Json, ...]]]:
    """Metric, options, thresholds and columns of every check."""
    if isinstance(written, str):
        yield _line(written, {})
    elif isinstance(written, list | tuple):
        for each in written:
            yield from _each(each)
    elif isinstance(written, Mapping) and ("type" in written or "metric" in written):
        yield _mapping(written)
    elif isinstance(written, Mapping):
        for key, value in written.items():
            if str(key).startswith("checks") and isinstance(value, list | tuple):
                yield from _each(value)
            else:
                yield _line(str(key), value if isinstance(value, Mapping) else {})
    else:
        raise NotTranslated(f"{written!r} is not a check")


def _line(text: str, options: Options) -> tuple[str, Options, Thresholds, tuple[Json, ...]]:
    match = _LINE.fullmatch(" ".join(text.split()))
    if match is None:
        raise NotTranslated(f"the check {text!r} is not one that is translated")
    columns = tuple(c.strip().strip('"') for c in (match["columns"] or "").split(",") if c.strip())
    if match["not"]:
        raise NotTranslated("not between includes its ends in Soda, which no operator of ODCS does")
    if match["operator"]:
        thresholds: Thresholds = (Threshold(_SIGNS[match["operator"]], _number(match["limit"])),)
    else:
        thresholds = _within(_number(match["low"]), _number(match["high"]))
    return match["metric"], options, thresholds, columns


def _mapping(written: Options) -> tuple[str, Options, Thresholds, tuple[Json, ...]]:
    left = {str(k): v for k, v in written.items() if k not in _IGNORED}
    metric = str(left.pop("type", None) or left.pop("metric"))
    columns = left.pop("columns", None) or left.pop("column", None) or ()
    thresholds: Thresholds = ()
    for name in [n for n in left if n in _WORDS]:
        thresholds += (Threshold(_WORDS[name], _amount(left.pop(name))),)
    if "must_be_between" in left:
        pair = left.pop("must_be_between")
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise NotTranslated("must_be_between needs two numbers")
        thresholds += _within(_amount(pair[0]), _amount(pair[1]))
    named = tuple(columns) if isinstance(columns, list | tuple) else (columns,)
    return metric, left, thresholds or foreign.NONE, named


def _within(low: Json, high: Json) -> Thresholds:
    return (Threshold(Operator.GREATER_OR_EQUAL, low), Threshold(Operator.LESS_OR_EQUAL, high))


def _number(text: str) -> Json:
    return float(text) if "." in text else int(text)


def _amount(value: Json) -> Json:
    if not foreign.is_amount(value):
        raise NotTranslated(f"{value!r} is not a number")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One check, its metric taken apart."""

    at: RuleAt
    columns: tuple[str, ...]
    options: Options
    thresholds: Thresholds
    unit: Unit

    def only(self, *known: str) -> None:
        """Raises NotTranslated for an option that is none of these."""
        others = sorted(self.options.keys() - set(known))
        if others:
            raise NotTranslated(f"the option {', '.join(others)} is not translated")

    def check(self, kind: str, **arguments: Json) -> tuple[Translated, ...]:
        """A check of this kind with the columns, thresholds and unit that are asked for."""
        found = Translated(
            kind=kind,
            columns=self.columns,
            arguments=arguments,
            thresholds=self.thresholds,
            unit=self.unit,
        )
        return (found,)


def _one(
    at: RuleAt, metric: str, options: Options, thresholds: Thresholds, columns: tuple[Json, ...]
) -> tuple[Translated, ...]:
    name = metric.removesuffix("_percent").removesuffix("_count")
    make = METRICS.get(name)
    if make is None:
        raise NotTranslated(f"the metric {metric} is not one that is translated")
    paths = tuple(foreign.column(at, c) for c in columns)
    if not paths and name != "row":
        paths = (foreign.column(at, None),)
    asked = _Asked(
        at=at,
        columns=paths,
        options={k.replace("_", " "): v for k, v in options.items() if k not in _IGNORED},
        thresholds=thresholds,
        unit=Unit.PERCENT if metric.endswith("_percent") else Unit.ROWS,
    )
    return make(asked)


def _row(asked: _Asked) -> tuple[Translated, ...]:
    asked.only()
    if asked.columns:
        raise NotTranslated("a row_count of a column")
    return asked.check("row-count")


def _missing(asked: _Asked) -> tuple[Translated, ...]:
    asked.only("missing values")
    listed = asked.options.get("missing values")
    if listed is None:
        return asked.check("null-values")
    # NULL is always missing to Soda.
    return asked.check("missing-values", values=[None, *(v for v in listed if v is not None)])


def _invalid(asked: _Asked) -> tuple[Translated, ...]:
    asked.only("valid values", "valid regex", *_VALID)
    if len(asked.options) != 1:
        reason = "has several conditions in one count" if asked.options else "does not say what is valid"
        raise NotTranslated(f"the check of invalid values {reason}")
    ((option, value),) = asked.options.items()
    if option == "valid values":
        return asked.check("invalid-values", values=list(value))
    if option == "valid regex":
        # Soda matches the whole of a value.
        return asked.check("invalid-values", pattern=f"^(?:{foreign.pattern(value)})$")
    return asked.check(_VALID[option], value=_amount(value))


_VALID = {
    "valid min": "minimum",
    "valid max": "maximum",
    "valid min length": "min-length",
    "valid max length": "max-length",
}


def _duplicate(asked: _Asked) -> tuple[Translated, ...]:
    asked.only()
    if asked.thresholds != foreign.NONE:
        raise NotTranslated("Soda counts the keys that are there twice, and we rows: only = 0 is the same")
    return (Translated(kind="duplicate-values", columns=asked.columns),)


def _figure(asked: _Asked, *, name: str) -> tuple[Translated, ...]:
    asked.only()
    path = asked.columns[0]
    return (foreign.aggregate(asked.at, path, foreign.AGGREGATES[name], asked.thresholds),)


METRICS: Mapping[str, Callable[[_Asked], tuple[Translated, ...]]] = MappingProxyType(
    {
        "row": _row,
        "missing": _missing,
        "invalid": _invalid,
        "duplicate": _duplicate,
        **{name: partial(_figure, name=name) for name in ("min", "max", "avg", "sum", "stddev")},
    }
)
"""Metric, without ``_count`` or ``_percent`` -> what makes checks of it."""
