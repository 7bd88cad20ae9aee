"""The service's tokens: changed in the catalogue and, at once, in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from modelscan.catalog import tokens as table
from modelscan.catalog.database import Database
from modelscan.custody.sealing import Custody
from modelscan.errors import InvalidConfiguration, TokenNotFound
from modelscan.tokens import store
from modelscan.tokens.standing import TokenStanding, standing_of
from modelscan.tokens.store import Issued
from modelscan.types import ClientToken, TokenRole, TokenTerms
from router_app.serving import Serving

__all__ = ["TokenDesk"]

Result = TypeVar("Result")


class TokenDesk:
    """Whatever is done here counts from the next request on."""

    def __init__(
        self,
        database: Database,
        custody: Callable[[], Custody],
        serving: Serving,
        flush: Callable[[], Awaitable[object]],
        told: Callable[[], None] = lambda: None,
    ) -> None:
        """`flush` moves the usage journal into the catalogue; `told` hears that something was changed."""
        self._database = database
        self._custody = custody
        self._serving = serving
        self._flush = flush
        self._told = told
        self._door = serving.door
        self._changing = asyncio.Lock()

    async def load(self) -> None:
        """Take in what the catalogue holds. Should it not open, the door is shut, and InvalidConfiguration raised."""
        async with self._changing:
            await self._load()

    async def issue(self, name: str, role: TokenRole, terms: TokenTerms, expires_at: datetime | None) -> Issued:
        """As modelscan.tokens.store.issue."""
        made = partial(store.issue, name=name, role=role, terms=terms, expires_at=expires_at)
        return await self._changed(lambda: made(self._database, self._custody()))

    async def rotate(self, name: str) -> Issued:
        """As modelscan.tokens.store.rotate."""
        return await self._changed(lambda: store.rotate(self._database, self._custody(), name))

    async def change(self, name: str, terms: TokenTerms) -> ClientToken:
        """Give one other terms; raises TokenNotFound, InvalidInput."""
        return await self._changed(lambda: store.change(self._database, name, terms))

    async def revoke(self, name: str) -> ClientToken:
        """End one; raises TokenNotFound."""
        return await self._changed(lambda: table.revoke(self._database, name))

    async def delete(self, name: str) -> ClientToken:
        """Forget one; raises TokenNotFound."""
        return await self._changed(lambda: table.delete(self._database, name))

    def list_standing(self) -> list[TokenStanding]:
        """All tokens, the oldest first."""
        book = self._door.book
        now = book.clock()
        return [standing_of(account, now) for account in book.accounts()]

    def standing(self, name: str) -> TokenStanding:
        """The one of that name or id; raises TokenNotFound."""
        found = next((one for one in self.list_standing() if name in (one.name, one.id)), None)
        if found is None:
            raise TokenNotFound(f"There is no token {name[:64]!r}.", hint="modelscan tokens list names them.")
        return found

    async def _changed(self, work: Callable[[], Result]) -> Result:
        async with self._changing:
            result = await asyncio.to_thread(work)
            await self._flush()  # A limit that is new begins with what the rows say.
            await self._load()
        self._told()
        return result

    async def _load(self) -> None:
        try:
            now, most = self._door.book.clock(), self._serving.prices.most
            loaded = await asyncio.to_thread(lambda: store.load(self._database, self._custody(), now, most))
        except InvalidConfiguration as error:
            self._door.broken = error.message
            raise
        self._door.book.replace(loaded.entries, loaded.hash, loaded.spent)
        self._door.broken = ""
