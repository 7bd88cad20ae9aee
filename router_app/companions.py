"""The processes beside the router: Prefect's API, unless the operator names one, and the discovery runner."""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx2
from pydantic import SecretStr

from modelscan.custody.master import MASTER_VARIABLE
from modelscan.redaction import is_secret_name
from modelscan.settings import Settings
from modelscan.settings.environment import variables
from router_app.children import Child
from router_app.dispatch import prefect_headers
from router_app.parts import Parts

__all__ = ["Companions"]

_LOOK_SECONDS = 0.5
_LOOK_AGAIN_SECONDS = 5.0


class Companions:
    """Started once the router listens, and ended with it. `tell` hears what a person at the terminal wants to know."""

    def __init__(
        self,
        settings: Settings,
        environ: Mapping[str, str],
        parts: Parts,
        http: httpx2.AsyncClient,
        *,
        tell: Callable[[str], None],
        prefect: Sequence[str] = ("-m", "flows.prefect_api"),
        runner: Sequence[str] = ("-m", "flows.runner"),
    ) -> None:
        self._prefect_command = (sys.executable, *prefect)
        self._runner_command = (sys.executable, *runner)
        self._settings = settings
        self._environ = environ
        self._parts = parts
        self._http = http
        self._tell = tell
        self._prefect: Child | None = None
        self._runner: Child | None = None
        self._looking: asyncio.Task[None] | None = None
        self.api_url = environ.get("PREFECT_API_URL", "")
        """Of the Prefect API; empty until one is started."""

    def start(self) -> None:
        """Start both, and begin to look whether the API answers."""
        logs = self._settings.data_dir / "logs"
        if not self.api_url:
            port = _free_port(self._settings.prefect.port)
            self.api_url = f"http://127.0.0.1:{port}/api"
            command = [*self._prefect_command, "--port", str(port)]
            env = _without_secrets(self._environment())
            self._prefect = Child("prefect", command, env, logs / "prefect.log", on_state=self._parts.set)
            self._prefect.start()
        self._parts.set("prefect", "starting", self.api_url)
        self._runner = Child(
            "runner",
            self._runner_command,
            self._environment(),
            logs / "runner.log",
            on_state=self._parts.set,
            on_line=self._runner_said,
        )
        self._runner.start()
        self._looking = asyncio.create_task(self._look())

    def wake(self) -> None:
        """Tell the runner that there is a run for it."""
        if self._runner:
            self._runner.tell("wake")

    def master(self, new: SecretStr) -> None:
        """Hand the runner the master key that takes the place of its environment's, also for when it starts again."""
        self._environ = {**self._environ, MASTER_VARIABLE: new.get_secret_value()}
        if self._runner:
            self._runner.renew(self._environment())
            self._runner.tell(f"master {new.get_secret_value()}")

    async def stop(self) -> None:
        """End the runner, then the API, to which the runner reports its end."""
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for child in (self._runner, self._prefect):
            if child:
                await child.stop()

    def _runner_said(self, line: dict[str, Any]) -> None:
        if line.get("state") == "ready":
            self._parts.set("runner", "up")

    async def _look(self) -> None:
        """`up` is what answers, not what was started."""
        while True:
            answers = await self._answers()
            if answers:
                if self._parts.state("prefect") == "starting":
                    self._tell(f"Prefect UI: {self.api_url.rstrip('/').removesuffix('/api')}")
                self._parts.set("prefect", "up", self.api_url)
            elif self._parts.state("prefect") == "up":
                self._parts.set("prefect", "down", f"{self.api_url} does not answer.")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS if answers else _LOOK_SECONDS)

    async def _answers(self) -> bool:
        try:
            answer = await self._http.get(f"{self.api_url.rstrip('/')}/health", headers=prefect_headers(self._environ))
        except httpx2.TransportError:
            return False
        return answer.status_code < 500

    def _environment(self) -> dict[str, str]:
        """The router's own environment, with its settings made explicit: the children see what it sees."""
        data_dir = self._settings.data_dir.resolve()
        given = ((variable, _value(self._settings, path)) for variable, path in variables().items())
        # Secrets stay where the children find them as well: another process may see an environment.
        own = {variable: _text(value) for variable, value in given if not isinstance(value, SecretStr)}
        own["MODELSCAN_DATA_DIR"] = str(data_dir)
        own["MODELSCAN_GENERATION_PATH"] = str(self._settings.generation.path.resolve())
        own |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
        if not self._environ.get("PREFECT_API_URL"):  # A server of the operator's own keeps the operator's profile.
            own |= {"PREFECT_API_URL": self.api_url, "PREFECT_HOME": str(data_dir / "prefect")}
        return {**self._environ, **own}


def _without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """For Prefect's API, which needs none but those of its own: a process's environment can be read beside it."""
    return {name: one for name, one in environ.items() if name.startswith("PREFECT_") or not is_secret_name(name)}


def _value(settings: Settings, path: tuple[str, ...]) -> object:
    value: object = settings
    for name in path:
        value = getattr(value, name)
    return value


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _free_port(wanted: int) -> int:
    """`wanted` if it is free, else one that is."""
    for port in (wanted, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as listening:
                return int(listening.getsockname()[1])
        except OSError:
            continue
    raise AssertionError("the system has no free port")
