"""POST /v1/chat/completions: resolve, choose a key, relay, and journal the use before the answer is complete."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from modelscan.clients.registry import Registry, Route
from modelscan.errors import InvalidInput, ModelScanError, NoUsableKey, ServiceUnavailable, UpstreamFailed
from modelscan.keys.pool import KeyPool
from modelscan.types import UsageEvent, utc_now
from modelscan.usage.journal import Journal
from modelscan.wire.openai_chat import error_body, usage_of
from router_app.problems import openai_error
from router_app.sse import Relay, error_event
from router_app.upstream import Headers, Upstream, UpstreamAnswer

__all__ = ["ChatCompletions", "Live"]

_MAX_BODY = 50 * 2**20
_HOP_BY_HOP = frozenset(
    b"connection content-encoding content-length date keep-alive proxy-authenticate proxy-connection server set-cookie "
    b"te trailer transfer-encoding upgrade x-request-id".split()
)
_PASSED_ON = frozenset((b"accept", b"openai-beta"))


@dataclass
class Live:
    """What requests are served from. Each field is replaced as a whole; a request takes each once."""

    registry: Registry
    pool: KeyPool
    journal: Journal
    upstream: Upstream


@dataclass
class _Request:
    """One request on its way, and what is known of it so far."""

    send: Send
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    began: float = field(default_factory=time.perf_counter)
    generation: int = 0
    asked_model: str = ""
    route: Route | None = None
    key_id: str | None = None
    stream: bool = False
    status: int = 0
    first_byte: float | None = None
    usage: tuple[int | None, int | None] = (None, None)
    error_code: str | None = None
    cancelled: bool = False

    def event(self) -> UsageEvent:
        """The line for the journal."""
        return UsageEvent(
            request_id=self.id,
            at=utc_now(),
            asked_model=self.asked_model,
            provider=self.route.spec.provider if self.route else None,
            model=self.route.model if self.route else None,
            key_id=self.key_id,
            status=self.status,
            stream=self.stream,
            cancelled=self.cancelled,
            prompt_tokens=self.usage[0],
            completion_tokens=self.usage[1],
            latency_ms=(time.perf_counter() - self.began) * 1000,
            first_byte_ms=None if self.first_byte is None else (self.first_byte - self.began) * 1000,
            error_code=self.error_code,
            generation=self.generation,
        )

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every answer carries."""
        own = [(b"x-request-id", self.id.encode()), (b"x-modelscan-generation", str(self.generation).encode())]
        if self.route:
            own.append((b"x-modelscan-provider", self.route.spec.provider.encode()))
        return own


