"""What the reference provider needs of a protocol: how to read a request, and how to answer it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from modelscan.reference.faults import Fault
from modelscan.wire.protocol import WireProtocol

__all__ = ["Missing", "Surface"]

Missing = tuple[str, str]
"""(what to say, the parameter that is missing)"""


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
