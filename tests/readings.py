"""What an answer says, read from plain JSON without any code of ours, so that two protocols' words can be compared."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

__all__ = ["Reading", "chat_read", "chunks_read", "data_of", "events_read", "message_read", "response_read"]

Json = dict[str, Any]
_STOPS = {"stop": "end", "length": "length", "tool_calls": "tool", "content_filter": "refusal", None: "end"}
_STOPS |= {"end_turn": "end", "stop_sequence": "end", "pause_turn": "end", "tool_use": "tool", "refusal": "refusal"}
_STOPS |= {"max_tokens": "length", "model_context_window_exceeded": "length"}


@dataclass(frozen=True)
class Reading:
    """One answer."""

    text: str
    calls: tuple[tuple[str, Any], ...]
    """(name, arguments)"""
    stop: str
    prompt: int | None
    completion: int | None

    @property
    def usage(self) -> tuple[int | None, int | None]:
        return self.prompt, self.completion

    def with_zeros(self) -> "Reading":
        """As an answer says it whose protocol cannot leave out what was not told."""
        return replace(self, prompt=self.prompt or 0, completion=self.completion or 0)


def data_of(stream: bytes) -> list[Any]:
    """The JSON of each event."""
    lines = [line[5:].strip() for line in stream.splitlines() if line.startswith(b"data:")]
    return [json.loads(line) for line in lines if line != b"[DONE]"]


def chat_read(answer: Json) -> Reading:
    """A chat completion."""
    choice = answer["choices"][0]
    return _of_chat(choice["message"], choice.get("finish_reason"), answer.get("usage"))


def chunks_read(chunks: Iterable[Json]) -> Reading:
    """A stream of chunks."""
    message: Json = {"content": "", "refusal": ""}
    calls: dict[Any, Json] = {}
    reason, usage = None, None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"][:1]:
            delta = choice.get("delta") or {}
            reason = choice.get("finish_reason") or reason
            message["content"] += _words(delta.get("content"))
            message["refusal"] += delta.get("refusal") or ""
            for call in delta.get("tool_calls") or []:
                known = calls.setdefault(
                    call.get("index", call.get("id")), {"function": {"name": "", "arguments": ""}}
                )["function"]
                known["name"] = known["name"] or call["function"].get("name") or ""
                known["arguments"] += call["function"].get("arguments") or ""
    return _of_chat({**message, "tool_calls": list(calls.values())}, reason, usage)


def message_read(message: Json) -> Reading:
    """A message of Anthropic's."""
    blocks, usage = message["content"], message["usage"]
    calls = tuple((block["name"], block["input"]) for block in blocks if block["type"] == "tool_use")
    kept = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return Reading(
        "".join(block["text"] for block in blocks if block["type"] == "text"),
        calls,
        _stop(message["stop_reason"], called=bool(calls)),
        sum(usage.get(name) or 0 for name in kept),
        usage["output_tokens"],
    )


def events_read(events: Iterable[Json]) -> Reading:
    """A stream of Anthropic's events."""
    blocks: dict[int, Json] = {}
    usage: Json = {}
    reason = None
    for event in events:
        match event["type"]:
            case "message_start":
                usage |= event["message"]["usage"]
                blocks |= {place: {**block, "partial": ""} for place, block in enumerate(event["message"]["content"])}
            case "content_block_start":
                blocks[event["index"]] = {**event["content_block"], "partial": ""}
            case "content_block_delta":
                block, delta = blocks[event["index"]], event["delta"]
                block["text"] = block.get("text", "") + delta.get("text", "")
                block["partial"] += delta.get("partial_json", "")
            case "message_delta":
                reason = event["delta"].get("stop_reason") or reason
                usage |= {name: count for name, count in event["usage"].items() if count}
    for block in blocks.values():
        block["input"] = json.loads(block["partial"]) if block["partial"] else block.get("input")
    return message_read({"content": list(blocks.values()), "stop_reason": reason, "usage": usage})


def response_read(response: Json) -> Reading:
    """A response of OpenAI's."""
    said = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    calls = tuple(_called(item) for item in response["output"] if item["type"] == "function_call")
    missing = {"max_output_tokens": "length", "content_filter": "content_filter"}
    reason = missing[response["incomplete_details"]["reason"]] if response["status"] == "incomplete" else "stop"
    stop = _stop(reason, called=bool(calls), refused=any(part["type"] == "refusal" for part in said))
    usage = response["usage"]
    text = "".join(part.get("text") or part.get("refusal") or "" for part in said)
    return Reading(text, calls, stop, usage["input_tokens"], usage["output_tokens"])


def _of_chat(message: Json, reason: str | None, usage: Json | None) -> Reading:
    calls = tuple(_called(call["function"]) for call in message.get("tool_calls") or [])
    stop = _stop(reason, called=bool(calls), refused=bool(message.get("refusal")))
    told = usage or {}
    text = _words(message.get("content")) + (message.get("refusal") or "")
    return Reading(text, calls, stop, told.get("prompt_tokens"), told.get("completion_tokens"))


def _stop(reason: str | None, *, called: bool, refused: bool = False) -> str:
    """Some say that they just ended whatever they did."""
    stop = _STOPS[reason]
    return stop if stop != "end" else "refusal" if refused else "tool" if called else "end"


def _called(function: Json) -> tuple[str, Any]:
    return function["name"], json.loads(function.get("arguments") or "{}")


def _words(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content or ""
