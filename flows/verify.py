"""The flow that proves the published clients again, and tells what they no longer do."""

import asyncio
from typing import Annotated, Literal

from prefect import flow
from pydantic import Field

from tasks.verifying import opened, report, verify

__all__ = ["verify_clients"]


@flow(name="verify-clients", flow_run_name="verify clients to {level}", persist_result=False)
async def verify_clients(
    providers: Annotated[list[str], Field(max_length=1000, examples=[["deepseek", "groq"]])] = [],  # noqa: B006 - never changed
    level: Literal["contract", "probe", "live"] = "probe",
    max_cost_usd: Annotated[float, Field(ge=0, le=1000)] = 0.0,
) -> str:
    """Prove the published clients again, and tell what they no longer do.

    Args:
        providers: The providers whose clients are verified; none named: all.
        level: How far: `contract` asks nobody, `probe` the real hosts without a key, `live` with the stored keys.
        max_cost_usd: What the level live may cost at most in this run, in US dollars; what may cost more is probed.
    """
    verifying = await opened(providers, level, max_cost_usd)
    verified = await asyncio.gather(*(verify(verifying, version) for version in verifying.versions))
    return await report(verified)
