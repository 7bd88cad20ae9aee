"""Python's parser, for one thread at a time."""

import ast
import threading

__all__ = ["parsed"]

_one_at_a_time = threading.Lock()


def parsed(source: str | bytes) -> ast.Module:
    """The syntax tree of `source`. Raises as ast.parse does.

    CPython 3.11 keeps one count of the depth for all threads together, and ends with a SystemError where a thread is
    interrupted by another one that parses.
    """
    with _one_at_a_time:
        return ast.parse(source)
