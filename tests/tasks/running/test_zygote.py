"""Processes forked from a warm one: each ends alone, however it ends, and none is left behind."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from tasks.running import forks as module
from tasks.running.child import END
from tasks.running.forks import Fork, Forks
from tasks.running.zygote import Order
from tests.e2e.service import CHECKOUT


class Zygote:
    """A real one in a process of its own, and our side of it."""

    def __init__(self, process: "subprocess.Popen[bytes]", forks: Forks, folder: Path) -> None:
        self.process = process
        self.forks = forks
        self.folder = folder

    def begin(self, do: str, file: str = "said") -> Fork:
        said = {"do": do, "file": str(self.folder / file)}
        return self.forks.begin(Order(id=uuid4().hex, deployment="plain", run=said, memory_bytes=2**28))

    async def text(self, file: str = "said") -> str:
        """What a child wrote, once it did."""
        async with asyncio.timeout(20):
            while not ((self.folder / file).exists() and (self.folder / file).read_text()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        return (self.folder / file).read_text()


@asynccontextmanager
async def zygote(folder: Path) -> AsyncIterator[Zygote]:
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-m", "tests.tasks.running.plain_home", str(theirs.fileno())]
        process = await asyncio.to_thread(subprocess.Popen, command, pass_fds=[theirs.fileno()], cwd=CHECKOUT)
    forks = Forks(ours)
    try:
        yield Zygote(process, forks, folder)
    finally:
        forks.close()
        await asyncio.to_thread(process.wait, 20)


async def gone(*pids: int) -> None:
    """Wait until these processes are; one that nobody buried counts."""
    async with asyncio.timeout(20):
        for pid in pids:
            while is_there(pid):  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def each_is_told_how_it_ended(at: Zygote) -> None:
    begun = {do: at.begin(do) for do in ("exit", "break", "fault", "hog", "hang")}
    await at.text()
    assert os.waitstatus_to_exitcode(await begun["exit"].ended) == 3
    assert os.waitstatus_to_exitcode(await begun["break"].ended) == 1
    assert os.waitstatus_to_exitcode(await begun["fault"].ended) == -signal.SIGSEGV
    assert os.waitstatus_to_exitcode(await begun["hog"].ended) == 77
    assert [fork.id for fork in at.forks] == [begun["hang"].id]


async def what_a_run_leaves_behind_ends_with_it(at: Zygote) -> None:
    fork = at.begin("wait")
    pids = [int(pid) for pid in (await at.text()).split()]
    fork.stop("cancelled")
    assert os.waitstatus_to_exitcode(await fork.ended) == 0
    assert (at.folder / "said.said").read_bytes() == END + b"\n"
    await gone(*pids)
    fork.stop("time")
    assert fork.why == "cancelled"


async def one_that_does_not_heed_is_killed(at: Zygote) -> None:
    fork = at.begin("hang")
    await at.text()
    fork.stop("time")
    fork.stop("closing")
    assert os.waitstatus_to_exitcode(await fork.ended) == -signal.SIGKILL
    assert fork.why == "time"
    at.forks.kill(fork.id)


async def a_new_master_key_reaches_those_that_run_and_those_of_later(at: Zygote) -> None:
    fork = at.begin("wait", "running")
    await at.text("running")
    at.forks.renew(SecretStr("second"))
    assert await at.text("running.said") == "master second\n"
    await fork.ended
    await at.begin("exit", "later").ended
    assert await at.text("later") == "second"


async def closing_leaves_no_process(at: Zygote) -> None:
    at.begin("wait")
    pids = [int(pid) for pid in (await at.text()).split()]
    at.forks.close()
    await gone(*pids)


async def none_outlives_a_zygote_that_is_killed(at: Zygote) -> None:
    fork = at.begin("hang")
    pid = int(await at.text())
    at.process.kill()
    async with asyncio.timeout(20):
        await asyncio.shield(at.forks.gone)
    assert await fork.ended == signal.SIGKILL
    await gone(pid)
    with pytest.raises(OSError, match="Bad file descriptor"):
        at.begin("exit")
    at.forks.kill("nobody")


@pytest.mark.parametrize(
    "story",
    [
        each_is_told_how_it_ended,
        what_a_run_leaves_behind_ends_with_it,
        one_that_does_not_heed_is_killed,
        a_new_master_key_reaches_those_that_run_and_those_of_later,
        closing_leaves_no_process,
        none_outlives_a_zygote_that_is_killed,
    ],
    ids=lambda story: story.__name__,
)
def test_forks(story: Callable[[Zygote], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Those that heed are given all the time that a busy machine may take.
    monkeypatch.setattr(module, "_GRACE_SECONDS", 0.2 if story is one_that_does_not_heed_is_killed else 60)

    async def told() -> None:
        async with zygote(tmp_path) as at:
            await story(at)

    asyncio.run(told())
