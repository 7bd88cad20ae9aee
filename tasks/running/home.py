"""What the runner's warm process holds: settings, the opened master key, a sandbox; and how a child of it begins."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module

from prefect.client.schemas.objects import FlowRun
from pydantic import SecretStr

from modelscan.errors import ServiceUnavailable
from modelscan.sources.warming import warm
from modelscan.validation.sandbox import Sandbox
from tasks import bench
from tasks.deploying import Deployment
from tasks.running.child import execute
from tasks.running.zygote import Order

__all__ = ["WarmHome"]

_LATE = (
    "anyio._backends._asyncio",
    "encodings.idna",
    "prefect._internal.observers",
    "prefect.concurrency._asyncio",
    "prefect.concurrency.services",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
"""What a run of a flow imports late, 0.3 s in all: here it is in memory before."""


class WarmHome:
    """Has no thread: the catalogue is opened by each child for itself."""

    def __init__(self, deployments: Sequence[Deployment]) -> None:
        self._flows = {row.name: row.flow for row in deployments}
        self._bench = bench.warm()
        self._side: Sandbox | None = None
        for name in _LATE:
            import_module(name)
        warm()

    def prepare(self) -> Callable[[], None]:
        """A side of the sandbox for the child that is forked next; without one, it starts a sandbox of its own."""
        with suppress(ServiceUnavailable):
            self._side = self._bench.sandbox.shared()
        return self._forked

    def _forked(self) -> None:
        if self._side:
            self._side.leave()
        self._side = None

    def take(self, master: SecretStr) -> None:
        """Open the stored keys with it from now on."""
        self._bench.custody.take(master)

    def execute(self, order: Order, line: int) -> int:
        """In the child: its run, on a bench whose sandbox is its own side."""
        self._bench.sandbox.leave()
        own = bench.use(self._bench, self._side or Sandbox())
        run = FlowRun.model_validate(order.run)
        return execute(self._flows[order.deployment], run, line, own.custody.take)

    def close(self) -> None:
        """End the sandbox."""
        self._bench.sandbox.close()
