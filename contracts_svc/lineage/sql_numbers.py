"""DuckDB's rules for what two number types make together."""

from __future__ import annotations

_SIGNED = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
_UNSIGNED = ("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT")
_BITS = {
    **dict(zip(_SIGNED, (8, 16, 32, 64, 128), strict=True)),
    **dict(zip(_UNSIGNED, (8, 16, 32, 64, 128), strict=True)),
}
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19, 128: 38}
_NARROW = 18
"""Widest decimal that fits in 64 bits: results of narrow ones stay that narrow."""
_WIDEST = 38

INTEGERS = {
    **{name: (-(1 << (_BITS[name] - 1)), (1 << (_BITS[name] - 1)) - 1) for name in _SIGNED},
    **{name: (0, (1 << _BITS[name]) - 1) for name in _UNSIGNED},
}
"""Whole-number types, with the least and the greatest value."""
MIXED = frozenset(INTEGERS)
FLOATS = frozenset({"FLOAT", "DOUBLE"})
NUMERIC = MIXED | FLOATS
DECIMALS = "DECIMAL("
"""How the name of every decimal type begins."""


def scale_and_width(name: str) -> tuple[int, int]:
    """Digits after the point, and all digits, of a decimal type or of a whole-number type."""
    if name.startswith(DECIMALS):
        width, _, scale = name[len(DECIMALS) : -1].partition(",")
        return int(scale), int(width)
    return 0, 20 if name == "UBIGINT" else _DIGITS[_BITS[name]]


def common(one: str, other: str) -> str | None:
    """The type both become where one value or the other is taken; None where there is none."""
    if one == other:
        return one
    floats = _float(one, other)
    if floats is not None:
        return floats
    if _is_number(one) and _is_number(other):
        if one in MIXED and other in MIXED:
            return _common_whole(one, other)
        return _decimal(*_aligned(one, other))
    if "BOOLEAN" in (one, other) and (one in MIXED or other in MIXED):
        return other if one == "BOOLEAN" else one
    return None


def added(one: str, other: str) -> str | None:
    """``+`` and ``-``: a decimal gets one digit more."""
    if (found := _float(one, other) or _whole(one, other)) is not None:
        return found
    if not (_is_number(one) and _is_number(other)):
        return None
    scale, width = _aligned(one, other)
    return _decimal(scale, _kept_narrow(width + 1, one, other))


def multiplied(one: str, other: str) -> str | None:
    """``*``: digits and scales add up."""
    if (found := _float(one, other) or _whole(one, other)) is not None:
        return found
    if not (_is_number(one) and _is_number(other)):
        return None
    (scale, width), (more, wider) = scale_and_width(one), scale_and_width(other)
    if scale + more > _WIDEST:
        return None
    return _decimal(scale + more, _kept_narrow(width + wider, one, other))


def divided(one: str, other: str) -> str | None:
    """``/`` is never a whole-number division."""
    if not (_is_number(one) and _is_number(other)):
        return None
    return _float(one, other) or "DOUBLE"


def whole_divided(one: str, other: str) -> str | None:
    """``//``"""
    return _float(one, other) or _whole(one, other) or divided(one, other)


def remainder(one: str, other: str) -> str | None:
    """``%``"""
    if (found := _float(one, other) or _whole(one, other)) is not None:
        return found
    if not (_is_number(one) and _is_number(other)):
        return None
    if {"HUGEINT", "UHUGEINT"} & {one, other}:
        return "DOUBLE"
    return common(one, other)


def rounded(name: str, digits: int) -> str | None:
    """``round``, and of other than whole numbers ``floor`` and ``ceil``."""
    if name in FLOATS or name in _SIGNED:
        return name
    if name in ("UTINYINT", "USMALLINT", "UINTEGER"):
        return "BIGINT"
    if name == "UBIGINT":
        return "HUGEINT"
    if name.startswith(DECIMALS) and digits >= 0:
        scale, width = scale_and_width(name)
        return f"DECIMAL({width},{min(scale, digits)})"
    return None


def _is_number(name: str) -> bool:
    return name in NUMERIC or name.startswith(DECIMALS)


def _float(one: str, other: str) -> str | None:
    if not (_is_number(one) and _is_number(other)):
        return None
    if "DOUBLE" in (one, other):
        return "DOUBLE"
    return "FLOAT" if "FLOAT" in (one, other) else None


def _common_whole(one: str, other: str) -> str | None:
    """The narrowest type that holds both."""
    if (one in _SIGNED) == (other in _SIGNED):
        return max(one, other, key=lambda name: _BITS[name])
    signed, unsigned = (one, other) if one in _SIGNED else (other, one)
    if unsigned == "UHUGEINT":
        return None
    bits = max(_BITS[signed], _BITS[unsigned] * 2)
    return _SIGNED[(8, 16, 32, 64, 128).index(bits)]


def _whole(one: str, other: str) -> str | None:
    """Arithmetic of two whole numbers: no wider than the wider one, or BIGINT where signs differ."""
    if one not in MIXED or other not in MIXED:
        return None
    if (one in _SIGNED) == (other in _SIGNED):
        return max(one, other, key=lambda name: _BITS[name])
    signed, unsigned = (one, other) if one in _SIGNED else (other, one)
    if unsigned == "UHUGEINT":
        return "DOUBLE"
    if _BITS[signed] > _BITS[unsigned]:
        return signed
    return "HUGEINT" if unsigned == "UBIGINT" else "BIGINT"


def _aligned(one: str, other: str) -> tuple[int, int]:
    """Scale and width that hold both."""
    (scale, width), (more, wider) = scale_and_width(one), scale_and_width(other)
    whole = max(width - scale, wider - more)
    return max(scale, more), whole + max(scale, more)


def _kept_narrow(width: int, one: str, other: str) -> int:
    widest = max(scale_and_width(one)[1], scale_and_width(other)[1])
    return min(width, _NARROW) if widest <= _NARROW else width


def _decimal(scale: int, width: int) -> str | None:
    return f"DECIMAL({min(width, _WIDEST)},{scale})" if scale <= _WIDEST else None
