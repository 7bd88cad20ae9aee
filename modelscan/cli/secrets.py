"""How a command is given a key: as an option, from standard input, or typed without being shown."""

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["key_options", "read_key"]

Function = TypeVar("Function", bound=Callable[..., Any])


def key_options(command: Function) -> Function:
    """Give a command `--api-key` and `--api-key-stdin`."""
    key = click.option("--api-key", help="The provider's key. Other users of this machine can see a command line.")
    stdin = click.option("--api-key-stdin", is_flag=True, help="Read the key from standard input instead.")
    return key(stdin(command))


def read_key(api_key: str | None, from_stdin: bool) -> str | None:
    """The key without spaces around it, None where none was given; raises a usage error where both ways were."""
    if api_key is not None and from_stdin:
        raise click.UsageError("Give the key by --api-key or by --api-key-stdin, not by both.")
    text = sys.stdin.readline() if from_stdin else api_key
    if text is None:
        return None
    if not text.strip():
        raise click.UsageError("The key is empty.")
    return text.strip()
