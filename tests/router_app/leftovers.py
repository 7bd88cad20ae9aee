"""What a batch of requests may leave behind in this process: no task, no socket, no file."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from router_app.hop import PooledUpstream
from tests.router_app.routers import eventually
from tests.router_app.standing import Standing

__all__ = ["nothing_left"]

_SECONDS = 5.0


@asynccontextmanager
async def nothing_left(stood: Standing) -> AsyncIterator[None]:
    """Fails where something that began inside is there after it; connections that are kept are closed on both sides."""
    await stood.router.http.get("/health")
    await _let_go(stood)
    tasks, files = asyncio.all_tasks(), _open()
    kept = stood.router.http
    # Connections that a client keeps are its own affair: this one closes all that it made.
    async with httpx2.AsyncClient(base_url=stood.router.url, timeout=20, verify=False) as stood.router.http:
        yield
    stood.router.http = kept
    await _let_go(stood)
    await eventually(lambda: asyncio.all_tasks() <= tasks and len(_open()) <= len(files), _SECONDS)


async def _let_go(stood: Standing) -> None:
    """Close the idle connections to the provider, and wait until it has seen that."""
    upstream = stood.router.service.serving.upstream
    assert isinstance(upstream, PooledUpstream)
    for waiting in upstream._idle.values():
        while waiting:
            waiting.pop()[1].abort()
            upstream._count -= 1
    assert upstream._count == 0


def _open() -> list[str]:
    return os.listdir("/proc/self/fd")
