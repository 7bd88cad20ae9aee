"""Requests to models: resolve the model, choose a key, relay or translate, and journal the use."""

import asyncio
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from modelscan.clients.registry import Route
from modelscan.errors import (
    InvalidInput,
    ModelScanError,
    UpstreamFailed,
    WrongEndpoint,
)
from modelscan.types import Operation
from modelscan.usage.estimate import reserved
from modelscan.wire import Surface, WireProtocol
from router_app.adapting import ADAPTING
from router_app.admission import Uses, admitted
from router_app.asking import Asked
from router_app.cycle import WHOLE
from router_app.exchange import Exchange
from router_app.failover import Failover
from router_app.outgoing import Outgoing, Prepare, filled, static
from router_app.problems import TooLarge
from router_app.query import added_to, names_in
from router_app.serving import Serving
from router_app.sse import Relay
from router_app.translating import Translating
from router_app.unpacking import unpacked
from router_app.upstream import Headers, UpstreamAnswer
from router_app.watch import Watch
from router_app.whole import comes_piece_by_piece, is_event_stream, usage_in, whole_body

__all__ = ["Inference"]

_MAX_BODY = 50 * 2**20
_MAX_DISCARDED = 2**16
_NOT_RETURNED = frozenset(
    b"alt-svc connection content-length date keep-alive proxy-authenticate proxy-connection server set-cookie "
    b"strict-transport-security te trailer transfer-encoding upgrade "
    b"x-modelscan-dropped x-modelscan-generation x-modelscan-model x-modelscan-overhead-us x-modelscan-path "
    b"x-modelscan-provider x-modelscan-sdk-version x-request-id".split()
)

_BETA = b"anthropic-beta"
_CLIENT = b"x-modelscan-client"
_EXPLAIN = b"x-modelscan-explain"
_SEE_LOG = "The service's log has the particulars."
_log = logging.getLogger(__name__)


class _CallerLeft(Exception):
    """The caller went away while sending."""


