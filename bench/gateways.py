"""The gateways that `bench.router` puts beside each other: how each is fetched, started, and asked."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from modelscan import __version__
from modelscan.settings import load
from modelscan.types import Auth
from tests.e2e.service import Service
from tests.router_app.routers import a_spec, publish

__all__ = ["GATEWAYS", "Gateway", "Started", "own_gateway"]

MODEL = "bench"
KEY = "sk-bench-0123456789abcdef"
_READY_SECONDS = 120.0


@dataclass(frozen=True)
class Started:
    """A gateway that answers: where a chat is asked for, with what headers and model, and the process at its root."""

    url: str
    model: str
    process: subprocess.Popen[bytes]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Gateway:
    """One gateway. `fetch` installs it into a folder, once, and says its version; `start` runs it before `upstream`."""

    name: str
    fetch: Callable[[Path], str]
    start: Callable[[Path, Path, str], Started]
    """(where it was installed, a folder of this run, the upstream's base URL)"""

    @contextmanager
    def running(self, installed: Path, folder: Path, upstream: str) -> Iterator[Started]:
        """It, once it relays a chat; ended, with all its processes, at the end."""
        folder.mkdir(parents=True)
        started = self.start(installed, folder, upstream)
        try:
            _wait_until_it_chats(self.name, started, folder)
            yield started
        finally:
            started.process.terminate()
            try:
                started.process.wait(20)
            except subprocess.TimeoutExpired:
                started.process.kill()
                started.process.wait(20)


def _wait_until_it_chats(name: str, started: Started, folder: Path) -> None:
    body = {"model": started.model, "messages": [{"role": "user", "content": "hi"}]}
    deadline, last = time.monotonic() + _READY_SECONDS, ""
    while time.monotonic() < deadline and started.process.poll() is None:
        try:
            answer = httpx2.post(started.url, json=body, headers=dict(started.headers), timeout=10)
            if answer.status_code == 200 and "choices" in answer.json():
                return
            last = f"{answer.status_code}: {answer.text[:300]}"
        except (OSError, ValueError, httpx2.HTTPError) as error:
            last = repr(error)
        time.sleep(0.2)
    log = folder / "log"
    raise SystemExit(f"{name} does not relay a chat ({last}); its log ends:\n{log.read_text()[-2000:]}")


def _spawn(command: list[str], folder: Path, **env: str) -> "subprocess.Popen[bytes]":
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            command, cwd=folder, env=environment | env, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _pip(*packages: str) -> Callable[[Path], str]:
    name = packages[0].partition("[")[0]

    def fetch(folder: Path) -> str:
        python = folder / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        say = [str(python), "-c", f"import importlib.metadata as m; print(m.version({name!r}))"]
        shown = subprocess.run(say, capture_output=True, text=True, check=False)
        if shown.returncode:
            subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
            shown = subprocess.run(say, capture_output=True, text=True, check=True)
        return str(shown.stdout).strip()

    return fetch


def _npm(package: str) -> Callable[[Path], str]:
    def fetch(folder: Path) -> str:
        described = folder / "node_modules" / package / "package.json"
        if not described.exists():
            if shutil.which("npm") is None:
                raise SystemExit(f"{package} needs npm; leave it out with --gateways, or install Node.js.")
            quietly = ("--silent", "--no-audit", "--no-fund", "--no-save")
            subprocess.run(["npm", "install", *quietly, "--prefix", str(folder), package], check=True)
        return str(json.loads(described.read_text())["version"])

    return fetch


def _own_version(_: Path) -> str:
    return __version__


def _modelscan(_: Path, folder: Path, upstream: str, **env: str) -> Started:
    """The real service with a key, a caller's token and its limits, the journal and the catalogue; Prefect is away."""
    generated = {"MODELSCAN_GENERATION_PATH": str(folder / "generated")}
    service = Service(folder, {"PREFECT_API_URL": "http://127.0.0.1:9/api", **generated, **env})
    settings = load(environ=service.environment).settings
    settings.data_dir.mkdir(mode=0o700, parents=True)
    publish(settings, a_spec(upstream, "bench", (MODEL,), auth=Auth()))
    service.start()
    service.api("POST", "/api/keys/add", json={"provider": "bench", "api_key": KEY}).raise_for_status()
    terms = {"models": [f"bench/{MODEL}"], "rpm": 10**8, "daily_tokens": 10**12}
    issued = service.api("POST", "/api/tokens", json={"name": "bench", "terms": terms}).raise_for_status()
    headers = {"authorization": f"Bearer {issued.json()['token']}"}
    assert service.process is not None
    (folder / "log").symlink_to("serve.log")
    return Started(f"{service.url}/v1/chat/completions", f"bench/{MODEL}", service.process, headers)


def _litellm(installed: Path, folder: Path, upstream: str) -> Started:
    port = _free_port()
    row = {"model_name": MODEL, "litellm_params": {"model": f"openai/{MODEL}", "api_base": upstream, "api_key": KEY}}
    (folder / "config.yaml").write_text(json.dumps({"model_list": [row]}))
    program = str(installed / "bin" / "litellm")
    command = [program, "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    quiet = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MASTER_KEY": KEY}
    headers = {"authorization": f"Bearer {KEY}"}
    return Started(f"http://127.0.0.1:{port}/v1/chat/completions", MODEL, _spawn(command, folder, **quiet), headers)


def _portkey(installed: Path, folder: Path, upstream: str) -> Started:
    port = _free_port()
    program = installed / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    process = _spawn(["node", str(program), "--headless", f"--port={port}"], folder, TRUSTED_CUSTOM_HOSTS="127.0.0.1")
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": upstream, "authorization": f"Bearer {KEY}"}
    return Started(f"http://127.0.0.1:{port}/v1/chat/completions", MODEL, process, headers)


def _vllm_router(installed: Path, folder: Path, upstream: str) -> Started:
    port = _free_port()
    worker = upstream.removesuffix("/v1")
    command = [
        str(installed / "bin" / "vllm-router"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--worker-urls",
        worker,
    ]
    process = _spawn([*command, "--prometheus-port", str(_free_port())], folder)
    return Started(f"http://127.0.0.1:{port}/v1/chat/completions", MODEL, process)


def own_gateway(**env: str) -> Gateway:
    """ModelScan's router with these settings."""

    def start(installed: Path, folder: Path, upstream: str) -> Started:
        return _modelscan(installed, folder, upstream, **env)

    return Gateway("modelscan", _own_version, start)


GATEWAYS: tuple[Gateway, ...] = (
    own_gateway(),
    Gateway("vllm-router", _pip("vllm-router"), _vllm_router),
    Gateway("portkey", _npm("@portkey-ai/gateway"), _portkey),
    Gateway("litellm", _pip("litellm[proxy]"), _litellm),
)
