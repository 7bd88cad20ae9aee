"""How quick the spine is: help, router ready, identifier to live by step, and reloads under constant load.

Run `python -m bench.spine` (about two minutes). Prints one table; every figure is of this machine and this run.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx2

from modelscan.reference.app import create_reference
from modelscan.reference.server import serve_in_thread
from tests.e2e.service import Service, eventually, running

KEY = "sk-bench-0123456789abcdef"
CALLERS = 4
"""Enough to keep the router busy on two cores, of which these callers take one; more would measure their queue."""


def main() -> None:
    """Parse the arguments, run the three measurements, print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--discoveries", type=int, default=10)
    parser.add_argument("--requests", type=int, default=10_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, serve_in_thread(create_reference(key=KEY)) as origin:
        row("modelscan --help, s", help_shown(asked.starts))
        row("router ready after start, s", router_ready(Path(folder) / "starts", asked.starts))
        (home := Path(folder) / "home").mkdir()
        with running(home) as service:
            service.wait_until_warm()
            discoveries(service, f"{origin}/v1", asked.discoveries)
            reload_under_load(service, f"{origin}/v1", asked.requests)


def row(what: str, values: Iterable[float], unit: float = 1.0) -> None:
    """One line: minimum, median, maximum."""
    ordered = sorted(value * unit for value in values)
    print(
        f"{what:<44} {ordered[0]:9.3f} {statistics.median(ordered):9.3f} {ordered[-1]:9.3f}   n={len(ordered)}",
        flush=True,
    )


def help_shown(times: int) -> list[float]:
    """Seconds of `modelscan --help`, the whole process."""
    seconds = []
    for _ in range(times):
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "modelscan", "--help"], stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.monotonic() - started)
    return seconds


def router_ready(home: Path, starts: int) -> list[float]:
    """Seconds from the start of the process to the first answered /health."""
    home.mkdir()
    seconds = []
    for _ in range(starts):
        service = Service(home).start()
        seconds.append(time.monotonic() - service.started_at)
        service.stop()
    return seconds


def discoveries(service: Service, base_url: str, count: int) -> None:
    """Identifier -> live against a loopback provider, warm, without an LLM; then the same by step."""
    total, by_step = [], defaultdict(list)
    for number in range(count + 1):
        started = time.monotonic()
        body = {"identifier": f"bench{number}/echo", "base_url": base_url, "api_key": KEY}
        run = service.api("POST", "/api/providers/add?wait=60", json=body).json()
        if number == 0:  # The first run of a runner pays its imports.
            continue
        assert run["level"] == "live", run
        total.append(time.monotonic() - started)
        for step in run["steps"]:
            by_step[step["name"]].append(step_seconds(step))
    row("identifier to live, s", total)
    for name, values in by_step.items():
        row(f"  {name}, s", values)


def step_seconds(step: dict[str, Any]) -> float:
    """How long one recorded step took."""
    from_, to = (time_of(step[name]) for name in ("started_at", "ended_at"))
    return to - from_


def time_of(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Load:
    """What a constant load saw."""

    wanted: int
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    generations: set[str] = field(default_factory=set)

    @property
    def done(self) -> int:
        return sum(self.statuses.values()) + self.broken

    async def caller(self, client: httpx2.AsyncClient, url: str) -> None:
        """One caller, who asks again as soon as it is answered."""
        body = {"model": "bench1/echo", "messages": [{"role": "user", "content": "hi"}]}
        while self.done < self.wanted:
            try:
                answer = await client.post(f"{url}/v1/chat/completions", json=body)
            except httpx2.TransportError:
                self.broken += 1
                continue
            self.statuses[answer.status_code] += 1
            self.generations.add(answer.headers["x-modelscan-generation"])


def called(url: str, requests: int) -> Load:
    """A constant load until so many requests are answered; runs in a process of its own."""

    async def callers(load: Load) -> None:
        async with httpx2.AsyncClient(timeout=30) as client:
            await asyncio.gather(*(load.caller(client, url) for _ in range(CALLERS)))

    load = Load(requests)
    asyncio.run(callers(load))
    return load


def reload_under_load(service: Service, base_url: str, requests: int) -> None:
    """Publish and reload again and again while callers keep asking; a failed request is anything but a 200."""
    with httpx2.Client(timeout=30) as admin, ProcessPoolExecutor(1, get_context("spawn")) as pool:
        row("reload at rest, ms", [timed_reload(service, admin) for _ in range(20)], 1000)
        started, reloads = time.monotonic(), list[float]()
        calling = pool.submit(called, service.url, requests)
        while not calling.done():
            body = {"identifier": f"load{len(reloads)}/echo", "base_url": base_url, "api_key": KEY}
            added = service.api("POST", "/api/providers/add?wait=60", json=body)
            assert added.json()["state"] == "succeeded", added.text
            reloads.append(timed_reload(service, admin))
        load, seconds = calling.result(), time.monotonic() - started
    row(f"reload under load of {CALLERS} callers, ms", reloads, 1000)
    failed = load.done - load.statuses[200]
    print(
        f"{load.done} requests in {seconds:.1f} s over {len(load.generations)} generations: {failed} failed", flush=True
    )
    counted = eventually(lambda: usage_rows(service, load.done), seconds=60, what="the usage rows")
    print(f"usage rows of the loaded model: {counted}", flush=True)


def timed_reload(service: Service, client: httpx2.Client) -> float:
    """Seconds until the router confirmed what it serves."""
    before = time.monotonic()
    assert client.post(f"{service.url}/api/reload", headers=service.admin).status_code == 200
    return time.monotonic() - before


def usage_rows(service: Service, at_least: int) -> int | None:
    """The rows of the loaded model, once they are all there."""
    rows = service.api("GET", "/api/stats?model=echo").json()
    count = sum(found["requests"] for found in rows if found["provider"] == "bench1")
    return count if count >= at_least else None


if __name__ == "__main__":
    main()
