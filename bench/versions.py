"""Reload, activation, rollback and canaries under load: what fails, and how soon two router processes serve it.

Run `python -m bench.versions` (some minutes). Two routers share one data directory; half of what is done is done in the
catalogue alone, so that nobody tells any router of it. Every figure is of this machine and this run.
"""

import argparse
import asyncio
import itertools
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bench.router import CHECKOUT, peer
from modelscan.catalog import canaries, versions
from modelscan.catalog.database import Database
from modelscan.catalog.history import history
from modelscan.clients import activation
from modelscan.settings import Settings, load
from modelscan.types import CanaryTerms, ClientSpec
from tests.e2e.service import Service, eventually
from tests.router_app.routers import a_spec, publish

__all__ = ["Load", "Routers", "story", "two_routers"]

ALONE = (str(CHECKOUT / "tests" / "e2e" / "router_alone.py"),)
CALLERS = 3
PROVIDER = "bench"


@dataclass
class Beside(Service):
    """A router process with a port of its own, which others share the data directory with."""

    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Load:
    """What callers saw."""

    over: bool = False
    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    generations: set[str] = field(default_factory=set)
    broken: int = 0

    @property
    def done(self) -> int:
        return sum(self.statuses.values()) + self.broken

    async def caller(self, http: httpx2.AsyncClient, urls: Sequence[str]) -> None:
        """Ask the routers in turn, again as soon as there is an answer."""
        body = {"model": f"{PROVIDER}/bench", "messages": [{"role": "user", "content": "hi"}]}
        for url in itertools.cycle(urls):
            if self.over:
                return
            try:
                answer = await http.post(f"{url}/v1/chat/completions", json=body)
            except httpx2.TransportError:
                self.broken += 1
                continue
            self.statuses[answer.status_code] += 1
            self.versions[answer.headers["x-modelscan-sdk-version"]] += 1
            self.generations.add(answer.headers["x-modelscan-generation"])


async def _called(load: Load, urls: Sequence[str]) -> None:
    async with httpx2.AsyncClient(timeout=60, trust_env=False) as http:
        await asyncio.gather(*(load.caller(http, urls) for _ in range(CALLERS)))


@dataclass
class Routers:
    """Two router processes over one data directory."""

    both: tuple[Service, Service]
    settings: Settings
    spec: ClientSpec
    http: httpx2.Client
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """By what was done: until both served it."""

    @property
    def database(self) -> Database:
        return Database(self.settings.database_path, 60.0)

    def generation(self, router: Service) -> int:
        return int(self.http.get(f"{router.url}/health").json()["generation"])

    def timed(self, what: str, do: Callable[[], object]) -> None:
        """Do it, and note how long it took until both routers served the generation that it made."""
        do()
        done = time.monotonic()
        wanted = versions.generation(self.database)
        for router in self.both:
            eventually(lambda one=router: self.generation(one) >= wanted, seconds=30, every=0.01, what=what)  # type: ignore[misc]
        self.seconds.setdefault(what, []).append(time.monotonic() - done)

    def post(self, path: str, **body: Any) -> None:
        """Of the first router's admin API, which tells nobody else."""
        self.both[0].api("POST", path, json=body).raise_for_status()

    def served(self) -> int:
        return versions.active_of(self.database, PROVIDER).version


@contextmanager
def two_routers(home: Path) -> Iterator[Routers]:
    """Started, with two versions of one provider's client, which both work, and one that does not."""
    with ExitStack() as stack:
        origin = stack.enter_context(peer())
        env = {
            "MODELSCAN_DATA_DIR": str(home / "data"),
            "MODELSCAN_GENERATION_PATH": str(home / "generated"),
            "MODELSCAN_DATABASE_WAIT_SECONDS": "60",
        }
        ports = _free_ports(2)
        routers = [
            Beside(_made(home / f"router{port}"), {**env, "MODELSCAN_SERVER_PORT": str(port)}, ALONE, port=port)
            for port in ports
        ]
        settings = load(environ=routers[0].environment).settings
        settings.data_dir.mkdir(mode=0o700)
        spec = a_spec(origin, PROVIDER, ("bench",))
        for name in ("One", "Two"):
            publish(settings, spec.model_copy(update={"name": name}))
        for router in routers:
            stack.callback(router.stop)
            router.start()
            eventually(lambda one=router: one.health()["generation"], what="the registry")  # type: ignore[misc]
        (settings.data_dir / "admin.token").rename(home / "token")
        for router in routers:
            (_made(router.home / "data") / "admin.token").write_text((home / "token").read_text())
        http = stack.enter_context(httpx2.Client(timeout=30, trust_env=False))
        yield Routers((routers[0], routers[1]), settings, spec, http)


