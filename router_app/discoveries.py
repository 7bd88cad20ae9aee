"""Discoveries as the admin API starts and follows them; the work itself is done by the runner, through Prefect."""

import asyncio
import time
import uuid
from collections.abc import Callable
from functools import partial

from modelscan.catalog import approvals, discoveries, versions
from modelscan.catalog.database import Database
from modelscan.errors import ProviderNotFound
from modelscan.types import Discovery, Identifier, utc_now

__all__ = ["Discoveries"]

_POLL_SECONDS = 0.05

Signature = tuple[tuple[int, int], ...]


class Discoveries:
    """The queue is the catalogue's table; `notify` tells the dispatcher that there is something new in it."""

    def __init__(self, database: Database, notify: Callable[[], None]) -> None:
        self._database = database
        self._notify = notify
        self._seen: dict[str, tuple[Signature, Discovery]] = {}

    async def start(
        self, identifier: Identifier, base_url: str | None = None, refresh: bool = False, deep: bool = False
    ) -> Discovery:
        """Queue a discovery."""
        discovery = Discovery(
            id=uuid.uuid4().hex,
            identifier=str(identifier),
            base_url=base_url,
            refresh=refresh,
            deep=deep,
            created_at=utc_now(),
        )
        await asyncio.to_thread(discoveries.create, self._database, discovery)
        self._notify()
        return discovery

    async def again(self, provider: str) -> Discovery:
        """Queue what led to the provider's active client once more; raises ProviderNotFound."""
        before = await asyncio.to_thread(self._origin, provider)
        if before is None:
            return await self.start(Identifier(provider=provider))
        return await self.start(Identifier.parse(before.identifier), before.base_url, deep=before.deep)

    async def get(self, discovery_id: str) -> Discovery:
        """One discovery; raises DiscoveryNotFound.

        The catalogue is opened only if its file changed since the last look: following a run costs its writers nothing.
        """
        signature = self._database.stamp()
        seen = self._seen.get(discovery_id)
        if seen and seen[0] == signature:
            return seen[1]
        discovery = await asyncio.to_thread(discoveries.get, self._database, discovery_id)
        self._seen[discovery_id] = signature, discovery
        if discovery.ended:
            del self._seen[discovery_id]
        return discovery

    async def follow(self, discovery_id: str, seconds: float, closed: asyncio.Event) -> Discovery:
        """The discovery when it has ended; as it stands after `seconds`, or when the service closes."""
        deadline = time.monotonic() + seconds
        while not (found := await self.get(discovery_id)).at_rest and time.monotonic() < deadline:
            try:
                async with asyncio.timeout(_POLL_SECONDS):
                    await closed.wait()
            except TimeoutError:
                continue
            break
        return found

    async def judge(self, discovery_id: str, *, approved: bool, reason: str = "", actor: str = "") -> Discovery:
        """Approve or refuse what waits; raises DiscoveryNotFound, NotWaiting."""
        judge = partial(approvals.judge, self._database, discovery_id, approved=approved, reason=reason, actor=actor)
        judged = await asyncio.to_thread(judge)
        self._notify()
        return judged

    async def recent(self) -> tuple[Discovery, ...]:
        """The newest ones."""
        return await asyncio.to_thread(discoveries.recent, self._database)

    def _origin(self, provider: str) -> Discovery | None:
        active = [version for version in versions.active(self._database) if version.provider == provider]
        if not active:
            raise ProviderNotFound(
                f"There is no client of {provider} to generate again.",
                hint=f"Add the provider: modelscan add {provider}",
                provider=provider,
            )
        return discoveries.get(self._database, active[0].discovery_id) if active[0].discovery_id else None
