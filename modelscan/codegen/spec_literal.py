"""Reads the SPEC of a generated module without running it."""

import ast
from typing import Any

from pydantic import ValidationError

from modelscan.errors import GenerationRefused
from modelscan.types import ClientSpec

__all__ = ["BESIDE_SPEC", "read_literal", "read_spec"]

BESIDE_SPEC = ("digest", "records")
"""What a module's SPEC holds beside the specification's own fields."""


def read_spec(source: str | bytes) -> ClientSpec:
    """The specification that a module states. Raises GenerationRefused where there is none, or it is not whole."""
    literal = read_literal(source)
    try:
        spec = ClientSpec.model_validate({key: value for key, value in literal.items() if key not in BESIDE_SPEC})
    except ValidationError as error:
        raise _refused(f"its SPEC is not a specification: {error.errors()[0]['msg']}") from error
    if literal.get("digest") != spec.digest:
        raise _refused("its SPEC does not have the digest that it states")
    return spec


def read_literal(source: str | bytes) -> dict[str, Any]:
    """The whole SPEC literal."""
    try:
        for node in ast.parse(source).body:
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "SPEC":
                value = ast.literal_eval(node.value) if node.value else None
                if isinstance(value, dict):
                    return value
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _refused(f"it cannot be read: {error}") from error
    raise _refused("it has no SPEC")


def _refused(why: str) -> GenerationRefused:
    return GenerationRefused(f"This is no generated client: {why}.", hint="Generate it again: modelscan add PROVIDER.")
