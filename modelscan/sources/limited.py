"""Ends an answer that grows past a limit, for clients that read answers whole, as the SDKs do."""

from collections.abc import AsyncIterator

import httpx2

__all__ = ["Limited"]


class Limited(httpx2.AsyncBaseTransport):
    """Passes requests on. An answer past `max_bytes`, or a compressed one, which may hide any size, is a ReadError."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, max_bytes: int) -> None:
        self._inner = inner
        self._max_bytes = max_bytes

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        answer = await self._inner.handle_async_request(request)
        assert isinstance(answer.stream, httpx2.AsyncByteStream)
        if answer.headers.get("content-encoding", "identity") != "identity":
            await answer.stream.aclose()
            raise httpx2.ReadError("the answer is compressed, which was not asked for")
        answer.stream = _Counted(answer.stream, self._max_bytes)
        return answer

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._inner = inner
        self._left = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._inner:
            self._left -= len(chunk)
            if self._left < 0:
                raise httpx2.ReadError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
