"""What a protocol must do so that its callers reach the others' providers, and the others' callers its own."""

import json
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from modelscan.errors import InvalidInput
from modelscan.wire.chat.answer import Answer, Event
from modelscan.wire.chat.request import ChatRequest, Target, Written

__all__ = ["ProviderSide", "Spoke", "StreamIn", "StreamOut", "body_of", "compact", "named", "unique"]

Json = dict[str, Any]
_COMPACT = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_PREFIXES = ("chatcmpl-", "msg_", "resp_")
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")


class StreamIn(Protocol):
    """Reads a provider's stream: `Started` first, one part open at a time, `Finished` or `Failed` last."""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that the next bytes, split anywhere, bring to their end."""
        ...

    def end(self) -> list[Event]:
        """The events that are due when the connection ends; none after the last one."""
        ...


class StreamOut(Protocol):
    """Writes a stream for a caller."""

    def write(self, event: Event) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ProviderSide:
    """How a provider of a protocol is asked and understood. Readers of answers take what is there."""

    write_request: Callable[[ChatRequest, Target], Written]
    """Raises InvalidInput for what cannot be carried."""
    read_answer: Callable[[Any], Answer | None]
    """None for what is no answer."""
    stream_in: Callable[[], StreamIn]


@dataclass(frozen=True, slots=True)
class Spoke(ProviderSide):
    """A protocol that callers speak, too."""

    read_request: Callable[[Json], ChatRequest]
    """Raises InvalidInput."""
    write_answer: Callable[[Answer, Json], Json]
    """(answer, the caller's request) -> the answer in the caller's protocol; raises UpstreamFailed."""
    stream_out: Callable[[Json], StreamOut]
    """The caller's request -> a writer of its stream."""


def compact(value: Any) -> str:
    """JSON without a space, in ASCII."""
    return _COMPACT.encode(value)


def body_of(written: Written) -> bytes:
    """The request as bytes; raises InvalidInput for what JSON cannot say."""
    try:
        return compact(written.body).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "The body holds a number beyond all numbers, or is nested too deeply.", hint="Send plain JSON."
        ) from error


def named(prefix: str, id_: str) -> str:
    """An id as the caller's protocol spells them, and still the provider's."""
    known = id_ if _ID.fullmatch(id_) else uuid.uuid4().hex
    if known.startswith(prefix):
        return known
    for other in _PREFIXES:
        known = known.removeprefix(other)
    return prefix + known


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Each once, in their order."""
    return tuple(dict.fromkeys(names))
