"""Answers of providers that pack them though they were asked not to: unpacked, so that they can be read and told."""

import zlib
from collections.abc import AsyncIterator, Iterator

from modelscan.errors import UpstreamFailed
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["unpacked"]

_PACKINGS = (b"gzip", b"x-gzip", b"deflate")
_EITHER = zlib.MAX_WBITS | 32
"""The head of the data says whether it is gzip or zlib."""
_AT_ONCE = 1 << 20
"""Bytes; a small chunk may unpack to a thousand times its size."""


def unpacked(answer: UpstreamAnswer) -> UpstreamAnswer:
    """The answer itself, unless it is packed in a way that is known; what is packed otherwise stays so."""
    packing = dict(answer.headers).get(b"content-encoding", b"")
    return _Unpacked(answer) if packing and packing.strip().lower() in _PACKINGS else answer


class _Unpacked:
    def __init__(self, answer: UpstreamAnswer) -> None:
        self._answer = answer
        self.status = answer.status
        self.headers: Headers = [header for header in answer.headers if header[0] != b"content-encoding"]

    async def begun(self) -> None:
        await self._answer.begun()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body's bytes as they arrive; raises UpstreamFailed where they cannot be unpacked, or break off."""
        packed = zlib.decompressobj(_EITHER)
        empty = True
        async for chunk in self._answer.chunks():
            empty = False
            for piece in _pieces(packed, chunk):
                yield piece
        if not (packed.eof or empty):
            raise _failed()

    async def aclose(self) -> None:
        await self._answer.aclose()


def _pieces(packed: "zlib._Decompress", chunk: bytes) -> Iterator[bytes]:
    while chunk and not packed.eof:
        try:
            piece = packed.decompress(chunk, _AT_ONCE)
        except zlib.error as error:
            raise _failed() from error
        chunk = packed.unconsumed_tail
        if piece:
            yield piece


def _failed() -> UpstreamFailed:
    return UpstreamFailed("The provider's answer is packed, and cannot be unpacked.", hint="Ask again.")
