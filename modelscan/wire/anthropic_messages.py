"""Anthropic's Messages: its row, its error shape, and where usage stands in answers and streams."""

import json
import re
from typing import Any

from modelscan.types import Auth, Endpoint, Quirks
from modelscan.wire.protocol import Usage, WireProtocol, listed_ids, tokens
from modelscan.wire.sdk_client import sdk_vocabulary
from modelscan.wire.sse import DataLines

__all__ = ["ANTHROPIC_MESSAGES", "StreamUsage", "chat_body", "error_body", "usage_of"]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error"}
_TYPES |= {404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error"}
_TYPES |= {529: "overloaded_error"}
_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def error_body(status: int, message: str, *, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error as Anthropic's SDKs read it, with our `code` and `param` beside its usual members."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    more = {name: value for name, value in (("code", code), ("param", param)) if value}
    return {"type": "error", "error": {"type": kind, "message": message, **more}}


def stream_error(body: dict[str, Any]) -> bytes:
    """An error within a stream that has begun."""
    return b"event: error\ndata: " + json.dumps(body).encode() + b"\n\n"


def chat_body(model: str, _: Quirks) -> dict[str, Any]:
    """The smallest chat; a limit is a part of it."""
    return {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}


def usage_of(payload: Any) -> Usage:
    """The tokens of a message or an event. The prompt's are counted with those of the cache."""
    usage = payload.get("usage") if isinstance(payload, dict) else None
    if not isinstance(usage, dict):
        return Usage()
    fresh, cache_write, cached = [tokens(usage.get(name)) for name in _PROMPT]
    prompt = None if fresh is None else fresh + (cache_write or 0) + (cached or 0)
    details = usage.get("output_tokens_details")
    thoughts = tokens(details.get("thinking_tokens")) if isinstance(details, dict) else None
    return Usage(prompt, tokens(usage.get("output_tokens")), cached, cache_write, thoughts)


class StreamUsage:
    """Reads usage and errors on the side of a relayed stream: the prompt's at its start, the answer's up to its end."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.failed = False
        self._lines = DataLines()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, as they came."""
        for data in self._lines.feed(chunk):
            if b'"usage"' in data or b'"error"' in data:
                self._read(data)

    def _read(self, data: bytes) -> None:
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        self.failed = self.failed or bool(event.get("error"))
        message = event.get("message")
        new, known = usage_of(message if isinstance(message, dict) else event), self.usage
        # Some count the prompt only at the end and say 0 before, others the other way round.
        read = new if new.prompt or known.prompt is None else known
        self.usage = Usage(
            read.prompt,
            known.completion if new.completion is None else new.completion,
            known.cached if read.cached is None else read.cached,
            known.cache_write if read.cache_write is None else read.cache_write,
            known.reasoning if new.reasoning is None else new.reasoning,
        )


ANTHROPIC_MESSAGES = WireProtocol(
    name="anthropic_messages",
    title="Anthropic Messages",
    endpoints=(
        Endpoint(operation="chat", method="POST", path="/v1/messages"),
        Endpoint(operation="models", method="GET", path="/v1/models"),
        Endpoint(operation="count_tokens", method="POST", path="/v1/messages/count_tokens"),
    ),
    optional=frozenset({"models", "count_tokens"}),
    auth=Auth(header="x-api-key", scheme=""),
    headers={"anthropic-version": "2023-06-01"},
    base_suffixes=("/v1/messages", "/messages", "/v1/chat/completions", "/chat/completions", "/v1"),
    sdk="anthropic",
    vocabulary=sdk_vocabulary(
        "anthropic", "Anthropic AnthropicError AsyncAnthropic _custom_headers", names="omitted property"
    ),
    client_template="anthropic_messages_client.py.jinja",
    test_template="anthropic_messages_test.py.jinja",
    reference_path="",
    chat_body=chat_body,
    model_ids=listed_ids,
    usage_of=usage_of,
    stream_reader=StreamUsage,
    last_event=re.compile(rb'\s*\{.*"message_stop".*'),
    provable=frozenset({"structured_output", "tool_call", "vision"}),
    served_at="/v1/messages",
    passed_headers=("anthropic-beta", "anthropic-version"),
    stream_error=stream_error,
    error_body=error_body,
)
