"""The flow that takes up what models cost now."""

from prefect import flow

from flows.looking import looked_at

__all__ = ["refresh_prices"]

_NAME = "refresh-prices"


@flow(name=_NAME, flow_run_name="refresh prices", persist_result=False)
async def refresh_prices(refresh: bool = False) -> str:
    """Ask the lists that tell prices: a new one counts at once, without a client being made anew.

    Args:
        refresh: Have the sources send their lists even where they say that nothing changed.
    """
    return await looked_at(_NAME, prices_only=True, refresh=refresh)
