"""Has the routers take up what a run over the catalogue changed in it."""

import asyncio

from prefect import task
from prefect.cache_policies import NO_CACHE

from modelscan.catalog.generations import FileGenerations
from tasks.catalogue import CatalogueWork
from tasks.logs import run_logger

__all__ = ["tell_routers"]


async def tell_routers(work: CatalogueWork) -> None:
    """Tell every router process of new prices; with none, nobody is told."""
    count = sum(one.prices for one in work.settled)
    if count:
        await announce(work, count)


@task(name="tell the routers", task_run_name="tell the routers", cache_policy=NO_CACHE, persist_result=False)
async def announce(work: CatalogueWork, count: int) -> None:
    """They reckon with the prices that the catalogue holds then."""
    await asyncio.to_thread(FileGenerations(work.bench.database).announce)
    run_logger().info("%d new prices: every router was told to take them up", count)
