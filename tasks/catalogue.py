"""One run over the whole catalogue: whom it looks at, in which batches, and what came of each so far."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx2
from prefect import runtime
from pydantic import SecretStr

from modelscan.catalog import decisions, observations, records
from modelscan.keys import store
from modelscan.keys.store import UsableKey
from modelscan.rediscovery.settling import Settled
from modelscan.sources.http import host_port
from modelscan.sources.lists import ReadList
from modelscan.sources.source import SourceRequest
from modelscan.types import CatalogueRun, Decision, Identifier, Published, SourceRecord, utc_now
from tasks.bench import Bench, the_bench
from tasks.turns import CATALOGUE, Turn, make_limits_known, turn

__all__ = ["CatalogueWork", "begun", "opened_catalogue"]

T = TypeVar("T")


class CatalogueWork:
    """What the tasks of one run share. No dataclass: Prefect would walk through all of it for each task."""

    def __init__(
        self,
        bench: Bench,
        run: CatalogueRun,
        *,
        resumed: bool = False,
        prices_only: bool = False,
        refresh: bool = False,
        turns: Turn = turn,
        found_by: str | None = None,
    ) -> None:
        self.bench = bench
        self.run = run
        self.resumed = resumed
        """Whether it goes on with a run that was interrupted."""
        self.prices_only = prices_only
        self.refresh = refresh
        """Whether the lists are to send all they have, also what did not change."""
        self.turn = turns
        self.found_by = found_by
        """Prefect's id of this run."""
        self.seen: Mapping[str, bool] = {}
        """Who was ever looked at -> whether this run has done so, before it was interrupted."""
        self.published: Mapping[str, Published] = {}
        self.decided: tuple[Decision, ...] = ()
        self.keys: Mapping[str, tuple[UsableKey, ...]] = {}
        self.lists: dict[str, ReadList] = {}
        """Those that can be read, by source."""
        self.faults: dict[str, str] = {}
        """Why a list is that of last time, or is not there, by source."""
        self.settled: list[Settled] = []

    async def catalogue(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Call a function of the catalogue, in a thread: it may have to wait for the file."""
        return await asyncio.to_thread(function, self.bench.database, *arguments, **named)

    @property
    def providers(self) -> tuple[str, ...]:
        """Everybody that is known: by the lists, by earlier runs, and because they are served; those come last."""
        listed = {provider for one in self.lists.values() for provider in one.providers}
        if self.prices_only:  # An operator's own server has no listed price.
            own = {one.provider for one in self.published.values() if one.base_url}
            return tuple(sorted(listed - own))
        everybody = listed | set(self.seen) | set(self.published)
        return tuple(sorted(everybody, key=lambda provider: (provider in self.published, provider)))

    @property
    def done_before(self) -> tuple[str, ...]:
        """Whom this run had looked at when it was interrupted."""
        return tuple(provider for provider in self.providers if self.seen.get(provider) and not self.prices_only)

    def batches(self) -> tuple[tuple[str, ...], ...]:
        """Who is to be looked at, `discovery.parallel_batch` at once."""
        done = set(self.done_before)
        left = [provider for provider in self.providers if provider not in done]
        size = self.bench.settings.discovery.parallel_batch
        return tuple(tuple(left[at : at + size]) for at in range(0, len(left), size))

    def decisions_on(self, provider: str) -> tuple[Decision, ...]:
        """The operator's, on one provider and its models."""
        return tuple(one for one in self.decided if one.subject.partition("/")[0] == provider)

    def latest(self, source: str, subject: str) -> SourceRecord | None:
        """What a source last answered, however old."""
        return records.latest(self.bench.database, source, subject)

    def allowed_private(self, served: Published | None = None) -> set[str]:
        """The private addresses that may be asked: those of the settings, and the server that the operator named."""
        named = [url for url in (served and served.base_url, self.bench.told("reference.url")) if url]
        return {*self.bench.settings.discovery.allowed_private_hosts, *map(host_port, named)}

    def request(self, served: Published, http: httpx2.AsyncClient) -> SourceRequest:
        """What a published provider is asked."""
        place = (served.provider, "base_url", "pin")
        pinned = next((str(one.value) for one in self.decided if (one.subject, one.field, one.kind) == place), None)
        named = pinned or served.base_url
        return SourceRequest(
            identifier=Identifier(provider=served.provider),
            http=http,
            settings=self.bench.settings.discovery,
            base_url=named if served.base_url else None,
            operator_named=served.base_url is not None,
            demo_base_url=self.bench.told("reference.url"),
            key=self._key(served.provider, host_port(named) if named else None),
        )

    def _key(self, provider: str, host: str | None) -> SecretStr | None:
        usable = store.sendable(self.keys.get(provider, ()), host)
        return min(usable, key=lambda one: one.key.score).secret if usable else None


@asynccontextmanager
async def opened_catalogue(*, prices_only: bool = False, refresh: bool = False) -> AsyncIterator[CatalogueWork]:
    """Wait until no other run is over the catalogue, and go on with one that was interrupted, or begin anew."""
    bench = await asyncio.to_thread(the_bench)
    await make_limits_known()
    async with turn(CATALOGUE):
        yield await begun(bench, turn, prices_only=prices_only, refresh=refresh)


async def begun(bench: Bench, turns: Turn, *, prices_only: bool, refresh: bool) -> CatalogueWork:
    """The run with what the catalogue tells of it."""
    if prices_only:
        run, resumed = CatalogueRun(id="prices", started_at=utc_now()), False
    else:
        run, resumed = await asyncio.to_thread(observations.begin, bench.database)
    work = CatalogueWork(
        bench,
        run,
        resumed=resumed,
        prices_only=prices_only,
        refresh=refresh,
        turns=turns,
        found_by=runtime.flow_run.id,
    )
    work.seen = await work.catalogue(observations.observed, run)
    work.published = await work.catalogue(observations.published)
    work.decided = await work.catalogue(decisions.list_decisions)
    work.keys = await work.catalogue(store.load, bench.custody)
    return work
