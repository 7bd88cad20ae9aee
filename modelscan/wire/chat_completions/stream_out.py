"""A stream written as chunks of chat completions."""

import time
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
    TokenCounts,
)
from modelscan.wire.chat.parts import Refusal, Text, Thinking, ToolCall
from modelscan.wire.chat.spoke import compact, named
from modelscan.wire.chat_completions.answers import thinking_block, usage, word_of
from modelscan.wire.openai_chat import stream_error
from modelscan.wire.openai_error import error_body

__all__ = ["StreamWriting"]

Json = dict[str, Any]
_MEMBERS = {Text: "content", Refusal: "refusal", Thinking: "reasoning_content"}


class StreamWriting:
    """Turns events into chunks, and ends with `[DONE]`."""

    def __init__(self, asked: Json) -> None:
        options = asked.get("stream_options")
        self._tells_usage = isinstance(options, dict) and options.get("include_usage") is True
        self._head: Json = {}
        self._part: Text | Refusal | Thinking | ToolCall = Text("")
        self._calls = self._blocks = 0
        self._written = ""
        """The text of what is signed, or arguments: whatever must be known when the part ends."""
        self._signature = ""
        self._refused = False
        self._counts = TokenCounts()

    def write(self, event: Event) -> bytes:
        """The bytes of an event; empty where this protocol has none for it."""
        match event:
            case Delta(_, text):
                return self._delta(text)
            case PartStarted(_, part):
                return self._begin(part)
            case Signed(_, signature):
                self._signature = signature
            case PartEnded():
                return self._end()
            case Started(id_, model, counts):
                self._head = {"id": named("chatcmpl-", id_), "object": "chat.completion.chunk"}
                self._head |= {"created": int(time.time()), "model": model}
                self._counts = counts
                return self._chunk({"role": "assistant", "content": ""})
            case Stopped(stop):
                return self._chunk({}, word_of(stop, refused=self._refused))
            case Counted(counts):
                self._counts = counts
            case Failed(message, code):
                return stream_error(error_body(502, message, code=code))
            case Finished():
                return self._usage() + b"data: [DONE]\n\n"
        return b""

    def _begin(self, part: Text | Refusal | Thinking | ToolCall) -> bytes:
        self._part, self._written, self._signature = part, "", ""
        self._refused = self._refused or isinstance(part, Refusal)
        if not isinstance(part, ToolCall):
            return b""
        self._calls += 1
        function = {"name": part.name, "arguments": ""}
        return self._call({"id": part.id, "type": "function", "function": function})

    def _delta(self, text: str) -> bytes:
        if isinstance(self._part, ToolCall):
            self._written = "."
            return self._call({"function": {"arguments": text}})
        if isinstance(self._part, Thinking):
            self._written += text
        return self._chunk({_MEMBERS[type(self._part)]: text})

    def _end(self) -> bytes:
        if isinstance(self._part, ToolCall) and not self._written:
            return self._call({"function": {"arguments": "{}"}})  # OpenAI never sends none at all.
        if isinstance(self._part, Thinking) and (self._signature or self._part.hidden):
            block = thinking_block(Thinking(self._written, self._signature, self._part.hidden))
            self._blocks += 1
            return self._chunk({"thinking_blocks": [{"index": self._blocks - 1, **block}]})
        return b""

    def _call(self, call: Json) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls - 1, **call}]})

    def _chunk(self, delta: Json, reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return _data({**self._head, "choices": [choice]})

    def _usage(self) -> bytes:
        if not self._tells_usage:
            return b""
        return _data({**self._head, "choices": [], "usage": usage(self._counts)})


def _data(chunk: Json) -> bytes:
    return b"data: " + compact(chunk).encode() + b"\n\n"
