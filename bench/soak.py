"""Whether a router's memory stays flat: `python -m bench.soak`, 300,000 requests of four kinds over 32 connections.

Seven in ten are plain, one is streamed, one fails at the provider, and one is a stream whose caller goes away. The
router's resident memory and its open files are looked at each second; it ends with 1 where the memory grows by more
than --most MiB in 100,000 requests after the first fifth, where a file stays open, or where an answer is not what it
should be. `--slow 2000` holds so many slow streams at once instead, ten seconds each, and checks every one.
"""

import argparse
import asyncio
import itertools
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench.gateways import Started, own_gateway
from bench.router import peer

__all__ = ["Soaked", "slope", "soaked", "streamed_slowly"]

KINDS = ("plain", "plain", "stream", "plain", "plain", "fail", "plain", "plain", "leave", "plain")
EVENTS_OF = {"stream": 101, "slow": 52}
"""The usage that nobody asked for is hidden."""
_WARM = 0.2
_SECONDS = 60.0
"""For one answer."""


@dataclass
class Soaked:
    """What came of it. Memory is in MiB."""

    answers: Counter[str] = field(default_factory=Counter)
    """Kind and outcome -> how often; a wrong outcome begins with `wrong`."""
    memory: list[tuple[int, float]] = field(default_factory=list)
    """(requests done, resident)"""
    files: tuple[int, int] = (0, 0)
    """Open before and after."""
    seconds: float = 0.0

    @property
    def wrong(self) -> int:
        return sum(count for outcome, count in self.answers.items() if "wrong" in outcome)

    @property
    def growth(self) -> float:
        """MiB in 100,000 requests, after the router has warmed up."""
        done = self.memory[-1][0]
        return slope([one for one in self.memory if one[0] >= done * _WARM]) * 100_000


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line with the least squares."""
    count = len(points)
    middle = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle[0]) ** 2 for x, _ in points)
    return sum((x - middle[0]) * (y - middle[1]) for x, y in points) / spread if spread else 0.0


def main() -> None:
    """Parse the arguments, soak, print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--most", type=float, default=1.0, help="MiB that 100,000 requests may add")
    parser.add_argument("--slow", type=int, default=0, help="hold so many slow streams at once instead")
    asked = parser.parse_args()
    own = own_gateway(MODELSCAN_ROUTING_RETRIES="0")
    with ExitStack() as stack:
        folder, upstream = Path(stack.enter_context(tempfile.TemporaryDirectory())), stack.enter_context(peer())
        router = stack.enter_context(own.running(folder, folder / "home", upstream))
        if asked.slow:
            found = uvloop.run(streamed_slowly(router, asked.slow))
        else:
            found = uvloop.run(soaked(router, asked.requests, asked.connections))
    print("\n".join(_told(found, slow=asked.slow)))
    grown = not asked.slow and found.growth > asked.most
    sys.exit(1 if found.wrong or grown or found.files[1] > found.files[0] + 4 else 0)


async def soaked(router: Started, requests: int, connections: int, kept: int = 0) -> Soaked:
    """So many requests over so many connections; `kept` to the provider may stay open a while."""
    soak, numbers, began = Soaked(files=(_open_files(router), 0)), itertools.count(), time.monotonic()
    host = _origin(router)
    bodies = {kind: _request(router, kind) for kind in {*KINDS}}

    async def ask() -> None:
        stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while (number := next(numbers)) < requests:
            kind = KINDS[number % len(KINDS)]
            stream = stream or await asyncio.open_connection(*host)
            stream[1].write(bodies[kind])
            async with asyncio.timeout(_SECONDS):
                outcome = await _answer(stream[0], kind)
            soak.answers[f"{kind} {outcome}"] += 1
            if kind == "leave" or outcome == "wrong":
                stream[1].transport.abort()
                stream = None
        if stream:
            stream[1].close()

    await _watched(soak, router, [ask() for _ in range(connections)], every=1.0)
    soak.seconds = time.monotonic() - began
    soak.files = soak.files[0], await _files_at_rest(router, soak.files[0] + kept)
    return soak


