"""Server-sent events as an answer: cut off where a caller does not read on."""

import asyncio
from collections.abc import AsyncIterable, Callable
from contextlib import suppress

from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

__all__ = ["HEARTBEAT", "EventStream", "event"]

HEARTBEAT = ": still here\n\n"
_TYPE = "text/event-stream"
_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_PATIENCE_SECONDS = 30.0


def event(kind: str, data: str, *, id_: int) -> str:
    """One event; `data` is one line, as JSON is."""
    return f"id: {id_}\nevent: {kind}\ndata: {data}\n\n"


class EventStream(StreamingResponse):
    """`content`: the events' texts. `over` is called once, however it ends.

    A caller who reads nothing for `patience` seconds is let go of.
    """

    def __init__(
        self, content: AsyncIterable[str], over: Callable[[], None], *, patience: float = _PATIENCE_SECONDS
    ) -> None:
        super().__init__(content, media_type=_TYPE, headers=_HEADERS)
        self._over = over
        self._patience = patience

    @classmethod
    def head(cls) -> Response:
        """The answer to who asks for the headers alone."""
        return Response(media_type=_TYPE, headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._over()

    async def stream_response(self, send: Send) -> None:
        async def in_time(message: Message) -> None:
            async with asyncio.timeout(self._patience):
                await send(message)

        with suppress(TimeoutError):
            await super().stream_response(in_time)
