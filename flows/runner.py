"""`python -m flows.runner`: takes the runs of our deployments that are due; each is forked from a warm process."""

import asyncio
import gc
import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Sequence

from prefect.client.orchestration import get_client
from pydantic import SecretStr

from flows.deployments import DEPLOYMENTS
from tasks.bench import guarded_settings
from tasks.deploying import Deployment, deploy
from tasks.running.forks import Forks
from tasks.running.home import WarmHome
from tasks.running.leftovers import settle_leftovers
from tasks.running.supervisor import Supervisor
from tasks.running.zygote import serve

__all__ = ["main"]

_POLL_SECONDS = 0.5
_MASTER = b"master "


def main(deployments: Sequence[Deployment] = DEPLOYMENTS) -> None:
    """Run until SIGTERM, or until stdin ends. A line there means: look now; `master KEY` brings another master key."""
    _say(state="starting", detail="warming up")
    ours, theirs = socket.socketpair()
    # Before this process has a thread: a fork has but the one that forks.
    if os.fork() == 0:
        ours.close()
        _be_zygote(theirs, deployments)
    theirs.close()
    asyncio.run(_main(ours, deployments))


def _be_zygote(control: socket.socket, deployments: Sequence[Deployment]) -> None:
    home = WarmHome(deployments)
    gc.collect()
    gc.freeze()  # What never goes is never looked at again, and so stays shared.
    serve(control, home)
    home.close()
    os._exit(0)


async def _main(control: socket.socket, deployments: Sequence[Deployment]) -> None:
    wake, stop = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    forks = Forks(control)
    threading.Thread(target=_listen, args=(loop, wake.set, stop.set, forks.renew), daemon=True).start()
    serving = asyncio.create_task(_serve(wake, deployments, forks))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping, forks.gone), return_when=asyncio.FIRST_COMPLETED)
    failed = serving.done() or forks.gone.done()
    stopping.cancel()
    serving.cancel()
    ended = await asyncio.gather(serving, return_exceptions=True)
    forks.close()
    if failed:
        raise SystemExit(f"the runner cannot go on: {ended[0] or 'its warm process is gone'}")


def _listen(
    loop: asyncio.AbstractEventLoop,
    wake: Callable[[], None],
    stop: Callable[[], None],
    renew: Callable[[SecretStr], None],
) -> None:
    begun = b""
    # Not sys.stdin: a thread that waits in it makes the interpreter's end a fatal error.
    while read := os.read(0, 4096):
        *lines, begun = (begun + read).split(b"\n")
        for line in lines:
            if line.startswith(_MASTER):
                loop.call_soon_threadsafe(renew, SecretStr(line.removeprefix(_MASTER).decode()))
        loop.call_soon_threadsafe(wake)
    loop.call_soon_threadsafe(stop)


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - the line that the parent reads


async def _serve(wake: asyncio.Event, deployments: Sequence[Deployment], forks: Forks) -> None:
    settings = guarded_settings()
    async with get_client() as client:
        while error := await client.api_healthcheck():
            _say(state="starting", detail=f"waiting for the Prefect API ({type(error).__name__})")
            await asyncio.sleep(_POLL_SECONDS)
        rows = await deploy(client, deployments, settings.schedules)
        await settle_leftovers(client, rows)
        _say(state="ready", deployments=sorted(row.name for row in rows.values()))
        supervisor = Supervisor(client, rows, forks, settings)
        try:
            await supervisor.run(wake)
        finally:
            await supervisor.stop()


if __name__ == "__main__":
    main()
