"""A run over the catalogue, without Prefect: whatever goes wrong with one provider or one list, the others go on."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from modelscan.catalog import decisions, discoveries, drift, listings, observations, prices, records, versions
from modelscan.catalog.generations import FileGenerations
from modelscan.errors import SourceUnavailable
from modelscan.rediscovery import looking
from modelscan.reference.app import create_reference
from modelscan.reference.server import serve_in_thread
from modelscan.sources.lists import LISTS
from modelscan.types import Decision, Discovery, DiscoveryState, DriftState, utc_now
from tasks import rediscovering, taking_up
from tasks.bench import Bench
from tasks.catalogue import CatalogueWork, begun
from tasks.drifting import tell
from tasks.rediscovering import ask_lists, look_at_batch
from tasks.summarising import said_of, summary, totals
from tasks.taking_up import tell_routers
from tests.catalog.samples import report, spec
from tests.rediscovery.listed import model, models_dev, provider
from tests.rediscovery.listed import prices as priced
from tests.rediscovery.upstream import Upstream, serving

SIX = tuple(provider(f"p{number}", model(input=0.5)) for number in range(6))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with serving() as found:
        found.serve(models_dev(*SIX), priced("p0", small={"input_mtok": 9}))
        yield found


@pytest.fixture
def world(bench: Bench, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The bench with its lists on the local upstream, and tasks that are plain functions."""
    told = {
        "models_dev_url": upstream.models_dev,
        "genai_prices_url": upstream.genai_prices,
        "allowed_private_hosts": ("127.0.0.1",),
        "parallel_batch": 2,
    }
    discovery = bench.settings.discovery.model_copy(update=told)
    monkeypatch.setattr(rediscovering, "_named", lambda made, _name: made.fn)
    monkeypatch.setattr(rediscovering, "tell", partial(tell, emit=lambda **_: None))
    monkeypatch.setattr(taking_up, "announce", taking_up.announce.fn)
    settings = bench.settings.model_copy(update={"discovery": discovery})
    return Bench(settings, bench.database, bench.custody, bench.sandbox)


@asynccontextmanager
async def nobody_else(_: str) -> AsyncIterator[None]:
    yield


def rediscover(world: Bench, *, batches: int = 99, prices_only: bool = False, refresh: bool = False) -> CatalogueWork:
    """A run; with fewer `batches` than there are it is one that was killed behind them."""

    async def story() -> CatalogueWork:
        work = await begun(world, nobody_else, prices_only=prices_only, refresh=refresh)
        await ask_lists(work)
        for number, batch in enumerate(work.batches()[:batches], 1):
            await look_at_batch(work, number, batch)
        if batches == 99 and not prices_only:
            await work.catalogue(observations.end, work.run)
        await tell_routers(work)
        return work

    return asyncio.run(story())


def looked_at(work: CatalogueWork) -> list[str]:
    return [one.looked.provider for one in work.settled]


def publish(world: Bench, name: str, base_url: str | None = None) -> None:
    asked = Discovery(id=f"d-{name}", identifier=f"{name}/small", base_url=base_url, created_at=utc_now())
    discoveries.create(world.database, asked.model_copy(update={"state": DiscoveryState.SUCCEEDED}))
    made = spec(provider=name)
    versions.publish(
        world.database, made, path=f"{name}.py", sha256="0" * 64, report=report(), discovery_id=f"d-{name}"
    )


def test_the_first_run_sees_everybody_and_the_second_one_no_change(world: Bench, upstream: Upstream) -> None:
    first = rediscover(world)
    assert (len(first.settled), totals(first.settled)["changed"]) == (6, 6)
    assert "It is the first one" in summary(first)
    second = rediscover(world)
    assert totals(second.settled) == {"unchanged": 6, "prices": 0, "discoveries": 0}
    assert sorted(upstream.answers) == [
        (path, status) for path in ("/api.json", "/prices.json") for status in (200, 304)
    ]


def test_a_refresh_has_the_lists_sent_again(world: Bench, upstream: Upstream) -> None:
    rediscover(world)
    rediscover(world, refresh=True)
    assert {status for _, status in upstream.answers} == {200}


