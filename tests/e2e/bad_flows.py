"""`python -m tests.e2e.bad_flows`: the service's own runner, with flows that misbehave on demand."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Literal

from prefect import flow, task

from flows.runner import main
from tasks.deploying import Deployment

NAME = os.environ.get("BAD_FLOWS", "misbehave")
Way = Literal["well", "hog", "fault", "exit", "wait", "hang"]


@task(name="misbehave")
async def misbehave(way: Way, told: str) -> str:
    """End in this way; `told` is a file that says the process's id first."""
    await asyncio.to_thread(Path(told).write_text, str(os.getpid()))
    match way:
        case "hog":
            return str(len([bytearray(2**24) for _ in range(2**16)]))
        case "fault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(9)
        case "wait":
            await asyncio.Event().wait()
        case "hang":
            time.sleep(600)  # noqa: ASYNC251 - this is what it is for
    return "well"


@flow(name="misbehave", flow_run_name="misbehave: {way}", persist_result=False)
async def misbehave_flow(way: Way, told: str) -> str:
    """Misbehave.

    Args:
        way: How.
        told: A file that says the process's id.
    """
    return await misbehave(way, told)


if __name__ == "__main__":
    main(
        [
            Deployment(misbehave_flow, NAME, "Misbehave."),
            Deployment(misbehave_flow, f"{NAME}-in-time", "Misbehave, but not for long.", whole_catalogue=True),
        ]
    )
