"""Serves what other processes publish: each router process follows the generations that are announced."""

import asyncio
import logging

from modelscan.catalog import versions
from modelscan.catalog.generations import Generations
from router_app.service import Service

__all__ = ["follow"]

_AGAIN_SECONDS = 0.5
_log = logging.getLogger(__name__)


async def follow(service: Service, generations: Generations) -> None:
    """Reload whenever something is announced that is not served yet, until cancelled."""
    await service.opened(seconds=None)
    async for generation in generations.changes():
        served = service.serving.current
        if not generation or served is None or served.generation != generation:
            await _reload(service, everything=not generation)


async def _reload(service: Service, *, everything: bool) -> None:
    """Until it succeeds: what was announced is not announced again."""
    while True:
        try:
            if everything and await _knows_less(service):
                return
            await service.reload(everything=everything)
        except Exception as error:  # noqa: BLE001 - the edge of the process: /health and the log tell
            _log.error("what was published could not be taken up, and is tried again: %s", error)
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


async def _knows_less(service: Service) -> bool:
    """Whether the catalogue was taken away and made anew: what is served goes on being served."""
    served = service.serving.current
    return served is not None and await asyncio.to_thread(versions.generation, service.database) < served.generation
