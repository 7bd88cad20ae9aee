"""The smallest value that a JSON schema describes: a tool call's arguments, or an answer in a form asked for."""

from typing import Any

__all__ = ["example"]

_DEEPEST = 8
_PLAIN: dict[str, Any] = {"string": "example", "integer": 1, "number": 1.5, "boolean": True, "null": None}


def example(schema: Any, depth: int = 0) -> Any:
    """A value of `schema`; an empty object where it says nothing that is understood."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return {}
    if "const" in schema:
        return schema["const"]
    if isinstance(choices := schema.get("enum") or schema.get("anyOf") or schema.get("oneOf"), list):
        return choices[0] if "enum" in schema else example(choices[0], depth + 1)
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "array":
        return [example(schema.get("items"), depth + 1)]
    members = schema.get("properties")
    if isinstance(members, dict):
        wanted = schema.get("required", list(members))
        return {name: example(inner, depth + 1) for name, inner in members.items() if name in wanted}
    return _PLAIN.get(kind, {}) if isinstance(kind, str) else {}