async def streamed_slowly(router: Started, streams: int, kept: int = 0) -> Soaked:
    """So many streams at once, each from its first event to its last; `kept` likewise."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    soak, began, request = Soaked(files=(_open_files(router), 0)), time.monotonic(), _request(router, "slow")

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(*_origin(router))
        writer.write(request)
        async with asyncio.timeout(_SECONDS + streams / 50):
            soak.answers[f"slow {await _answer(reader, 'slow')}"] += 1
        writer.close()

    await _watched(soak, router, [ask() for _ in range(streams)], every=0.2)
    soak.seconds = time.monotonic() - began
    soak.files = soak.files[0], await _files_at_rest(router, soak.files[0] + kept)
    return soak


async def _watched(soak: Soaked, router: Started, work: Sequence[Coroutine[None, None, None]], every: float) -> None:
    """Do the work, and look at the memory meanwhile."""
    asking = asyncio.gather(*work)
    soak.memory.append((0, _resident(router)))
    while not asking.done():
        await asyncio.wait([asking], timeout=every)
        soak.memory.append((soak.answers.total(), _resident(router)))
    await asking


async def _answer(reader: asyncio.StreamReader, kind: str) -> str:
    """What came: `right`, or `wrong`."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    if kind == "leave":
        return "right" if status == 200 and await reader.readuntil(b"\n\n") else "wrong"
    if b"chunked" not in head.lower():
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        body = json.loads(await reader.readexactly(length))
        wanted = 500 if kind == "fail" else 200
        return "right" if status == wanted and ("error" in body) is (kind == "fail") else "wrong"
    events = bytearray()
    while not events.endswith(b"0\r\n\r\n") and not reader.at_eof():
        events += await reader.read(65_536)
    return "right" if events.count(b"data: ") == EVENTS_OF[kind] and b"[DONE]" in events else "wrong"


def _request(router: Started, kind: str) -> bytes:
    body: dict[str, object] = {"model": router.model, "messages": [{"role": "user", "content": kind}]}
    if kind in ("stream", "leave", "slow"):
        body["stream"] = True
    text = json.dumps(body).encode()
    head = f"POST {urlsplit(router.url).path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in router.headers.items())
    return head.encode() + b"content-length: %d\r\n\r\n" % len(text) + text


def _origin(router: Started) -> tuple[str, int]:
    parts = urlsplit(router.url)
    return parts.hostname or "127.0.0.1", parts.port or 80


def _resident(router: Started) -> float:
    """MiB of the process that relays."""
    return int(Path(f"/proc/{router.process.pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _open_files(router: Started) -> int:
    return len(list(Path(f"/proc/{router.process.pid}/fd").iterdir()))


async def _files_at_rest(router: Started, before: int, seconds: float = 60.0) -> int:
    """How many are open once connections that are kept have been let go, or after so long."""
    deadline = time.monotonic() + seconds
    while (files := _open_files(router)) > before and time.monotonic() < deadline:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.5)
    return files


def _told(found: Soaked, *, slow: int) -> list[str]:
    first, last, peak = found.memory[0][1], found.memory[-1][1], max(size for _, size in found.memory)
    lines = [f"{count:9,} {outcome}" for outcome, count in sorted(found.answers.items())]
    lines.append(f"in {found.seconds:.0f} s; resident {first:.1f} MiB before, {peak:.1f} at most, {last:.1f} after")
    if slow:
        lines.append(f"{(peak - first) * 1024 / slow:.1f} KiB a stream")
    else:
        lines.append(f"growth after the first fifth: {found.growth:+.2f} MiB in 100,000 requests")
    lines.append(f"open files: {found.files[0]} before, {found.files[1]} after")
    return lines


if __name__ == "__main__":
    main()
