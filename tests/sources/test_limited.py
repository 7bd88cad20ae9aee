import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from modelscan.sources.limited import Limited


class Chunks(httpx2.AsyncByteStream):
    """An answer in three parts, that knows whether it was closed."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abcd"

    async def aclose(self) -> None:
        self.closed = True


def got(limit: int, chunks: Chunks, **headers: str) -> bytes:
    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["accept-encoding"] == "identity"
        return httpx2.Response(200, stream=chunks, headers=headers)

    async def story() -> bytes:
        async with httpx2.AsyncClient(transport=Limited(httpx2.MockTransport(answer), limit)) as http:
            return (await http.get("http://box.example/")).content

    return asyncio.run(story())


def test_an_answer_within_the_limit_is_passed_on() -> None:
    chunks = Chunks()
    assert got(12, chunks) == b"abcdabcdabcd"
    assert chunks.closed


def test_an_answer_past_the_limit_ends_there() -> None:
    chunks = Chunks()
    with pytest.raises(httpx2.ReadError, match="too large"):
        got(11, chunks)
    assert chunks.closed


def test_a_compressed_answer_is_not_unpacked() -> None:
    chunks = Chunks()
    with pytest.raises(httpx2.ReadError, match="compressed"):
        got(12, chunks, **{"content-encoding": "gzip"})
    assert chunks.closed
