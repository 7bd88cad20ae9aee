"""Whole answers of OpenAI's Responses: read, and written."""

import time
from typing import Any

from modelscan.wire.chat.answer import Answer, Stop, TokenCounts
from modelscan.wire.chat.foreign import count_at, member, rows, words
from modelscan.wire.chat.parts import Part, Refusal, Text, Thinking, ToolCall
from modelscan.wire.chat.spoke import named

__all__ = [
    "ECHOED",
    "counts_of",
    "ended",
    "frame",
    "item_id",
    "item_of",
    "parts_of",
    "read_answer",
    "stop_of",
    "usage",
    "write_answer",
]

Json = dict[str, Any]
_REASONS: dict[Stop, str] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "refusal": "content_filter",
}
_STOPS: dict[str, Stop] = {"max_output_tokens": "length", "content_filter": "refusal"}
ECHOED: Json = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "reasoning": {"effort": None, "summary": None},
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "user": None,
}
"""Members of the request that stand in its answer, and what they are where the request lacks them."""
_IDS = {Text: "msg", Refusal: "msg", ToolCall: "fc", Thinking: "rs"}


def read_answer(payload: Any) -> Answer | None:
    """The response."""
    if not isinstance(payload, dict) or not isinstance(payload.get("output"), list):
        return None
    parts = tuple(part for item in rows(payload, "output") for part in parts_of(item))
    return Answer(
        words(payload, "id"), words(payload, "model"), parts, stop_of(payload, parts), None, counts_of(payload)
    )


def stop_of(payload: Any, parts: tuple[Part, ...]) -> Stop:
    """Why it stopped: what is missing says so, else what was said."""
    if words(payload, "status") == "incomplete":
        return _STOPS.get(words(member(payload, "incomplete_details"), "reason"), "length")
    if any(isinstance(part, ToolCall) for part in parts):
        return "tool"
    return "refusal" if any(isinstance(part, Refusal) for part in parts) else "end"


def parts_of(item: Json) -> list[Part]:
    """What the model says in an item; nothing where only its provider's own tools speak."""
    match item.get("type"):
        case "message":
            found: list[Part] = []
            for part in rows(item, "content"):
                if part.get("type") == "refusal":
                    found.append(Refusal(words(part, "refusal")))
                else:
                    found.append(Text(words(part, "text")))
            return found
        case "function_call":
            return [ToolCall(words(item, "call_id"), words(item, "name"), words(item, "arguments"))]
        case "reasoning":
            blocks = rows(item, "summary") or rows(item, "content")
            text, sealed = "\n\n".join(words(block, "text") for block in blocks), words(item, "encrypted_content")
            return [Thinking(text, sealed)] if text else [Thinking("", hidden=sealed)] if sealed else []
    return []


def counts_of(payload: Any) -> TokenCounts:
    """The tokens of a response."""
    found = member(payload, "usage")
    given = member(found, "input_tokens_details")
    return TokenCounts(
        prompt=count_at(found, "input_tokens"),
        completion=count_at(found, "output_tokens"),
        cached=count_at(given, "cached_tokens"),
        cache_written=count_at(given, "cache_write_tokens"),
        reasoning=count_at(member(found, "output_tokens_details"), "reasoning_tokens"),
    )


def usage(counts: TokenCounts) -> Json:
    """The member `usage`."""
    prompt, completion = counts.prompt or 0, counts.completion or 0
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": counts.cached or 0, "cache_write_tokens": counts.cache_written or 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning or 0},
        "total_tokens": prompt + completion,
    }


def write_answer(answer: Answer, asked: Json) -> Json:
    """The answer as a response that is not kept."""
    response = frame(named("resp_", answer.id), answer.model, asked)
    output = [
        item_of(part, item_id(response["id"], index, part), "completed") for index, part in enumerate(answer.parts)
    ]
    return {**response, **ended(answer.stop, output), "output": output, "usage": usage(answer.counts)}


def frame(id_: str, model: str, asked: Json) -> Json:
    """A response that has just begun; what was asked for stands in it."""
    echoed = {name: absent if (given := asked.get(name)) is None else given for name, absent in ECHOED.items()}
    text = echoed["text"]
    if isinstance(text, dict):
        echoed["text"] = {**text, "format": text.get("format") or {"type": "text"}}
    head: Json = {"id": id_, "object": "response", "created_at": int(time.time()), "status": "in_progress"}
    head |= {"background": False, "error": None, "incomplete_details": None, "model": model, "output": []}
    return head | echoed | {"previous_response_id": None, "store": False, "truncation": "disabled", "usage": None}


def ended(stop: Stop, output: list[Json]) -> Json:
    """The members that say how it ended; one that says its refusal is complete."""
    reason = _REASONS.get(stop)
    told = any(part["type"] == "refusal" for item in output for part in item.get("content", ()))
    if reason is None or (stop == "refusal" and told):
        return {"status": "completed"}
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


def item_id(response_id: str, index: int, part: Part) -> str:
    """The id of the item that a part is."""
    return f"{_IDS[type(part)]}_{response_id.removeprefix('resp_')}_{index}"


def item_of(part: Part, id_: str, status: str) -> Json:
    """A part as an item of the output."""
    match part:
        case ToolCall(call, name, arguments):
            said: Json = {"type": "function_call", "id": id_, "call_id": call, "name": name}
            return said | {"arguments": arguments, "status": status}
        case Thinking(text, signature, hidden):
            summary = [{"type": "summary_text", "text": text}] if text else []
            return {
                "type": "reasoning",
                "id": id_,
                "summary": summary,
                "encrypted_content": signature or hidden or None,
            }
        case Refusal(text):
            content: list[Json] = [{"type": "refusal", "refusal": text}]
        case Text(text):
            content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
        case _:
            raise TypeError(f"no model says a {type(part).__name__}")
    return {"type": "message", "id": id_, "role": "assistant", "status": status, "content": content}
