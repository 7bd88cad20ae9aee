"""One run of a discovery: its row in the catalogue, its steps as they happen, and how it ends."""

import asyncio
import math
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

import httpx2
from prefect import runtime

from modelscan.catalog import discoveries
from modelscan.errors import ModelScanError
from modelscan.keys import store
from modelscan.sources.http import host_port, open_client
from modelscan.sources.source import SourceRequest, is_base_url
from modelscan.types import (
    Discovery,
    DiscoveryError,
    DiscoveryState,
    DiscoveryStep,
    Identifier,
    SourceGap,
    utc_now,
)
from tasks.bench import Bench, the_bench
from tasks.telling import Telling

__all__ = ["Run", "Step", "opened"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Step:
    """How a step is told at its end: `state` done or cached, and a few words."""

    state: Literal["done", "cached", "failed"] = "done"
    detail: str = ""


@dataclass(frozen=True)
class Run:
    """What the tasks of one run share."""

    bench: Bench
    discovery: Discovery
    telling: Telling
    identifier: Identifier
    http: httpx2.AsyncClient
    asking: asyncio.Semaphore
    """Lets `discovery.parallel_batch` sources be asked at once."""
    until: float = math.inf
    """When the runner ends it, by the monotonic clock."""

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Record a step in the catalogue, where the command line and the API follow it."""
        begun = DiscoveryStep(seq=self.telling.number(), name=name, state="running", started_at=utc_now())
        self.telling.step(begun)
        step = Step()
        try:
            yield step
        except BaseException as error:
            words = error.message if isinstance(error, ModelScanError) else type(error).__name__
            step.state, step.detail = "failed", words
            raise
        finally:
            ended = {"state": step.state, "detail": step.detail, "ended_at": utc_now()}
            self.telling.step(begun.model_copy(update=ended))

    async def catalogue(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function of the catalogue, in a thread: it may have to wait for the file."""
        return await asyncio.to_thread(function, self.bench.database, *arguments, **named)

    async def request(self) -> SourceRequest:
        """What the sources are asked."""
        keys = await self.catalogue(store.load, self.bench.custody)
        host = host_port(self.discovery.base_url) if self.discovery.base_url else None
        usable = store.sendable(keys.get(self.identifier.provider, ()), host)
        return SourceRequest(
            identifier=self.identifier,
            http=self.http,
            settings=self.bench.settings.discovery,
            base_url=self.discovery.base_url,
            operator_named=self.discovery.base_url is not None,
            demo_base_url=self.bench.told("reference.url"),
            key=min(usable, key=lambda one: one.key.score).secret if usable else None,
            deep=self.discovery.deep,
        )

    async def succeeded(self, gaps: Sequence[SourceGap], **result: Any) -> Discovery:
        """The end of the story."""
        self.telling.change(state=DiscoveryState.SUCCEEDED, gaps=tuple(gaps), ended_at=utc_now(), **result)
        return await self.telling.written()


@asynccontextmanager
async def opened(identifier: str, base_url: str | None, refresh: bool, deep: bool = False) -> AsyncIterator[Run]:
    """Find the row that asked for this run (by the tag of its flow run), or make one; record how the run fails."""
    bench = await asyncio.to_thread(the_bench)
    discovery = await asyncio.to_thread(_row, bench, identifier, base_url, refresh, deep)
    telling = Telling(bench.database, discovery)
    try:
        parsed = Identifier.parse(identifier)
        async with open_client(
            allowed_private=_allowed(bench, discovery), timeout=bench.settings.discovery.timeout_seconds
        ) as http:
            asking = asyncio.Semaphore(bench.settings.discovery.parallel_batch)
            until = time.monotonic() + bench.settings.discovery.run_seconds
            yield Run(bench, discovery, telling, parsed, http, asking, until)
    except BaseException as error:
        telling.change(state=DiscoveryState.FAILED, error=_told(discovery, error), ended_at=utc_now())
        await telling.written()
        raise


def _row(bench: Bench, identifier: str, base_url: str | None, refresh: bool, deep: bool) -> Discovery:
    changes = {"state": DiscoveryState.RUNNING, "flow_run_id": runtime.flow_run.id}
    asked = next((tag.partition(":")[2] for tag in runtime.flow_run.tags or () if tag.startswith("discovery:")), None)
    if asked:
        return discoveries.update(bench.database, asked, **changes)
    made = Discovery(
        id=uuid.uuid4().hex,
        identifier=identifier,
        base_url=base_url,
        refresh=refresh,
        deep=deep,
        created_at=utc_now(),
    ).model_copy(update=changes)
    discoveries.create(bench.database, made)
    return made


def _allowed(bench: Bench, discovery: Discovery) -> set[str]:
    """The private addresses of this run: those of the settings, the operator's own server, our reference provider."""
    named = [url for url in (discovery.base_url, bench.told("reference.url")) if url and is_base_url(url)]
    return {*bench.settings.discovery.allowed_private_hosts, *(host_port(url) for url in named)}


def _told(discovery: Discovery, error: BaseException) -> DiscoveryError:
    if isinstance(error, ModelScanError):
        return DiscoveryError(code=error.code, message=error.message, hint=error.hint, fields=error.fields)
    cancelled = isinstance(error, asyncio.CancelledError | TimeoutError)
    return DiscoveryError(
        code="discovery-interrupted" if cancelled else "error",
        message=f"The discovery of {discovery.identifier} "
        + ("was stopped before its end." if cancelled else f"failed unexpectedly: {type(error).__name__}."),
        hint=f"Ask again: modelscan add {discovery.identifier}; the runner's log has the details.",
    )
