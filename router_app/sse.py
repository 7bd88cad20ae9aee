"""Server-sent events on their way through: whole events only where one must be hidden, bytes as they come elsewhere."""

import json

from modelscan.wire.protocol import StreamReader, Usage

__all__ = ["Relay"]

_LONGEST_EVENT = 1 << 20


class Relay:
    """Notes the usage of a stream, and hides the usage chunk that the caller did not ask for."""

    def __init__(self, reader: StreamReader, *, hide_usage: bool) -> None:
        self._usage = reader
        self._hide = hide_usage
        self._rest = b""

    @property
    def usage(self) -> Usage:
        """(prompt, completion) tokens seen so far."""
        return self._usage.usage

    def feed(self, chunk: bytes) -> bytes:
        """What of this chunk goes to the caller now."""
        self._usage.feed(chunk)
        if not self._hide:
            return chunk
        *events, self._rest = _split(self._rest + chunk)
        passed = b"".join(event for event in events if not _only_usage(event))
        if len(self._rest) > _LONGEST_EVENT:  # No usage is as long: it goes on as it comes, and nothing piles up here.
            passed, self._rest = passed + self._rest, b""
        return passed

    def end(self) -> bytes:
        """What is left at the end of the stream."""
        rest, self._rest = self._rest, b""
        return b"" if _only_usage(rest) else rest


def _split(data: bytes) -> list[bytes]:
    """Whole events with the blank line that ends each, and the rest."""
    events: list[bytes] = []
    start = 0
    while True:
        ends = [at + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (at := data.find(mark, start)) >= 0]
        if not ends:
            return [*events, data[start:]]
        events.append(data[start : min(ends)])
        start = min(ends)


def _only_usage(event: bytes) -> bool:
    """Whether it is the chunk of `stream_options.include_usage`: usage, and no choices."""
    if b'"usage"' not in event:
        return False
    data = b"".join(line[5:].strip() for line in event.splitlines() if line.startswith(b"data:"))
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(chunk, dict) and bool(chunk.get("usage")) and chunk.get("choices") == []
