"""Who may ask a source at once, over all runs and machines: Prefect's global concurrency limits, by name."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.asyncio import concurrency
from prefect.exceptions import ObjectNotFound, PrefectException

__all__ = ["CATALOGUE", "LIMITS", "Turn", "make_limits_known", "turn"]

Turn = Callable[[str], AbstractAsyncContextManager[None]]
"""The name of a limit -> what is entered once there is room."""
CATALOGUE = "modelscan-catalogue"
LIMITS: Mapping[str, int] = {
    CATALOGUE: 1,
    "modelscan-source-models.dev": 1,
    "modelscan-source-genai-prices": 1,
    "modelscan-source-provider": 4,
}
"""Each limit -> what it is where nobody changed it. Two runs over the catalogue go one after the other; a list has one
caller at a time, and of the published providers no more than four are asked at once."""
_LEASE_SECONDS = 60.0
"""How long a place stays taken when its process was killed; whoever lives renews it."""
_log = logging.getLogger(__name__)


async def make_limits_known(limits: Mapping[str, int] = LIMITS) -> None:
    """Make those that this Prefect server does not have; what an operator changed in its UI stays."""
    async with get_client() as client:
        for name, limit in limits.items():
            try:
                await client.read_global_concurrency_limit_by_name(name)
            except ObjectNotFound:
                try:
                    await client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=limit))
                except (PrefectException, httpx.HTTPError) as error:  # Another run was quicker, perhaps.
                    _log.info("the limit %s was not made: %s", name, error)


@asynccontextmanager
async def turn(name: str) -> AsyncIterator[None]:
    """Wait for room within the limit of that name; a server that has no such limit sets none."""
    async with concurrency(name, lease_duration=_LEASE_SECONDS, strict=False):
        yield
