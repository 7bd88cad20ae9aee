"""One request, sent until an answer can go to the caller: again after a fault, with the next key after a refusal."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from modelscan.clients.registry import Route
from modelscan.errors import NoUsableKey, UpstreamFailed
from modelscan.keys.store import UsableKey
from router_app.exchange import Exchange
from router_app.hiding import Hiding
from router_app.serving import Serving
from router_app.upstream import Headers, UpstreamAnswer

__all__ = ["Attempts", "wait_seconds"]

_KEY_REFUSED = frozenset({401, 403})
_PASSING = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Answers that the same request may not get again."""


class Attempts:
    """Of one request at one provider. A key that was refused is not used again; nothing has gone to the caller yet."""

    def __init__(
        self,
        serving: Serving,
        exchange: Exchange,
        route: Route,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._serving = serving
        self._exchange = exchange
        self._route = route
        self._sleep = sleep
        self._used: set[str] = set()

    async def answer(self, url: str, headers: list[tuple[bytes, bytes]], body: bytes) -> UpstreamAnswer:
        """The first answer worth having, else the last one. Raises UpstreamFailed, NoUsableKey."""
        usable, failures = self._key(), 0
        while True:
            try:
                found = await self._sent(url, headers, body, usable)
            except UpstreamFailed as error:
                self._exchange.passed_by(error.code)
                wait = self._wait(failures, None)
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
        exchange, began = self._exchange, time.perf_counter()
        try:
            found = await self._serving.upstream.send("POST", url, self._with_key(headers, usable), body)
        finally:
            exchange.upstream_seconds += time.perf_counter() - began
        exchange.passed_by(str(found.status))
        return found

    def _with_key(self, headers: list[tuple[bytes, bytes]], usable: UsableKey | None) -> Headers:
        if usable is None:
            return headers
        auth, secret = self._route.spec.auth, usable.secret.get_secret_value()
        return [*headers, (auth.header.lower().encode(), f"{auth.scheme} {secret}".strip().encode())]

    def _key(self) -> UsableKey | None:
        spec = self._route.spec
        if spec.auth.kind == "none":
            return None
        usable = self._serving.pool.choose(spec.provider)
        if usable is None:
            raise NoUsableKey(
                f"{spec.provider} needs a key, and none can be used.",
                hint=f"Add one: modelscan keys add {spec.provider}",
            )
        return self._taken(usable)

    def _other_key(self, usable: UsableKey | None, status: int) -> UsableKey | None:
        """Another key, where that answer was about the key that was used."""
        if usable is None or (status != 429 and status not in _KEY_REFUSED):
            return None
        other = self._serving.pool.choose(self._route.spec.provider, without=self._used)
        return self._taken(other) if other else None

    def _taken(self, usable: UsableKey) -> UsableKey:
        self._used.add(usable.key.id)
        self._exchange.key_id = usable.key.id
        self._exchange.hiding = Hiding(usable.secret.get_secret_value().encode())
        return usable

    def _wait(self, failures: int, found: UpstreamAnswer | None) -> float | None:
        """How long before the next attempt; None where there is none."""
        policy = self._serving.retrying
        if failures >= policy.times:
            return None
        asked = wait_seconds(found.headers) if found else None
        wait = policy.first_seconds * 2**failures * random.uniform(0.5, 1.5) if asked is None else asked  # noqa: S311 - a pause
        return wait if wait <= policy.longest_seconds else None


def wait_seconds(headers: Headers, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float | None:
    """What Retry-After says, in seconds: a number, or a date; None where it says nothing that is understood."""
    told = {name.lower(): value for name, value in headers}.get(b"retry-after", b"").decode("latin-1").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    try:
        return max(0.0, (parsedate_to_datetime(told) - now()).total_seconds())
    except (TypeError, ValueError):
        return None
