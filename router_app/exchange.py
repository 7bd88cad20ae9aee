"""One request to a model on its way through: what is known of it so far, its answer's head, and its usage row."""

import random
import time
from collections.abc import Callable
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
from router_app.hiding import Headers, Hiding
from router_app.problems import wire_error
from router_app.serving import Serving

__all__ = ["Exchange"]

CLIENT_LEFT = 499
"""The status of a request whose caller left before an answer began, as nginx counts it."""
_LONGEST_NAME, _READ_NAME = 256, 1024
_BROKE_OFF = frozenset({UpstreamFailed.code, UpstreamTimedOut.code})
_SHORT = 40
_NO_PARTS = Usage()[2:]
_OF_TOKENS = frozenset({"chat", "completions", "embeddings"})
_random = random.Random().getrandbits  # noqa: S311 - names are to be different, not secret; the system's cost 1 µs more


class Exchange:
    """Sends the one answer. The usage row is written before the answer is complete, and exactly once.

    What stands here is what is usual: most of it is never set for one request.
    """

    operation = "chat"
    generation = 0
    asked_model = ""
    caller: Account | None = None
    """Of the caller's token; None where none is needed."""
    hold: Hold | None = None
    """What this request may use of the token's limits."""
    body_bytes = 0
    """Of the request."""
    most: tuple[int, int] = (0, 0)
    """Tokens of prompt and answer that the request may come to."""
    client = ""
    """The name that the caller gives itself, for rules that ask."""
    route: Route | None = None
    key_id: str | None = None
    lease: Lease | None = None
    """Of the key: what is reserved with it until the request is accounted, or goes on with another one."""
    foreseen = 1
    """Tokens that are reserved with the key: `most` together, where the request's size tells them."""
    stream = False
    status = 0
    first_byte: float | None = None
    usage = Usage()
    """As the provider told it."""
    sent = False
    """Whether the provider was sent the request."""
    answered = False
    """Whether its answer, a good one, has begun."""
    came_bytes = 0
    """Of the answer."""
    came_last = b""
    """The last piece of it that is longer than the mark of a stream's end."""
    retries = 0
    fallbacks = 0
    failed_version: int | None = None
    """Of the provider's client: one on trial that was asked first, and failed."""
    error_code: str | None = None
    cancelled = False
    read_at = 0.0
    """When the request had come whole, less what was spent on it before."""
    upstream_seconds = 0.0
    """How long the provider was waited for."""
    explained = False
    """Whether the caller asked for the path that the request took."""
    query = b""
    """Of the caller's URL."""
    dropped = ""
    """Names of what the provider is not sent: its protocol could not say it, or it must not have it."""
    hiding = Hiding()
    """Of the key that this request is sent with; one that holds no secret serves all."""
    complete = False
    """Whether all is over but the last bytes."""
    send_whole: Callable[[int, Headers, bytes], bool] | None = None
    """The way out for an answer that is there as a whole, where the connection has one (`cycle.WHOLE`)."""

    def __init__(self, send: Send, serving: Serving, protocol: Surface) -> None:
        self.send = send
        self.serving = serving
        self.protocol = protocol
        self.path: list[str] = []
        """What each attempt met: a status, or an error's code. Only for a caller who asked."""
        self.began = time.perf_counter()
        self.at = utc_now()
        self.id = f"req_{_random(128):032x}"

    async def start(self, status: int, headers: Headers) -> None:
        """Send the head of the answer."""
        self.status = status
        shown = self.hiding.headers(headers)
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
        head = [*self.hiding.headers(headers), (b"content-length", b"%d" % len(shown)), *self._own_headers()]
        if self.send_whole is None or not self.send_whole(status, head, shown):
            await self.send({"type": "http.response.start", "status": status, "headers": head})
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
            self.route, self.key_id, self.dropped, self.hiding = route, None, "", Exchange.hiding
            self.failed_version = None

    def drop(self, *names: str) -> None:
        """Note what is not sent to this one, for the answer's head."""
        self.dropped = ", ".join(filter(None, dict.fromkeys((self.dropped, *names))))

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
            row = self._row()
            if self.answered and self.error_code in _BROKE_OFF and self.route:
                self.serving.traffic.broke_off(self.route.spec.provider)
            if self.hold is not None:
                self.hold.settle(*charged(row, self.serving.prices))
            self.serving.account(row, self.lease)

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

    def _row(self) -> UsageEvent:
        """What is known of it, and not as usual."""
        route, (usage, estimated) = self.route, self._used()
        asked = (route.spec.provider, route.model) if route and self.sent else None
        cost, price_id = cost_of(
            self.serving.prices,
            asked,
            usage,
            status=self.status,
            error_code=self.error_code,
            operation=self.operation,
        )
        row: UsageEvent = {
            "request_id": self.id,
            "at": self.at,
            # What led nowhere may be anything, such as a key that was put into the wrong field.
            "asked_model": (self.asked_model if route else redact(self.asked_model[:_READ_NAME]))[:_LONGEST_NAME],
            "status": self.status or CLIENT_LEFT,
            "latency_ms": (time.perf_counter() - self.began) * 1000,
            "generation": self.generation,
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
        }
        if route:
            row["provider"], row["model"] = route.spec.provider, route.model
            if self.sent:
                row["sdk_version"] = route.version
        if self.key_id:
            row["key_id"] = self.key_id
        if self.caller:
            row["token_id"] = self.caller.token.id
        if self.first_byte is not None:
            row["first_byte_ms"] = (self.first_byte - self.began) * 1000
        if cost is not None:
            row["cost_usd"] = cost
        if price_id:
            row["price_id"] = price_id
        if estimated:
            row["estimated"] = True
        if usage[2:] != _NO_PARTS:
            _add_parts(row, usage)
        self._add_unusual(row)
        return row

    def _add_unusual(self, row: UsageEvent) -> None:
        if self.operation != "chat":
            row["operation"] = self.operation
        if self.stream:
            row["stream"] = True
        if self.cancelled:
            row["cancelled"] = True
        if self.error_code:
            row["error_code"] = self.error_code
        if self.client:
            row["client"] = self.client[:_LONGEST_NAME]
        if self.retries:
            row["retries"] = self.retries
        if self.fallbacks:
            row["fallbacks"] = self.fallbacks
        if self.failed_version is not None:
            row["failed_version"] = self.failed_version


def _add_parts(row: UsageEvent, usage: Usage) -> None:
    row["cached_tokens"], row["cache_write_tokens"] = usage.cached, usage.cache_write
    row["reasoning_tokens"] = usage.reasoning
    if usage.media is not None:
        row["media_tokens"] = usage.media._asdict()


@lru_cache(1024)
def _who(provider: str, model: str, version: int) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-modelscan-provider", provider.encode()),
        (b"x-modelscan-model", model.encode()),
        (b"x-modelscan-sdk-version", b"%d" % version),
    )
