"""`modelscan serve`: the process. Listens first, then brings up the rest; ends in the opposite order."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import uvloop

from modelscan import __version__
from modelscan.errors import InvalidConfiguration
from modelscan.settings import ConfigWarning, Settings, ensure_data_dir
from modelscan.types import Identifier
from router_app.app import create_app
from router_app.auth import admin_token
from router_app.companions import Companions
from router_app.dispatch import Dispatcher
from router_app.gate import Gate
from router_app.service import Service

__all__ = ["run"]

_BACKLOG = 2048
_LAST_SECONDS = 5
_AGAIN_SECONDS = 1.0
_DEMO = Identifier(provider="demo", model="echo")
_log = logging.getLogger(__name__)


def run(settings: Settings, warnings: Sequence[ConfigWarning] = (), environ: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises InvalidConfiguration where it cannot listen."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for warning in warnings:
        _log.warning("configuration: %s", warning)
    ensure_data_dir(settings)
    with _listening(settings) as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Process(settings, environ, listening).run())
    return 0


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: here a signal first drains."""

    def capture_signals(self) -> Any:
        return nullcontext()


class _Process:
    def __init__(self, settings: Settings, environ: Mapping[str, str], listening: socket.socket) -> None:
        self._settings = settings
        self._environ = environ
        self._listening = listening
        self._url = _url(settings.server.host, listening.getsockname()[1])
        self._told_to_end = asyncio.Event()

    async def run(self) -> None:
        """Listen, answer, bring up, wait for the end, drain, take down."""
        token = admin_token(self._settings.data_dir, self._environ)
        async with httpx2.AsyncClient(timeout=10.0, trust_env=False) as http:
            service = Service(self._settings, self._environ, notify=lambda: dispatcher.enqueue())
            companions = Companions(self._settings, self._environ, service.parts, http)
            dispatcher = Dispatcher(
                service.database, api_url=lambda: companions.api_url or None, http=http, wake=companions.wake
            )
            server = _server(create_app(service, token))
            serving = asyncio.create_task(server.serve([self._listening]))
            self._handle_signals(service.gate)
            with _addresses(self._settings.data_dir, self._url):
                self._announce()
                service.start()
                companions.start()
                dispatching = asyncio.create_task(self._dispatch(service, dispatcher))
                ending = asyncio.create_task(self._told_to_end.wait())
                await asyncio.wait((ending, serving), return_when=asyncio.FIRST_COMPLETED)
                dispatching.cancel()
                await self._take_down(service, companions)
                server.should_exit = True
                await asyncio.gather(serving, dispatching, return_exceptions=True)
                await service.close()

    async def _dispatch(self, service: Service, dispatcher: Dispatcher) -> None:
        await service.opened(seconds=None)
        await self._refresh_demo(service)
        while True:
            try:
                await dispatcher.run()
            except Exception:  # The queue is in the catalogue; the dispatcher finds it there again.
                _log.exception("the dispatcher failed and begins anew")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _refresh_demo(self, service: Service) -> None:
        """The demo is this service itself: where it listens elsewhere now, its published client is out of date."""
        registry = service.serving.current
        demo = registry.served.get(_DEMO.provider) if registry else None
        if demo and demo.spec.base_url != _reference_url(self._url):
            await service.discoveries.start(_DEMO, refresh=True)

    async def _take_down(self, service: Service, companions: Companions) -> None:
        seconds = self._settings.server.drain_seconds
        _, cancelled = await asyncio.gather(companions.stop(), service.gate.close("draining", seconds))
        if cancelled:
            _log.warning("%d requests did not finish in %g s", cancelled, seconds)

    def _handle_signals(self, gate: Gate) -> None:
        """The first one ends the service in order, the second one gives running requests no more time."""

        def heard() -> None:
            if self._told_to_end.is_set():
                gate.cancel_all()
            self._told_to_end.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, heard)

    def _announce(self) -> None:
        sys.stdout.write(
            f"ModelScan {__version__} listens on {self._url}\n\n"
            "Next, in another terminal:\n"
            "  modelscan add demo/echo\n"
            f"  curl {self._url}/v1/chat/completions -d "
            '\'{"model":"demo/echo","messages":[{"role":"user","content":"hi"}]}\'\n\n'
            "Ctrl-C ends it.\n"
        )
        sys.stdout.flush()


def _server(app: Any) -> _Server:
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    return _Server(config)


def _listening(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidConfiguration(
            f"{host}:{port} cannot be listened on: {error.strerror}.",
            hint="Stop the program that listens there, or set server.port (MODELSCAN_SERVER_PORT); 0 takes a free one.",
        ) from error


def _url(host: str, port: int) -> str:
    """Where this machine reaches it: an address that means all of them is none to go to."""
    reachable = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _reference_url(url: str) -> str:
    return f"{url}/reference/v1"


@contextmanager
def _addresses(data_dir: Path, url: str) -> Iterator[None]:
    """The files by which the command line and the runner find this service; router.url only while it runs."""
    _write(data_dir / "reference.url", _reference_url(url))
    _write(data_dir / "router.url", url)
    try:
        yield
    finally:
        router = data_dir / "router.url"
        if router.read_text().strip() == url:  # and not that of another service started since
            router.unlink()


def _write(path: Path, line: str) -> None:
    """In one step: whoever reads it meanwhile sees the old or the new."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(line + "\n")
    fresh.replace(path)
