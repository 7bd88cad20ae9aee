"""Python's parser, undisturbed."""

import ast
import gc
import threading

__all__ = ["parsed"]

_one_at_a_time = threading.Lock()


def parsed(source: str | bytes) -> ast.Module:
    """The syntax tree of `source`. Raises as ast.parse does.

    The garbage collector waits meanwhile. CPython 3.11 has one count of the depth for all parsing, and ends with a
    SystemError where something else is parsed in between; formatting a traceback does that, and a finalizer that the
    collector calls may format one.
    """
    with _one_at_a_time:
        collecting = gc.isenabled()
        gc.disable()
        try:
            return ast.parse(source)
        finally:
            if collecting:
                gc.enable()
