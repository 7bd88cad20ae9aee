"""Whole answers of chat completions: read, and written."""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from modelscan.wire.chat.answer import Answer, Stop, TokenCounts
from modelscan.wire.chat.foreign import count_at, member, rows, words
from modelscan.wire.chat.parts import Part, Refusal, Text, Thinking, ToolCall
from modelscan.wire.chat.spoke import named
from modelscan.wire.openai_chat import usage_in

__all__ = [
    "counts_of",
    "new_call_id",
    "read_answer",
    "stop_of",
    "thinking_block",
    "thought_and_said",
    "usage",
    "word_of",
    "write_answer",
]

Json = dict[str, Any]
_STOPS: dict[str, Stop] = {
    "stop": "end",
    "length": "length",
    "tool_calls": "tool",
    "function_call": "tool",
    "content_filter": "refusal",
}
_WORDS: dict[Stop, str] = {
    "end": "stop",
    "stop_sequence": "stop",
    "pause": "stop",
    "length": "length",
    "context": "length",
    "tool": "tool_calls",
    "refusal": "content_filter",
}


def stop_of(word: str, *, called: bool, refused: bool) -> Stop:
    """Why it stopped; `stop` is also said where the model refused, and by some where it called a tool."""
    found = _STOPS.get(word, "end")
    if found != "end":
        return found
    return "refusal" if refused else "tool" if called else "end"


def word_of(stop: Stop, *, refused: bool) -> str:
    """The `finish_reason`; a refusal in words ends like any answer."""
    return "stop" if refused and stop == "refusal" else _WORDS[stop]


def read_answer(payload: Any) -> Answer | None:
    """The first choice."""
    choices = rows(payload, "choices")
    if not choices:
        return None
    message = member(choices[0], "message")
    parts = tuple(_parts(message))
    called = any(isinstance(part, ToolCall) for part in parts)
    refused = any(isinstance(part, Refusal) for part in parts)
    stop = stop_of(words(choices[0], "finish_reason"), called=called, refused=refused)
    return Answer(words(payload, "id"), words(payload, "model"), parts, stop, None, counts_of(payload))


def _parts(message: Json) -> list[Part]:
    parts: list[Part] = []
    thought, said = thought_and_said(message)
    if thought:
        parts.append(Thinking(thought))
    if said:
        parts.append(Text(said))
    if refusal := words(message, "refusal"):
        parts.append(Refusal(refusal))
    for call in rows(message, "tool_calls"):
        function = member(call, "function")
        parts.append(
            ToolCall(words(call, "id") or new_call_id(), words(function, "name"), words(function, "arguments"))
        )
    return parts


def new_call_id() -> str:
    """For the call of a provider that gives none: unlike all others of the chat."""
    return f"call_{uuid.uuid4().hex[:24]}"


def thought_and_said(message: Json) -> tuple[str, str]:
    """The thoughts and the words of a message or a delta; Mistral writes both as parts of its content."""
    thought = words(message, "reasoning_content") or words(message, "reasoning")
    said = words(message, "content")
    for part in rows(message, "content"):
        thought += "".join(words(one, "text") for one in rows(part, "thinking"))
        said += words(part, "text")
    return thought, said


def counts_of(payload: Any) -> TokenCounts:
    """The tokens of an answer or a chunk, where the providers of this protocol say them."""
    found = usage_in(payload)
    prompt, completion = member(found, "prompt_tokens_details"), member(found, "completion_tokens_details")
    cached = count_at(prompt, "cached_tokens")
    return TokenCounts(
        prompt=count_at(found, "prompt_tokens"),
        completion=count_at(found, "completion_tokens"),
        cached=count_at(found, "prompt_cache_hit_tokens") if cached is None else cached,
        cache_written=count_at(prompt, "cache_write_tokens"),
        reasoning=count_at(completion, "reasoning_tokens"),
    )


def usage(counts: TokenCounts) -> Json:
    """The member `usage`."""
    prompt, completion = counts.prompt or 0, counts.completion or 0
    said: Json = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    details = {"cached_tokens": counts.cached, "cache_write_tokens": counts.cache_written}
    if known := {name: value for name, value in details.items() if value is not None}:
        said["prompt_tokens_details"] = known
    if counts.reasoning is not None:
        said["completion_tokens_details"] = {"reasoning_tokens": counts.reasoning}
    return said


def thinking_block(thought: Thinking) -> Json:
    """Signed thoughts, as callers may send them back; LiteLLM writes them so, too."""
    if thought.hidden:
        return {"type": "redacted_thinking", "data": thought.hidden}
    return {"type": "thinking", "thinking": thought.text, "signature": thought.signature}


def write_answer(answer: Answer, _asked: Json) -> Json:
    """The answer as a chat completion with one choice."""
    message = _message(answer.parts)
    reason = word_of(answer.stop, refused=message["refusal"] is not None)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {
        "id": named("chatcmpl-", answer.id),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": answer.model,
        "choices": [choice],
        "usage": usage(answer.counts),
    }


def _message(parts: Sequence[Part]) -> Json:
    said = "".join(part.text for part in parts if isinstance(part, Text))
    refusal = "".join(part.text for part in parts if isinstance(part, Refusal))
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    calls = [
        {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments or "{}"}}
        for part in parts
        if isinstance(part, ToolCall)
    ]
    message: Json = {"role": "assistant", "content": said or (None if calls or refusal else "")}
    message["refusal"] = refusal or None
    if text := "".join(thought.text for thought in thoughts):
        message["reasoning_content"] = text
    if kept := [thinking_block(thought) for thought in thoughts if thought.signature or thought.hidden]:
        message["thinking_blocks"] = kept
    if calls:
        message["tool_calls"] = calls
    return message
