"""A router for tests: real application, real sockets, with providers published into its catalogue."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import openai
from starlette.types import ASGIApp

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.codegen.publish import publish_files
from modelscan.codegen.render import render_client, render_test
from modelscan.reference import create_reference, serve
from modelscan.settings import Settings, ensure_data_dir
from modelscan.types import Auth, CanaryTerms, ClientSpec, Kept, Level, Model, SdkVersion, UsageEvent, ValidationReport
from modelscan.wire import protocol_named
from router_app.app import create_app
from router_app.bounded import BoundedHttp
from router_app.gate import Gate
from router_app.service import Service
from tests.catalogues import migrate
from tests.router_app.peers import Scripted

__all__ = [
    "KEY",
    "TOKEN",
    "Lasting",
    "Router",
    "a_spec",
    "chat_body",
    "eventually",
    "journal_rows",
    "lasting",
    "publish",
    "routed",
    "routed_to_reference",
    "scripted",
    "sdk",
    "with_all",
]

TOKEN = "a-token-for-tests"
KEY = "sk-upstream-0123456789"
T = TypeVar("T")
NO_AUTH = Auth(kind="none")
_LEFT_OUT = dict.fromkeys(UsageEvent.__annotations__) | dict.fromkeys(("cancelled", "estimated", "stream"), False)
_LEFT_OUT |= {"operation": "chat", "retries": 0, "fallbacks": 0}


def a_spec(base_url: str, provider: str = "acme", models: Sequence[str] = ("echo",), **more: Any) -> ClientSpec:
    """How the reference provider at `base_url` is talked to."""
    return ClientSpec(
        **{
            "provider": provider,
            "name": provider.title(),
            "protocol": "openai_chat",
            "base_url": base_url,
            "operator_host": True,
            "auth": NO_AUTH,
            "endpoints": protocol_named("openai_chat").endpoints,
            "models": tuple(Model(id=model) for model in sorted(models)),
            "test_model": models[0],
            "evidence": dict.fromkeys(ClientSpec.CITED_FIELDS, "0123456789abcdef"),
            **more,
        }
    )


def publish(
    settings: Settings,
    spec: ClientSpec,
    discovery_id: str | None = None,
    *,
    keep: bool = True,
    terms: CanaryTerms | None = None,
) -> SdkVersion:
    """Publish a client of `spec`, as a discovery does; without `keep` as was done before files were kept."""
    database = Database(settings.database_path)
    migrate(database)
    sources = Kept(render_client(spec, ()), render_test(spec))
    files = publish_files(settings.generation.path, spec, *sources)
    report = ValidationReport(level=Level.LIVE)
    return versions.publish(
        database,
        spec,
        path=files.path,
        sha256=files.sha256,
        report=report,
        discovery_id=discovery_id,
        files=sources if keep else None,
        terms=terms,
    )


@dataclass
class Router:
    """A running router."""

    service: Service
    http: httpx2.AsyncClient
    url: str
    settings: Settings
    notified: list[None]
    skipped: int = 0
    """How many usage rows were there before."""

    async def chat(self, model: str, content: str = "hi", token: str = "", **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.http.post("/v1/chat/completions", json=chat_body(model, content, **more), headers=headers)

    async def admin(self, method: str, path: str, **more: Any) -> httpx2.Response:
        return await self.http.request(method, f"/api{path}", headers={"authorization": f"Bearer {TOKEN}"}, **more)

    def usage(self) -> list[dict[str, Any]]:
        """The rows that are in the journal."""
        return journal_rows(self.settings)[self.skipped :]


def chat_body(model: str, content: str = "hi", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": content}], **more}


def journal_rows(settings: Settings) -> list[dict[str, Any]]:
    files = sorted(settings.journal_dir.glob("*.jsonl"))
    return [with_all(json.loads(line)) for file in files for line in file.read_text().splitlines()]


def with_all(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the journal, with the members that it leaves out."""
    return {**_LEFT_OUT, **row}


async def eventually(probe: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once `probe` is true."""
    async with asyncio.timeout(seconds):
        while not probe():  # noqa: ASYNC110 - what is waited for is a file, or another process's doing
            await asyncio.sleep(0.01)


@asynccontextmanager
async def routed(
    settings: Settings,
    *,
    peers: Mapping[str, ASGIApp] | None = None,
    specs: Callable[[Mapping[str, str]], Sequence[ClientSpec]] = lambda _: (),
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Router]:
    """A router over the published `specs`, which are told where each of the `peers` listens."""
    ensure_data_dir(settings)
    notified: list[None] = []
    async with AsyncExitStack() as stack:
        origins = {name: await stack.enter_async_context(serve(app)) for name, app in (peers or {}).items()}
        for spec in specs(origins):
            publish(settings, spec)
        service = Service(settings, environ or {}, gate=Gate(), notify=lambda: notified.append(None))
        stack.push_async_callback(service.close)
        await service.open()
        url = await stack.enter_async_context(serve(create_app(service, TOKEN), BoundedHttp))
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=20))
        yield Router(service, http, url, settings, notified)


@dataclass
class Lasting:
    """A router for all tests of a module. Its loop runs while one of their stories is told, and stands still else."""

    router: Router
    _runner: asyncio.Runner

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """What the story comes to."""
        return self._runner.run(story)


@contextmanager
def lasting(opened: AbstractAsyncContextManager[Router]) -> Iterator[Lasting]:
    """Of a router that is not open yet."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        router = runner.run(stack.enter_async_context(opened))
        try:
            yield Lasting(router, runner)
        finally:
            runner.run(stack.aclose())


@asynccontextmanager
async def routed_to_reference(settings: Settings, **more: Any) -> AsyncIterator[Router]:
    """A router with one provider, `acme`, which wants no key and serves `echo`."""
    async with routed(
        settings,
        peers={"acme": create_reference(models=("echo",))},
        specs=lambda origins: [a_spec(f"{origins['acme']}/v1")],
        **more,
    ) as router:
        yield router


def scripted(peer: Scripted, settings: Settings, **more: Any) -> Any:
    """A router whose only provider is `peer`."""
    return routed(
        settings, peers={"acme": peer}, specs=lambda origins: [a_spec(f"{origins['acme']}/v1", **more)], environ={}
    )


def sdk(router: Router) -> openai.AsyncOpenAI:
    """The official client, pointed at the router."""
    return openai.AsyncOpenAI(base_url=f"{router.url}/v1", api_key="any", max_retries=0)
