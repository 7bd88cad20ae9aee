"""Empties the outbox of changes beside everything else: the router is the one who sends to the operator's webhook."""

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path

from modelscan.catalog import drift_outbox
from modelscan.catalog.database import Database
from modelscan.drift.sending import Delivered, Webhook, deliver, open_webhook
from modelscan.drift.signing import secret_of
from modelscan.errors import InvalidConfiguration
from modelscan.settings import DriftSettings
from router_app.parts import Parts

__all__ = ["WebhookSender"]

_PART = "webhook"
_EVERY_SECONDS = 1.0
_REST_SECONDS = 5.0
_KEPT = timedelta(days=7)
_log = logging.getLogger(__name__)


class WebhookSender:
    """Looks at the outbox where the catalogue's file changed, or a letter is due. Of several routers each sends some.

    A receiver that takes nothing of several letters is left alone for `rest` seconds.
    """

    def __init__(
        self,
        settings: DriftSettings,
        data_dir: Path,
        database: Database,
        parts: Parts,
        *,
        every: float = _EVERY_SECONDS,
        rest: float = _REST_SECONDS,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._database = database
        self._parts = parts
        self._every = every
        self._rest = rest
        self._stamp: object = None
        self._next_at: datetime | None = None

    async def run(self, opened: asyncio.Event) -> None:
        """Send until it is cancelled, once the catalogue is there; returns at once where no webhook is set."""
        if not self._settings.webhook_url:
            return
        try:
            secret = await asyncio.to_thread(secret_of, self._data_dir, self._settings.webhook_secret)
        except InvalidConfiguration as error:
            _log.error("webhook: %s", error)
            self._parts.set(_PART, "down", str(error))
            return
        webhook = open_webhook(self._settings.webhook_url, secret, self._settings.webhook_hours)
        async with webhook.http:
            self._parts.set(_PART, "up")
            await opened.wait()
            while True:
                well = await self._look(webhook)
                await asyncio.sleep(self._every if well else self._rest)

    async def _look(self, webhook: Webhook) -> bool:
        """Send all that is due now; whether anybody took it."""
        stamp = self._database.stamp()
        if stamp == self._stamp and (self._next_at is None or self._next_at > webhook.clock()):
            return True
        try:
            if self._stamp is None:
                await asyncio.to_thread(drift_outbox.forget, self._database, webhook.clock() - _KEPT)
            while (done := await deliver(self._database, webhook)).letters:
                self._tell(done)
                if all(letter.state != "sent" for letter in done.letters):
                    return False
        except Exception as error:  # noqa: BLE001 - the catalogue is busy, say: the letters stay in it
            _log.error("the webhook's letters could not be looked after, and are tried again: %s", error)
            return False
        self._stamp, self._next_at = stamp, done.next_at
        return True

    def _tell(self, done: Delivered) -> None:
        failed = [letter for letter in done.letters if letter.state != "sent"]
        for letter in failed:
            if letter.state == "given_up":
                _log.error("a change could not be told, and is given up: %s", letter.said)
        said = f"Changes could not be told: {failed[-1].said}." if failed else ""
        self._parts.set(_PART, "down" if failed else "up", said)
