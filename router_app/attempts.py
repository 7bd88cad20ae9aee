"""One request, sent until an answer can go to the caller: again after a fault, with the next key after a refusal."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelscan.clients.registry import Route
from modelscan.errors import ModelScanError, NoUsableKey, RateLimited, UpstreamFailed, UpstreamTimedOut
from modelscan.keys.store import UsableKey
from router_app.exchange import Exchange
from router_app.hiding import Hiding
from router_app.serving import Serving
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["Attempts", "wait_seconds"]

_KEY_REFUSED = frozenset({401, 403})
_TOO_MANY = 429
_DOWN = frozenset({502, 503, 504, 529})
"""Answers that say that the provider is in trouble; a 500 may be about the one request."""
_PASSING = _DOWN | {408, 409, _TOO_MANY, 500}
"""Answers that the same request may not get again."""


class Attempts:
    """Of one request at one provider. A key that was refused is not used again; nothing has gone to the caller yet."""

    def __init__(
        self,
        serving: Serving,
        exchange: Exchange,
        route: Route,
        retries: int,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._serving = serving
        self._exchange = exchange
        self._route = route
        self._provider = route.spec.provider
        self._retries = retries
        self._sleep = sleep
        self._used: set[str] = set()

    async def answer(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes) -> UpstreamAnswer:
        """The first answer worth having, else the last one; it has begun, where it is a good one.

        Raises UpstreamFailed, NoUsableKey, RateLimited, CircuitOpen.
        """
        self._serving.circuits.enter(self._provider)
        usable, failures = await self._key(), 0
        while True:
            try:
                found = await self._sent(url, headers, body, usable)
            except UpstreamFailed as error:
                self._exchange.passed_by(error.code)
                # What took all its time would take it again.
                wait = None if isinstance(error, UpstreamTimedOut) else self._wait(failures, None)
                if wait is None:
                    raise
            else:
                if found.status not in _PASSING and found.status not in _KEY_REFUSED:
                    return found
                if other := self._other_key(usable, found.status):
                    usable = other
                    await found.aclose()
                    continue
                wait = None if found.status in _KEY_REFUSED else self._wait(failures, found)
                if wait is None:
                    return found
                await found.aclose()
            failures += 1
            await self._sleep(wait)

    async def _sent(
        self, url: str, headers: list[tuple[bytes, bytes]], body: bytes, usable: UsableKey | None
    ) -> UpstreamAnswer:
        exchange, circuits, began = self._exchange, self._serving.circuits, time.perf_counter()
        within = self._left()
        try:
            found = await self._serving.upstream.send("POST", url, self._with_key(headers, usable), body, within)
            if found.status < 300:
                await _begun(found)
        except UpstreamFailed as error:
            circuits.failed(self._provider, error.message)
            raise
        finally:
            exchange.upstream_seconds += time.perf_counter() - began
        exchange.passed_by(str(found.status))
        if found.status in _DOWN:
            circuits.failed(self._provider, f"it answered with status {found.status}.")
        else:
            circuits.answered(self._provider)
        if usable is not None:
            self._judged(usable, found)
        return found

    def _judged(self, usable: UsableKey, found: UpstreamAnswer) -> None:
        """The pool learns what the provider thinks of the key."""
        pool, key = self._serving.pool, usable.key.id
        if found.status in _KEY_REFUSED or found.status == _TOO_MANY:
            pool.refused(self._provider, key, found.status, wait_seconds(found.headers))
        elif found.status < 500:
            pool.accepted(self._provider, key)

    def _with_key(self, headers: list[tuple[bytes, bytes]], usable: UsableKey | None) -> Headers:
        if usable is None:
            return headers
        auth, secret = self._route.spec.auth, usable.secret.get_secret_value()
        return [*headers, (auth.header.lower().encode(), f"{auth.scheme} {secret}".strip().encode())]

    async def _key(self) -> UsableKey | None:
        """The key to begin with. Where all rest, and one soon will have, it is waited for."""
        if self._route.spec.auth.kind == "none":
            return None
        pool = self._serving.pool
        usable = pool.choose(self._provider)
        if usable is None and (resting := pool.resting(self._provider)):
            if self._retries and resting[0] <= self._serving.settings.longest_retry_seconds:
                await self._sleep(resting[0])
                usable = pool.choose(self._provider)
            if usable is None:
                raise _resting(self._provider, *resting)
        if usable is None:
            raise NoUsableKey(
                f"{self._provider} needs a key, and none can be used.",
                hint=f"Add one: modelscan keys add {self._provider}",
            )
        return self._taken(usable)

    def _other_key(self, usable: UsableKey | None, status: int) -> UsableKey | None:
        """Another key, where that answer was about the key that was used."""
        if usable is None or (status != _TOO_MANY and status not in _KEY_REFUSED):
            return None
        other = self._serving.pool.choose(self._provider, without=self._used)
        return self._taken(other) if other else None

    def _taken(self, usable: UsableKey) -> UsableKey:
        self._used.add(usable.key.id)
        self._exchange.key_id = usable.key.id
        self._exchange.hiding = Hiding(usable.secret.get_secret_value().encode())
        return usable

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


async def _begun(found: UpstreamAnswer) -> None:
    try:
        await found.begun()
    except BaseException:
        await found.aclose()
        raise


def _resting(provider: str, seconds: float, status: int) -> ModelScanError:
    wait = f"{seconds:.0f} s" if seconds >= 1 else "less than a second"
    if status == _TOO_MANY:
        return RateLimited(
            f"{provider} has had enough requests for now with each of its keys.",
            hint=f"Try again in {wait}, or add a key: modelscan keys add {provider}",
            retry_after=seconds,
        )
    return NoUsableKey(
        f"{provider} refused its keys, the last with status {status}.",
        hint=f"Add one that it takes: modelscan keys add {provider}. The next trial is in {wait}.",
        retry_after=seconds,
    )


def wait_seconds(headers: Headers, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """What Retry-After says, in seconds: a number, or a date; None where it says nothing that is understood."""
    told = {name.lower(): value for name, value in headers}.get(b"retry-after", b"").decode("latin-1").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        return max(0.0, (parsedate_to_datetime(told) - now()).total_seconds())
    except (TypeError, ValueError):
        return None
