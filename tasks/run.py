"""One run of a discovery: its row in the catalogue, its steps as they happen, and how it ends."""

import asyncio
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar

import httpx2
from prefect import runtime
from prefect.exceptions import Pause

from modelscan.catalog import decisions, discoveries, lives
from modelscan.errors import ModelScanError
from modelscan.keys import store
from modelscan.redaction import redact
from modelscan.sources.http import host_port, open_client
from modelscan.sources.source import SourceRequest, is_base_url
from modelscan.synthesis.settled import pins_record
from modelscan.types import (
    Decision,
    Discovery,
    DiscoveryError,
    DiscoveryState,
    DiscoveryStep,
    Identifier,
    SourceGap,
    SourceRecord,
    utc_now,
)
from tasks.bench import Bench, the_bench
from tasks.logs import run_logger
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
    decisions: tuple[Decision, ...] = ()
    """The operator's, on this provider and its models."""

    @property
    def pinned_base_url(self) -> str | None:
        """Where the operator's pin says that the provider is."""
        return _pinned_base_url(self.identifier, self.decisions)

    @property
    def pins(self) -> tuple[SourceRecord, ...]:
        """What the operator pinned, as a record beside those of the sources."""
        record = pins_record(self.identifier.provider, self.decisions)
        return (record,) if record else ()

    @property
    def distrusted(self) -> tuple[str, ...]:
        """The sources whose word on the provider's base URL the operator rejected."""
        place = (self.identifier.provider, "base_url")
        return tuple(one.source for one in self.decisions if one.source and (one.subject, one.field) == place)

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
            if isinstance(error, Exception) and redact(told := str(error)) != told:
                # Prefect keeps the words of what ends a task; a library's may quote what it was given.
                raise ModelScanError(f"{type(error).__name__}: {told}") from None
            raise
        finally:
            ended = {"state": step.state, "detail": step.detail, "ended_at": utc_now()}
            self.telling.step(begun.model_copy(update=ended))
            run_logger().log(
                logging.WARNING if step.state == "failed" else logging.INFO, "%s: %s", name, step.detail or step.state
            )

    async def catalogue(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function of the catalogue, in a thread: it may have to wait for the file."""
        return await asyncio.to_thread(function, self.bench.database, *arguments, **named)

    async def request(self) -> SourceRequest:
        """What the sources are asked."""
        keys = await self.catalogue(store.load, self.bench.custody)
        named = self.pinned_base_url or self.discovery.base_url
        host = host_port(named) if named else None
        usable = store.sendable(keys.get(self.identifier.provider, ()), host)
        return SourceRequest(
            identifier=self.identifier,
            http=self.http,
            settings=self.bench.settings.discovery,
            base_url=named if self.discovery.base_url else None,
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
    """Find the row that asked for this run (by the tag of its flow run), or make one; record how the run fails.

    Where the process is killed, routers see that by `lives`, and tell it.
    """
    bench = await asyncio.to_thread(the_bench)
    with lives.executing(bench.database, str(runtime.flow_run.id)):
        discovery = await asyncio.to_thread(_row, bench, identifier, base_url, refresh, deep)
        async with _telling(bench, discovery, identifier) as run:
            yield run


@asynccontextmanager
async def _telling(bench: Bench, discovery: Discovery, identifier: str) -> AsyncIterator[Run]:
    telling = Telling(bench.database, discovery, _count=len(discovery.steps))
    try:
        parsed = Identifier.parse(identifier)
        decided = await asyncio.to_thread(decisions.list_decisions, bench.database, parsed.provider)
        pinned = _pinned_base_url(parsed, decided)
        async with open_client(
            allowed_private=_allowed(bench, discovery, pinned), timeout=bench.settings.discovery.timeout_seconds
        ) as http:
            asking = asyncio.Semaphore(bench.settings.discovery.parallel_batch)
            until = time.monotonic() + bench.settings.discovery.run_seconds
            yield Run(bench, discovery, telling, parsed, http, asking, until, decided)
    except Pause:  # It waits for approval, and is executed again after that.
        await telling.written()
        raise
    except BaseException as error:
        now = await asyncio.to_thread(discoveries.get, bench.database, discovery.id)
        if now.state is not DiscoveryState.WAITING:  # What is held waits on, whatever became of its run.
            telling.change(state=DiscoveryState.FAILED, error=_told(discovery, error), ended_at=utc_now())
        await telling.written()
        raise


def _row(bench: Bench, identifier: str, base_url: str | None, refresh: bool, deep: bool) -> Discovery:
    changes = {"state": DiscoveryState.RUNNING, "flow_run_id": runtime.flow_run.id}
    asked = next((tag.partition(":")[2] for tag in runtime.flow_run.tags or () if tag.startswith("discovery:")), None)
    before = (
        discoveries.get(bench.database, asked)
        if asked
        else discoveries.of_flow_run(bench.database, str(runtime.flow_run.id))
    )
    if before and before.digest:  # It was suspended, or another run did so: its state is the approval's to change.
        return discoveries.update(bench.database, before.id, flow_run_id=changes["flow_run_id"])
    if before:
        return discoveries.update(bench.database, before.id, **changes)
    made = Discovery(
        id=uuid.uuid4().hex,
        identifier=redact(identifier),  # Typed into Prefect's form, perhaps, where nothing was looked at yet.
        base_url=base_url and redact(base_url),
        refresh=refresh,
        deep=deep,
        created_at=utc_now(),
    ).model_copy(update=changes)
    discoveries.create(bench.database, made)
    return made


def _pinned_base_url(identifier: Identifier, decided: Sequence[Decision]) -> str | None:
    place = (identifier.provider, "base_url", "pin")
    return next((str(one.value) for one in decided if (one.subject, one.field, one.kind) == place), None)


def _allowed(bench: Bench, discovery: Discovery, pinned: str | None) -> set[str]:
    """The private addresses of this run: those of the settings, the operator's own server, our reference provider."""
    named = [url for url in (discovery.base_url, pinned, bench.told("reference.url")) if url and is_base_url(url)]
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
