"""The seat belt: a generated module that holds anything but what the templates write is refused."""

import ast

from modelscan.codegen.parsing import parsed
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused
from modelscan.types import ClientSpec
from modelscan.wire import Vocabulary, protocol_of

__all__ = ["check"]

_MAX_BYTES = 4 * 2**20
_TOP = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.ClassDef, ast.FunctionDef)
_FORBIDDEN_NODES = (
    ast.Global,
    ast.Nonlocal,
    ast.Delete,
    ast.AsyncFunctionDef,
    ast.Await,
    ast.Yield,
    ast.YieldFrom,
    ast.With,
    ast.AsyncWith,
    ast.Try,
    ast.While,
    ast.For,
    ast.AsyncFor,
    ast.NamedExpr,
    ast.Lambda,
    ast.Match,
)


def check(source: str, spec: ClientSpec) -> None:
    """Raise GenerationRefused, naming line and construct, unless `source` is a client of exactly this specification."""
    if len(source.encode()) > _MAX_BYTES:
        raise _refused(0, f"more than {_MAX_BYTES} bytes")
    if read_spec(source).digest != spec.digest:
        raise _refused(0, "the SPEC of another specification")
    tree = parsed(source)
    vocabulary = protocol_of(spec).vocabulary
    for top in tree.body[1:]:
        if not isinstance(top, _TOP):
            raise _refused(top.lineno, f"{type(top).__name__} at module level")
    for node in ast.walk(tree):
        _check_node(node, vocabulary)


def _check_node(node: ast.AST, allowed: Vocabulary) -> None:
    line = getattr(node, "lineno", 0)
    if isinstance(node, _FORBIDDEN_NODES) and type(node).__name__ not in allowed.syntax:
        raise _refused(line, type(node).__name__)
    if isinstance(node, ast.Import) and (names := {name.name for name in node.names} - allowed.imports):
        raise _refused(line, f"import of {', '.join(sorted(names))}")
    if isinstance(node, ast.ImportFrom) and (node.level or node.module not in allowed.imports):
        raise _refused(line, f"import from {node.module}")
    if isinstance(node, ast.Name) and node.id not in allowed.names:
        raise _refused(line, f"the name {node.id}")
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and _root(node) == "SPEC":
        raise _refused(line, "a statement by which the SPEC is changed")
    if isinstance(node, ast.Attribute) and node.attr not in allowed.attributes:
        raise _refused(line, f"the attribute {node.attr}")


def _root(node: ast.AST) -> str:
    """The name that something is taken from, as `SPEC` of `SPEC["auth"]["header"]`."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _refused(line: int, what: str) -> GenerationRefused:
    return GenerationRefused(
        f"The generated module was refused: line {line} holds {what}.",
        hint="Nothing was published. Please report this with the provider's name.",
        line=line,
    )
