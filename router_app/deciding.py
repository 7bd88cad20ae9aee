"""The operator's word on changes that are held, and what follows from it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from modelscan.catalog import drift, versions
from modelscan.catalog.database import Database
from modelscan.catalog.drift_outbox import no_letters
from modelscan.drift.letters import letters
from modelscan.drift.policy import Effect, effects
from modelscan.settings import DriftSettings
from modelscan.synthesis.prices import renew_prices
from modelscan.types import Discovery, DriftEvent, Frozen
from router_app.discoveries import Discoveries

__all__ = ["Decided", "Deciding"]


class Decided(Frozen):
    """What became of a change."""

    change: DriftEvent
    discovery: Discovery | None = None
    """The discovery that has it take effect, where a client of the provider is published; None where none is needed."""


class Deciding:
    """Judges changes; `reload_prices` has the router reckon with the prices of the catalogue."""

    def __init__(
        self,
        database: Database,
        settings: DriftSettings,
        discoveries: Discoveries,
        reload_prices: Callable[[], Awaitable[None]],
    ) -> None:
        self.database = database
        self._writing = letters if settings.webhook_url else no_letters
        self._discoveries = discoveries
        self._reload_prices = reload_prices

    async def judge(self, change_id: str, *, approved: bool, actor: str, reason: str = "") -> Decided:
        """Approve or reject; what is approved takes effect. Raises ChangeNotFound, NotWaiting."""
        judge = partial(drift.judge, approved=approved, reason=reason, actor=actor, writing=self._writing)
        change = await asyncio.to_thread(judge, self.database, change_id)
        effect = effects([change]).get(change.provider, Effect.NOTHING)
        if effect is Effect.NOTHING:
            return Decided(change=change)
        await asyncio.to_thread(renew_prices, self.database, change.provider)
        await self._reload_prices()
        return Decided(change=change, discovery=await self._discovered(change, effect))

    async def _discovered(self, change: DriftEvent, effect: Effect) -> Discovery | None:
        if effect is not Effect.DISCOVERY or not await asyncio.to_thread(self._is_published, change.provider):
            return None
        return await self._discoveries.again(change.provider)

    def _is_published(self, provider: str) -> bool:
        return any(version.provider == provider for version in versions.active(self.database))
