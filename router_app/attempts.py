"""One request, sent until an answer can go to the caller: again after a fault, with the next key after a refusal."""

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelscan.clients.registry import Route
from modelscan.errors import ModelScanError, NoUsableKey, RateLimited, UpstreamFailed, UpstreamTimedOut
from modelscan.keys.lease import Lease
from modelscan.keys.provider import Waiting
from router_app.exchange import Exchange
from router_app.hiding import Hiding
from router_app.outgoing import keyed
from router_app.serving import Serving
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["Attempts", "wait_seconds"]

_KEY_REFUSED = frozenset({401, 403})
_TOO_MANY = 429
_DOWN = frozenset({502, 503, 504, 529})
"""Answers that say that the provider is in trouble; a 500 may be about the one request."""
_PASSING = frozenset({408, 409, _TOO_MANY})
"""Answers below 500 that the same request may not get again."""

_NUMBER = re.compile(rb"(\d{1,9}(?:\.\d{1,9})?)\d*")


class Attempts:
    """Of one request at one provider. A key that was refused is not used again; nothing has gone to the caller yet."""

    def __init__(
        self,
        serving: Serving,
        exchange: Exchange,
        route: Route,
        retries: int,
        *,
        trial: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`trial`: the client itself may be wrong, and is asked once."""
        self._serving = serving
        self._trial = trial
        self._exchange = exchange
        self._route = route
        self._provider = route.spec.provider
        self._retries = retries
        self._sleep = sleep
        self._used: set[str] = set()
        self._elsewhere: float | None = None
        """Where other routers had used up the keys: seconds until one has room again."""

    async def answer(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes) -> UpstreamAnswer:
        """The first answer worth having, else the last one; it has begun, where it is a good one.

        Raises UpstreamFailed, NoUsableKey, RateLimited, CircuitOpen.
        """
        if self._trial:
            return await self._sent(url, headers, body, await self._key())
        self._serving.circuits.enter(self._provider)
        lease, failures = self._key_now() or await self._key(), 0
        while True:
            try:
                found = await self._sent(url, headers, body, lease)
            except UpstreamFailed as error:
                self._exchange.passed_by(error.code)
                # What took all its time would take it again.
                wait = None if isinstance(error, UpstreamTimedOut) else self._wait(failures, None)
                if wait is None:
                    raise
            else:
                if found.status < 500 and found.status not in _PASSING and found.status not in _KEY_REFUSED:
                    return found
                if other := await self._other_key(lease, found):
                    lease = other
                    self._exchange.retries += 1
                    await found.aclose()
                    continue
                wait = None if found.status in _KEY_REFUSED else self._wait(failures, found)
                if wait is None:
                    return found
                await found.aclose()
            failures += 1
            self._exchange.retries += 1
            await self._pause(wait)

    async def _sent(
        self, url: str, headers: list[tuple[bytes, bytes]], body: bytes, lease: Lease | None
    ) -> UpstreamAnswer:
        exchange, circuits, began = self._exchange, self._serving.circuits, time.perf_counter()
        within = self._left()
        exchange.sent = True
        sent = headers if lease is None else keyed(headers, self._route.spec.auth, lease.usable.secret_bytes)
        try:
            found = await self._serving.upstream.send("POST", url, sent, body, within)
            if found.status < 300 and found.whole() is None:
                await found.begun()
        except UpstreamFailed as error:
            if not self._trial:
                circuits.failed(self._provider, error.message)
                self._serving.traffic.failed(self._provider, error.code)
            raise
        finally:
            took = time.perf_counter() - began
            exchange.upstream_seconds += took
        exchange.passed_by(str(found.status))
        if self._trial and found.status != _TOO_MANY and found.status >= 300:
            return found  # It may be the client's fault: it is held against neither the provider nor the key.
        self._serving.traffic.answered(self._provider, found.status, took)
        if found.status in _DOWN:
            circuits.failed(self._provider, f"it answered with status {found.status}.")
        else:
            circuits.answered(self._provider)
        if lease is not None:  # The pool learns what the provider thinks of the key.
            limited = found.status == _TOO_MANY
            lease.answered(found.status, found.headers, wait_seconds(found.headers) if limited else None)
        return found

    def _key_now(self) -> Lease | None:
        """The key to begin with, where nobody need be waited for: as a rule."""
        if self._serving.shared is not None or self._route.spec.auth.kind == "none":
            return None
        lease = self._serving.pool.choose(self._provider, self._exchange.foreseen, self._used)
        return self._taken(lease) if lease else None

    async def _key(self) -> Lease | None:
        """The key to begin with. Where none has room, and one soon will have, it is waited for."""
        if self._route.spec.auth.kind == "none":
            return None
        lease = await self._choice()
        if lease is None and (waiting := self._waiting()):
            if self._retries and waiting.seconds <= self._serving.settings.longest_retry_seconds:
                await self._pause(waiting.seconds)
                lease = await self._choice()
            if lease is None:
                raise _none_now(self._provider, self._waiting() or waiting)
        if lease is None:
            raise NoUsableKey(
                f"{self._provider} needs a key, and none can be used.",
                hint=f"Add one: modelscan keys add {self._provider}",
            )
        return self._taken(lease)

    async def _choice(self) -> Lease | None:
        serving, tokens = self._serving, self._exchange.foreseen
        if serving.shared is None:
            return serving.pool.choose(self._provider, tokens, self._used)
        lease, self._elsewhere = await serving.shared.key(self._exchange.id, self._provider, tokens, self._used)
        return lease

    def _waiting(self) -> Waiting | None:
        """When there is a key again, where there is none now."""
        waiting = self._serving.pool.waiting(self._provider, self._exchange.foreseen)
        return waiting or (None if self._elsewhere is None else Waiting(self._elsewhere, 0))

    async def _other_key(self, lease: Lease | None, found: UpstreamAnswer) -> Lease | None:
        """Another key, where that answer was about the key that was used."""
        if lease is None or (found.status != _TOO_MANY and found.status not in _KEY_REFUSED):
            return None
        try:
            other = await self._choice()
        except BaseException:  # The caller left.
            await found.aclose()
            raise
        return self._taken(other) if other else None

    def _taken(self, lease: Lease) -> Lease:
        exchange = self._exchange
        if exchange.lease:
            exchange.lease.release()
        self._used.add(lease.key_id)
        exchange.lease, exchange.key_id = lease, lease.key_id
        exchange.hiding = Hiding(lease.usable.secret_bytes)
        return lease

    async def _pause(self, seconds: float) -> None:
        """For the provider's sake, so that it is no overhead of ours."""
        await self._sleep(seconds)
        self._exchange.upstream_seconds += seconds

    def _left(self) -> float:
        """Seconds that the request may still take; raises UpstreamTimedOut where there are none."""
        total = self._serving.settings.total_seconds
        left = total - (time.perf_counter() - self._exchange.began)
        if left <= 0:
            raise UpstreamTimedOut(f"The request took longer than {total:g} s in all.", hint="Ask for less at once.")
        return left

    def _wait(self, failures: int, found: UpstreamAnswer | None) -> float | None:
        """How long before the next attempt; None where there is none."""
        policy = self._serving.settings
        if failures >= self._retries:
            return None
        asked = wait_seconds(found.headers) if found else None
        wait = policy.retry_seconds * 2**failures * random.uniform(0.5, 1.5) if asked is None else asked  # noqa: S311 - a pause
        return wait if wait <= policy.longest_retry_seconds else None


def _none_now(provider: str, waiting: Waiting) -> ModelScanError:
    if waiting.seconds == float("inf"):
        return NoUsableKey(
            f"{provider} refused its keys, the last with status {waiting.status}; they are disabled.",
            hint=f"modelscan keys explain {provider} shows them; modelscan keys add {provider} gives it another.",
        )
    wait = f"{waiting.seconds:.0f} s" if waiting.seconds >= 1 else "less than a second"
    what = "has had enough requests for now with" if waiting.status else "is asked as often as you allow with"
    return RateLimited(
        f"{provider} {what} each of its keys.",
        hint=f"Try again in {wait}, or add a key: modelscan keys add {provider}",
        retry_after=waiting.seconds,
    )


def wait_seconds(headers: Headers, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """What Retry-After says, in seconds: a number, or a date; None where it says nothing that is understood.

    Some tell tenths, which no standard knows, and some milliseconds in a header of their own; OpenAI's SDK reads both.
    """
    found = dict(headers)
    told = found.get(b"retry-after", b"").strip()
    if milliseconds := _NUMBER.fullmatch(found.get(b"retry-after-ms", b"").strip()):
        return float(milliseconds[1]) / 1000
    if seconds := _NUMBER.fullmatch(told):
        return float(seconds[1])
    try:
        return max(0.0, (parsedate_to_datetime(told.decode("latin-1")) - now()).total_seconds())
    except (TypeError, ValueError):
        return None
