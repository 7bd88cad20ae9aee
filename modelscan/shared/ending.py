"""Ends tasks that speak with Redis: in Python 3.11 its client, by `asyncio.wait_for`, may lose a cancellation."""

import asyncio
from collections.abc import Iterable

__all__ = ["cancelled"]

_AGAIN_SECONDS = 0.2


async def cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Return once all have ended: each is cancelled again until it heeds that."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        ended, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
        await asyncio.gather(*ended, return_exceptions=True)  # Whose exceptions are no news any more.
