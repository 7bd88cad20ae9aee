"""Runs an application on a free loopback port: inside the running loop, or in a thread of its own."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from anyio.from_thread import start_blocking_portal
from starlette.types import ASGIApp

__all__ = ["listen", "make_server", "serve", "serve_in_thread"]

_ANSWERING_SECONDS = 0.1
"""What is being answered as the server ends may take."""
_TURNS = 5
"""Of the loop, in which the connections are closed; who is connected from within it hears of that, and closes too."""


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A bound, listening socket."""
    # Named TCP, for asyncio sends at once (TCP_NODELAY) only where it is told so: else 40 ms are lost on each answer.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(128)
    return listening


def make_server(app: ASGIApp, http: type[asyncio.Protocol] | None = None) -> uvicorn.Server:
    """A quiet server without signal handlers of its own; `http` speaks with callers in place of uvicorn's."""
    config = uvicorn.Config(
        app,
        interface="asgi3",  # Which uvicorn does not guess of an application that is called without a coroutine.
        http=http or "auto",
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Server(config)


@asynccontextmanager
async def serve(app: ASGIApp, http: type[asyncio.Protocol] | None = None) -> AsyncIterator[str]:
    """Serve `app` in the running loop; gives its origin, `http://127.0.0.1:PORT`. `http` as in `make_server`."""
    server = make_server(app, http)
    with listen() as listening:
        task = asyncio.create_task(server._serve([listening]))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            await _ended(server, task)


async def _ended(server: uvicorn.Server, serving: "asyncio.Task[None]") -> None:
    """As uvicorn ends, but at once: it looks ten times a second whether it should, and then waits for a tenth."""
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    for listener in getattr(server, "servers", ()):  # It has none before it began.
        listener.close()
    for connection in list(server.server_state.connections):
        connection.shutdown()
    if answering := server.server_state.tasks:
        await asyncio.wait(answering, timeout=_ANSWERING_SECONDS)
    for _ in range(_TURNS):
        await asyncio.sleep(0)


@contextmanager
def serve_in_thread(app: ASGIApp) -> Iterator[str]:
    """Serve `app` in a thread; gives its origin."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serve(app)) as origin:
        yield origin
