"""OpenAI's chat completions: its row, its error shape, and where usage stands in answers and streams."""

import json
from typing import Any

from modelscan.types import Endpoint, Media, Quirks
from modelscan.wire.openai_error import error_body
from modelscan.wire.protocol import Usage, WireProtocol, listed_ids, tokens
from modelscan.wire.sdk_client import sdk_vocabulary
from modelscan.wire.sse import DataLines

__all__ = ["OPENAI_CHAT", "StreamUsage", "chat_body", "error_body", "usage_in", "usage_of"]

_NOTHING = Usage()


def stream_error(body: dict[str, Any]) -> bytes:
    """An error within a stream that has begun."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def chat_body(model: str, quirks: Quirks) -> dict[str, Any]:
    """The smallest chat."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], quirks.max_tokens_field: 1}


def usage_of(payload: Any) -> Usage:
    """The tokens of an answer or a chunk. Answers about pictures and sound name them as Responses does."""
    usage = usage_in(payload)
    if not usage:
        return _NOTHING
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if prompt is None and completion is None:
        prompt, completion = usage.get("input_tokens"), usage.get("output_tokens")
        usage = _spelt_out(payload, usage)
    if completion is None and prompt == usage.get("total_tokens"):
        completion = None if prompt is None else 0  # As of vectors: there is no answer that costs anything.
    read = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    said = usage.get("completion_tokens_details") or usage.get("output_tokens_details")
    if not read and not said and "prompt_cache_hit_tokens" not in usage:
        return Usage(tokens(prompt), tokens(completion))
    read, said = read if isinstance(read, dict) else {}, said if isinstance(said, dict) else {}
    cached = read.get("cached_tokens")
    return Usage(
        tokens(prompt),
        tokens(completion),
        tokens(usage.get("prompt_cache_hit_tokens") if cached is None else cached),  # As DeepSeek says it.
        tokens(read.get("cache_write_tokens")),
        tokens(said.get("reasoning_tokens")),
        _media(read, said) if read or said else None,
    )


def _spelt_out(payload: Any, usage: dict[str, Any]) -> dict[str, Any]:
    """With the details as others name them; of an answer that is pictures, all is, where it does not tell."""
    if "input_token_details" in usage:  # As transcriptions say it.
        usage = {"input_tokens_details": usage["input_token_details"], **usage}
    if ("data" in payload or "b64_json" in payload) and not usage.get("output_tokens_details"):
        usage = {**usage, "output_tokens_details": {"image_tokens": usage.get("output_tokens")}}
    return usage


def _media(read: dict[str, Any], said: dict[str, Any]) -> Media | None:
    """The tokens of sound and pictures, asked and answered; None where there are none."""
    told = Media(*(tokens(part.get(name)) or 0 for name in ("audio_tokens", "image_tokens") for part in (read, said)))
    return told if any(told) else None


def usage_in(payload: Any) -> dict[str, Any]:
    """The member `usage`, wherever providers of this protocol put it: Groq its own, Moonshot within the choice."""
    if not isinstance(payload, dict):
        return {}
    usual = payload.get("usage")
    if isinstance(usual, dict) and usual:
        return usual
    choices = payload.get("choices")
    places = (payload.get("x_groq"), choices[0] if isinstance(choices, list) and choices else None)
    found = (place.get("usage") for place in places if isinstance(place, dict))
    return next((usage for usage in found if isinstance(usage, dict) and usage), {})


class StreamUsage:
    """Reads usage and errors on the side of a relayed SSE stream, which may be split anywhere."""

    def __init__(self) -> None:
        self.usage = _NOTHING
        self.failed = False
        self._lines = DataLines()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, as they came."""
        for data in self._lines.feed(chunk):
            if b'"usage"' in data or b'"error"' in data:
                self._read(data)

    def _read(self, data: bytes) -> None:
        try:
            chunk = json.loads(data)
        except (ValueError, RecursionError):
            return
        self.failed = self.failed or (isinstance(chunk, dict) and bool(chunk.get("error")))
        found = usage_of(chunk)
        if found != _NOTHING:
            self.usage = found


OPENAI_CHAT = WireProtocol(
    name="openai_chat",
    title="OpenAI chat completions",
    endpoints=(
        Endpoint(operation="chat", method="POST", path="/chat/completions"),
        Endpoint(operation="models", method="GET", path="/models"),
        Endpoint(operation="embeddings", method="POST", path="/embeddings"),
    ),
    optional=frozenset({"embeddings"}),
    base_suffixes=("/chat/completions", "/messages"),
    base_varies=True,
    sdk="openai",
    vocabulary=sdk_vocabulary("openai", "AsyncOpenAI OpenAI OpenAIError"),
    client_template="openai_chat_client.py.jinja",
    test_template="openai_chat_test.py.jinja",
    reference_path="/v1",
    chat_body=chat_body,
    model_ids=listed_ids,
    usage_of=usage_of,
    stream_reader=StreamUsage,
    provable=frozenset({"embeddings", "structured_output", "tool_call", "vision"}),
    served_at="/v1/chat/completions",
    stream_error=stream_error,
    error_body=error_body,
)
