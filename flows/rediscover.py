"""The flow that looks at every known provider again."""

from prefect import flow

from flows.looking import looked_at

__all__ = ["rediscover_catalog"]

_NAME = "rediscover-catalog"


@flow(name=_NAME, flow_run_name="rediscover the catalogue", persist_result=False)
async def rediscover_catalog(refresh: bool = False) -> str:
    """Look at every known provider again: what changed is told, and what counts of it is taken up.

    Args:
        refresh: Have the sources send their lists even where they say that nothing changed.
    """
    return await looked_at(_NAME, prices_only=False, refresh=refresh)
