"""A stream written as the events of OpenAI's Responses."""

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
from modelscan.wire.responses.answers import ended, frame, item_id, item_of, usage

__all__ = ["StreamWriting"]

Json = dict[str, Any]
Spoken = Text | Refusal | Thinking | ToolCall


class StreamWriting:
    """Turns events into OpenAI's, which tell each part when it begins, piece by piece, and once more as a whole."""

    def __init__(self, asked: Json) -> None:
        self._asked = asked
        self._number = -1
        self._response: Json = {}
        self._output: list[Json] = []
        self._part: Spoken = Text("")
        self._item = ""
        self._text: list[str] = []
        self._signature = ""
        self._stop = Stopped("end")
        self._counts = TokenCounts()

    def write(self, event: Event) -> bytes:
        """The bytes of an event; empty where this protocol has none for it."""
        match event:
            case Delta(_, text):
                self._text.append(text)
                return self._told(_KINDS[type(self._part)] + ".delta", delta=text, **self._within())
            case PartStarted(_, part):
                return self._begin(part)
            case Signed(_, signature):
                self._signature = signature
            case PartEnded():
                return self._end()
            case Started(id_, model, counts):
                self._counts = counts
                self._response = frame(named("resp_", id_), model, self._asked)
                created = self._event("response.created", response=self._response)
                return created + self._event("response.in_progress", response=self._response)
            case Stopped():
                self._stop = event
            case Counted(counts):
                self._counts = counts
            case Failed(message, code):
                return self._fail(message, code)
            case Finished():
                return self._finish()
        return b""

    def _begin(self, part: Spoken) -> bytes:
        self._part, self._text, self._signature = part, [], ""
        self._item = item_id(self._response["id"], len(self._output), part)
        item = item_of(part, self._item, "in_progress")
        if "content" in item:
            item["content"] = []
        begun = self._event("response.output_item.added", output_index=len(self._output), item=item)
        if isinstance(part, Thinking):
            empty = {"type": "summary_text", "text": ""}
            return begun + self._told("response.reasoning_summary_part.added", part=empty, summary_index=0)
        if isinstance(part, ToolCall):
            return begun
        return begun + self._told("response.content_part.added", part=_content(part), content_index=0)

    def _within(self) -> Json:
        match self._part:
            case ToolCall():
                return {}
            case Thinking():
                return {"summary_index": 0}
            case Refusal():
                return {"content_index": 0}
            case Text():
                return {"content_index": 0, "logprobs": []}

    def _end(self) -> bytes:
        text = "".join(self._text)
        written = b""
        match self._part:
            case ToolCall(id_, name, _):
                part: Spoken = ToolCall(id_, name, text or "{}")
                if not text:
                    written = self._told("response.function_call_arguments.delta", delta="{}")
                written += self._told("response.function_call_arguments.done", arguments=text or "{}", name=name)
            case Thinking(hidden=hidden):
                part = Thinking(text, self._signature, hidden)
                whole = {"type": "summary_text", "text": text}
                written = self._told("response.reasoning_summary_text.done", text=text, summary_index=0)
                written += self._told("response.reasoning_summary_part.done", part=whole, summary_index=0)
            case Refusal():
                part = Refusal(text)
                written = self._told("response.refusal.done", refusal=text, content_index=0)
                written += self._told("response.content_part.done", part=_content(part), content_index=0)
            case Text():
                part = Text(text)
                written = self._told("response.output_text.done", text=text, content_index=0, logprobs=[])
                written += self._told("response.content_part.done", part=_content(part), content_index=0)
        item = item_of(part, self._item, "completed")
        written += self._event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)
        return written

    def _finish(self) -> bytes:
        how = ended(self._stop.stop, self._output)
        response = {**self._response, **how, "output": self._output, "usage": usage(self._counts)}
        return self._event(f"response.{how['status']}", response=response)

    def _fail(self, message: str, code: str | None) -> bytes:
        """`response.failed` for those who follow the events, and an error at which OpenAI's own client raises."""
        error = {"code": "server_error", "message": message}
        written = b""
        if self._response:
            response = {**self._response, "status": "failed", "error": error, "output": self._output}
            written = self._event("response.failed", response=response)
        said = {"code": code, "message": message, "param": None}
        return written + self._event("error", **said, error={"type": "server_error", **said})

    def _told(self, kind: str, **members: Any) -> bytes:
        return self._event(kind, item_id=self._item, output_index=len(self._output), **members)

    def _event(self, kind: str, **members: Any) -> bytes:
        self._number += 1
        return (
            f"event: {kind}\ndata: {compact({'type': kind, 'sequence_number': self._number, **members})}\n\n".encode()
        )


_KINDS = {
    Text: "response.output_text",
    Refusal: "response.refusal",
    Thinking: "response.reasoning_summary_text",
    ToolCall: "response.function_call_arguments",
}


def _content(part: Spoken) -> Json:
    content: Json = item_of(part, "", "")["content"][0]
    return content
