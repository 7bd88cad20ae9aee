"""How the tests ask a source: a client whose transport is a function, and payloads of their own."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from modelscan.settings import DiscoverySettings
from modelscan.sources import SourceRequest
from modelscan.types import Identifier

__all__ = ["Handler", "answered", "ask_with", "fixture", "json_routes"]

T = TypeVar("T")
Handler = Callable[[httpx2.Request], httpx2.Response]

FIXTURES = Path(__file__).parent.parent / "fixtures"


def fixture(name: str) -> bytes:
    """The bytes of one fixture, such as `models_dev/usual.json`."""
    return (FIXTURES / name).read_bytes()


def ask_with(
    handler: Handler, ask: Callable[[SourceRequest], Awaitable[T]], identifier: str = "acme", **more: Any
) -> T:
    """What `ask` gives for a request whose HTTP client answers by `handler`."""

    async def run() -> T:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(handler)) as http:
            fields: dict[str, Any] = {
                "identifier": Identifier.parse(identifier),
                "http": http,
                "settings": DiscoverySettings(),
            } | more
            return await ask(SourceRequest(**fields))

    return asyncio.run(run())


def answered(status: int, body: Any) -> httpx2.Response:
    """An answer: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx2.Response(status, content=content, headers={"content-type": "application/json"})


def json_routes(routes: Mapping[str, tuple[int, Any]]) -> Handler:
    """Answers `METHOD URL` by a table; whatever is not in it is a 404 in OpenAI's shape."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        status, body = routes.get(f"{request.method} {request.url}", (404, {"error": {"message": "no such path"}}))
        return answered(status, body)

    return handle