def broken(spec: ClientSpec) -> ClientSpec:
    """A version that asks where the peer answers with 500 alone."""
    return spec.model_copy(update={"name": "Broken", "base_url": spec.base_url.replace("/v1", "/broken")})


def story(routers: Routers) -> None:
    """Each thing that can be done, once; every second one behind the routers' backs."""
    database, folder = routers.database, routers.settings.generation.path
    routers.timed("activate, by the API", lambda: routers.post(f"/api/versions/{PROVIDER}/activate", version=1))
    routers.timed(
        "activate, told to nobody", lambda: activation.activate(database, folder, PROVIDER, 2, actor="operator")
    )
    routers.timed("roll back, by the API", lambda: routers.post(f"/api/versions/{PROVIDER}/rollback"))
    routers.timed(
        "roll back, told to nobody", lambda: activation.roll_back(database, folder, PROVIDER, 2, actor="operator")
    )
    routers.post("/api/reload")
    good = CanaryTerms(share=0.5, requests=50, minutes=0)
    routers.timed("a canary begins", lambda: activation.try_out(database, PROVIDER, 1, good, actor="operator"))
    _ended(routers, "canary-promoted", served=1)
    routers.timed("a bad one begins", lambda: publish(routers.settings, broken(routers.spec), terms=good))
    _ended(routers, "canary-rolled-back", served=1)
    activation.activate(database, folder, PROVIDER, 2, actor="operator")
    _forget_bad(routers)


def _ended(routers: Routers, kind: str, *, served: int) -> None:
    """Wait for the routers' own verdict, which the load makes, and for both to serve it."""
    began = time.monotonic()
    eventually(lambda: not canaries.canaries(routers.database), seconds=120, every=0.2, what=kind)
    step = history(routers.database, PROVIDER)[0]
    assert (step.kind, routers.served()) == (kind, served), step
    routers.seconds.setdefault(f"{kind} after", []).append(time.monotonic() - began)
    routers.timed(f"{kind}, served", lambda: None)


def _forget_bad(routers: Routers) -> None:
    """Or else the next time its publication would be held."""
    with routers.database.write() as connection:
        connection.execute("DELETE FROM activations WHERE kind IN ('canary-rolled-back', 'rolled-back')")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def main() -> None:
    """Parse the arguments, run the load and the story beside it, again and again, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=50_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, two_routers(Path(folder)) as routers:
        load, seconds = loaded(routers, asked.requests)
    for what, values in routers.seconds.items():
        ordered = sorted(values)
        sys.stdout.write(
            f"{what:<32} {ordered[0]:8.3f} {statistics.median(ordered):8.3f} {ordered[-1]:8.3f} s   n={len(ordered)}\n"
        )
    failed = load.done - load.statuses[200]
    sys.stdout.write(
        f"{load.done} requests in {seconds:.0f} s over {len(load.generations)} generations, by version "
        f"{dict(sorted(load.versions.items()))}: {failed} failed\n"
    )


def loaded(routers: Routers, requests: int) -> tuple[Load, float]:
    """Stories under a constant load until so many requests are answered, and how long that took."""
    began, load = time.monotonic(), Load()
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(asyncio.run, _called(load, [one.url for one in routers.both]))
        try:
            while load.done < requests:
                story(routers)
        finally:
            load.over = True
        calling.result()
    return load, time.monotonic() - began


if __name__ == "__main__":
    main()
