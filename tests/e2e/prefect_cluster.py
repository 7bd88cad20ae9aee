"""A Prefect server on PostgreSQL with messages over Redis, and workers that are processes, as docs/scale.md has it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import httpx2

from bench.router import tree
from tests.e2e.service import CHECKOUT, NOT_INHERITED, eventually

__all__ = ["Cluster"]


class Cluster:
    """Below `home`; `env` is what workers and routers need as well."""

    def __init__(self, home: Path, database: str, redis: str, env: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.home = home
        self.port = str(port)
        self.url = f"http://127.0.0.1:{port}/api"
        left_out = (*NOT_INHERITED, "COVERAGE_")  # They are killed, and slow enough.
        inherited = {name: one for name, one in os.environ.items() if not name.startswith(left_out)}
        quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PREFECT_SERVER_UI_ENABLED": "false"}
        self.env = {**inherited, **quiet, "PREFECT_HOME": str(home / "prefect"), "PREFECT_API_URL": self.url, **env}
        self._server_env = {
            **self.env,
            "PREFECT_API_DATABASE_CONNECTION_URL": database,
            "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
            "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
            "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
            "PREFECT_REDIS_MESSAGING_URL": redis,
            "PREFECT_SERVER_DOCKET_URL": redis,
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_server(self) -> None:
        """Return once it answers."""
        arguments = ("server", "start", "--host", "127.0.0.1", "--port", self.port)
        self._start("server", arguments, self._server_env)
        eventually(self.answers, seconds=240, every=0.3, what="the Prefect server")

    def answers(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/health", timeout=5, trust_env=False).status_code == 200
        except httpx2.TransportError:
            return False

    def make_pool(self) -> None:
        """As a person does it, once."""
        self._command("work-pool", "create", "modelscan", "--type", "process")

    def deploy(self) -> None:
        """As a person does it, once, where there is the pool."""
        self._command("--no-prompt", "deploy", "--all")

    def start_worker(self, name: str) -> None:
        arguments = ("worker", "start", "--pool", "modelscan", "--name", name, "--limit", "1")
        self._start(name, arguments, self.env)

    def kill(self, name: str) -> None:
        """kill -9 of all its processes, that of a run too, as where its machine is gone."""
        process = self.processes.pop(name)
        for pid in tree(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait(30)

    def executing(self) -> list[str]:
        """The workers that execute a run now."""
        return [name for name, process in self.processes.items() if name != "server" and len(tree(process.pid)) > 1]

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            process.wait(60)

    def run_states(self) -> list[tuple[str, str]]:
        """(name, type of the state) of every flow run."""
        found = httpx2.post(f"{self.url}/flow_runs/filter", json={}, timeout=20, trust_env=False).json()
        return [(run["name"], run["state_type"]) for run in found]

    def has_run(self, name: str, state: str) -> None:
        """Wait until a run of this name is in this state: its end is told a moment after that of its discovery."""
        eventually(lambda: (name, state) in self.run_states(), what=f"the run {name!r} in the state {state}")

    def deployments(self) -> list[str]:
        """Their names, in order."""
        found = httpx2.post(f"{self.url}/deployments/filter", json={}, timeout=20, trust_env=False).json()
        return sorted(one["name"] for one in found)

    def _command(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "prefect", *arguments]
        subprocess.run(command, cwd=CHECKOUT, env=self.env, check=True, capture_output=True, timeout=240)

    def _start(self, name: str, arguments: tuple[str, ...], env: Mapping[str, str]) -> None:
        log: IO[bytes] = (self.home / f"{name}.log").open("ab")
        with log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "prefect", *arguments], cwd=self.home, env=dict(env), stdout=log, stderr=log
            )
