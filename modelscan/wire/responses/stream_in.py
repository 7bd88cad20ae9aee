"""A stream of OpenAI's Responses, read event by event."""

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
    Signed,
    Started,
    Stopped,
)
from modelscan.wire.chat.foreign import EventData, TooLong, member, said_error, words
from modelscan.wire.chat.parts import Part, Refusal, Text, Thinking, ToolCall
from modelscan.wire.responses.answers import counts_of, parts_of, stop_of

__all__ = ["StreamReading"]

Json = dict[str, Any]
_DELTAS: dict[str, type[Text | Refusal | Thinking | ToolCall]] = {
    "response.output_text.delta": Text,
    "response.refusal.delta": Refusal,
    "response.reasoning_summary_text.delta": Thinking,
    "response.reasoning_text.delta": Thinking,
    "response.function_call_arguments.delta": ToolCall,
}
_ENDS = ("response.completed", "response.incomplete")


class StreamReading:
    """Turns OpenAI's events into the neutral ones; each part begins with its first delta, or at its item's end."""

    def __init__(self) -> None:
        self._data = EventData()
        self._begun = self._over = False
        self._parts = -1
        self._open: type[Text | Refusal | Thinking | ToolCall] | None = None
        self._said: list[Part] = []
        """Kinds of the parts that were told, which say why a stream stopped."""
        self._told: set[Any] = set()
        """Places in the output of which something was told."""
        self._calls: dict[Any, Json] = {}

    def feed(self, chunk: bytes) -> list[Event]:
        return self._events(self._data.feed(chunk))

    def end(self) -> list[Event]:
        events = [] if self._over else self._events(self._data.end())
        return [*events, *self._fail("The provider's stream broke off.")]

    def _events(self, found: Iterator[Json | None]) -> list[Event]:
        events: list[Event] = []
        try:
            for data in found:
                if data is not None and not self._over:
                    events += self._read(data)
        except TooLong:
            events += self._fail("The provider's stream holds an event beyond all measure.")
        return events

    def _read(self, event: Json) -> Iterator[Event]:
        kind, place = words(event, "type"), _place(event)
        response = member(event, "response")
        if kind in _DELTAS:
            yield from self._delta(_DELTAS[kind], place, words(event, "delta"))
        elif kind == "response.output_item.added":
            self._calls[place] = member(event, "item")
            yield from self._close()
        elif kind == "response.output_item.done":
            yield from self._item(place, member(event, "item"))
        elif kind == "response.reasoning_summary_part.added" and self._open is Thinking:
            yield Delta(self._parts, "\n\n")
        elif kind in ("response.created", "response.in_progress") and not self._begun:
            self._begun = True
            yield Started(words(response, "id"), words(response, "model"))
        elif kind in _ENDS:
            yield from self._finish(response)
        elif kind in ("response.failed", "error"):
            message, code = said_error(response or event)
            yield from self._fail(message or "The provider failed.", code)

    def _delta(self, kind: type[Text | Refusal | Thinking | ToolCall], place: Any, text: str) -> Iterator[Event]:
        if not text:
            return
        if self._open is not kind or place not in self._told:
            yield from self._begin(kind, place)
        yield Delta(self._parts, text)

    def _begin(self, kind: type[Text | Refusal | Thinking | ToolCall], place: Any) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            yield Started("", "")
        yield from self._close()
        item = self._calls.get(place, {})
        call = kind is ToolCall
        part = ToolCall(words(item, "call_id"), words(item, "name"), "") if call else kind("")  # type: ignore[call-arg]
        self._parts += 1
        self._open = kind
        self._told.add(place)
        self._said.append(part)
        yield PartStarted(self._parts, part)

    def _item(self, place: Any, item: Json) -> Iterator[Event]:
        """Its end: what no delta told is told now."""
        self._calls[place] = item
        told = place in self._told
        for part in parts_of(item):
            if isinstance(part, Thinking):
                yield from self._sealed(part, place, told=told)
            elif not told:
                yield from self._begin(type(part), place)  # type: ignore[arg-type]  # One that a model says.
                if text := part.arguments if isinstance(part, ToolCall) else getattr(part, "text", ""):
                    yield Delta(self._parts, text)
        yield from self._close()

    def _sealed(self, part: Thinking, place: Any, *, told: bool) -> Iterator[Event]:
        if not told:
            yield from self._close()
            self._parts += 1
            self._open = Thinking
            self._told.add(place)
            yield PartStarted(self._parts, Thinking("", "", part.hidden))
            if part.text:
                yield Delta(self._parts, part.text)
        if part.signature and self._open is Thinking:
            yield Signed(self._parts, part.signature)

    def _close(self) -> Iterator[Event]:
        if self._open is not None:
            yield PartEnded(self._parts)
            self._open = None

    def _finish(self, response: Json) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            yield Started(words(response, "id"), words(response, "model"))
        yield from self._close()
        self._over = True
        yield Stopped(stop_of(response, tuple(self._said)))
        yield Counted(counts_of(response))
        yield Finished()

    def _fail(self, message: str, code: str | None = None) -> Iterator[Event]:
        if not self._over:
            self._over = True
            yield Failed(message, code)


def _place(event: Json) -> int | None:
    place = event.get("output_index")
    return place if isinstance(place, int) else None
