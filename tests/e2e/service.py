"""A real `modelscan serve` in a folder of its own, and the command line against it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx2

from tests.nowhere import NOWHERE

__all__ = ["Service", "eventually", "running"]

T = TypeVar("T")
CHECKOUT = Path(__file__).resolve().parents[2]
NOT_INHERITED = ("ANTHROPIC_", "MODELSCAN_", "OPENAI_", "PREFECT_")


def eventually(probe: Callable[[], T | None], *, seconds: float = 60, every: float = 0.05, what: str = "it") -> T:
    """Poll until `probe` returns something true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := probe():
            return found
        time.sleep(every)
    raise AssertionError(f"{what} did not come within {seconds} s")


@dataclass
class Service:
    """One service: `home` is its working directory, `env` what its settings add to a clean environment."""

    home: Path
    env: Mapping[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "modelscan")
    covered: bool = True
    """Whether its processes measure their coverage: a third of their time, and lost where they are killed."""
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """A clean environment: nothing of the developer's own settings, free ports, no Prefect of theirs."""
        left_out = NOT_INHERITED if self.covered else (*NOT_INHERITED, "COVERAGE_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        own = {
            "MODELSCAN_DATA_DIR": str(self.home / "data"),
            "MODELSCAN_SERVER_PORT": "0",
            "MODELSCAN_PREFECT_PORT": "0",
            **{f"MODELSCAN_DISCOVERY_{name.upper()}": url for name, url in NOWHERE.items()},
        }
        return inherited | own | dict(self.env)

    def start(self) -> Self:
        """Start it and return once the router answers."""
        (self.home / "data" / "router.url").unlink(missing_ok=True)
        self.started_at = time.monotonic()
        log = (self.home / "serve.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "serve"],
                cwd=self.home,
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        eventually(self.answers, seconds=30, every=0.01, what="the router")
        return self

    def answers(self) -> bool:
        """Whether /health answers now."""
        try:
            return httpx2.get(f"{self.url}/health", timeout=5).status_code == 200
        except (OSError, httpx2.TransportError):
            assert self.process is None or self.process.poll() is None, (self.home / "serve.log").read_text()
            return False

    def wait_until_warm(self) -> Self:
        """Return once the Prefect API and the runner are up."""

        def warm() -> bool:
            parts = self.health()["parts"]
            return all(name in parts and parts[name]["state"] == "up" for name in ("prefect", "runner"))

        try:
            eventually(warm, seconds=240, every=0.2, what="Prefect and the runner")
        except AssertionError as error:
            logs = sorted((self.home / "data" / "logs").glob("*.log"))
            error.add_note("\n".join([str(self.health()["parts"]), *(f"{log}:\n{_end(log)}" for log in logs)]))
            raise
        return self

    @property
    def url(self) -> str:
        """The router's address; OSError while it has none."""
        return (self.home / "data" / "router.url").read_text().strip()

    def health(self) -> Any:
        return httpx2.get(f"{self.url}/health", timeout=10).json()

    def api(self, method: str, path: str, **more: Any) -> httpx2.Response:
        """One call of the admin API, with the token that the service made."""
        return httpx2.request(method, self.url + path, headers=self.admin, timeout=150, **more)

    def prefect(self, method: str, path: str, **more: Any) -> Any:
        """What Prefect's API answers; it is asked again while its SQLite is locked, to which it says 503."""
        url = f"{self.health()['parts']['prefect']['detail']}{path}"

        def answered() -> httpx2.Response | None:
            answer = httpx2.request(method, url, timeout=60, **more)
            return None if answer.status_code == 503 else answer

        answer = eventually(answered, every=0.2, what=f"an answer to {method} {path}")
        assert answer.is_success, answer.text
        return answer.json()

    @property
    def admin(self) -> dict[str, str]:
        """The header that opens the admin API."""
        return {"authorization": f"Bearer {(self.home / 'data' / 'admin.token').read_text().strip()}"}

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`modelscan …` in the service's folder, as a person would type it."""
        command = [sys.executable, "-m", "modelscan", *arguments]
        return subprocess.run(
            command, cwd=self.home, env=self.environment, capture_output=True, text=True, timeout=180, check=False
        )

    def add(self, *arguments: str) -> Any:
        """`modelscan add … --json`, which must succeed."""
        done = self.cli("add", *arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def chat(self, model: str, content: str = "hi", **more: Any) -> httpx2.Response:
        """One chat through the router."""
        body = {"model": model, "messages": [{"role": "user", "content": content}], **more}
        return httpx2.post(f"{self.url}/v1/chat/completions", json=body, timeout=60)

    def kill(self) -> None:
        """kill -9, with no chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def _end(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


@contextmanager
def running(home: Path, **env: str) -> Iterator[Service]:
    """A started service, stopped at the end."""
    service = Service(home, env).start()
    try:
        yield service
    finally:
        service.stop()
