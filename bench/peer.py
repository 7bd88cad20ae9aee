"""`python -m bench.peer PORT`: a provider that costs next to nothing, so that a bench measures the router before it.

It answers POST with one small chat, or with a stream of 100 chunks where the body asks for a stream, and GET with a
list of its one model. The last message may ask for more: `fail` is answered with a 500, as all below /broken is, and a
stream for `slow` brings five chunks a second.
"""

import asyncio
import json
import sys

import httptools
import uvloop

__all__ = ["CHUNKS"]

CHUNKS = 100
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\n"
_USAGE = {"prompt_tokens": 9, "completion_tokens": CHUNKS, "total_tokens": 9 + CHUNKS}
_BASE = {"id": "chatcmpl-bench", "created": 1_700_000_000, "model": "bench"}


def _plain() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}
    return _told(_HEAD, {**_BASE, "object": "chat.completion", "choices": [choice], "usage": _USAGE})


def _events() -> list[bytes]:
    """Each as a chunk of its own, the head before the first, the end behind the last."""
    deltas = [{"index": 0, "delta": {"content": f" word{number}"}, "finish_reason": None} for number in range(CHUNKS)]
    chunks = [{**_BASE, "object": "chat.completion.chunk", "choices": [delta]} for delta in deltas]
    chunks.append({**_BASE, "object": "chat.completion.chunk", "choices": [], "usage": _USAGE})
    texts = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]
    framed = [b"%x\r\n%b\r\n" % (len(text), text) for text in texts]
    framed[0] = _HEAD % b"text/event-stream" + b"transfer-encoding: chunked\r\n\r\n" + framed[0]
    framed[-1] += b"0\r\n\r\n"
    return framed


def _told(head: bytes, said: object) -> bytes:
    body = json.dumps(said).encode()
    return head % b"application/json" + b"content-length: %d\r\n\r\n" % len(body) + body


PLAIN, EVENTS = _plain(), _events()
MODELS = _told(_HEAD, {"object": "list", "data": [{"id": "bench", "object": "model"}]})
FAILED = _told(b"HTTP/1.1 500 No\r\ncontent-type: %b\r\n", {"error": {"message": "It failed."}})
_PAUSE = 0.2
_SLOW_CHUNKS = 50


class Peer(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a socket's is one
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._url = b""

    def on_url(self, url: bytes) -> None:
        self._url = url

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        url, self._url = self._url, b""
        if self._parser.get_method() == b"GET":
            self._transport.write(MODELS)
        elif b'"fail"' in body or b"/broken" in url:
            self._transport.write(FAILED)
        elif b'"stream":true' in body.replace(b" ", b""):
            if b'"slow"' in body:
                self._slowly(0)
            else:
                self._next(0)
        else:
            self._transport.write(PLAIN)

    def _next(self, number: int) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(EVENTS[number])
        if number + 1 < len(EVENTS):
            asyncio.get_running_loop().call_soon(self._next, number + 1)

    def _slowly(self, number: int) -> None:
        """Some of the chunks, from the first to the last, with a pause after each."""
        if self._transport.is_closing():
            return
        self._transport.write(EVENTS[number])
        if number + 1 < len(EVENTS):
            following = number + 1 if number < _SLOW_CHUNKS else len(EVENTS) - 1
            asyncio.get_running_loop().call_later(_PAUSE, self._slowly, following)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Peer, "127.0.0.1", port, backlog=4096)
    print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
