"""One run in its process: what it is told, and with which code it ends."""

import asyncio
import os
from typing import Any
from uuid import uuid4

import pytest
from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Abort, Pause
from prefect.states import Completed, Crashed, Failed, Suspended
from pydantic import SecretStr

from tasks.running import child
from tasks.running.child import END, MASTER, OUT_OF_MEMORY, STOPPED


@flow
async def waits() -> None:
    """Nothing."""


@flow
def waits_in_a_thread() -> None:
    """Nothing."""


def wrapped(error: BaseException) -> BaseException:
    try:
        raise RuntimeError("no more") from error
    except RuntimeError as wrapping:
        return wrapping


def execute(
    monkeypatch: pytest.MonkeyPatch, ends: object, said: bytes = b"", of: Flow[..., Any] = waits
) -> tuple[int, list[SecretStr]]:
    """(exit code, master keys that were taken) of a run that ends so: a state, or what it raises; None: never."""
    taken: list[SecretStr] = []
    hold = asyncio.Event

    async def run(_flow: object, _run: FlowRun, parameters: object, return_type: str) -> object:
        assert (parameters, return_type) == ({"days": 1}, "state")
        if ends is None:
            await hold().wait()
        if isinstance(ends, BaseException):
            raise ends
        return ends

    monkeypatch.setattr(child, "run_flow_async", run)
    monkeypatch.setattr(child, "run_flow_sync", lambda *a, **k: asyncio.run(run(*a, **k)))
    reading, writing = os.pipe()
    try:
        os.write(writing, said)
        code = child.execute(of, FlowRun(flow_id=uuid4(), parameters={"days": 1}), reading, taken.append)
    finally:
        os.close(reading)
        os.close(writing)
    return code, taken


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (Completed(), 0),
        (Failed(data=ValueError("bad")), 0),
        (Pause(state=Suspended()), 0),
        (Abort("another runs it"), 0),
        (MemoryError(), OUT_OF_MEMORY),
        (Failed(data=MemoryError()), OUT_OF_MEMORY),
        (Crashed(data=wrapped(MemoryError())), OUT_OF_MEMORY),
    ],
)
def test_the_code_says_whether_the_run_told_its_end(monkeypatch: pytest.MonkeyPatch, ends: object, code: int) -> None:
    assert execute(monkeypatch, ends) == (code, [])


def test_a_flow_that_is_no_coroutine_is_executed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    assert execute(monkeypatch, Completed(), of=waits_in_a_thread) == (0, [])


def test_it_ends_when_it_is_told_to_and_takes_the_master_keys_that_come_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = MASTER + b"one\n" + MASTER + b"two\n" + END + b"\n"
    assert execute(monkeypatch, None, said) == (STOPPED, [SecretStr("one"), SecretStr("two")])
