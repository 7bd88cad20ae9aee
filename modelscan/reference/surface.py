"""What the reference provider needs of a protocol: how to read a request, and how to answer it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from modelscan.reference.faults import Fault
from modelscan.wire.protocol import WireProtocol

__all__ = ["Missing", "Surface", "as_it_is"]

Missing = tuple[str, str]
"""(what to say, the parameter that is missing)"""


def as_it_is(asked: dict[str, Any], _model: str | None, _streamed: bool) -> dict[str, Any]:
    """The body says all: model, messages, limit and whether to stream."""
    return asked


@dataclass(frozen=True)
class Surface:
    """One protocol, spoken."""

    protocol: WireProtocol
    missing: Callable[[dict[str, Any]], Missing | None]
    """What a request lacks, beside its model."""
    answer: Callable[[dict[str, Any], Fault], Response]
    count: Callable[[dict[str, Any]], dict[str, Any]]
    """The answer to a request to count tokens."""
    models: Callable[[Sequence[str]], dict[str, Any]]
    model: Callable[[str], dict[str, Any]]
    embed: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """The answer to a request for vectors, in protocols that have such."""
    read: Callable[[dict[str, Any], str | None, bool], dict[str, Any]] = as_it_is
    """(body, the model that the path names, whether the path is a stream's) -> `model`, `messages`, and so on."""
