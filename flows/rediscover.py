"""The flow that looks at every known provider again."""

from prefect import flow

from modelscan.catalog import observations
from tasks.catalogue import opened_catalogue
from tasks.logs import run_logger
from tasks.rediscovering import ask_lists, look_at_batch
from tasks.summarising import Progress, summary_artifact
from tasks.taking_up import tell_routers

__all__ = ["rediscover_catalog"]

_NAME = "rediscover-catalog"


@flow(name=_NAME, flow_run_name="rediscover the catalogue", persist_result=False)
async def rediscover_catalog(refresh: bool = False) -> str:
    """Look at every known provider again: what changed is told, and what counts of it is taken up.

    Args:
        refresh: Have the sources send their lists even where they say that nothing changed.
    """
    async with opened_catalogue(refresh=refresh) as work:
        await ask_lists(work)
        progress = await Progress.begin(work, _NAME)
        for number, batch in enumerate(work.batches(), 1):
            await look_at_batch(work, number, batch)
            await progress.move(work)
        await work.catalogue(observations.end, work.run)
        await tell_routers(work)
        said = await summary_artifact(work, _NAME)
    run_logger().info("%s", said)
    return said
