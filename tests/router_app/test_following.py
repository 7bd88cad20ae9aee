"""A router serves what another process published, though nobody tells it."""

import asyncio
import time

import pytest

from modelscan.catalog.generations import FileGenerations
from modelscan.catalog.migrate import migrate
from modelscan.settings import Settings
from router_app import following
from router_app.following import follow
from tests.router_app.routers import Router, a_spec, eventually, publish, routed

BASE = "http://127.0.0.1:9/v1"


async def followed(router: Router) -> asyncio.Task[None]:
    task = asyncio.create_task(follow(router.service, FileGenerations(router.service.database)))
    await asyncio.sleep(0)
    return task


def generation(router: Router) -> int:
    current = router.service.serving.current
    return current.generation if current else -1


def test_two_routers_serve_a_new_generation_within_a_second(settings: Settings) -> None:
    async def story() -> None:
        async with routed(settings) as one, routed(settings) as other:
            tasks = [await followed(router) for router in (one, other)]
            version = await asyncio.to_thread(publish, settings, a_spec(BASE))
            began = time.monotonic()
            await eventually(lambda: {generation(one), generation(other)} == {1})
            assert time.monotonic() - began < 1
            for router in (one, other):
                current = router.service.serving.current
                assert current is not None
                assert current.served["acme"].version.sha256 == version.sha256
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(story())


@pytest.mark.parametrize(("announced", "reloads"), [(1, 0), (0, 1), (2, 1)])
def test_only_what_is_not_served_yet_is_loaded(settings: Settings, announced: int, reloads: int) -> None:
    publish(settings, a_spec(BASE))

    async def story() -> None:
        async with routed(settings) as router:
            generations = FileGenerations(router.service.database, look_seconds=0.01)
            generations.announce(announced)
            before = router.service.serving.current
            task = asyncio.create_task(follow(router.service, generations))
            if reloads:
                await eventually(lambda: router.service.serving.current is not before)
            else:
                await asyncio.sleep(0.05)
                assert router.service.serving.current is before
            task.cancel()

    asyncio.run(story())


def test_what_cannot_be_loaded_is_tried_again(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_AGAIN_SECONDS", 0.01)

    async def story() -> None:
        async with routed(settings) as router:
            reload, faults = router.service.reload, [OSError("the disk"), OSError("again")]

            async def faulty(*, everything: bool) -> object:
                if faults:
                    raise faults.pop()
                return await reload(everything=everything)

            monkeypatch.setattr(router.service, "reload", faulty)
            task = asyncio.create_task(follow(router.service, FileGenerations(router.service.database)))
            await asyncio.to_thread(publish, settings, a_spec(BASE))
            await eventually(lambda: generation(router) == 1)
            assert faults == []
            task.cancel()

    asyncio.run(story())


def test_what_is_served_stays_where_the_catalogue_was_made_anew_and_an_older_one_is_taken_up_when_asked(
    settings: Settings,
) -> None:
    publish(settings, a_spec(BASE, models=("first",)))
    backup = settings.database_path.read_bytes()
    publish(settings, a_spec(BASE, models=("second",)))

    def models(router: Router) -> list[str]:
        current = router.service.serving.current
        return [model.id for model in current.served["acme"].spec.models] if current else []

    async def story() -> None:
        async with routed(settings) as router:
            before = router.service.serving.current
            settings.database_path.unlink()
            migrate(router.service.database)
            generations = FileGenerations(router.service.database, look_seconds=0.01)
            generations.announce(0)
            task = asyncio.create_task(follow(router.service, generations))
            for content in (None, backup):
                if content:
                    settings.database_path.write_bytes(content)
                    generations.announce(0)
                await asyncio.sleep(0.1)
                assert router.service.serving.current is before
            assert models(router) == ["second"]
            told = (await router.admin("POST", "/reload")).json()
            assert (told["generation"], told["problems"]) == (1, [])
            assert models(router) == ["first"]
            task.cancel()

    asyncio.run(story())