class Inference:
    """The endpoint of one protocol, as plain ASGI: what streams through is not wrapped."""

    def __init__(
        self, serving: Serving, protocol: Surface, max_body: int = _MAX_BODY, operation: Operation = "chat"
    ) -> None:
        self._serving = serving
        self._protocol = protocol
        self._operation = operation
        self.named: str = operation
        """In usage rows."""
        self._uses: Uses = "nothing" if operation == "count_tokens" else "prompt and answer"
        self._max_body = max_body
        self._passed = frozenset(name.encode() for name in protocol.passed_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = scope["headers"]
        told = dict(headers)
        exchange = Exchange(send, self._serving, self._protocol)
        exchange.operation, exchange.send_whole = self.named, scope.get(WHOLE)
        if _EXPLAIN in told:
            exchange.explained = told[_EXPLAIN] == b"1"
        if scope["query_string"]:
            exchange.query = scope["query_string"]
        if _CLIENT in told:
            exchange.client = told[_CLIENT].decode("latin-1")
        passed = [header for header in headers if header[0] in self._passed] if self._passed else []
        try:
            if self._serving.routing_now is None:  # Tokens are read before what is served: nobody slips in.
                await self._serving.routing()
            exchange.caller = self._serving.door.enter(headers)
            at_the_door = time.perf_counter() - exchange.began
            body = await _read(receive, self._max_body)
            exchange.body_bytes = len(body)
            exchange.read_at = time.perf_counter() - at_the_door
            with Watch(scope, exchange):
                await self._answer(exchange, passed, body)
        except TooLarge as error:
            await exchange.refuse(error)
        except ModelScanError as error:  # Turned away at the door.
            await _discarded(receive)
            await exchange.refuse(error)
        except _CallerLeft:
            exchange.cancelled = True
            exchange.account()

    async def _answer(self, exchange: Exchange, passed: Headers, body: bytes) -> None:
        try:
            await self._answered(exchange, *self._asked(exchange, passed, body))
        except ModelScanError as error:
            await exchange.refuse(error)
        except asyncio.CancelledError:
            exchange.cancelled = True
            exchange.account()
            raise
        except Exception as error:
            exchange.error_code = "error"
            if exchange.status:  # The answer has begun: it is broken off, so that nobody takes it for whole.
                exchange.account()
                raise
            _log.exception("request %s ended unexpectedly", exchange.id)
            await exchange.refuse(ModelScanError(f"An unexpected {type(error).__name__}.", hint=_SEE_LOG))

    def _asked(self, exchange: Exchange, passed: Headers, body: bytes) -> tuple[Mapping[str, Any], Prepare]:
        """The members of a request's body, and what makes it one for a provider. Raises InvalidInput."""
        asked = Asked(body)
        exchange.most = prompt, answer = reserved(body, asked.members)
        exchange.foreseen = prompt + answer
        return asked.members, partial(self._outgoing, exchange, passed, asked)

    def _outgoing(self, exchange: Exchange, passed: Headers, asked: Asked, route: Route) -> Outgoing:
        """What goes to the provider of `route`."""
        asked = asked.unchanged()  # It may have been made for another one before.
        if route.spec.protocol != self._protocol.name:
            translating = self._translating(exchange, asked, route)
            if any(name == _BETA for name, _ in passed):  # What it asks for, only Anthropic's protocol can be asked.
                exchange.drop(_BETA.decode())
            if exchange.query:
                exchange.drop(*names_in(exchange.query))
            return Outgoing(filled(route, translating.url), static(route, []), translating.body, translating.relay)
        url = filled(route, self._endpoint_of(route))
        if exchange.query:
            url = self._with_query(exchange, url)
        hide_usage = ADAPTING[self._protocol.name](asked, route.spec, route.model, exchange)
        if asked.members["model"] != route.model:
            asked.put("model", route.model)
        return Outgoing(url, static(route, passed), asked.body(), partial(self._tell, exchange, hide_usage))

    def _with_query(self, exchange: Exchange, url: str) -> str:
        """Where the caller's query goes to, too."""
        url, dropped = added_to(url, exchange.query)
        exchange.drop(*dropped)
        return url

    async def _answered(self, exchange: Exchange, members: Mapping[str, Any], prepare: Prepare) -> None:
        """Ask who may answer a request whose body has these members, and have the answer told.

        Raises UnknownModel, AmbiguousModel, InvalidInput, and what Failover raises.
        """
        routing = self._serving.routing_now or await self._serving.routing()
        exchange.generation = routing.registry.generation
        exchange.asked_model = _named_in(members)
        exchange.stream = members.get("stream") is True
        plan = admitted(exchange, routing, self._uses)
        if (shared := self._serving.shared) is not None:
            await shared.admit(exchange.id, exchange.caller, exchange.hold)
            if exchange.explained and shared.share:
                exchange.path.append(f"limits by share {shared.share}")
        failover = Failover(self._serving, exchange, plan, prepare)
        try:
            found, outgoing = await failover.answer()
            exchange.answered = found.status < 300
            answer = unpacked(found)
            try:
                await outgoing.tell(answer, _returned(answer.headers))
            finally:
                await answer.aclose()
        finally:
            failover.leave()

    async def _tell(self, exchange: Exchange, hide_usage: bool, answer: UpstreamAnswer, headers: Headers) -> None:
        """An answer of the caller's own protocol, as it is."""
        assert isinstance(self._protocol, WireProtocol)  # It is a provider's, too.
        if comes_piece_by_piece(answer.headers):
            hide_usage = hide_usage and is_event_stream(answer.headers)  # A line of its own is not looked for.
            relay = Relay(self._protocol.stream_reader(), hide_usage=hide_usage, last=self._protocol.last_event)
            await _relay_stream(exchange, answer, headers, relay)
        else:
            body = await whole_body(exchange, answer)
            exchange.usage = usage_in(self._protocol, body)
            await exchange.whole(answer.status, headers, body)

    def _translating(self, exchange: Exchange, asked: Asked, route: Route) -> Translating:
        """To a provider of another protocol, and back; only chats are translated."""
        if self._operation != "chat":
            raise self._lacks(route)
        return Translating(exchange, asked.members, route)

    def _endpoint_of(self, route: Route) -> str:
        url = route.url if self._operation == "chat" else route.url_of(self._operation)
        if url is None:
            raise self._lacks(route)
        return url

    def _lacks(self, route: Route) -> WrongEndpoint:
        return WrongEndpoint(
            f"{route.spec.provider} has no endpoint for {self._operation}.",
            hint="Ask a model of a provider that has one.",
            protocol=route.spec.protocol,
        )


async def _relay_stream(exchange: Exchange, answer: UpstreamAnswer, headers: Headers, relay: Relay) -> None:
    await exchange.start(answer.status, headers)
    last = b""
    try:
        while chunk := await answer.read():
            exchange.came(chunk)
            if passed := relay.feed(chunk):
                await exchange.more(passed)
        last = relay.end()
    except UpstreamFailed as error:
        if relay.ended:  # All was said; what is lost is the end of the connection.
            await exchange.finish(relay.end())
            return
        # Half an event may have gone out; a blank line ends it, so that the error is one of its own.
        exchange.status, exchange.error_code = 502, error.code
        body = exchange.protocol.error_body(502, str(error), code=error.code)
        last = b"\n\n" + exchange.protocol.stream_error(body)
    finally:
        exchange.usage = relay.usage
    if relay.failed():
        exchange.status, exchange.error_code = 502, UpstreamFailed.code
    await exchange.finish(last)


async def _read(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _CallerLeft
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= limit:
            body += chunk
        # Somewhat too much is read to its end: a caller who is still sending does not see an answer.
        if not message.get("more_body", False) or size > 2 * limit:
            break
    if size > limit:
        raise TooLarge(f"The body has more than {limit} bytes.", hint="Send less.", limit=limit)
    return bytes(body)


async def _discarded(receive: Receive) -> None:
    """Read what a stranger sends, and keep none of it: who is still sending does not see an answer."""
    with suppress(TooLarge, _CallerLeft):
        await _read(receive, _MAX_DISCARDED)


def _named_in(members: Mapping[str, Any]) -> str:
    """The model's name, without half surrogates, which JSON can spell and no encoder writes."""
    name = members.get("model")
    if not isinstance(name, str) or not name:
        raise InvalidInput("The body names no model.", hint="GET /v1/models lists what is served.")
    return name if name.isascii() else name.encode("utf-8", "replace").decode()


def _returned(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The provider's headers that go to the caller; its request id under another name than ours."""
    kept = [header for header in headers if header[0] not in _NOT_RETURNED]
    return kept + [(b"x-upstream-request-id", value) for name, value in headers if name == b"x-request-id"]
