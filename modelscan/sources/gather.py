"""Asks the sources about one identifier: from the catalogue where an answer is young enough, else anew."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

import anyio
from pydantic import JsonValue

from modelscan.sources import SOURCES
from modelscan.sources.hosts import may_be_named
from modelscan.sources.source import Source, SourceRequest
from modelscan.types import Frozen, SourceGap, SourceRecord, utc_now
from modelscan.wire.packages import PROTOCOL_OF_PACKAGE

__all__ = ["Saved", "Scrape", "first_wave", "gather", "scrape", "second_wave", "with_named_base_url"]

_MAX_SECONDS = 40.0
"""For all that one source asks. A run has three times that, and asks in two waves: no source may be its end."""
Saved = Callable[[str, str, str | None, datetime], SourceRecord | None]
"""(source, subject, url or None, not older than) -> the catalogue's record."""


class Scrape(Frozen):
    """What came of asking one source."""

    source: str
    record: SourceRecord | None = None
    gap: SourceGap | None = None
    cache: Literal["hit", "miss", "passed by", "none"] = "none"
    """`passed by` where it is to be asked anew; `none` where its answers are not kept for later."""

    @property
    def cached(self) -> bool:
        """Whether the record is the catalogue's."""
        return self.cache == "hit"

    @property
    def said(self) -> str:
        """In a few words, for the step and the log of the run."""
        if self.gap:
            return f"{self.gap.kind}: {self.gap.reason}"
        if self.record is None:
            return "nothing of this provider"
        age = f", of {self.record.fetched_at:%Y-%m-%d %H:%M}" if self.cached else ""
        kept = "" if self.cache == "none" else f", cache {self.cache}"
        return f"record {self.record.id}{age}{kept}" + (f" ({self.record.note})" if self.record.note else "")


def first_wave(request: SourceRequest) -> tuple[Source, ...]:
    """The sources that can be asked at once."""
    return tuple(
        source for source in SOURCES if source.concerns(request) and (request.base_url or not source.needs_base_url)
    )


def second_wave(request: SourceRequest) -> tuple[Source, ...]:
    """Those that needed a base URL, where the first wave's request had none."""
    if request.base_url:
        return ()
    return tuple(source for source in SOURCES if source.needs_base_url and source.concerns(request))


def with_named_base_url(
    request: SourceRequest, records: Iterable[SourceRecord], rejected: Collection[str] = ()
) -> SourceRequest:
    """The request with the base URL that a trusted record names: the operator's pin, ours, then models.dev's.

    `rejected` are the sources whose word on it the operator does not want.
    """
    by_source = {record.source: record.payload for record in records if record.trusted}
    for source in rejected:
        by_source.pop(source, None)
    for source, field in (("pin", "base_url"), ("builtin", "base_url"), ("models.dev", "api")):
        payload = by_source.get(source)
        named = payload.get(field) if isinstance(payload, dict) else None
        if isinstance(named, str) and named:
            # Refused here already: this is where a key is first sent to what a list named.
            trusted = source in ("pin", "builtin") or may_be_named(named, request.settings.allowed_private_hosts)
            return replace(request, base_url=named, protocol=_protocol(by_source)) if trusted else request
    return request


def _protocol(payloads: Mapping[str, JsonValue]) -> str | None:
    """What our own row says, else what the package that models.dev names speaks."""
    for source, field, names in (("builtin", "protocol", None), ("models.dev", "npm", PROTOCOL_OF_PACKAGE)):
        payload = payloads.get(source)
        if isinstance(payload, dict) and isinstance(said := payload.get(field), str):
            return said if names is None else names.get(said)
    return None


async def scrape(source: Source, request: SourceRequest, saved: Saved | None) -> Scrape:
    """Ask one source. `saved` None asks anew whatever the catalogue has."""
    kept = _is_kept(source, request)
    if kept and saved and (record := _young(source, request, saved)):
        return Scrape(source=source.name, record=record, cache="hit")
    found: SourceRecord | SourceGap | None = SourceGap(
        source=source.name, kind="unreachable", reason=f"it took more than {_MAX_SECONDS:g} s"
    )
    with anyio.move_on_after(_MAX_SECONDS):
        found = await source.fetch(request)
    cache: Literal["miss", "passed by", "none"] = "none" if not kept else "miss" if saved else "passed by"
    if isinstance(found, SourceGap):
        return Scrape(source=source.name, gap=found, cache=cache)
    return Scrape(source=source.name, record=found, cache=cache)


async def gather(request: SourceRequest, saved: Saved | None = None) -> tuple[Scrape, ...]:
    """Both waves, each all at once."""
    first = await asyncio.gather(*(scrape(source, request, saved) for source in first_wave(request)))
    named = with_named_base_url(request, [one.record for one in first if one.record])
    second = await asyncio.gather(*(scrape(source, named, saved) for source in second_wave(request)))
    return (*first, *second)


def _is_kept(source: Source, request: SourceRequest) -> bool:
    """Whether an answer may be used again. A server of the operator's own is always asked: it changes as they work."""
    return source.cached and not (source.needs_base_url and request.operator_named)


def _young(source: Source, request: SourceRequest, saved: Saved) -> SourceRecord | None:
    since = utc_now() - timedelta(days=request.settings.cache_days)
    return saved(source.name, source.subject(request), source.saved_url(request), since)
