"""A provider's answer that comes as one."""

import time
from typing import Any

import orjson

from modelscan.errors import UpstreamFailed
from modelscan.wire import Usage, WireProtocol
from router_app.exchange import Exchange
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["comes_piece_by_piece", "is_event_stream", "json_of", "usage_in", "whole_body"]

_LONGEST_ANSWER = 128 * 2**20
_LINES = (b"application/x-ndjson", b"application/jsonl", b"application/x-jsonlines", b"application/stream+json")


async def whole_body(exchange: Exchange, answer: UpstreamAnswer) -> bytes:
    """All of it; raises UpstreamFailed past a limit."""
    if (whole := answer.whole()) is not None:
        exchange.came(whole)
        return whole
    began, pieces, size = time.perf_counter(), [], 0
    while chunk := await answer.read():
        exchange.came(chunk)
        pieces.append(chunk)
        size += len(chunk)
        if size > _LONGEST_ANSWER:
            raise UpstreamFailed(f"The provider answered more than {_LONGEST_ANSWER} bytes at once.", hint="Stream it.")
    exchange.upstream_seconds += time.perf_counter() - began
    return b"".join(pieces)


def json_of(body: bytes) -> Any:
    """What it says; None for what is no JSON."""
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def usage_in(protocol: WireProtocol, body: bytes) -> Usage:
    """The tokens that an answer tells, also where it is a stream under another name."""
    payload = json_of(body)
    if payload is not None:
        return protocol.usage_of(payload)
    reader = protocol.stream_reader()
    reader.feed(body + b"\n")
    return reader.usage


def comes_piece_by_piece(headers: Headers) -> bool:
    """Whether it comes event by event, or line by line."""
    kind = dict(headers).get(b"content-type", b"").lower()
    return b"text/event-stream" in kind or kind.startswith(_LINES)


def is_event_stream(headers: Headers) -> bool:
    """Whether it comes event by event."""
    return b"text/event-stream" in dict(headers).get(b"content-type", b"").lower()
