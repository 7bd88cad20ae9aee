"""A router that stands for all tests of a module, before an upstream of plain bytes that does what it is told."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import anthropic
import openai
import uvloop

from modelscan.clients.registry import Registry, Served
from modelscan.sources.http import host_port
from modelscan.types import ClientSpec, Level, SdkVersion, utc_now
from modelscan.wire import protocol_named
from tests.places import settings_in
from tests.router_app.hop.wires import Wire, request_on, served
from tests.router_app.routers import Router, a_spec, routed, sdk, with_all

__all__ = [
    "Act",
    "Answering",
    "Standing",
    "Upstream",
    "answering",
    "cut_at",
    "provider_of",
    "raw",
    "spec_of",
    "standing",
]

T = TypeVar("T")
Act = Callable[[Wire], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
_STORY_SECONDS = 30.0
_MOST_CUTS = 40


@dataclass(frozen=True)
class Answering:
    """An answer of HTTP."""

    body: bytes
    pieces: Sequence[bytes]

    async def __call__(self, wire: Wire) -> None:
        await wire.send(*self.pieces)


@dataclass
class Upstream:
    """Does with each request what `act` says at that moment; remembers what was asked."""

    act: Act = field(default=lambda _: asyncio.sleep(0))
    asked: list[tuple[bytes, bytes]] = field(default_factory=list)
    """(head, body) of each request."""
    take: Callable[[Wire], Awaitable[tuple[bytes, bytes]]] = request_on
    """Reads a request."""

    async def __call__(self, wire: Wire) -> None:
        while True:
            self.asked.append(await self.take(wire))
            await self.act(wire)


@dataclass
class Standing:
    """The router's loop runs while one of its stories is told, and stands still between them."""

    router: Router
    upstream: Upstream
    openai: openai.AsyncOpenAI
    claude: anthropic.AsyncAnthropic
    _runner: asyncio.Runner

    def tell(self, story: Callable[[], Awaitable[T]]) -> T:
        """What the story comes to."""

        async def timed() -> T:
            async with asyncio.timeout(_STORY_SECONDS):
                return await story()

        return self._runner.run(timed())

    def serve_only(self, spec: ClientSpec) -> None:
        """Swap what is served for one provider, without the way through the catalogue."""
        service = self.router.service
        service.allowed_private.add(host_port(spec.base_url))
        version = SdkVersion(
            provider=spec.provider,
            version=1,
            digest=spec.digest,
            path="unpublished.py",
            sha256="",
            level=Level.LIVE,
            active=True,
            published_at=utc_now(),
        )
        service.serving.swap(Registry.of(1, [Served(version, spec)]))

    def last_row(self) -> dict[str, Any]:
        """The usage row that was written last."""
        file = max(self.router.settings.journal_dir.glob("*.jsonl"))
        return with_all(json.loads(file.read_bytes()[-4096:].splitlines()[-1]))

    def last_usage(self) -> tuple[int | None, int | None]:
        """The prompt's and the answer's tokens in it, as the provider told them."""
        row = self.last_row()
        return (None, None) if row["estimated"] else (row["prompt_tokens"], row["completion_tokens"])


@contextmanager
def standing(folder: Path, dialects: Sequence[str], **routing: object) -> Iterator[Standing]:
    """Its providers are named after the dialects; each serves `echo`, and `upstream` answers for all of them."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack, upstream = AsyncExitStack(), Upstream()

        async def stand() -> Standing:
            origin = (await stack.enter_async_context(served(upstream))).origin
            specs = [spec_of(dialect, origin) for dialect in dialects]
            router = await stack.enter_async_context(
                routed(settings_in(folder, circuit_faults=0, **routing), specs=lambda _: specs)
            )
            client = await stack.enter_async_context(sdk(router))
            claude = anthropic.AsyncAnthropic(base_url=router.url, api_key="any", max_retries=0)
            return Standing(router, upstream, client, await stack.enter_async_context(claude), runner)

        try:
            yield runner.run(stand())
        finally:
            runner.run(stack.aclose())


def provider_of(dialect: str) -> str:
    """The name of the provider that speaks it."""
    return dialect.replace("_", "-")


def spec_of(dialect: str, origin: str, **more: Any) -> ClientSpec:
    """A provider at `origin` that speaks a dialect as its row says."""
    row = protocol_named(dialect)
    dressed = {"protocol": row.name, "endpoints": row.endpoints, "headers": row.headers, "rest": row.rest, **more}
    return a_spec(f"{origin}{row.reference_path}", **{"provider": provider_of(dialect), **dressed})


def answering(
    body: bytes,
    *,
    status: int = 200,
    kind: str = "application/json",
    headers: Mapping[str, str] | None = None,
    cuts: Sequence[int] | None = None,
) -> "Answering":
    """An answer with its length or, cut, in chunks."""
    lines = {"content-type": kind, **(headers or {})}
    lines |= {"content-length": str(len(body))} if cuts is None else {"transfer-encoding": "chunked"}
    said = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    head = f"HTTP/1.1 {status} Told\r\n{said}\r\n".encode()
    pieces = [body] if cuts is None else [*_chunks(body, cuts), b"0\r\n\r\n"]
    return Answering(body, (head, *pieces))


def raw(*pieces: bytes, reset: bool = False) -> Act:
    """These bytes, and the end of the connection."""

    async def act(wire: Wire) -> None:
        await wire.send(*pieces)
        if reset:
            wire.reset()
        else:
            wire.writer.close()

    return act


def cut_at(body: bytes, every: int) -> list[int]:
    """Places in a body, `every` bytes from each other or, that they stay few, more: the first and the last ones so."""
    size, few = len(body), _MOST_CUTS * every
    if size <= 2 * few:
        return list(range(every, size, every))
    between = range(few, size - few, max(every, size // _MOST_CUTS))
    return [*range(every, few, every), *between, *range(size - few, size, every)]


def _chunks(body: bytes, cuts: Sequence[int]) -> Iterator[bytes]:
    for start, end in itertools.pairwise([0, *cuts, len(body)]):
        if end > start:
            yield b"%x\r\n%b\r\n" % (end - start, body[start:end])
