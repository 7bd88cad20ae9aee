"""The order of a look at the catalogue: whole, or for what models cost alone."""

from modelscan.catalog import observations
from tasks.catalogue import opened_catalogue
from tasks.logs import run_logger
from tasks.rediscovering import ask_lists, look_at_batch
from tasks.summarising import Progress, summary_artifact
from tasks.taking_up import tell_routers

__all__ = ["looked_at"]


async def looked_at(name: str, *, prices_only: bool, refresh: bool) -> str:
    """Ask the lists, look batch by batch, take up what counts; returns what came of it, in words.

    `name` is the flow's; its artifacts bear it.
    """
    async with opened_catalogue(prices_only=prices_only, refresh=refresh) as work:
        await ask_lists(work)
        progress = await Progress.begin(work, name)
        for number, batch in enumerate(work.batches(), 1):
            await look_at_batch(work, number, batch)
            await progress.move(work)
        if not prices_only:  # A look for prices has nothing to go on with, and so no end.
            await work.catalogue(observations.end, work.run)
        await tell_routers(work)
        said = await summary_artifact(work, name)
    run_logger().info("%s", said)
    return said
