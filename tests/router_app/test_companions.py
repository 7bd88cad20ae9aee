"""The processes beside the router, with stand-ins that are real processes."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from modelscan.reference import serve
from modelscan.settings import Settings
from router_app import companions as module
from router_app.companions import Companions
from router_app.parts import Parts
from tests.router_app.peers import Scripted
from tests.router_app.routers import eventually

PREFECT = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("content-length", "4"); self.end_headers(); self.wfile.write(b"true")
    def log_message(self, *_): pass
open(os.environ["TOLD"] + "/prefect.json", "w").write(json.dumps(dict(os.environ)))
HTTPServer(("127.0.0.1", int(sys.argv[-1])), Handler).serve_forever()
"""
RUNNER = """
import json, os, sys
open(os.environ["TOLD"] + "/runner.json", "w").write(json.dumps(dict(os.environ)))
print(json.dumps({"state": "starting"}), flush=True)
print(json.dumps({"state": "ready"}), flush=True)
for line in sys.stdin:
    open(os.environ["TOLD"] + "/heard", "a").write(line)
"""


class Stage:
    """Where the stand-ins write, and what was told."""

    def __init__(self, settings: Settings, folder: Path, **environ: str) -> None:
        self.settings = settings
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "TOLD": str(folder), **environ}
        self.parts = Parts()
        self.lines: list[str] = []

    def environment_of(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        return found

    @asynccontextmanager
    async def started(self) -> AsyncIterator[Companions]:
        async with httpx2.AsyncClient(trust_env=False) as http:
            companions = Companions(
                self.settings,
                self.environ,
                self.parts,
                http,
                tell=self.lines.append,
                prefect=("-c", PREFECT),
                runner=("-c", RUNNER),
            )
            companions.start()
            try:
                yield companions
            finally:
                await companions.stop()

    def all_up(self) -> bool:
        return [self.parts.state(name) for name in ("prefect", "runner")] == ["up", "up"]


@pytest.fixture
def stage(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stage]:
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "_LOOK_AGAIN_SECONDS", 0.02)
    return lambda **environ: Stage(settings, tmp_path, **environ)


def test_both_are_started_told_where_things_are_and_ended(stage: Callable[..., Stage], settings: Settings) -> None:
    found = stage(
        MODELSCAN_MASTER_KEY="m",
        MODELSCAN_ADMIN_TOKEN="t",
        MODELSCAN_API_KEYS_ACME="sk-canary",
        ACME_API_KEY="sk-env",
        PREFECT_SERVER_API_AUTH_TOKEN="its own",
    )

    async def story() -> None:
        async with found.started() as companions:
            await eventually(found.all_up, 30)
            companions.wake()
            await eventually((found.folder / "heard").exists, 30)
            assert found.lines == [f"Prefect UI: {companions.api_url.removesuffix('/api')}"]
            assert companions.api_url.startswith("http://127.0.0.1:")
        assert found.parts.snapshot()["runner"]["state"] == "down"

    asyncio.run(story())
    prefect, runner = found.environment_of("prefect"), found.environment_of("runner")
    assert (found.folder / "heard").read_text() == "wake\n"
    assert runner["PREFECT_API_URL"].endswith("/api")
    assert runner["PREFECT_HOME"] == str((settings.data_dir / "prefect").resolve())
    assert runner["MODELSCAN_DATA_DIR"] == str(settings.data_dir.resolve())
    assert runner["MODELSCAN_MASTER_KEY"] == "m"
    secrets = {"MODELSCAN_MASTER_KEY", "MODELSCAN_ADMIN_TOKEN", "MODELSCAN_API_KEYS_ACME", "ACME_API_KEY"}
    assert not secrets & set(prefect)
    assert prefect["PREFECT_SERVER_API_AUTH_TOKEN"] == "its own"


def test_the_runner_is_handed_another_master_key_now_and_when_it_starts_again(stage: Callable[..., Stage]) -> None:
    found = stage(MODELSCAN_MASTER_KEY="old")

    async def story() -> None:
        async with found.started() as companions:
            await eventually(found.all_up, 30)
            companions.master(SecretStr("new"))
            await eventually((found.folder / "heard").exists, 30)
            (found.folder / "runner.json").unlink()
            assert companions._runner is not None
            assert companions._runner._process is not None
            companions._runner._process.kill()
            await eventually((found.folder / "runner.json").exists, 30)
            await eventually(found.all_up, 30)

    asyncio.run(story())
    assert (found.folder / "heard").read_text() == "master new\n"
    assert found.environment_of("runner")["MODELSCAN_MASTER_KEY"] == "new"


def test_a_prefect_of_the_operators_own_is_used_and_none_started(stage: Callable[..., Stage]) -> None:
    async def story() -> None:
        async with serve(Scripted([b"true"])) as origin:
            found = stage(PREFECT_API_URL=f"{origin}/api", PREFECT_API_KEY="pnu_1")
            async with found.started() as companions:
                await eventually(found.all_up, 30)
                assert companions.api_url == f"{origin}/api"
        runner = found.environment_of("runner")
        assert runner["PREFECT_API_URL"] == f"{origin}/api"
        assert "PREFECT_HOME" not in runner
        assert not (found.folder / "prefect.json").exists()

    asyncio.run(story())


def test_an_api_that_stops_answering_is_down(stage: Callable[..., Stage]) -> None:
    async def story() -> None:
        async with serve(Scripted([b"true"])) as origin:
            found = stage(PREFECT_API_URL=f"{origin}/api")
            started = found.started()
            await started.__aenter__()
            await eventually(found.all_up, 30)
        await eventually(lambda: found.parts.state("prefect") == "down", 30)
        assert "does not answer" in str(found.parts.snapshot()["prefect"]["detail"])
        await started.__aexit__(None, None, None)

    asyncio.run(story())


def test_a_port_that_is_taken_is_not_insisted_on(free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module._free_port(free_port) == free_port
    with socket.create_server(("127.0.0.1", free_port)):
        assert module._free_port(free_port) not in (0, free_port)


def test_nothing_that_was_not_started_is_told_or_stopped(stage: Callable[..., Stage]) -> None:
    async def story() -> None:
        async with httpx2.AsyncClient() as http:
            found = stage()
            companions = Companions(found.settings, found.environ, found.parts, http, tell=found.lines.append)
            companions.wake()
            await companions.stop()
            assert (companions.api_url, found.parts.snapshot()) == ("", {})

    asyncio.run(story())
