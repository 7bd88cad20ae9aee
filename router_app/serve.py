"""`modelscan serve`: listens first, then brings up the rest; a signal drains, a second one hurries."""

import asyncio
import importlib
import logging
import os
import resource
import shutil
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from starlette.types import ASGIApp

from modelscan import __version__
from modelscan.errors import InvalidConfiguration
from modelscan.logs import guard_logs
from modelscan.redaction import redact
from modelscan.settings import ConfigWarning, Settings, ensure_data_dir
from modelscan.visible import visible
from router_app.addresses import addressed
from router_app.auth import admin_token
from router_app.bounded import BoundedHttp
from router_app.doorway import Doorway
from router_app.gate import Gate
from router_app.opening import refuse_to_be_open

__all__ = ["OneLine", "run"]

_BACKLOG = 2048
_LAST_SECONDS = 5
_log = logging.getLogger(__name__)


class OneLine(logging.Formatter):
    """A message may quote a provider: it begins no line of its own and does not colour the terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = visible(record.message)
        return super().formatMessage(record)


def run(settings: Settings, warnings: Sequence[ConfigWarning] = (), environ: Mapping[str, str] = os.environ) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code. Raises InvalidConfiguration where it cannot listen."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    guard_logs(environ)
    redact.learn(
        settings.discovery.agent_api_key,
        settings.redis.url,
        *(key for keys in settings.api_keys.values() for key in keys),
    )
    for warning in warnings:
        _log.warning("configuration: %s", warning)
    ensure_data_dir(settings)
    refuse_to_be_open(settings)
    _allow_open_files()
    with _listening(settings) as listening, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings, environ, listening))
    return 0


def _allow_open_files() -> None:
    """As many as this user may have: each request that runs holds two, and the usual limit is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _serve(settings: Settings, environ: Mapping[str, str], listening: socket.socket) -> None:
    url = _url(settings.server.host, listening.getsockname()[1])
    token = admin_token(settings.data_dir, environ)
    redact.learn(token)
    gate, doorway = Gate(), Doorway()
    server = _server(doorway)
    serving = asyncio.create_task(server.serve([listening]))
    ending = asyncio.create_task(_told_to_end(gate))
    async with addressed(settings.data_dir, url):
        _announce(url)
        # Here and not at the top: the port is answered before DuckDB and the rest are imported (0.6 s).
        process = await asyncio.to_thread(importlib.import_module, "router_app.process")
        async with process.running(settings, environ, gate=gate, url=url, token=token, tell=_say) as app:
            doorway.lead_to(app)
            await asyncio.wait((ending, serving), return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: here a signal drains before anything is taken down."""

    def capture_signals(self) -> Any:
        return nullcontext()


def _server(app: ASGIApp) -> _Server:
    config = uvicorn.Config(
        app,
        interface="asgi3",
        http=BoundedHttp,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    return _Server(config)


async def _told_to_end(gate: Gate) -> None:
    """Return at the first SIGINT or SIGTERM; the second one gives running requests no more time."""
    heard = asyncio.Event()

    def hear() -> None:
        if heard.is_set():
            gate.cancel_all()
        heard.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, hear)
    await heard.wait()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _announce(url: str) -> None:
    beside = os.path.relpath(Path(sys.executable).with_name("modelscan"))
    modelscan = "modelscan" if shutil.which("modelscan") else beside
    _say(
        f"ModelScan {__version__} listens on {url}\n\n"
        "Next, in another terminal:\n"
        f"  {modelscan} add demo/echo\n"
        f"  curl {url}/v1/chat/completions -d "
        '\'{"model":"demo/echo","messages":[{"role":"user","content":"hi"}]}\'\n\n'
        "Ctrl-C ends it.\n"
    )


def _listening(settings: Settings) -> socket.socket:
    host, port = settings.server.host, settings.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InvalidConfiguration(
            f"{host}:{port} cannot be listened on: {os.strerror(error.errno or 0)}.",
            hint="Stop the program that listens there, or set server.port (MODELSCAN_SERVER_PORT); 0 takes a free one.",
        ) from error


def _url(host: str, port: int) -> str:
    """Where this machine reaches it: an address that means all of them is none to go to."""
    reachable = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"
