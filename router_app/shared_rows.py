"""What the usage rows say of shared limits: at least so much was used, and so much by the requests of a dead router."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from modelscan.catalog import keys as key_table
from modelscan.catalog import usage
from modelscan.errors import ServiceUnavailable
from modelscan.keys.lease import REFUSING
from modelscan.limits import DAY, MINUTE
from modelscan.tokens.spent import NOTHING, spent
from router_app.service import Service
from router_app.sharing import counted, exact, named

__all__ = ["SharedRows"]

_ZERO = Decimal(0)
Known = tuple[str, float, int]
"""A window's name, its end, the amount."""


class SharedRows:
    """Read after all journals that nobody writes any more were taken in."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def known(self) -> Sequence[Known]:
        """Of each limit of tokens and keys, what its current window has used at least."""
        await self._flushed()
        now = self._service.serving.door.book.clock()
        tokens, keys = await asyncio.to_thread(self._tokens, now), await asyncio.to_thread(self._keys, now)
        return [one for one in (*tokens, *keys) if one[2]]

    async def settled(self, holds: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[int]]:
        """What the requests of a dead router used of each window that they held; one without a row was not answered."""
        await self._flushed()
        ids = sorted({hold.partition("/")[0] for hold in holds})
        found = await asyncio.to_thread(usage.of_requests, self._service.database, ids)
        rows = {hold: found.get(hold.partition("/")[0]) for hold in holds}
        return {hold: self._used(hold, row, holds[hold]) for hold, row in rows.items() if row is not None}

    async def _flushed(self) -> None:
        await self._service.opened(None)
        await self._service.flush()
        if self._service.parts.state("journal") != "up":
            raise ServiceUnavailable("The usage journal waits for the catalogue.", hint="It is tried again.")

    def _tokens(self, now: float) -> list[Known]:
        serving = self._service.serving
        told = spent(self._service.database, now, serving.prices.most)
        return [
            (*named(f"token/{account.token.id}", limit.term, limit.window.interval, now), exact(amount))
            for account in list(serving.door.book.accounts())
            for limit, amount in account.by_rows(told.get(account.token.id, NOTHING))
        ]

    def _keys(self, now: float) -> list[Known]:
        minute, day = (datetime.fromtimestamp(one.bounds(now)[0], UTC) for one in (MINUTE, DAY))
        found = key_table.used_since(self._service.database, minute=minute, day=day)
        pool = self._service.serving.pool
        return [
            (*named(f"key/{provider}/{key_id}", term, window.interval, now), amount)
            for provider, keys in found.items()
            for key_id, used in keys.items()
            for (term, window), amount in zip(pool.windows(provider, key_id).items(), used, strict=False)
            if window.limit is not None
        ]

    def _used(self, hold: str, row: Mapping[str, Any], windows: Sequence[str]) -> list[int]:
        held_for = hold.partition("/")[2]
        if held_for != "token" and (row["key_id"] != held_for or row["status"] in REFUSING):
            return [0] * len(windows)  # It went on with another key, or the provider did nothing for it.
        prompt, completion = row["prompt_tokens"] or 0, row["completion_tokens"] or 0
        cost = row["cost_usd"]
        if cost is None and row["provider"] and (prompt or completion):
            cost = self._service.serving.prices.most(row["provider"], row["model"], prompt, completion)
        terms = (window.rpartition("@")[0].rpartition("/")[2] for window in windows)
        return [counted(term, 1, prompt + completion, cost or _ZERO) for term in terms]
