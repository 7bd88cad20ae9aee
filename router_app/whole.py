"""A provider's answer that comes as one."""

import time
from typing import Any

import orjson

from modelscan.errors import UpstreamFailed
from router_app.exchange import Exchange
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["is_event_stream", "json_of", "whole_body"]

_LONGEST_ANSWER = 128 * 2**20


async def whole_body(exchange: Exchange, answer: UpstreamAnswer) -> bytes:
    """All of it; raises UpstreamFailed past a limit."""
    body, began = bytearray(), time.perf_counter()
    async for chunk in answer.chunks():
        exchange.first_byte_came()
        body += chunk
        if len(body) > _LONGEST_ANSWER:
            raise UpstreamFailed(f"The provider answered more than {_LONGEST_ANSWER} bytes at once.", hint="Stream it.")
    exchange.upstream_seconds += time.perf_counter() - began
    return bytes(body)


def json_of(body: bytes) -> Any:
    """What it says; None for what is no JSON."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def is_event_stream(headers: Headers) -> bool:
    """Whether it comes event by event."""
    return any(name.lower() == b"content-type" and b"text/event-stream" in value.lower() for name, value in headers)
