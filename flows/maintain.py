"""The flow that removes what is old, so that nothing grows for ever."""

import asyncio
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from tasks.bench import the_bench
from tasks.maintaining import (
    Done,
    keep_discoveries,
    keep_history,
    keep_journal,
    keep_logs,
    keep_prefect,
    keep_records,
    keep_usage,
    report,
)

__all__ = ["maintain"]


@flow(name="maintain", flow_run_name="maintain", persist_result=False)
async def maintain() -> State[Any]:
    """Remove what is old (usage, journal, history, source answers, discoveries, Prefect's runs, logs), and say so."""
    bench = await asyncio.to_thread(the_bench)
    done, failed = list[Done](), list[str]()
    # History before the answers of sources that it names.
    steps: tuple[Any, ...] = (
        keep_usage,
        keep_journal,
        keep_history,
        keep_records,
        keep_discoveries,
        keep_prefect,
        keep_logs,
    )
    for step in steps:
        state: State[Done] = await step(bench, return_state=True)
        if state.is_completed():
            done.append(await state.aresult())
        else:
            failed.append(f"{step.task_run_name}: {state.message}")
    await report(bench, done, failed)
    if failed:
        return Failed(message=f"{len(failed)} of {len(done) + len(failed)} steps failed: {'; '.join(failed)}")
    return Completed(message="; ".join(f"{one.what}: {one.removed}" for one in done))
