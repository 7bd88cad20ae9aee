"""JSON of foreign origin: read only where it can be stored and read again."""

import json
import math
from typing import Any

__all__ = ["json_of"]

_DEPTH = 64
_DIGITS = 40


def json_of(body: bytes) -> Any:
    """JSON that can be stored and read again, else None.

    Without NaN and numbers that are none or too long, half a surrogate pair, or 65 lists within each other.
    """
    try:
        parsed = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_short)
        if b"\\u" in body:
            json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return parsed if _is_shallow(parsed) else None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    if not math.isfinite(number := float(digits)):
        raise ValueError("a number beyond all numbers")
    return number


def _short(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError("a number of more digits than anything counts")
    return int(digits)


def _is_shallow(parsed: Any) -> bool:
    """Whether no list or object lies within more than `_DEPTH`; pydantic refuses at 255, and Python somewhat later."""
    level = [parsed] if isinstance(parsed, dict | list) else []
    for _ in range(_DEPTH):
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [one for some in inner for one in some if isinstance(one, dict | list)]
        if not level:
            return True
    return False
