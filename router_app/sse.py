"""Server-sent events on their way through: whole events only where one must be hidden, bytes as they come elsewhere."""

import json
import re

from modelscan.wire.openai_chat import OPENAI_CHAT
from modelscan.wire.protocol import StreamReader, Usage

__all__ = ["Relay"]

_LONGEST_EVENT = 1 << 20
_DONE = OPENAI_CHAT.last_event
_LAST = 256
"""Bytes that the end of a stream fits into."""
_ENDS = (b"\n\n", b"\r\n\r\n")
_BREAK = re.compile(rb"\r?\n\r?\n")


class Relay:
    """Notes the usage of a stream, and whether it failed; hides the usage chunk that the caller did not ask for."""

    def __init__(self, reader: StreamReader, *, hide_usage: bool, last: "re.Pattern[bytes]" = _DONE) -> None:
        self._usage = reader
        self._hide = hide_usage
        self._last_event = last
        self._rest = b""
        self._before = self._last = b""
        """The last two chunks that came."""
        self._whole = True
        """Whether what came so far ended with the end of an event."""

    @property
    def usage(self) -> Usage:
        """The tokens told so far."""
        return self._usage.usage

    def failed(self) -> bool:
        """Whether the provider told an error, which is the last of a stream, or the last but one."""
        # Looked for once, at the end: in each chunk it would cost as much as all the rest.
        if b'"error"' in (tail := self._before + self._last):
            self._usage.feed(b"\n" + tail + b"\n")
        return self._usage.failed

    @property
    def ended(self) -> bool:
        """Whether the last event is the one that ends a stream."""
        came = self._before[-_LAST:] + self._last
        data = came.rstrip().rpartition(b"\ndata:")[2]
        return came.endswith(_ENDS) and self._last_event.fullmatch(data) is not None

    def feed(self, chunk: bytes) -> bytes:
        """What of this chunk goes to the caller now."""
        self._before, self._last = self._last, chunk
        found = chunk.find(b'"usage"')
        whole, self._whole = self._whole, chunk.endswith(_ENDS)
        if whole and self._whole and found < 0:
            return chunk  # Whole events without usage: nearly all of a stream.
        plain = _last_end(chunk, found) if whole and found >= 0 else 0
        self._usage.feed(chunk[plain:] if plain else chunk)
        return self._shown(self._rest + chunk) if self._hide else chunk

    def _shown(self, data: bytes) -> bytes:
        """All but usage; what may yet become usage waits."""
        found = data.find(b'"usage"')
        plain = _last_end(data, len(data) if found < 0 else found)
        *events, self._rest = _split(data[plain:])
        shown = data[:plain] + b"".join(event for event in events if not _only_usage(event))
        if len(self._rest) > _LONGEST_EVENT:  # No usage is as long: it goes on as it comes, and nothing piles up here.
            shown, self._rest = shown + self._rest, b""
        return shown

    def end(self) -> bytes:
        """What is left at the end of the stream."""
        rest, self._rest = self._rest, b""
        return b"" if _only_usage(rest) else rest


def _last_end(data: bytes, before: int) -> int:
    """Where the last event that is over by `before` ends."""
    found = ((data.rfind(end, 0, before), len(end)) for end in (b"\n\n", b"\n\r\n"))
    return max((at + length for at, length in found if at >= 0), default=0)


def _split(data: bytes) -> list[bytes]:
    """Whole events with the blank line that ends each, and the rest."""
    ends = [found.end() for found in _BREAK.finditer(data)]
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


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
