"""A stream of Anthropic's Messages, read event by event."""

from collections.abc import Iterator
from typing import Any

from modelscan.errors import UpstreamFailed
from modelscan.wire.chat.answer import (
    Counted,
    Delta,
    Event,
    Failed,
    Finished,
    PartEnded,
    PartStarted,
    Signed,
    Started,
    Stopped,
    TokenCounts,
)
from modelscan.wire.chat.foreign import EventData, TooLong, member, rows, said_error, words
from modelscan.wire.chat.parts import Text, Thinking, ToolCall
from modelscan.wire.messages.answers import counts_of, part_of, stop_of

__all__ = ["StreamReading"]

Json = dict[str, Any]
_DELTAS = {"text_delta": (Text, "text"), "thinking_delta": (Thinking, "thinking")}
_DELTAS |= {"input_json_delta": (ToolCall, "partial_json")}


class StreamReading:
    """Turns Anthropic's events into the neutral ones; blocks of its own tools are passed over."""

    def __init__(self) -> None:
        self._data = EventData()
        self._begun = self._over = False
        self._id = ""
        self._parts = -1
        self._open: type[Text | Thinking | ToolCall] | None = None
        self._block: Any = None
        """The number of the open block."""
        self._given = ""
        """Arguments that came with the start of a call, which count where no delta comes."""
        self._stop: Stopped | None = None
        self._usage: Json = {}
        self._counts = TokenCounts()

    def feed(self, chunk: bytes) -> list[Event]:
        return self._told(self._data.feed(chunk))

    def end(self) -> list[Event]:
        events = [] if self._over else self._told(self._data.end())
        if not self._over:
            events += self._finish() if self._stop else self._fail("The provider's stream broke off.")
        return events

    def _told(self, found: Iterator[Json | None]) -> list[Event]:
        events: list[Event] = []
        try:
            for data in found:
                if data is not None and not self._over:
                    events += self._read(data)
        except TooLong:
            events += self._fail("The provider's stream holds an event beyond all measure.")
        except UpstreamFailed as error:
            events += self._fail(error.message)
        return events

    def _read(self, event: Json) -> Iterator[Event]:
        match event.get("type"):
            case "content_block_delta":
                yield from self._delta(event.get("index"), member(event, "delta"))
            case "content_block_start":
                yield from self._begin(event.get("index"), member(event, "content_block"))
            case "content_block_stop":
                if self._open and event.get("index") == self._block:
                    yield from self._close()
            case "message_start":
                yield from self._start(member(event, "message"))
            case "message_delta":
                self._count(event)
                delta = member(event, "delta")
                if reason := words(delta, "stop_reason"):
                    self._stop = Stopped(stop_of(reason), words(delta, "stop_sequence") or None)
            case "message_stop":
                yield from self._finish()
            case "error":
                message_, code = said_error(event)
                yield from self._fail(message_ or "The provider failed.", code)

    def _start(self, message: Json) -> Iterator[Event]:
        id_ = words(message, "id")
        if not self._begun:
            self._begun, self._id = True, id_
            self._count(message)
            yield Started(id_, words(message, "model"), self._counts)
            for place, block in enumerate(rows(message, "content")):  # What the answer begins with, whole.
                yield from self._begin(place, block)
            yield from self._close()
        elif id_ != self._id and self._parts >= 0:  # Some send the same one twice.
            yield from self._fail("The provider began another answer before it had ended this one.")

    def _count(self, payload: Json) -> None:
        """Counts are totals; one that comes later takes the place of the one before, unless it says nothing."""
        new = member(payload, "usage")
        self._usage |= {name: count for name, count in new.items() if count or name not in self._usage}
        self._counts = counts_of({"usage": self._usage})

    def _begin(self, block: Any, content: Json) -> Iterator[Event]:
        yield from self._begun_at_all()
        yield from self._close()
        part = part_of(content)
        if part is None:
            return
        self._parts += 1
        self._open, self._block = type(part), block
        match part:
            case ToolCall(id_, name, arguments):
                self._given = "" if arguments == "{}" else arguments
                yield PartStarted(self._parts, ToolCall(id_, name, ""))
            case Text(text):
                yield PartStarted(self._parts, Text(""))
                if text:
                    yield Delta(self._parts, text)
            case Thinking(text, signature, hidden):
                yield PartStarted(self._parts, Thinking("", "", hidden))
                if text:
                    yield Delta(self._parts, text)
                if signature:
                    yield Signed(self._parts, signature)

    def _begun_at_all(self) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            yield Started("", "", self._counts)

    def _delta(self, block: Any, delta: Json) -> Iterator[Event]:
        if self._open is None or block != self._block:
            return
        kind = words(delta, "type")
        if kind == "signature_delta" and self._open is Thinking:
            yield Signed(self._parts, words(delta, "signature"))
        opened, name = _DELTAS.get(kind, (None, ""))
        if opened is self._open and (text := words(delta, name)):
            self._given = ""
            yield Delta(self._parts, text)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            if self._given:
                yield Delta(self._parts, self._given)
            yield PartEnded(self._parts)
            self._open, self._given = None, ""

    def _finish(self) -> Iterator[Event]:
        yield from self._begun_at_all()
        yield from self._close()
        self._over = True
        yield self._stop or Stopped("end")
        yield Counted(self._counts)
        yield Finished()

    def _fail(self, message: str, code: str | None = None) -> Iterator[Event]:
        if not self._over:
            self._over = True
            yield Failed(message, code)
