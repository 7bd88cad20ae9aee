"""Routers that share limits, without the routers: their ends of the ledger, and a way there that can be cut."""

import itertools
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from modelscan.shared.ledger import RedisLedger
from modelscan.shared.sharing import Sharing
from modelscan.shared.wants import Grant, Refusal, Want
from tests.redis_server import RedisServer

__all__ = ["ENDS_AT", "CutLedger", "a_want", "granted", "sharer"]

ENDS_AT = 4_000_000_000.0
_names = itertools.count()


class CutLedger:
    """A ledger whose answers may be lost, before or after what was asked is done."""

    def __init__(self, inner: RedisLedger) -> None:
        self._inner = inner
        self.cut = ""
        """`before`, `after`, or nothing."""
        self.batches: list[int] = []
        """The size of each."""

    async def apply(self, operations: Sequence[Sequence[Any]]) -> list[Any] | None:
        if self.cut == "before":
            raise ConnectionError("cut before")
        self.batches.append(len(operations))
        found = await self._inner.apply(operations)
        if self.cut == "after":
            raise ConnectionError("cut after")
        return found

    async def close(self) -> None:
        await self._inner.close()


def sharer(redis: RedisServer, prefix: str, router: str = "", **more: Any) -> tuple[Sharing, CutLedger]:
    """A router's end, not yet opened."""
    ledger = CutLedger(RedisLedger(SecretStr(redis.url), prefix, router or f"router{next(_names)}", 5.0))
    return Sharing(ledger, **more), ledger


def a_want(limit: int, amount: int = 1, window: str = "key/acme/1/daily@1", **more: Any) -> Want:
    return Want(window, ENDS_AT, limit, amount, **{"least": 0, **more})


async def granted(sharing: Sharing, hold: str, *wants: Want) -> Grant:
    """What is reserved, which must be granted."""
    found = await sharing.reserve(hold, wants)
    assert not isinstance(found, Refusal), found
    return found
