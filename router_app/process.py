"""The whole of the service in one process: the application, and what runs beside it."""

import asyncio
import gc
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
from starlette.types import ASGIApp

from modelscan.catalog.database import Database
from modelscan.catalog.detached import DetachedDatabase
from modelscan.catalog.generations import FileGenerations, Generations
from modelscan.settings import Settings, load
from modelscan.sources.http import tls
from modelscan.types import Identifier
from router_app.app import create_app
from router_app.companions import Companions
from router_app.dispatch import Dispatcher
from router_app.following import follow
from router_app.gate import Gate
from router_app.refreshing import Refreshing
from router_app.service import Service

__all__ = ["running"]

_AGAIN_SECONDS = 1.0
_COLLECT_AFTER = (20_000, 20, 50)
_DEMO = Identifier(provider="demo", model="echo")
_CLOSED = "Tokens were issued, so each request needs one: curl -H 'Authorization: Bearer msk-…' …"
_log = logging.getLogger(__name__)


@asynccontextmanager
async def running(
    settings: Settings, environ: Mapping[str, str], *, gate: Gate, url: str, token: str, tell: Callable[[str], None]
) -> AsyncIterator[ASGIApp]:
    """The application, everything started; at the end requests drain, processes end, the journal is flushed.

    `url` is where it listens already: the processes beside it are told, and call back.
    """
    database = DetachedDatabase(Database(settings.database_path, settings.database.wait_seconds))
    async with httpx2.AsyncClient(timeout=10.0, verify=tls(), trust_env=False) as http:
        service = Service(
            settings,
            environ,
            gate=gate,
            notify=lambda: dispatcher.enqueue(),
            database=database,
            reread=lambda: load(environ=environ).settings,
            on_master=lambda new: companions.master(new),
        )
        companions = Companions(settings, environ, service.parts, http, tell=tell)
        dispatcher = Dispatcher(
            service.database, api_url=lambda: companions.api_url or None, http=http, wake=companions.wake
        )
        service.refreshing = Refreshing(api_url=lambda: companions.api_url or None, http=http, wake=companions.wake)
        by_file = FileGenerations(database)  # Before the first look at the catalogue: nothing is missed between.
        service.on_change = by_file.announce
        together = AsyncExitStack()
        generations = await together.enter_async_context(_together(service, settings, by_file))
        service.start()
        companions.start()
        following = asyncio.create_task(follow(service, generations))
        dispatching = asyncio.create_task(_dispatch(service, dispatcher, url, tell))
        try:
            yield create_app(service, token)
        finally:
            dispatching.cancel()
            following.cancel()
            seconds = settings.server.drain_seconds
            _, cancelled = await asyncio.gather(companions.stop(), gate.close("draining", seconds))
            if cancelled:
                _log.warning("%d requests did not finish in %g s", cancelled, seconds)
            await asyncio.gather(dispatching, following, return_exceptions=True)
            await together.aclose()
            await service.close()
            await asyncio.to_thread(database.close)


@asynccontextmanager
async def _together(service: Service, settings: Settings, by_file: Generations) -> AsyncIterator[Generations]:
    """With the other routers, where there are any: only then is their way to each other imported.

    Yields how their publications are heard.
    """
    if not settings.redis.url.get_secret_value():
        yield by_file
        return
    joining = await asyncio.to_thread(importlib.import_module, "router_app.joining")
    async with joining.joined(service, settings.redis):
        yield joining.heard(by_file, settings.redis)


async def _dispatch(service: Service, dispatcher: Dispatcher, url: str, tell: Callable[[str], None]) -> None:
    await service.opened(seconds=None)
    if service.serving.door.book.issued:  # What was printed at the start, before anything was read, is refused then.
        tell(_CLOSED)
    _settle_memory()
    await _refresh_demo(service, url)
    while True:
        try:
            await dispatcher.run()
        except Exception as error:  # noqa: BLE001 - the queue is in the catalogue, where it is found again
            _log.error("the dispatcher failed and begins anew: %s", error)
            await asyncio.sleep(_AGAIN_SECONDS)


def _settle_memory() -> None:
    """What was loaded stays; the collector need not go through it again and again, which cost a sixth of a request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


async def _refresh_demo(service: Service, url: str) -> None:
    """The demo is this service itself: where it listens elsewhere now, its published client is out of date."""
    registry = service.serving.current
    demo = registry.served.get(_DEMO.provider) if registry else None
    if demo and not demo.spec.base_url.startswith(f"{url}/"):
        await service.discoveries.start(_DEMO, refresh=True)
