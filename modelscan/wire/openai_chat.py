"""OpenAI's chat completions: its row, its error shape, and where usage stands in answers and streams."""

import json
from typing import Any

from modelscan.types import Endpoint, Quirks
from modelscan.wire.protocol import Usage, WireProtocol
from modelscan.wire.sdk_client import sdk_vocabulary

__all__ = ["OPENAI_CHAT", "StreamUsage", "chat_body", "error_body", "usage_of"]

_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_TYPES |= {413: "invalid_request_error", 422: "invalid_request_error", 429: "rate_limit_error"}
_LONGEST_LINE = 1 << 20


def error_body(
    status: int, message: str, *, code: str | None = None, param: str | None = None, **more: Any
) -> dict[str, Any]:
    """An error as OpenAI's SDKs read it; `more` is added beside the usual members."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code, **more}}


def chat_body(model: str, quirks: Quirks) -> dict[str, Any]:
    """The smallest chat."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], quirks.max_tokens_field: 1}


def usage_of(payload: Any) -> Usage:
    """(prompt, completion) tokens of an answer or a chunk; None where it does not say."""
    usage = payload.get("usage") if isinstance(payload, dict) else None
    if not isinstance(usage, dict):
        return None, None
    return _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class StreamUsage:
    """Reads usage on the side of a relayed SSE stream, which may be split anywhere."""

    def __init__(self) -> None:
        self.usage: Usage = (None, None)
        self.done = False
        """Whether `[DONE]` was seen."""
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes, as they came."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line.strip())
        if len(self._rest) > _LONGEST_LINE:
            self._rest = b""

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:"):
            return
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = True
        elif b'"usage"' in data:
            try:
                found = usage_of(json.loads(data))
            except (ValueError, RecursionError):
                return
            if found != (None, None):
                self.usage = found


OPENAI_CHAT = WireProtocol(
    name="openai_chat",
    title="OpenAI chat completions",
    endpoints=(
        Endpoint(operation="chat", method="POST", path="/chat/completions"),
        Endpoint(operation="models", method="GET", path="/models"),
    ),
    base_suffixes=("/chat/completions",),
    sdk="openai",
    vocabulary=sdk_vocabulary("openai", "AsyncOpenAI OpenAI OpenAIError"),
    client_template="openai_chat_client.py.jinja",
    test_template="openai_chat_test.py.jinja",
    chat_body=chat_body,
    usage_of=usage_of,
    stream_reader=StreamUsage,
    error_body=error_body,
)
