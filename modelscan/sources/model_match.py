"""Which of a provider's model ids a row of genai-prices speaks of: its match clause, kept as JSON and applied."""

from collections.abc import Callable
from typing import Any

from pydantic import JsonValue

__all__ = ["clause_of", "fits"]

_DEEP = 4
_MANY = 200
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "equals": str.__eq__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
}
"""Regular expressions are passed over: one from outside can be written so that it never ends."""


def clause_of(theirs: Any, deep: int = _DEEP) -> dict[str, JsonValue] | None:
    """A clause of their live JSON or of what their package ships, as plain JSON; None for what is not understood."""
    for kind in _TESTS:
        if isinstance(text := _member(theirs, kind), str):
            return {kind: text.lower()}
    for kind in ("or", "and"):
        if deep and isinstance(inner := _member(theirs, kind), list) and len(inner) <= _MANY:
            clauses = [clause_of(one, deep - 1) for one in inner]
            if kind == "and" and None in clauses:
                return None
            kept: list[JsonValue] = [clause for clause in clauses if clause]
            return {kind: kept} if kept else None
    return None


def fits(clause: JsonValue, model: str) -> bool:
    """Whether a clause of `clause_of` speaks of this model; never where it is none."""
    match clause:
        case {"or": list(inner)}:
            return any(fits(one, model) for one in inner)
        case {"and": list(inner)}:
            return all(fits(one, model) for one in inner)
        case dict():
            return any(
                isinstance(text := clause.get(kind), str) and test(model.lower(), text) for kind, test in _TESTS.items()
            )
    return False


def _member(theirs: Any, kind: str) -> Any:
    """`or` and `and` are `or_` and `and_` in their package."""
    if isinstance(theirs, dict):
        return theirs.get(kind)
    return getattr(theirs, kind, getattr(theirs, f"{kind}_", None))
