"""Sends letters to the operator's webhook: signed, again and again until they are taken, and not for ever."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import httpx2
from pydantic import SecretStr

from modelscan.catalog import drift_outbox
from modelscan.catalog.database import Database
from modelscan.drift.signing import signed
from modelscan.errors import HostRefused, SourceUnavailable
from modelscan.sources.http import Answer, ask, host_port, open_client, origin_of
from modelscan.types import Letter, utc_now

__all__ = ["WAITS", "Delivered", "Webhook", "deliver", "open_webhook"]

WAITS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0, 14400.0)
"""Seconds after each attempt that failed; the last one after all further ones."""
_LEASE = timedelta(seconds=60)
_AT_ONCE = 8
_SECONDS = 10.0
_MOST_ANSWERED = 64 * 1024
_GONE = 410
_LONGEST_ASKED_FOR = 3600.0


@dataclass(frozen=True)
class Webhook:
    """Where letters go, how they are signed, and for how long they are tried."""

    url: str
    secret: SecretStr
    http: httpx2.AsyncClient
    """Follows no redirect, and reaches a private address only where the operator named it: `open_webhook`."""
    patience: timedelta
    clock: Callable[[], datetime] = utc_now

    async def send(self, letter: Letter) -> Letter:
        """One attempt; the letter as it stands after it: sent, waiting for another, or given up."""
        body = letter.body.encode()
        headers = signed(self.secret, letter.id, int(self.clock().timestamp()), body)
        try:
            answer = await ask(
                self.http,
                "POST",
                self.url,
                limit=_MOST_ANSWERED,
                content=body,
                headers={**headers, "content-type": "application/json"},
            )
        except (SourceUnavailable, HostRefused) as error:
            # The whole address may hold a token.
            return self._later(letter, error.message.replace(self.url, origin_of(self.url)), 0.0)
        said = f"{origin_of(self.url)} answered {answer.status}"
        if 200 <= answer.status < 300:
            return letter.model_copy(update={"state": "sent", "said": said})
        if answer.status == _GONE:
            return letter.model_copy(update={"state": "given_up", "said": f"{said}: it wants no more"})
        return self._later(letter, said, _asked_for(answer))

    def _later(self, letter: Letter, said: str, least: float) -> Letter:
        wait = max(WAITS[min(letter.attempts, len(WAITS)) - 1], least)
        next_at = self.clock() + timedelta(seconds=wait)
        over = next_at > letter.created_at + self.patience
        return letter.model_copy(update={"state": "given_up" if over else "waiting", "next_at": next_at, "said": said})


class Delivered(NamedTuple):
    """What became of the letters that were due."""

    letters: tuple[Letter, ...]
    """Those that were tried."""
    next_at: datetime | None
    """When the next is due; None where none waits."""


def open_webhook(url: str, secret: SecretStr, hours: float) -> Webhook:
    """One for the operator's address, which may be a private one: nobody else named it. Its `http` is to be closed."""
    http = open_client(allowed_private={host_port(url)}, timeout=_SECONDS)
    return Webhook(url, secret, http, timedelta(hours=hours))


async def deliver(database: Database, webhook: Webhook) -> Delivered:
    """Send the letters that are due, some at once. At least once each: who is killed in between sends them again."""
    now = webhook.clock()
    due = await asyncio.to_thread(drift_outbox.due_at, database)
    if due is None or due > now:
        return Delivered((), due)
    claimed = await asyncio.to_thread(drift_outbox.claim, database, now, lease=_LEASE, most=_AT_ONCE)
    tried = tuple(await asyncio.gather(*map(webhook.send, claimed)))
    await asyncio.to_thread(drift_outbox.settle, database, tried)
    return Delivered(tried, await asyncio.to_thread(drift_outbox.due_at, database))


def _asked_for(answer: Answer) -> float:
    """The seconds of Retry-After, an hour at most; 0 without."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), _LONGEST_ASKED_FOR) if text.isascii() and text.isdigit() else 0.0
