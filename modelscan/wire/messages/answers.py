"""Whole answers of Anthropic's Messages: read, and written."""

from typing import Any

from modelscan.errors import UpstreamFailed
from modelscan.wire.chat.answer import Answer, Stop, TokenCounts
from modelscan.wire.chat.foreign import count_at, member, rows, words
from modelscan.wire.chat.members import parsed_arguments
from modelscan.wire.chat.parts import Part, Refusal, Text, Thinking, ToolCall
from modelscan.wire.chat.spoke import compact, named

__all__ = ["counts_of", "part_of", "read_answer", "stop_of", "usage", "word_of", "write_answer"]

Json = dict[str, Any]
_STOPS: dict[str, Stop] = {
    "end_turn": "end",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context",
}
_WORDS = {stop: word for word, stop in _STOPS.items()}


def stop_of(word: str) -> Stop:
    """Why it stopped; a word that is not known ends an answer like any other."""
    return _STOPS.get(word, "end")


def word_of(stop: Stop) -> str:
    """The `stop_reason`."""
    return _WORDS[stop]


def read_answer(payload: Any) -> Answer | None:
    """The message."""
    if not isinstance(payload, dict) or not isinstance(payload.get("content"), list):
        return None
    parts = tuple(part for block in rows(payload, "content") if (part := part_of(block)))
    return Answer(
        words(payload, "id"),
        words(payload, "model"),
        parts,
        stop_of(words(payload, "stop_reason")),
        words(payload, "stop_sequence") or None,
        counts_of(payload),
    )


def part_of(block: Json) -> Text | Thinking | ToolCall | None:
    """What the model says in a block; None for those that only its provider's own tools bring."""
    match block.get("type"):
        case "text":
            return Text(words(block, "text"))
        case "thinking":
            return Thinking(words(block, "thinking"), words(block, "signature"))
        case "redacted_thinking":
            return Thinking("", hidden=words(block, "data"))
        case "tool_use":
            return ToolCall(words(block, "id"), words(block, "name"), _arguments(block))
    return None


def _arguments(block: Json) -> str:
    try:
        return compact(member(block, "input"))
    except (ValueError, RecursionError) as error:
        raise UpstreamFailed("The model called a tool with what is no JSON.", hint="Ask again.") from error


def counts_of(payload: Any) -> TokenCounts:
    """The tokens of a message or an event; the prompt's with those of the cache, as everywhere else."""
    found = member(payload, "usage")
    fresh = count_at(found, "input_tokens")
    cached, written = count_at(found, "cache_read_input_tokens"), count_at(found, "cache_creation_input_tokens")
    return TokenCounts(
        prompt=None if fresh is None else fresh + (cached or 0) + (written or 0),
        completion=count_at(found, "output_tokens"),
        cached=cached,
        cache_written=written,
        reasoning=count_at(member(found, "output_tokens_details"), "thinking_tokens"),
    )


def usage(counts: TokenCounts) -> Json:
    """The member `usage`."""
    cached, written = counts.cached or 0, counts.cache_written or 0
    said: Json = {
        "input_tokens": max(0, (counts.prompt or 0) - cached - written),
        "output_tokens": counts.completion or 0,
        "cache_creation_input_tokens": counts.cache_written,
        "cache_read_input_tokens": counts.cached,
    }
    if counts.reasoning is not None:
        said["output_tokens_details"] = {"thinking_tokens": counts.reasoning}
    return said


def write_answer(answer: Answer, _asked: Json) -> Json:
    """The answer as a message; raises UpstreamFailed where a tool was called with what is no object."""
    return {
        "id": named("msg_", answer.id),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [_block(part) for part in answer.parts],
        "stop_reason": word_of(answer.stop),
        "stop_sequence": answer.stop_sequence,
        "usage": usage(answer.counts),
    }


def _block(part: Part) -> Json:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text}
        case Thinking(text, signature, hidden):
            if hidden:
                return {"type": "redacted_thinking", "data": hidden}
            return {"type": "thinking", "thinking": text, "signature": signature}
        case ToolCall(id_, name, arguments):
            given = parsed_arguments(arguments)
            if given is None:
                raise UpstreamFailed(f"The model called {name[:64]!r} with what is no JSON object.", hint="Ask again.")
            return {"type": "tool_use", "id": id_, "name": name, "input": given}
    raise TypeError(f"no model says a {type(part).__name__}")
