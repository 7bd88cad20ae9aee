"""The flow that takes up what models cost now."""

from prefect import flow

from tasks.catalogue import opened_catalogue
from tasks.logs import run_logger
from tasks.rediscovering import ask_lists, look_at_batch
from tasks.summarising import Progress, summary_artifact
from tasks.taking_up import tell_routers

__all__ = ["refresh_prices"]

_NAME = "refresh-prices"


@flow(name=_NAME, flow_run_name="refresh prices", persist_result=False)
async def refresh_prices(refresh: bool = False) -> str:
    """Ask the lists that tell prices: a new one counts at once, without a client being made anew.

    Args:
        refresh: Have the sources send their lists even where they say that nothing changed.
    """
    async with opened_catalogue(prices_only=True, refresh=refresh) as work:
        await ask_lists(work)
        progress = await Progress.begin(work, _NAME)
        for number, batch in enumerate(work.batches(), 1):
            await look_at_batch(work, number, batch)
            await progress.move(work)
        await tell_routers(work)
        said = await summary_artifact(work, _NAME)
    run_logger().info("%s", said)
    return said
