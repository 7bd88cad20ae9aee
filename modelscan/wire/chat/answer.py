"""An answer to a chat in no protocol's words, whole and as the events of a stream."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from modelscan.wire.chat.parts import Part, Refusal, Text, Thinking, ToolCall

__all__ = [
    "Answer",
    "Counted",
    "Delta",
    "Event",
    "Failed",
    "Finished",
    "PartEnded",
    "PartStarted",
    "Signed",
    "Started",
    "Stop",
    "Stopped",
    "TokenCounts",
    "events_of",
]

Stop = Literal["end", "length", "tool", "stop_sequence", "refusal", "pause", "context"]
"""Why the model stopped; `context`: its window was full, `pause`: its provider wants to be asked to go on."""


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """None where the provider does not say. What was read from or written to a cache is part of `prompt`."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None
    cache_written: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The whole answer."""

    id: str
    model: str
    parts: tuple[Part, ...]
    stop: Stop = "end"
    stop_sequence: str | None = None
    counts: TokenCounts = TokenCounts()


@dataclass(frozen=True, slots=True)
class Started:
    """The first event of each stream."""

    id: str
    model: str
    counts: TokenCounts = TokenCounts()


@dataclass(frozen=True, slots=True)
class PartStarted:
    """A part begins, empty but for what `Delta` does not bring; no other is open."""

    index: int
    part: Text | Refusal | Thinking | ToolCall


@dataclass(frozen=True, slots=True)
class Delta:
    """More of the open part: its text, or its arguments."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Signed:
    """The signature of the thoughts that are open."""

    index: int
    signature: str


@dataclass(frozen=True, slots=True)
class PartEnded:
    """The open part is whole."""

    index: int


@dataclass(frozen=True, slots=True)
class Stopped:
    """Why the model stopped."""

    stop: Stop
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """The tokens so far; the last one counts."""

    counts: TokenCounts


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider broke off, or said that it failed; nothing comes after it."""

    message: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a stream that ended well."""


Event = Started | PartStarted | Delta | Signed | PartEnded | Stopped | Counted | Failed | Finished


def events_of(answer: Answer) -> Iterator[Event]:
    """The stream that a whole answer would have been."""
    yield Started(answer.id, answer.model, answer.counts)
    for index, part in enumerate(answer.parts):
        match part:
            case Text(text) | Refusal(text):
                yield PartStarted(index, type(part)(""))
                yield Delta(index, text)
            case Thinking(text, signature, hidden):
                yield PartStarted(index, Thinking("", "", hidden))
                if text:
                    yield Delta(index, text)
                if signature:
                    yield Signed(index, signature)
            case ToolCall(id_, name, arguments):
                yield PartStarted(index, ToolCall(id_, name, ""))
                yield Delta(index, arguments)
            case _:
                raise TypeError(f"no model says a {type(part).__name__}")
        yield PartEnded(index)
    yield Stopped(answer.stop, answer.stop_sequence)
    yield Counted(answer.counts)
    yield Finished()