class ChatCompletions:
    """The endpoint, as plain ASGI. `ready` gives what to serve from, waiting for the first registry where it must."""

    def __init__(self, ready: Callable[[], Awaitable[Live]]) -> None:
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _Request(send)
        body = await _body(receive)
        relay = asyncio.create_task(self._answer(request, scope, body))
        watch = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((relay, watch), return_when=asyncio.FIRST_COMPLETED)
            if not relay.done():
                request.cancelled = True
                relay.cancel()
                with suppress(asyncio.CancelledError):
                    await relay
            else:
                relay.result()
        finally:
            watch.cancel()

    async def _answer(self, request: _Request, scope: Scope, body: bytes | None) -> None:
        live: Live | None = None
        try:
            live = await self._ready()
            await self._relay(request, live, scope, body)
        except asyncio.CancelledError:
            request.status = request.status or 499
            self._account(live, request)
            raise
        except ModelScanError as error:
            request.error_code = error.code
            request.status, shape = openai_error(error)
            self._account(live, request)
            await _send_whole(
                request, request.status, [(b"content-type", b"application/json")], json.dumps(shape).encode()
            )

    async def _relay(self, request: _Request, live: Live, scope: Scope, body: bytes | None) -> None:
        registry = live.registry
        request.generation = registry.generation
        asked = _parsed(body)
        request.asked_model = asked["model"]
        request.route = registry.resolve(asked["model"])
        request.stream = asked.get("stream") is True
        hide_usage = request.stream and _ask_for_usage(asked)
        asked["model"] = request.route.model
        headers = [*_passed_on(scope), *self._credentials(request, live)]
        answer = await live.upstream.send("POST", _url(request.route), headers, json.dumps(asked).encode())
        try:
            request.status = answer.status
            if request.stream and answer.status < 400:
                await self._relay_stream(request, live, answer, Relay(hide_usage=hide_usage))
            else:
                await self._relay_whole(request, live, answer)
        finally:
            await answer.aclose()

    def _credentials(self, request: _Request, live: Live) -> list[tuple[bytes, bytes]]:
        assert request.route is not None
        auth = request.route.spec.auth
        if auth.kind == "none":
            return []
        usable = live.pool.choose(request.route.spec.provider)
        if usable is None:
            provider = request.route.spec.provider
            raise NoUsableKey(
                f"{provider} needs a key, and none can be used.", hint=f"Add one: modelscan keys add {provider}"
            )
        request.key_id = usable.key.id
        return [(auth.header.lower().encode(), f"{auth.scheme} {usable.secret.get_secret_value()}".strip().encode())]

    async def _relay_whole(self, request: _Request, live: Live, answer: UpstreamAnswer) -> None:
        body = bytearray()
        async for chunk in answer.chunks():
            request.first_byte = request.first_byte or time.perf_counter()
            body += chunk
        if answer.status < 400:
            request.usage = usage_of(_json(bytes(body)))
        self._account(live, request)
        await _send_whole(request, answer.status, _returned(answer.headers), bytes(body))

    async def _relay_stream(self, request: _Request, live: Live, answer: UpstreamAnswer, relay: Relay) -> None:
        await _start(request, answer.status, _returned(answer.headers))
        try:
            async for chunk in answer.chunks():
                request.first_byte = request.first_byte or time.perf_counter()
                if passed := relay.feed(chunk):
                    await request.send({"type": "http.response.body", "body": passed, "more_body": True})
            last = relay.end()
        except UpstreamFailed as error:
            request.error_code = error.code
            last = relay.end() + error_event(error_body(502, str(error), code=error.code))
        finally:
            request.usage = relay.usage
        self._account(live, request)
        await request.send({"type": "http.response.body", "body": last, "more_body": False})

    def _account(self, live: Live | None, request: _Request) -> None:
        """Journal the request; its key's counters learn what it used."""
        if live is None:
            return
        live.journal.append(request.event())
        if request.key_id and request.route:
            live.pool.settle(request.route.spec.provider, request.key_id, sum(count or 0 for count in request.usage))


async def _body(receive: Receive) -> bytes | None:
    """The request's body; None where it is more than 50 MiB, the rest of which is read and dropped."""
    body = bytearray()
    too_large = False
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)
        too_large = too_large or len(body) + len(message.get("body", b"")) > _MAX_BODY
        if not too_large:
            body += message.get("body", b"")
        if not message.get("more_body", False):
            return None if too_large else bytes(body)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _parsed(body: bytes | None) -> dict[str, Any]:
    if body is None:
        raise InvalidInput(f"The body has more than {_MAX_BODY // 2**20} MiB.", hint="Send less.")
    asked = _json(body)
    if not isinstance(asked, dict):
        raise InvalidInput("The body is not a JSON object.", hint="See docs/api.md for an example.")
    if not isinstance(asked.get("model"), str) or not asked["model"]:
        raise InvalidInput("The body names no model.", hint="GET /v1/models lists what is served.")
    return asked


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _ask_for_usage(asked: dict[str, Any]) -> bool:
    """Have the stream end with its usage; True where the caller did not ask for that, so that it is hidden again."""
    options = asked.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        return False
    asked["stream_options"] = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return True


def _url(route: Route) -> str:
    if "${" in route.url:
        variable = route.url.partition("${")[2].partition("}")[0]
        raise ServiceUnavailable(
            f"The address of {route.spec.provider} contains {variable}, which is not set.",
            hint=f"Set {variable} in the service's environment and start it again.",
        )
    return route.url


def _passed_on(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The caller's headers that go to the provider; their credentials never do."""
    chosen = [(name, value) for name, value in scope["headers"] if name in _PASSED_ON]
    return [*chosen, (b"content-type", b"application/json"), (b"accept-encoding", b"identity")]


def _returned(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The provider's headers that go to the caller; its request id under another name than ours."""
    kept = [(name.lower(), value) for name, value in headers if name.lower() not in _HOP_BY_HOP]
    return kept + [(b"x-upstream-request-id", value) for name, value in headers if name.lower() == b"x-request-id"]


async def _start(request: _Request, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await request.send({"type": "http.response.start", "status": status, "headers": [*headers, *request.headers()]})


async def _send_whole(request: _Request, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await _start(request, status, [*headers, (b"content-length", str(len(body)).encode())])
    await request.send({"type": "http.response.body", "body": body})
