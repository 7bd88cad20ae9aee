"""A request whose provider speaks another protocol than its caller: translated there and, as it arrives, back."""

from typing import Any

from modelscan.clients.registry import Route
from modelscan.errors import UpstreamFailed
from modelscan.types import ClientSpec
from modelscan.wire.chat.foreign import said_error
from modelscan.wire.chat.request import Target
from modelscan.wire.chat.spoke import compact
from modelscan.wire.rest_mapping import error_of
from modelscan.wire.translation import StreamTranslation, Translation, provider_side
from router_app.exchange import Exchange
from router_app.upstream import Headers, UpstreamAnswer
from router_app.whole import comes_piece_by_piece, json_of, whole_body

__all__ = ["Translating"]

_SOME_TOKENS = 4096
"""The limit that a provider gets who insists on one, for a model whose own is unknown."""
_OF_ITS_BODY = (b"content-type", b"content-encoding", b"etag", b"transfer-encoding")
_BEGINNINGS = (b"data:", b"event:", b":", b"{")
_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


class Translating:
    """One request on its way to one provider. Raises InvalidInput for what cannot be carried there."""

    def __init__(self, exchange: Exchange, asked: dict[str, Any], route: Route) -> None:
        self._exchange = exchange
        self._spec = route.spec
        self._provider = provider_side(route.spec)
        self._translation = Translation(exchange.protocol.name, asked)
        self.body, exchange.dropped = self._translation.request_for(self._provider, _target(route))
        self.url = (exchange.stream and route.url_of("stream")) or route.url
        """Some have an endpoint of its own for streams."""

    async def relay(self, answer: UpstreamAnswer, headers: Headers) -> None:
        """Tell the caller the answer, or its error, in the caller's own protocol."""
        kept = [header for header in headers if header[0] not in _OF_ITS_BODY]
        exchange = self._exchange
        if answer.status >= 400:
            await self._error(answer, kept)
        elif exchange.stream:
            await self._stream(answer, kept)
        else:
            payload = json_of(await whole_body(exchange, answer))
            body, exchange.usage = self._translation.answer_of(self._provider, payload)
            await exchange.whole(200, [*kept, _JSON], body)

    async def _error(self, answer: UpstreamAnswer, headers: Headers) -> None:
        payload = json_of(await whole_body(self._exchange, answer))
        message, code = said_error(payload)
        message = (self._spec.rest and error_of(self._spec.rest, payload)) or message
        said = message or f"{self._spec.provider} answered with status {answer.status} and no message."
        body = self._exchange.protocol.error_body(answer.status, said, code=code)
        await self._exchange.whole(answer.status, [*headers, _JSON], compact(body).encode())

    async def _stream(self, answer: UpstreamAnswer, headers: Headers) -> None:
        exchange = self._exchange
        stream = self._translation.stream_of(self._provider)
        # Custom REST comes as its mapping says, whatever it is called.
        lines = self._spec.rest is not None and self._spec.rest.stream.framing == "ndjson"
        last, fault = b"", None
        try:
            if lines or comes_piece_by_piece(answer.headers):
                while chunk := await answer.read():
                    exchange.came(chunk)
                    await self._tell(stream, stream.feed(chunk), headers)
                    if stream.failed:
                        break
                else:
                    last = stream.end()
            else:
                last = _as_one(stream, await whole_body(exchange, answer))
        except UpstreamFailed as error:
            last, fault = stream.broken(str(error), error.code), error
        finally:
            exchange.usage = stream.usage
        if stream.failed and not exchange.status:
            raise fault or UpstreamFailed(stream.failed.message, hint="Ask again.")
        await self._tell(stream, last, headers)
        if stream.failed:
            exchange.status, exchange.error_code = 502, (fault or UpstreamFailed).code
        await exchange.finish(b"")

    async def _tell(self, stream: StreamTranslation, told: bytes, headers: Headers) -> None:
        """Begin the answer with its first event; where that is an error, none begins."""
        if told and not self._exchange.status:
            if stream.failed:
                return
            await self._exchange.start(200, [*headers, _EVENTS])
        if told:
            await self._exchange.more(told)


def _as_one(stream: StreamTranslation, body: bytes) -> bytes:
    """An answer that came as one, or a stream under another name."""
    payload = json_of(body)
    if payload is None and body.lstrip().startswith(_BEGINNINGS):
        return stream.feed(body) + stream.end()
    return stream.whole(payload)


def _target(route: Route) -> Target:
    quirks = route.spec.quirks
    return Target(
        model=route.model,
        limit=_own_limit(route.spec, route.model) or _SOME_TOKENS,
        limit_required=quirks.max_tokens_required,
        limit_field=quirks.max_tokens_field,
        stream_usage=quirks.stream_usage,
    )


def _own_limit(spec: ClientSpec, model: str) -> int | None:
    return next((one.output_tokens for one in spec.models if one.id == model), None)
