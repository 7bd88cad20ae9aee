"""One run of a discovery: its row in the catalogue, its steps as they happen, and how it ends."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import httpx2
from prefect import runtime

from modelscan.catalog import discoveries
from modelscan.errors import ModelScanError
from modelscan.keys import store
from modelscan.sources.http import host_port, open_client
from modelscan.sources.source import SourceRequest, is_base_url
from modelscan.types import (
    Attempt,
    Discovery,
    DiscoveryError,
    DiscoveryState,
    Identifier,
    SourceGap,
    utc_now,
)
from tasks.bench import Bench, the_bench

__all__ = ["Run", "Step", "opened"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class Step:
    """How a step is told at its end: `state` done or cached, and a few words."""

    state: str = "done"
    detail: str = ""


@dataclass(frozen=True)
class Run:
    """What the tasks of one run share."""

    bench: Bench
    discovery: Discovery
    identifier: Identifier
    http: httpx2.AsyncClient
    asking: asyncio.Semaphore
    """Lets `discovery.parallel_batch` sources be asked at once."""

    @asynccontextmanager
    async def step(self, name: str, detail: str = "") -> AsyncIterator[Step]:
        """Record a step in the catalogue, where the command line and the API follow it."""
        seq = await self.catalogue(discoveries.start_step, self.discovery.id, name, detail)
        step = Step()
        try:
            yield step
        except BaseException as error:
            words = error.message if isinstance(error, ModelScanError) else type(error).__name__
            await self.catalogue(discoveries.end_step, self.discovery.id, seq, "failed", words)
            raise
        await self.catalogue(discoveries.end_step, self.discovery.id, seq, step.state, step.detail)

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
        )

    async def record_attempt(self, attempt: Attempt) -> None:
        """One more loop of proposal and validation."""
        await self.catalogue(discoveries.add_attempt, self.discovery.id, attempt)

    async def succeeded(self, gaps: Sequence[SourceGap], **result: Any) -> Discovery:
        """The end of the story."""
        changes = {"state": DiscoveryState.SUCCEEDED, "gaps": tuple(gaps), "ended_at": utc_now(), **result}
        return await self.catalogue(discoveries.update, self.discovery.id, **changes)


@asynccontextmanager
async def opened(identifier: str, base_url: str | None, refresh: bool) -> AsyncIterator[Run]:
    """Find the row that asked for this run (by the tag of its flow run), or make one; record how the run fails."""
    bench = await asyncio.to_thread(the_bench)
    discovery = await asyncio.to_thread(_row, bench, identifier, base_url, refresh)
    try:
        parsed = Identifier.parse(identifier)
        async with open_client(
            allowed_private=_allowed(bench, discovery), timeout=bench.settings.discovery.timeout_seconds
        ) as http:
            yield Run(bench, discovery, parsed, http, asyncio.Semaphore(bench.settings.discovery.parallel_batch))
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(_failed, bench, discovery, error))
        raise


def _row(bench: Bench, identifier: str, base_url: str | None, refresh: bool) -> Discovery:
    changes = {"state": DiscoveryState.RUNNING, "flow_run_id": runtime.flow_run.id}
    asked = next((tag.partition(":")[2] for tag in runtime.flow_run.tags or () if tag.startswith("discovery:")), None)
    if asked:
        return discoveries.update(bench.database, asked, **changes)
    made = Discovery(
        id=uuid.uuid4().hex,
        identifier=identifier,
        base_url=base_url,
        refresh=refresh,
        created_at=utc_now(),
    ).model_copy(update=changes)
    discoveries.create(bench.database, made)
    return made


def _allowed(bench: Bench, discovery: Discovery) -> set[str]:
    """The private addresses of this run: those of the settings, the operator's own server, our reference provider."""
    named = [url for url in (discovery.base_url, bench.told("reference.url")) if url and is_base_url(url)]
    return {*bench.settings.discovery.allowed_private_hosts, *(host_port(url) for url in named)}


def _failed(bench: Bench, discovery: Discovery, error: BaseException) -> None:
    discoveries.update(
        bench.database, discovery.id, state=DiscoveryState.FAILED, error=_told(discovery, error), ended_at=utc_now()
    )


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
