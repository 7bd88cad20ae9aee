"""Answers of providers that pack them though they were asked not to: unpacked, so that they can be read and told."""

import zlib

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
        self._packed = zlib.decompressobj(_EITHER)
        self._rest = b""
        """What came, and is not unpacked yet."""
        self._empty = True
        self.status = answer.status
        self.headers: Headers = [header for header in answer.headers if header[0] != b"content-encoding"]

    def whole(self) -> None:
        """It is unpacked piece by piece."""

    async def begun(self) -> None:
        await self._answer.begun()

    async def read(self) -> bytes:
        """The body's next bytes; raises UpstreamFailed where they cannot be unpacked, or break off."""
        while True:
            if piece := self._piece():
                return piece
            self._rest = await self._answer.read()
            if not self._rest:
                break
            self._empty = False
        if not (self._packed.eof or self._empty):
            raise _failed()
        return b""

    async def aclose(self) -> None:
        await self._answer.aclose()

    def _piece(self) -> bytes:
        """What can be unpacked of what came; what follows the end is none of it."""
        packed, piece = self._packed, b""
        while self._rest and not (piece or packed.eof):
            try:
                piece = packed.decompress(self._rest, _AT_ONCE)
            except zlib.error as error:
                raise _failed() from error
            self._rest = packed.unconsumed_tail
        return piece


def _failed() -> UpstreamFailed:
    return UpstreamFailed("The provider's answer is packed, and cannot be unpacked.", hint="Ask again.")
