"""Looks at how providers are doing, beside the requests: what these met, and calls of ours where there are none."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import httpx2

from modelscan.catalog import health
from modelscan.catalog.database import Database
from modelscan.clients.registry import Registry, Route, Served
from modelscan.errors import ModelScanError, UnknownModel
from modelscan.health.judging import judged_calls
from modelscan.health.traffic import SLICES
from modelscan.sources.http import open_client
from modelscan.types import CaseResult, ClientSpec, HealthChange, utc_now
from modelscan.validation.probe import probe
from router_app.own_chat import own_chat
from router_app.serving import Serving

__all__ = ["Monitor", "sentence"]

_LOOK_SECONDS = 5.0
_AT_ONCE = 4
_CALL_SECONDS = 20.0
_MOST_UNSAVED = 10_000
_log = logging.getLogger(__name__)

Probe = Callable[[ClientSpec, str, httpx2.AsyncClient], Awaitable[tuple[CaseResult, ...]]]
"""Asks what costs nothing, without a key."""


class Monitor:
    """One task of the service. It asks few at a time, and nobody waits for it."""

    def __init__(
        self,
        serving: Serving,
        database: Database,
        allowed_private: Collection[str],
        *,
        probe: Probe = partial(probe, seconds=_CALL_SECONDS),  # noqa: B008 - a function
        look_seconds: float = _LOOK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._serving = serving
        self._database = database
        self._probe = probe
        self._look_seconds = look_seconds
        self._clock = clock
        self._slice_ends = clock() + self._slice_seconds
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._http = open_client(allowed_private=allowed_private, timeout=_CALL_SECONDS)
        self._calls: set[asyncio.Task[None]] = set()
        self._unsaved: tuple[HealthChange, ...] = ()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        await self.remember()
        while True:
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - requests do without it, and it is tried again
                _log.error("how the providers are doing could not be looked at: %s", error)
            await asyncio.sleep(self._look_seconds)

    async def remember(self) -> None:
        """Begin with what was known before a restart."""
        try:
            self._serving.board.remember(await asyncio.to_thread(health.latest, self._database))
        except Exception as error:  # noqa: BLE001 - it begins with nothing known, then
            _log.error("how the providers were doing could not be read: %s", error)

    async def look(self) -> None:
        """One look at all that are served; calls that are due are begun, and what changed is logged and stored."""
        if (registry := self._serving.current) is None:
            return
        board, traffic = self._serving.board, self._serving.traffic
        if self._clock() >= self._slice_ends:
            traffic.turn()
            self._slice_ends = self._clock() + self._slice_seconds
        board.follow(registry.served.keys())
        for provider in registry.served:
            board.seen(provider, traffic.window(provider))
            await asyncio.sleep(0)  # Requests go on between two of them.
        for provider in board.due():
            call = asyncio.create_task(self._call(provider, registry))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        await self._tell(tuple(board.take_changes()))

    async def called(self) -> None:
        """Return once the calls that were begun are over."""
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def close(self) -> None:
        """End what runs; what changed last is stored."""
        for call in self._calls:
            call.cancel()
        await self.called()
        await self._tell(tuple(self._serving.board.take_changes()))
        await self._http.aclose()

    async def _call(self, provider: str, registry: Registry) -> None:
        """Ask one by calls that cost nothing, then by a chat where that is due and allowed."""
        served, route = registry.served[provider], _route(registry, provider)
        if route is None or "${" in route.base:  # What is not set here says nothing of the provider.
            return
        async with self._at_once:
            try:
                cases = await self._probe(served.spec, route.base, self._http)
                self._found(provider, cases)
                if all(one.outcome == "passed" for one in cases) and self._serving.board.chat_due(provider):
                    await self._chat(provider, route)
            except Exception as error:  # noqa: BLE001 - the edge of one call: the others go on
                _log.error("%s could not be asked how it is doing: %s", provider, type(error).__name__)

    async def _chat(self, provider: str, route: Route) -> None:
        cap = self._serving.board.settings.max_cost_usd_per_day
        case = await own_chat(self._serving, self._database, route, cap=cap, at=utc_now())
        if case is not None:
            self._found(provider, (case,))

    def _found(self, provider: str, cases: tuple[CaseResult, ...]) -> None:
        window = self._serving.traffic.window(provider)
        self._serving.board.called(provider, judged_calls(cases, utc_now()), window)

    async def _tell(self, changes: tuple[HealthChange, ...]) -> None:
        for change in changes:
            worse = change.after in ("degraded", "down") or change.before in ("degraded", "down")
            _log.log(logging.WARNING if worse else logging.INFO, "%s", sentence(change))
        self._unsaved = (*self._unsaved, *changes)[-_MOST_UNSAVED:]
        if self._unsaved:
            try:
                await asyncio.to_thread(health.record, self._database, self._unsaved)
            except ModelScanError as error:
                _log.error("how the providers are doing could not be stored, which is tried again: %s", error)
            else:
                self._unsaved = ()

    @property
    def _slice_seconds(self) -> float:
        return self._serving.board.settings.window_seconds / SLICES


def sentence(change: HealthChange) -> str:
    """What changed, in words."""
    again = " again" if change.after == "up" and change.before != "unknown" else ""
    seen = change.evidence.words if change.evidence else "nothing was seen of it for long"
    return f"{change.provider} is {change.after}{again}: {seen}."


def _route(registry: Registry, provider: str) -> Route | None:
    """To the model that validation talks to, else to the first; None where it has none."""
    served: Served = registry.served[provider]
    for model in (served.spec.test_model, *(one.id for one in served.spec.models)):
        try:
            return registry.resolve(f"{provider}/{model}")
        except UnknownModel:
            continue
    return None