@pytest.mark.parametrize("killed_after", [0, 1, 2, 3])
def test_a_run_that_was_killed_is_gone_on_with_and_repeats_no_finished_batch(world: Bench, killed_after: int) -> None:
    first = rediscover(world, batches=killed_after)
    again = rediscover(world)
    assert (again.run.id, again.resumed) == (first.run.id, True)
    assert sorted([*looked_at(first), *looked_at(again)]) == [row["id"] for row in SIX]
    assert len(again.done_before) == 2 * killed_after
    assert not rediscover(world).resumed


def test_killed_between_telling_and_keeping_a_batch_is_done_again_and_told_once(
    world: Bench, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    rediscover(world)
    upstream.serve(models_dev(*(provider(row["id"], model(input=0.7)) for row in SIX)))
    with monkeypatch.context() as killed:
        killed.setattr(rediscovering, "settle", raising(asyncio.CancelledError()))
        with pytest.raises(asyncio.CancelledError):
            rediscover(world)
    work = rediscover(world)
    assert (work.resumed, len(work.settled)) == (True, 6)
    assert len(drift.list_events(world.database)) == 6


async def first(heard: FileGenerations) -> int:
    return await anext(heard.changes())


def raising(error: BaseException) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise error

    return refuse


def test_a_provider_that_fails_is_a_row_of_the_summary(world: Bench, upstream: Upstream) -> None:
    broken = provider("p1", api=["no text"])
    upstream.serve(models_dev(SIX[0], broken, *SIX[2:]))
    work = rediscover(world)
    assert totals(work.settled) == {"changed": 5, "failed": 1, "prices": 0, "discoveries": 0}
    assert "| p1 | failed | models.dev's row of p1 cannot be read" in summary(work)


def test_what_nobody_thought_of_is_told_of_that_provider_alone_and_without_secrets(
    world: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, key = looking.look, "sk-proj-abcdefghij0123456789ABCDEFGHIJ"

    def look(provider: str, *more: Any, **named: Any) -> Any:
        if provider == "p3":
            raise RuntimeError(f"quoted {key}")
        return real(provider, *more, **named)

    monkeypatch.setattr(rediscovering, "look", look)
    caplog.set_level(logging.INFO)
    work = rediscover(world)
    assert totals(work.settled)["failed"] == 1
    assert "RuntimeError" in summary(work)
    assert key not in summary(work) + caplog.text


def test_a_list_that_is_not_there_is_that_of_last_time(world: Bench, upstream: Upstream) -> None:
    rediscover(world)
    del upstream.bodies["/api.json"]
    work = rediscover(world)
    assert totals(work.settled)["unchanged"] == 6
    assert "models.dev could not be taken up:" in summary(work)
    assert "answered 404 and no list" in summary(work)


def test_without_any_list_and_anybody_served_the_run_says_why_it_fails(world: Bench, upstream: Upstream) -> None:
    upstream.status = 500
    with pytest.raises(SourceUnavailable, match=r"No list could be read, and nobody is served\. .* answered 500"):
        rediscover(world)


def test_a_list_that_comes_later_makes_nobody_new(world: Bench, upstream: Upstream) -> None:
    body = upstream.bodies.pop("/api.json")
    rediscover(world)
    upstream.bodies["/api.json"] = body
    work = rediscover(world)
    assert (len(work.settled), [event for one in work.settled for event in one.events]) == (6, [])


@pytest.mark.parametrize(
    ("bad", "said"),
    [({}, "it is empty"), (models_dev(SIX[0]), "it shrank from 6 to 1 providers"), ([], "is no object")],
)
def test_a_bad_refresh_is_held_and_the_last_good_list_counts_on(
    world: Bench, upstream: Upstream, bad: Any, said: str
) -> None:
    rediscover(world)
    good = listings.kept(world.database, "models.dev", upstream.models_dev)
    upstream.serve(bad)
    work = rediscover(world)
    assert totals(work.settled)["unchanged"] == 6
    assert said in summary(work)
    assert listings.kept(world.database, "models.dev", upstream.models_dev) == good


def test_a_bad_refresh_that_was_approved_is_taken_up(world: Bench, upstream: Upstream) -> None:
    rediscover(world)
    upstream.serve(models_dev(SIX[0]))
    rediscover(world)
    (held,) = drift.list_events(world.database, states=[DriftState.HELD])
    drift.judge(world.database, held.id, approved=True)
    work = rediscover(world)
    assert totals(work.settled) | {"prices": 0} == {
        "unchanged": 1,
        "gone": 5,
        "applied": 5,
        "prices": 0,
        "discoveries": 0,
    }


def test_a_new_price_is_told_to_the_routers_and_no_client_is_made_anew(world: Bench, upstream: Upstream) -> None:
    publish(world, "p1")
    rediscover(world)
    heard = FileGenerations(world.database)
    upstream.serve(models_dev(*(provider(row["id"], model(input=0.7)) for row in SIX)))
    work = rediscover(world, prices_only=True)
    assert (totals(work.settled)["prices"], totals(work.settled)["discoveries"]) == (1, 0)
    assert [str(one.tariff.input_mtok) for one in prices.in_force(world.database)] == ["0.7"]
    assert asyncio.run(first(heard)) == 0
    assert rediscover(world, prices_only=True).settled[1].prices == 0
    assert totals(rediscover(world).settled).get("applied") is None


def test_for_prices_what_may_be_held_is_left_to_the_whole_run(world: Bench, upstream: Upstream) -> None:
    rediscover(world)
    upstream.serve(models_dev({**SIX[0], "api": "https://elsewhere.example/v1"}, *SIX[1:]))
    work = rediscover(world, prices_only=True)
    assert "| p0 | left | its base url changed |" in summary(work)
    held = rediscover(world)
    assert "| p0 | 1 base\\_url held | modelscan changes approve" in summary(held)
    assert said_of(held.settled[:1]) == "p0 (1 base_url held)"
    assert "# 6 providers looked at, 1 changes, 1 held" in summary(held)
    assert "# 6 providers looked at, 0 changes, 1 held" in summary(rediscover(world))


def test_who_is_served_is_asked_and_proved_anew_where_its_models_changed(world: Bench, upstream: Upstream) -> None:
    with serve_in_thread(create_reference(models=("small", "large"))) as origin:
        publish(world, "own", f"{origin}/v1")
        publish(world, "p0")
        first = rediscover(world)
        assert looked_at(first)[-2:] == ["own", "p0"]
        found = observations.looks(world.database, ["own", "p0"])
        assert sorted(found["own"].state.models) == ["large", "small"]
        assert found["own"].sources == ("genai-prices", "models.dev", "operator", "provider")
    with serve_in_thread(create_reference(models=("small",))) as origin:
        moved = Decision.of("pin", "own", "base_url", value=f"{origin}/v1")
        decisions.save(world.database, moved)
        upstream.serve(models_dev({**SIX[0], "models": {"small": model(), "new": model("new")}}, *SIX[1:]))
        second = rediscover(world)
    assert {one.looked.provider for one in second.settled if one.discovery} == {"own", "p0"}
    assert "## What is proved anew" in summary(second)
    assert "2 to be proved anew" in summary(second)


def test_a_server_that_does_not_answer_is_as_it_said_last(world: Bench) -> None:
    with serve_in_thread(create_reference(models=("small",))) as origin:
        publish(world, "own", f"{origin}/v1")
        rediscover(world)
    work = rediscover(world)
    assert {one.looked.provider: one.looked.outcome for one in work.settled}["own"] == "unchanged"
    assert records.latest(world.database, "provider", "own")


def test_a_run_for_prices_asks_no_server_of_the_operators_own(world: Bench) -> None:
    publish(world, "own", "http://127.0.0.1:9/v1")
    assert "own" not in rediscover(world, prices_only=True).providers
    assert [one.name for one in LISTS] == ["models.dev", "genai-prices"]
