"""A chat of our own that asks a provider whether it answers: paid for under a cap, and marked as ours in usage."""

import asyncio
import time
import uuid
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from modelscan.catalog import health
from modelscan.catalog.database import Database
from modelscan.clients.registry import Route
from modelscan.errors import ModelScanError, UpstreamFailed
from modelscan.keys.lease import Lease
from modelscan.redaction import redact
from modelscan.types import CaseResult, Level, Usage, UsageEvent
from modelscan.usage.estimate import reserved, used_up_to
from modelscan.wire import protocol_of
from modelscan.wire.chat.spoke import compact
from router_app.attempts import wait_seconds
from router_app.costing import cost_of
from router_app.outgoing import filled, keyed, static
from router_app.serving import Serving
from router_app.unpacking import unpacked
from router_app.upstream import UpstreamAnswer
from router_app.whole import usage_in

__all__ = ["OPERATION", "own_chat"]

OPERATION = "health"
"""Of the usage rows of such chats; no path that a caller may ask has that name."""
_WITHIN_SECONDS = 60.0
_MOST_BYTES = 2**20
_TOO_MANY = 429
_UNANSWERED = 502
"""The status of its usage row, as of a caller's request that nobody answered."""


class _Answer(NamedTuple):
    status: int | None
    detail: str = ""
    body: bytes = b""
    error_code: str | None = None


async def own_chat(
    serving: Serving, database: Database, route: Route, *, cap: Decimal, at: datetime
) -> CaseResult | None:
    """The smallest chat with the model of `route`, and how it went; `cap` in US dollars for the day of `at`.

    None where none is sent: the price is unknown, what it may cost at most is no longer left, or no key has room. Any
    answer below 500 is a good one: a quota, or a key that is refused, is no fault of the provider's.
    """
    provider, model = route.spec.provider, route.model
    members = protocol_of(route.spec).chat_body(model, route.spec.quirks)
    body = compact(members).encode()
    prompt, completion = reserved(body, members)
    most = serving.prices.most(provider, model, len(body), completion)  # A token has at least one byte.
    if most is None:
        return None
    chat = await asyncio.to_thread(health.reserve_chat, database, provider, model, most=most, cap=cap, at=at)
    if chat is None:
        return None
    lease = None
    if route.spec.auth.kind != "none":
        lease = serving.pool.choose(provider, prompt + completion)
        if lease is None:
            await asyncio.to_thread(health.settle_chat, database, chat, Decimal(0))
            return None
    event, case = await _sent_and_counted(serving, route, body, lease, at)
    await asyncio.to_thread(health.settle_chat, database, chat, event.get("cost_usd"))
    return case


async def _sent_and_counted(
    serving: Serving, route: Route, body: bytes, lease: Lease | None, at: datetime
) -> tuple[UsageEvent, CaseResult]:
    began = time.perf_counter()
    answer = await _sent(serving, route, body, lease)
    event = _event(serving, route, answer, len(body), at, seconds=time.perf_counter() - began)
    if lease:
        event["key_id"] = lease.key_id
    serving.account(event, lease)
    well = answer.status is not None and answer.status < 500
    case = CaseResult(
        case="chat",
        level=Level.LIVE,
        outcome="passed" if well else "skipped",
        detail=answer.detail,
        status=answer.status,
        seconds=event["latency_ms"] / 1000,
    )
    return event, case


async def _sent(serving: Serving, route: Route, body: bytes, lease: Lease | None) -> _Answer:
    headers = static(route, [])
    if lease:
        headers = keyed(headers, route.spec.auth, lease.usable.secret_bytes)
    try:
        found = await serving.upstream.send("POST", filled(route, route.url), headers, body, _WITHIN_SECONDS)
        if lease:  # The pool learns what the provider thinks of the key, as from any request.
            limited = found.status == _TOO_MANY
            lease.answered(found.status, found.headers, wait_seconds(found.headers) if limited else None)
        return _Answer(found.status, body=await _read(found))
    except ModelScanError as error:  # Nobody answered, or it was not sent: a host that is refused, say.
        return _Answer(None, redact(error.message), error_code=error.code)


async def _read(answer: UpstreamAnswer) -> bytes:
    body, plain = bytearray(), unpacked(answer)
    try:
        while chunk := await plain.read():
            body += chunk
            if len(body) > _MOST_BYTES:
                raise UpstreamFailed(f"It answered more than {_MOST_BYTES} bytes to the smallest chat.")
    finally:
        await answer.aclose()
    return bytes(body)


def _event(
    serving: Serving, route: Route, answer: _Answer, sent_bytes: int, at: datetime, *, seconds: float
) -> UsageEvent:
    """Its usage row: of nobody's token and no client."""
    provider, model = route.spec.provider, route.model
    usage, status = Usage(), answer.status or _UNANSWERED
    told = usage_in(protocol_of(route.spec), answer.body).believable() if status < 300 else usage
    if status < 300:
        usage = used_up_to(told, sent_bytes, 1)
    cost, price_id = cost_of(serving.prices, (provider, model), usage, status=status, error_code=answer.error_code)
    registry = serving.current
    return UsageEvent(
        request_id=f"health_{uuid.uuid4().hex}",
        at=at,
        asked_model=f"{provider}/{model}",
        provider=provider,
        model=model,
        status=status,
        prompt_tokens=usage.prompt,
        completion_tokens=usage.completion,
        cached_tokens=usage.cached,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
        estimated=usage != told and status < 300,
        latency_ms=seconds * 1000,
        error_code=answer.error_code,
        generation=registry.generation if registry else 0,
        operation=OPERATION,
        cost_usd=cost,
        price_id=price_id,
    )
