"""Workers and routers on PostgreSQL and Redis: what is asked for is done, whichever of them dies."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from flows.deployments import DEPLOYMENTS
from modelscan.reference.app import create_reference
from modelscan.reference.server import serve_in_thread
from tests.e2e.scaled import Scaled, scaled

pytest.importorskip("prefect_redis", reason="the extra scale is not installed")
pytest.importorskip("asyncpg", reason="the extra scale is not installed")

NAME = "own/small"


@dataclass
class Stalling:
    """A provider that answers nobody until it is released."""

    asked: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._reference = create_reference(models=("small",))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.asked.set()
            while not self.released.is_set():  # noqa: ASYNC110 - another thread's doing
                await asyncio.sleep(0.05)
        await self._reference(scope, receive, send)


@pytest.fixture(scope="module")
def stack() -> Iterator[Scaled]:
    """All of it, started as docs/scale.md says."""
    with scaled() as stack:
        with ThreadPoolExecutor(1) as beside:
            started = beside.submit(stack.routers.start)
            stack.cluster.start_server()
            stack.cluster.make_pool()
            stack.cluster.start_worker("worker1")
            stack.cluster.start_worker("worker2")
            stack.cluster.deploy()
            started.result()
        yield stack


@contextmanager
def released(provider: Stalling) -> Iterator[None]:
    try:
        yield
    finally:
        provider.released.set()


def test_the_deployments_are_those_of_one_machine_and_a_worker_executes_them(stack: Scaled) -> None:
    assert stack.cluster.deployments() == sorted(row.name for row in DEPLOYMENTS)
    stack.added(0, "demo/echo")
    stack.cluster.has_run("discover demo/echo", "COMPLETED")


def test_a_discovery_whose_worker_was_killed_says_so_and_the_other_worker_does_it_again(stack: Scaled) -> None:
    provider = Stalling()
    with serve_in_thread(provider) as origin, released(provider):
        address = {"base_url": f"{origin}/v1"}
        interrupted = stack.ask(0, NAME, **address)
        assert provider.asked.wait(120), "no worker executes it"
        (worker,) = stack.cluster.executing()
        stack.cluster.kill(worker)
        told = stack.ended(1, interrupted)
        assert (told["state"], told["error"]["code"]) == ("failed", "discovery-interrupted")
        assert "was killed" in told["error"]["message"]
        assert f"modelscan add {NAME}" in told["error"]["hint"]
        stack.cluster.has_run(f"discover {NAME}", "CRASHED")
        provider.released.set()
        stack.added(1, NAME, **address)
    stack.cluster.has_run(f"discover {NAME}", "COMPLETED")


def test_after_postgresql_and_redis_were_restarted_the_next_discovery_succeeds(stack: Scaled) -> None:
    stack.restart_stores()
    stack.added(1, "demo/echo", refresh=True)
