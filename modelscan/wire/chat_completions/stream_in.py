"""A stream of chat completions, read event by event."""

from collections.abc import Iterator
from typing import Any

from modelscan.wire.chat.answer import (
    Counted,
    Delta,
    Event,
    Failed,
    Finished,
    PartEnded,
    PartStarted,
    Started,
    Stopped,
    TokenCounts,
)
from modelscan.wire.chat.foreign import EventData, TooLong, member, rows, said_error, words
from modelscan.wire.chat.parts import Refusal, Text, Thinking, ToolCall
from modelscan.wire.chat_completions.answers import counts_of, new_call_id, stop_of, thought_and_said

__all__ = ["StreamReading"]

Json = dict[str, Any]
_NOTHING = TokenCounts()


class StreamReading:
    """Turns chunks into events. Calls come one after the other, each known by its place or a new id."""

    def __init__(self) -> None:
        self._data = EventData()
        self._begun = self._over = False
        self._parts = -1
        self._open: type[Text | Refusal | Thinking | ToolCall] | None = None
        self._place: int | None = None
        """Of the call that is open."""
        self._call_id = self._pending_id = ""
        self._closed: set[int] = set()
        self._nameless = ""
        """Arguments that came before the name of their function."""
        self._reason = ""
        self._called = self._refused = False
        self._counts = _NOTHING

    def feed(self, chunk: bytes) -> list[Event]:
        return self._told(self._data.feed(chunk))

    def end(self) -> list[Event]:
        events = [] if self._over else self._told(self._data.end())
        if not self._over:
            # Some end with the connection, and not with [DONE]; a stream without a reason was cut.
            events += self._finish() if self._reason else self._fail("The provider's stream broke off.")
        return events

    def _told(self, found: Iterator[Json | None]) -> list[Event]:
        events: list[Event] = []
        try:
            for data in found:
                if not self._over:
                    events += self._finish() if data is None else self._read(data)
        except TooLong:
            events += self._fail("The provider's stream holds an event beyond all measure.")
        return events

    def _read(self, chunk: Json) -> Iterator[Event]:
        if chunk.get("error"):
            message, code = said_error(chunk)
            yield from self._fail(message or "The provider failed.", code)
            return
        choices = rows(chunk, "choices")[:1]
        if choices and not self._begun:  # Before it some send a chunk of another kind, which names no model.
            self._begun = True
            yield Started(words(chunk, "id"), words(chunk, "model"), self._counts)
        for choice in choices:
            yield from self._delta(member(choice, "delta"))
            self._reason = words(choice, "finish_reason") or self._reason
        if (counts := counts_of(chunk)) != _NOTHING:
            self._counts = counts
            if self._begun:
                yield Counted(counts)

    def _delta(self, delta: Json) -> Iterator[Event]:
        thought, said = thought_and_said(delta)
        yield from self._said(Thinking, thought)
        yield from self._said(Text, said)
        yield from self._said(Refusal, words(delta, "refusal"))
        for call in rows(delta, "tool_calls"):
            if not self._over:
                yield from self._call(call)

    def _said(self, kind: type[Text | Refusal | Thinking], text: str) -> Iterator[Event]:
        if not text:
            return
        if self._open is not kind:
            yield from self._begin(kind(""))
        yield Delta(self._parts, text)

    def _call(self, call: Json) -> Iterator[Event]:
        function, id_, place = member(call, "function"), words(call, "id"), call.get("index")
        name, arguments = words(function, "name"), words(function, "arguments")
        place = place if isinstance(place, int) else None
        if self._is_new(place, id_, name):
            if place in self._closed and not id_:
                yield from self._fail("The provider went on with a call of a tool after another had begun.")
                return
            if not name:
                self._nameless += arguments
                self._pending_id = id_ or self._pending_id
                return
            id_, arguments = id_ or self._pending_id or new_call_id(), self._nameless + arguments
            self._nameless = self._pending_id = ""
            yield from self._begin(ToolCall(id_, name, ""))
            self._place, self._call_id = place, id_
        if arguments:
            yield Delta(self._parts, arguments)

    def _is_new(self, place: int | None, id_: str, name: str) -> bool:
        if self._open is not ToolCall:
            return True
        # Some give each call the place 0, and an id of its own; some no place at all.
        return (place is not None and place != self._place) or (bool(id_ and name) and id_ != self._call_id)

    def _begin(self, part: Text | Refusal | Thinking | ToolCall) -> Iterator[Event]:
        yield from self._close()
        self._parts += 1
        self._open = type(part)
        self._called = self._called or self._open is ToolCall
        self._refused = self._refused or self._open is Refusal
        yield PartStarted(self._parts, part)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield PartEnded(self._parts)
            if self._open is ToolCall and self._place is not None:
                self._closed.add(self._place)
            self._open = self._place = None

    def _finish(self) -> Iterator[Event]:
        if not self._begun or self._nameless:
            what = "calls a tool without its name" if self._nameless else "holds nothing"
            yield from self._fail(f"The provider's stream {what}.")
            return
        yield from self._close()
        self._over = True
        yield Stopped(stop_of(self._reason, called=self._called, refused=self._refused))
        yield Finished()

    def _fail(self, message: str, code: str | None = None) -> Iterator[Event]:
        if not self._over:
            self._over = True
            yield Failed(message, code)
