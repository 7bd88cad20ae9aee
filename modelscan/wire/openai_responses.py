"""OpenAI's Responses, as callers speak it: every provider is reached by translation."""

import json
from typing import Any

from modelscan.wire.openai_error import error_body
from modelscan.wire.protocol import Surface

__all__ = ["OPENAI_RESPONSES"]


def stream_error(body: dict[str, Any]) -> bytes:
    """An error within a stream that has begun: OpenAI's own client raises at its member `error`."""
    said = {name: body["error"][name] for name in ("code", "message", "param")}
    return (
        b"event: error\ndata: " + json.dumps({"type": "error", "sequence_number": 0, **said, **body}).encode() + b"\n\n"
    )


OPENAI_RESPONSES = Surface(
    name="openai_responses", served_at="/v1/responses", stream_error=stream_error, error_body=error_body
)
