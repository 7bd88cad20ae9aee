"""Joins this router with the others over Redis; imported only where `redis.url` is set."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from modelscan.catalog.generations import Generations
from modelscan.settings import RedisSettings
from modelscan.shared.ending import cancelled
from modelscan.shared.generations import SharedGenerations
from modelscan.shared.ledger import RedisLedger
from modelscan.shared.sharing import Sharing
from router_app.service import Service
from router_app.shared_rows import SharedRows
from router_app.sharing import SharedLimits

__all__ = ["heard", "joined"]

_log = logging.getLogger(__name__)


def heard(by_file: Generations, settings: RedisSettings) -> SharedGenerations:
    """What is announced on any machine."""
    return SharedGenerations(by_file, settings.url, settings.prefix, uuid.uuid4().hex, settings.timeout_seconds)


@asynccontextmanager
async def joined(service: Service, settings: RedisSettings) -> AsyncIterator[Sharing]:
    """Limits are kept together with the others from now on, until the end."""
    serving, rows = service.serving, SharedRows(service)

    def state(there: bool, routers: int) -> None:
        if there:
            service.parts.set("redis", "up", f"Limits are shared by {routers} router{'' if routers == 1 else 's'}.")
        else:
            service.parts.set("redis", "down", f"This router grants 1/{routers} of what was left of each limit.")

    # Each start is another router: what one before it used stays counted as it is.
    ledger = RedisLedger(settings.url, settings.prefix, uuid.uuid4().hex, settings.timeout_seconds)
    sharing = Sharing(
        ledger,
        least_routers=settings.routers,
        clock=serving.door.book.clock,
        rows=rows.known,
        dead=rows.settled,
        on_state=state,
        on_news=lambda window, told: limits.heard(window, told),
    )
    limits = SharedLimits(sharing, serving.door.book, serving.pool)
    await sharing.open()
    serving.shared = limits
    touching = asyncio.create_task(sharing.run())
    try:
        yield sharing
    finally:
        await cancelled([touching])
        await sharing.leave()
