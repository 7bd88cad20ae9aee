"""A stream written as Anthropic's events."""

from typing import Any

from modelscan.wire.anthropic_messages import error_body, stream_error
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
from modelscan.wire.messages.answers import usage, word_of

__all__ = ["StreamWriting"]

Json = dict[str, Any]
_DELTAS = {
    Text: ("text_delta", "text"),
    Refusal: ("text_delta", "text"),
    Thinking: ("thinking_delta", "thinking"),
    ToolCall: ("input_json_delta", "partial_json"),
}


class StreamWriting:
    """Turns events into Anthropic's. The counts go out at the end, when all providers have said theirs."""

    def __init__(self, _asked: Json) -> None:
        self._delta = _DELTAS[Text]
        self._stop = Stopped("end")
        self._counts = TokenCounts()

    def write(self, event: Event) -> bytes:
        """The bytes of an event; empty where this protocol has none for it."""
        match event:
            case Delta(index, text):
                kind, name = self._delta
                return _event("content_block_delta", index=index, delta={"type": kind, name: text})
            case PartStarted(index, part):
                self._delta = _DELTAS[type(part)]
                return _event("content_block_start", index=index, content_block=_begun(part))
            case Signed(index, signature):
                delta = {"type": "signature_delta", "signature": signature}
                return _event("content_block_delta", index=index, delta=delta)
            case PartEnded(index):
                return _event("content_block_stop", index=index)
            case Started():
                return self._start(event)
            case Stopped():
                self._stop = event
            case Counted(counts):
                self._counts = counts
            case Failed(message, code):
                return stream_error(error_body(502, message, code=code))
            case Finished():
                ended: Json = {"stop_reason": word_of(self._stop.stop), "stop_sequence": self._stop.stop_sequence}
                counted = {name: count for name, count in usage(self._counts).items() if count is not None}
                return _event("message_delta", delta=ended, usage=counted) + _event("message_stop")
        return b""

    def _start(self, event: Started) -> bytes:
        self._counts = event.counts
        message: Json = {
            "id": named("msg_", event.id),
            "type": "message",
            "role": "assistant",
            "model": event.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(event.counts),
        }
        return _event("message_start", message=message)


def _begun(part: Text | Refusal | Thinking | ToolCall) -> Json:
    match part:
        case ToolCall(id_, name, _):
            return {"type": "tool_use", "id": id_, "name": name, "input": {}}
        case Thinking(hidden=hidden) if hidden:
            return {"type": "redacted_thinking", "data": hidden}
        case Thinking():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case _:
            return {"type": "text", "text": ""}


def _event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {compact({'type': kind, **members})}\n\n".encode()
