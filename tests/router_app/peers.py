"""Providers of the tests' own: each shows one thing that the reference provider does not do."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Scope, Send

__all__ = ["Endless", "Scripted"]


@dataclass
class Scripted:
    """Answers what it was told to, in these pieces, and remembers what it was asked."""

    pieces: Sequence[bytes]
    status: int = 200
    content_type: bytes = b"application/json"
    headers: Sequence[tuple[bytes, bytes]] = ()
    requests: list[tuple[dict[bytes, bytes], bytes]] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    """Path and query of each request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message: Message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.requests.append((dict(scope["headers"]), body))
        self.targets.append(f"{scope['path']}?{scope['query_string'].decode()}")
        headers = [(b"content-type", self.content_type), *self.headers]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        for piece in self.pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Endless:
    """Streams without an end (or says nothing), until the other side goes away, which it notes."""

    silent: bool = False
    began: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        gone = asyncio.create_task(self._gone(receive))
        self.began.set()
        if not self.silent:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        while not gone.done():
            if not self.silent:
                await send({"type": "http.response.body", "body": b'data: {"choices":[1]}\n\n', "more_body": True})
            await asyncio.wait([gone], timeout=0.01)
        self.left.set()

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
