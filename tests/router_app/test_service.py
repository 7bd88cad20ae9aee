"""The service brings its parts up, reloads, restarts, and says how they are."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate as real_migrate
from modelscan.custody.master import Masters, made_master
from modelscan.custody.sealing import Custody
from modelscan.errors import CatalogBusy, ServiceUnavailable
from modelscan.keys import store
from modelscan.reference import create_reference, serve
from modelscan.settings import Settings, ensure_data_dir
from modelscan.types import Auth, ClientSpec
from router_app import service as module
from router_app.app import create_app
from router_app.gate import Gate
from router_app.service import Service
from tests.router_app.routers import KEY, a_spec, chat_body, eventually, publish, routed, routed_to_reference

WITH_KEY = Auth(env=("ACME_API_KEY",))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again is tried at once."""
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(module, "_FLUSH_SECONDS", 0.01)


def test_a_restart_refuses_drains_and_serves_again(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            slow = asyncio.create_task(router.chat("acme/echo", reference_fault="slow:0.3"))
            await eventually(lambda: router.service.serving.pool is not None)
            before = router.service.serving.upstream
            assert (await router.admin("POST", "/restart")).status_code == 202
            await eventually(lambda: router.service.gate.state == "restarting")
            refused = await router.chat("acme/echo")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            health = (await router.http.get("/health")).json()
            assert health["status"] == "restarting"
            assert (await slow).status_code in (200, 503)
            await eventually(lambda: router.service.gate.state == "open")
            assert (await router.chat("acme/echo")).status_code == 200
            assert router.service.serving.upstream is not before
            assert (await router.http.get("/health")).json()["status"] == "ok"

    asyncio.run(story())


def test_a_restart_takes_in_the_keys_of_another_master(settings: Settings) -> None:
    async def story() -> None:
        async with routed(
            settings,
            peers={"acme": create_reference(models=("echo",), key=KEY)},
            specs=lambda origins: [a_spec(f"{origins['acme']}/v1", auth=WITH_KEY)],
        ) as router:
            Masters(settings.data_dir, {}).write((SecretStr("m" * 40),))
            store.add_key(router.service.database, Custody.load(settings.data_dir, {}), "acme", SecretStr(KEY))
            await router.admin("POST", "/restart")
            await eventually(lambda: router.service.serving.pool.choose("acme"))
            await eventually(lambda: router.service.gate.state == "open")
            assert (await router.chat("acme/echo")).status_code == 200

    asyncio.run(story())


@pytest.mark.parametrize("given", [None, "n" * 40], ids=["a made key", "a given key"])
@pytest.mark.parametrize("environ", [{}, {"MODELSCAN_MASTER_KEY": "o" * 40}], ids=["file", "environment"])
def test_the_master_key_is_changed_while_requests_are_served(
    settings: Settings, environ: dict[str, str], given: str | None
) -> None:
    handed: list[SecretStr] = []

    async def story() -> None:
        async with routed_to_reference(settings, environ=environ) as router:
            router.service._keyring._on_master = handed.append
            async with router.service.keyring() as keyring:
                await keyring.add("acme", SecretStr("sk-before-0123456789"))
            answer = await router.admin("POST", "/keys/rotate-master", json={"new_key": given} if given else {})
            if environ and not given:
                assert (answer.status_code, answer.json()["code"]) == (400, "invalid-input")
                return
            told = answer.json()
            assert (told["resealed"], told["unopened"], told["in_environment"]) == (1, 0, bool(environ))
            async with router.service.keyring() as keyring:
                await keyring.add("acme", SecretStr("sk-after-0123456789"))
            assert (await router.chat("acme/echo")).status_code == 200
            after = {"MODELSCAN_MASTER_KEY": given} if environ and given else {}
            loaded = store.load(router.service.database, Custody.load(settings.data_dir, after))
            assert len(loaded["acme"]) == 2
            await router.admin("POST", "/restart")
            await eventually(lambda: router.service.gate.state == "open")
            assert router.service.parts.snapshot()["keys"]["state"] == "up"
            assert len(router.service._keyring._keys["acme"]) == 2

    asyncio.run(story())
    assert handed == ([SecretStr(given)] if environ and given else [])


def test_a_rotation_that_was_killed_is_finished_at_the_start(settings: Settings) -> None:
    ensure_data_dir(settings)
    masters, database = Masters(settings.data_dir, {}), Database(settings.database_path)
    real_migrate(database)
    (old,) = masters.read()
    store.add_key(database, Custody(old), "acme", SecretStr("sk-before-0123456789"))
    new = made_master()
    masters.write((old, new))

    async def story() -> None:
        async with routed(settings) as router:
            assert masters.read() == (new,)
            assert len(store.load(router.service.database, Custody(new))["acme"]) == 1

    asyncio.run(story())


def test_a_request_that_comes_while_the_keys_are_loaded_waits_for_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, loaded = threading.Event(), threading.Event()
    real = store.load

    def slowly(*arguments: Any) -> Any:
        loading.set()
        assert loaded.wait(10)
        return real(*arguments)

    async def story() -> None:
        peer = create_reference(models=("echo",), key=KEY)
        async with serve(peer) as origin:
            publish(settings, a_spec(f"{origin}/v1", auth=WITH_KEY))
            store.add_key(Database(settings.database_path), Custody.load(settings.data_dir, {}), "acme", SecretStr(KEY))
            service = Service(settings, {}, gate=Gate(), notify=lambda: None)
            monkeypatch.setattr(store, "load", slowly)
            opening = asyncio.create_task(service.open())
            async with serve(create_app(service, "token")) as url, httpx2.AsyncClient(base_url=url, timeout=20) as http:
                await asyncio.to_thread(loading.wait, 10)
                asked = asyncio.create_task(http.post("/v1/chat/completions", json=chat_body("acme/echo")))
                done, _ = await asyncio.wait([asked], timeout=0.1)
                assert not done
                loaded.set()
                assert (await asked).status_code == 200
            await opening
            await service.close()

    asyncio.run(story())


def test_a_catalogue_that_is_not_to_be_had_is_down_and_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        tries = iter([CatalogBusy("The catalogue is busy."), None])

        def migrate(database: Database) -> object:
            if error := next(tries, None):
                raise error
            return real_migrate(database)

        monkeypatch.setattr(module, "migrate", migrate)
        service = Service(settings, {}, gate=Gate(), notify=lambda: None)
        with pytest.raises(ServiceUnavailable, match="starting"):
            await service.opened(0.01)
        assert service.health()["status"] == "starting"
        assert not await service._tried_to_open()
        assert (service.parts.state("catalogue"), service.health()["status"]) == ("down", "degraded")
        service.start()
        await service.opened()
        assert service.health()["status"] == "ok"
        await service.close()

    asyncio.run(story())


def test_a_restart_that_fails_goes_on_trying_and_serves_what_it_had(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            tries = iter([CatalogBusy("The catalogue is busy."), CatalogBusy("The catalogue is busy.")])

            def migrate(database: Database) -> object:
                if error := next(tries, None):
                    raise error
                return real_migrate(database)

            monkeypatch.setattr(module, "migrate", migrate)
            await router.service._restart()
            assert (await router.chat("acme/echo")).status_code == 200
            assert (await router.http.get("/health")).json()["status"] == "ok"

    asyncio.run(story())


def test_an_end_while_restarting_stays_an_end(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            restarting = asyncio.create_task(router.service._restart())
            await eventually(lambda: router.service.gate.state == "restarting")
            await router.service.gate.close("draining", 0.01)
            await restarting
            assert router.service.health()["status"] == "draining"

    asyncio.run(story())


def test_a_file_that_is_not_what_was_proved_is_not_served_and_health_says_so(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            (settings.generation.path / "acme.py").write_text("import os")
            registry = (await router.admin("POST", "/reload")).json()
            part = (await router.http.get("/health")).json()["parts"]["registry"]
            assert (part["state"], registry["problems"]) == ("up", [])
            assert "SHA-256 differs. The copy that is kept is served." in part["detail"]
            with router.service.database.write() as connection:
                connection.execute("DELETE FROM sdk_sources")
            registry = (await router.admin("POST", "/reload")).json()
            part = (await router.http.get("/health")).json()["parts"]["registry"]
            assert (part["state"], registry["problems"]) == ("down", [part["detail"]])
            assert (await router.chat("acme/echo")).status_code == 200

    asyncio.run(story())


def test_the_journal_moves_on_by_itself_and_says_when_it_cannot(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            router.service.start()
            assert (await router.chat("acme/echo")).status_code == 200

            async def counted() -> int:
                rows = (await router.admin("GET", "/stats")).json()
                return sum(row["requests"] for row in rows)

            async with asyncio.timeout(20):
                while await counted() != 1:
                    continue
            with monkeypatch.context() as broken:
                broken.setattr(module, "flush", lambda *_: 1 / 0)
                await eventually(lambda: router.service.parts.state("journal") == "down")
            await eventually(lambda: router.service.parts.state("journal") == "up")
        assert "could not be flushed" in caplog.text

    asyncio.run(story())


def test_many_rows_are_taken_in_at_once_but_for_the_verdict_on_a_trial(settings: Settings) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            service, registry = router.service, router.service.serving.current
            assert [service._pause(rows) for rows in (0, 499, 500, 9_999, 10_000)] == [0.01, 0.01, 5.0, 5.0, 30.0]
            service.serving.swap(SimpleNamespace(trials=("one",), generation=2))  # type: ignore[arg-type]
            assert service._pause(10_000) == 5.0
            service.serving._registry = None
            assert service._pause(10_000) == 30.0
            assert registry is not None
            service.serving.swap(registry)

    asyncio.run(story())


def test_what_fails_after_a_flush_does_not_end_the_flushing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        async with routed_to_reference(settings) as router:
            monkeypatch.setattr(router.service._upkeep, "step", lambda _: 1 / 0)
            router.service.start()
            await eventually(lambda: "what is due after a flush failed" in caplog.text)
            assert (await router.chat("acme/echo")).status_code == 200
            await eventually(lambda: not router.usage())  # It is in the catalogue.

    asyncio.run(story())


def test_a_catalogue_that_is_taken_away_is_made_anew_and_takes_in_what_waits(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remade(database: Database) -> object:
        made.append(database.path)
        if len(made) == 1:
            raise CatalogBusy("not yet")
        return real_migrate(database)

    made: list[Path] = []

    async def story() -> None:
        async with routed_to_reference(settings) as router:
            await router.service.flush()
            for file in settings.data_dir.glob(f"{settings.database_path.name}*"):
                file.unlink()
            monkeypatch.setattr(module, "migrate", remade)
            assert (await router.chat("acme/echo")).status_code == 200
            assert [await router.service.flush() for _ in range(3)] == [0, 0, 1]

    asyncio.run(story())
    assert len(made) == 2


def test_keys_that_cannot_be_taken_cost_themselves_alone(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    bad = settings.model_copy(
        update={"api_keys": {"acme": (SecretStr("sk-good-0123456789"),), "No Provider!": (SecretStr("sk-lost"),)}}
    )

    async def story() -> None:
        async with routed(
            bad,
            peers={"acme": create_reference(models=("echo",))},
            specs=lambda origins: [a_spec(f"{origins['acme']}/v1", auth=WITH_KEY)],
            environ={"ACME_API_KEY": "two words"},
        ) as router:
            health = (await router.http.get("/health")).json()
            assert health["parts"]["keys"]["state"] == "down"
            assert "passed over" in health["parts"]["keys"]["detail"]
            assert router.service.serving.pool.choose("acme") is not None

    asyncio.run(story())
    assert "this is no provider id" in caplog.text
    assert "sk-lost" not in caplog.text


def test_a_new_providers_variable_is_taken_in_at_the_reload(settings: Settings) -> None:
    async def story() -> None:
        peer = create_reference(models=("echo",), key=KEY)
        async with routed(settings, peers={"acme": peer}, environ={"ACME_API_KEY": KEY}) as router:
            publish(settings, a_spec("http://127.0.0.1:9/v1", auth=WITH_KEY))
            assert router.service.serving.pool.choose("acme") is None
            await router.admin("POST", "/reload")
            assert router.service.serving.pool.choose("acme") is not None
            found = versions.active(router.service.database)
            assert [version.provider for version in found] == ["acme"]

    asyncio.run(story())


def test_the_router_imports_nothing_that_is_for_flows(tmp_path: Path) -> None:
    code = (
        "import json, sys, router_app.process, router_app.serve, modelscan.cli.serve\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert not {"prefect", "fastapi", "openai", "sqlalchemy"} & set(json.loads(loaded.stdout))


def test_a_key_of_a_server_that_was_replaced_is_not_sent_to_the_new_one(settings: Settings) -> None:
    async def story() -> None:
        peers = {name: create_reference(models=("echo",), key=f"sk-{name}-0123456789") for name in ("old", "new")}
        origins: dict[str, str] = {}

        def old_one(found: Mapping[str, str]) -> list[ClientSpec]:
            origins.update(found)
            return [a_spec(f"{found['old']}/v1", "local", auth=WITH_KEY)]

        async with routed(settings, peers=peers, specs=old_one) as router:
            for name in ("old", "new"):
                async with router.service.keyring() as keyring:
                    await keyring.add("local", SecretStr(f"sk-{name}-0123456789"), f"{origins[name]}/v1")
            assert [(await router.chat("local/echo")).status_code for _ in range(4)] == [200] * 4
            publish(settings, a_spec(f"{origins['new']}/v1", "local", auth=WITH_KEY))
            await router.admin("POST", "/reload")
            assert [(await router.chat("local/echo")).status_code for _ in range(4)] == [200] * 4

    asyncio.run(story())
