"""One request to a model on its way through: what is known of it so far, its answer's head, and its usage row."""

import random
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from starlette.types import Send

from modelscan.clients.registry import Route
from modelscan.errors import ModelScanError, UpstreamFailed, UpstreamTimedOut
from modelscan.keys.lease import Lease
from modelscan.redaction import redact
from modelscan.tokens.account import Account, Hold
from modelscan.types import UsageEvent, utc_now
from modelscan.usage.estimate import said_tokens, used_up_to
from modelscan.wire import Surface, Usage
from router_app.charges import charged
from router_app.costing import cost_of
from router_app.hiding import Hiding
from router_app.problems import wire_error
from router_app.serving import Serving

__all__ = ["Exchange"]

CLIENT_LEFT = 499
"""The status of a request whose caller left before an answer began, as nginx counts it."""
_LONGEST_NAME, _READ_NAME = 256, 1024
_NOTHING = Usage()
_BROKE_OFF = frozenset({UpstreamFailed.code, UpstreamTimedOut.code})
_SHORT = 40
_OF_TOKENS = frozenset({"chat", "completions", "embeddings"})
_NOT_HIDING = Hiding()
"""Without a secret it holds nothing, so one serves all."""
_random = random.Random().getrandbits  # noqa: S311 - names are to be different, not secret; the system's cost 1 µs more

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class Exchange:
    """Sends the one answer. The usage row is written before the answer is complete, and exactly once."""

    send: Send
    serving: Serving
    protocol: Surface
    id: str = field(default_factory=lambda: f"req_{_random(128):032x}")
    at: datetime = field(default_factory=utc_now)
    began: float = field(default_factory=time.perf_counter)
    operation: str = "chat"
    generation: int = 0
    asked_model: str = ""
    caller: Account | None = None
    """Of the caller's token; None where none is needed."""
    hold: Hold | None = None
    """What this request may use of the token's limits."""
    body_bytes: int = 0
    """Of the request."""
    most: tuple[int, int] = (0, 0)
    """Tokens of prompt and answer that the request may come to."""
    client: str = ""
    """The name that the caller gives itself, for rules that ask."""
    route: Route | None = None
    key_id: str | None = None
    lease: Lease | None = None
    """Of the key: what is reserved with it until the request is accounted, or goes on with another one."""
    foreseen: int = 1
    """Tokens that are reserved with the key: `most` together, where the request's size tells them."""
    stream: bool = False
    status: int = 0
    first_byte: float | None = None
    usage: Usage = _NOTHING
    """As the provider told it."""
    sent: bool = False
    """Whether the provider was sent the request."""
    answered: bool = False
    """Whether its answer, a good one, has begun."""
    came_bytes: int = 0
    """Of the answer."""
    came_last: bytes = b""
    """The last piece of it that is longer than the mark of a stream's end."""
    retries: int = 0
    fallbacks: int = 0
    failed_version: int | None = None
    """Of the provider's client: one on trial that was asked first, and failed."""
    error_code: str | None = None
    cancelled: bool = False
    read_at: float = 0.0
    """When the request had come whole, less what was spent on it before."""
    upstream_seconds: float = 0.0
    """How long the provider was waited for."""
    explained: bool = False
    """Whether the caller asked for the path that the request took."""
    path: list[str] = field(default_factory=list)
    """What each attempt met: a status, or an error's code. Only for a caller who asked."""
    dropped: str = ""
    """Names of what the provider's protocol could not say."""
    hiding: Hiding = _NOT_HIDING
    """Of the key that this request is sent with."""
    complete: bool = False
    """Whether all is over but the last bytes."""

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of the answer."""
        self.status = status
        shown = [header for header in headers if not self.hiding.shows(header[1])]
        await self.send({"type": "http.response.start", "status": status, "headers": [*shown, *self._own_headers()]})

    async def more(self, body: bytes) -> None:
        """Send a part of the body."""
        if shown := self.hiding.feed(body):
            await self.send({"type": "http.response.body", "body": shown, "more_body": True})

    async def finish(self, body: bytes) -> None:
        """Write the usage row, then send the last of the body."""
        self.account()
        shown = self.hiding.feed(body) + self.hiding.end()
        await self.send({"type": "http.response.body", "body": shown, "more_body": False})

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """The whole answer in one."""
        self.status = status
        self.account()
        shown = self.hiding.whole(body)
        await self.start(status, [*headers, (b"content-length", str(len(shown)).encode())])
        await self.send({"type": "http.response.body", "body": shown, "more_body": False})

    async def refuse(self, error: ModelScanError) -> None:
        """Answer with an error of ours."""
        self.error_code = error.code
        answer = wire_error(error, self.protocol)
        headers = [header for header in answer.raw_headers if header[0] != b"content-length"]
        await self.whole(answer.status_code, headers, bytes(answer.body))

    def turn_to(self, route: Route) -> None:
        """It is this one's turn; what was noted for the one before is no longer true."""
        if self.route is not route:
            if self.lease:
                self.lease.release()
                self.lease = None
            self.route, self.key_id, self.dropped, self.hiding = route, None, "", _NOT_HIDING
            self.failed_version = None

    def passed_by(self, met: str) -> None:
        """Note what an attempt met, for a caller who asked."""
        if self.explained and self.route:
            self.path.append(f"{self.route.spec.provider} {self.key_id or 'no key'} {met}")

    def came(self, chunk: bytes) -> None:
        """Note a piece of the answer, and the time of the first."""
        self.first_byte = self.first_byte or time.perf_counter()
        self.came_bytes += len(chunk)
        if len(chunk) > _SHORT:
            self.came_last = chunk

    def account(self) -> None:
        """Write the usage row, unless that was done."""
        if not self.complete:
            self.complete = True
            event = self._event()
            if self.answered and self.error_code in _BROKE_OFF and self.route:
                self.serving.traffic.broke_off(self.route.spec.provider)
            if self.hold is not None:
                self.hold.settle(*charged(event, self.serving.prices))
            self.serving.account(event, self.lease)

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        own = [(b"x-request-id", self.id.encode()), (b"x-modelscan-generation", b"%d" % self.generation)]
        if self.route:
            own += _who(self.route.spec.provider, self.route.model, self.route.version)
        if self.read_at:
            spent = time.perf_counter() - self.read_at - self.upstream_seconds
            own.append((b"x-modelscan-overhead-us", b"%d" % (spent * 1e6)))
        if self.explained:
            own.append((b"x-modelscan-path", "; ".join(self.path).encode("ascii", "replace")))
        if self.dropped:
            own.append((b"x-modelscan-dropped", self.dropped.encode()))
        return own

    def _used(self) -> tuple[Usage, bool]:
        """The tokens, and whether they are estimated: where the provider told none, or could not tell the last."""
        told = self.usage.believable()
        if not (self.sent and self.operation in _OF_TOKENS) or not (self.answered or self.cancelled):
            return told, False
        cut = self.cancelled or self.status >= 400
        if told.prompt is not None and (told.completion is not None or self.operation == "embeddings") and not cut:
            return told, False
        said = 0 if self.operation == "embeddings" else self._said()
        used = used_up_to(told, self.body_bytes, said)
        return used, used != told

    def _said(self) -> int:
        return said_tokens(self.came_bytes, self.came_last, stream=self.stream)

    def _event(self) -> UsageEvent:
        usage, estimated = self._used()
        asked = (self.route.spec.provider, self.route.model) if self.route and self.sent else None
        cost, price_id = cost_of(
            self.serving.prices,
            asked,
            usage,
            status=self.status,
            error_code=self.error_code,
            operation=self.operation,
        )
        return UsageEvent(
            request_id=self.id,
            at=self.at,
            # What led nowhere may be anything, such as a key that was put into the wrong field.
            asked_model=(self.asked_model if self.route else redact(self.asked_model[:_READ_NAME]))[:_LONGEST_NAME],
            provider=self.route.spec.provider if self.route else None,
            model=self.route.model if self.route else None,
            key_id=self.key_id,
            status=self.status or CLIENT_LEFT,
            stream=self.stream,
            cancelled=self.cancelled,
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            cached_tokens=usage.cached,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
            media_tokens=None if usage.media is None else usage.media._asdict(),
            latency_ms=(time.perf_counter() - self.began) * 1000,
            first_byte_ms=None if self.first_byte is None else (self.first_byte - self.began) * 1000,
            error_code=self.error_code,
            generation=self.generation,
            operation=self.operation,
            client=self.client[:_LONGEST_NAME] or None,
            estimated=estimated,
            retries=self.retries,
            fallbacks=self.fallbacks,
            token_id=self.caller.token.id if self.caller else None,
            cost_usd=cost,
            price_id=price_id,
            sdk_version=self.route.version if self.route and self.sent else None,
            failed_version=self.failed_version,
        )


@lru_cache(1024)
def _who(provider: str, model: str, version: int) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-modelscan-provider", provider.encode()),
        (b"x-modelscan-model", model.encode()),
        (b"x-modelscan-sdk-version", b"%d" % version),
    )
