"""Reads the SPEC of a generated module without running it."""

import ast
from typing import Any

from pydantic import ValidationError

from modelscan.codegen.parsing import parsed
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
        tree = parsed(source)
        stated = [node for node in tree.body if isinstance(node, ast.AnnAssign) and _is_spec(node.target)]
        value = ast.literal_eval(stated[0].value) if stated and stated[0].value else None
        changes = [
            node for node in ast.walk(tree) if _is_spec(node) and not isinstance(getattr(node, "ctx", None), ast.Load)
        ]
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _refused(f"it cannot be read: {error}") from error
    if not isinstance(value, dict):
        raise _refused("it has no SPEC")
    if len(changes) > 1:
        raise _refused("it gives SPEC a value more than once")
    return value


def _is_spec(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "SPEC"


def _refused(why: str) -> GenerationRefused:
    return GenerationRefused(f"This is no generated client: {why}.", hint="Generate it again: modelscan add PROVIDER.")
