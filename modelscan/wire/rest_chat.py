"""Chats with custom REST services: written and read as their mapping says, which knows text alone."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from modelscan.types import RestMapping
from modelscan.wire.chat.answer import (
    Answer,
    Counted,
    Delta,
    Event,
    Failed,
    Finished,
    PartEnded,
    PartStarted,
    Started,
    Stop,
    Stopped,
    TokenCounts,
)
from modelscan.wire.chat.members import not_carried
from modelscan.wire.chat.parts import Refusal, Text, Thinking
from modelscan.wire.chat.request import ChatRequest, Target, Turn, Written
from modelscan.wire.chat.spoke import ProviderSide, unique
from modelscan.wire.protocol import Usage
from modelscan.wire.rest_mapping import PieceReader, Said, answer_of, request_body, usage_after
from modelscan.wire.sse import TooLong

__all__ = ["rest_side"]

_STOPS: dict[str, Stop] = {"stop": "end", "length": "length", "tool_calls": "tool", "content_filter": "refusal"}


def rest_side(mapping: RestMapping) -> ProviderSide:
    """The provider's side of a mapping."""
    return ProviderSide(
        write_request=partial(_write_request, mapping),
        read_answer=partial(_read_answer, mapping),
        stream_in=partial(_StreamReading, mapping),
    )


def _write_request(mapping: RestMapping, asked: ChatRequest, target: Target) -> Written:
    if asked.tools and (asked.tool_choice is None or asked.tool_choice.kind != "none"):
        raise not_carried("tools", "tools", "Ask a model of a provider that takes tools.")
    if asked.format and asked.format.schema is not None:
        raise not_carried("response_format", "a schema of the answer", "Ask for the form in words.")
    dropped = [*asked.dropped, *asked.extras]
    messages = [{"role": turn.role, "content": _text(turn, dropped)} for turn in asked.turns]
    options = {"max_tokens": asked.limit, "temperature": asked.temperature, "top_p": asked.top_p}
    said = {**options, "stop": list(asked.stop) or None}
    left: dict[str, Any] = {
        "reasoning_effort": asked.effort,
        "user": asked.user,
        "tools": asked.tools,
        "response_format": asked.format,
    }
    left |= {name: value for name, value in said.items() if getattr(mapping.request, name) is None}
    dropped += [name for name, value in left.items() if value]
    body = request_body(mapping, model=target.model, messages=messages, stream=asked.stream, options=said)
    return Written(body, unique(dropped))


def _text(turn: Turn, dropped: list[str]) -> str:
    said = []
    for part in turn.parts:
        if isinstance(part, Text | Refusal):
            said.append(part.text)
        elif isinstance(part, Thinking):
            dropped.append("messages.thinking")
        else:
            raise not_carried("messages.content", f"a {type(part).__name__}", "Send text.")
    return ("" if turn.role == "assistant" else "\n\n").join(said)


def _counts(usage: Usage) -> TokenCounts:
    return TokenCounts(usage.prompt, usage.completion, usage.cached, usage.cache_write, usage.reasoning)


def _read_answer(mapping: RestMapping, payload: Any) -> Answer | None:
    said = answer_of(mapping, payload)
    if said.error or not (said.text or said.finish):
        return None
    parts = (Text(said.text),) if said.text else ()
    return Answer("", "", parts, _STOPS[said.finish or "stop"], None, _counts(said.usage))


class _StreamReading:
    """Turns pieces into events; a stream whose end the mapping names was cut where that did not come."""

    def __init__(self, mapping: RestMapping) -> None:
        self._pieces = PieceReader(mapping)
        self._ends_with_connection = mapping.stream.end == "connection"
        self._begun = self._told = self._over = False
        self._stop: Stop | None = None
        self._usage = Usage()

    def feed(self, chunk: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for said in self._pieces.feed(chunk):
                if not self._over:
                    events += self._piece(said)
        except TooLong:
            events += self._fail("The provider's stream holds a piece beyond all measure.")
        return events + (list(self._finish()) if self._pieces.ended and not self._over else [])

    def _piece(self, said: Said) -> Iterator[Event]:
        if said.error:
            yield from self._fail(said.error)
            return
        yield from self._told_of(said.text)
        self._stop = _STOPS[said.finish] if said.finish else self._stop
        self._usage = usage_after(self._usage, said.usage)

    def _fail(self, message: str) -> Iterator[Event]:
        if not self._over:
            self._over = True
            yield Failed(message)

    def end(self) -> list[Event]:
        if self._over:
            return []
        # The last line of some streams has no end of its own.
        last = self.feed(b"\n")
        if self._over:
            return last
        if self._ends_with_connection and (self._told or self._stop):
            return [*last, *self._finish()]
        return [*last, *self._fail("The provider's stream broke off.")]

    def _told_of(self, text: str) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            yield Started("", "")
        if text:
            if not self._told:
                self._told = True
                yield PartStarted(0, Text(""))
            yield Delta(0, text)

    def _finish(self) -> Iterator[Event]:
        yield from self._told_of("")
        if self._told:
            yield PartEnded(0)
        self._over = True
        yield Stopped(self._stop or "end")
        yield Counted(_counts(self._usage))
        yield Finished()
