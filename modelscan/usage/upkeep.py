"""Keeps the usage tables small and quick to add up: what rows add is rolled up, and what is too old is removed."""

import logging
import time
from collections.abc import Callable
from datetime import datetime

from modelscan.catalog import rollups
from modelscan.catalog.database import Database
from modelscan.errors import CatalogError
from modelscan.settings import UsageSettings
from modelscan.types import utc_now

__all__ = ["Upkeep"]

_MANY_ROWS = 20_000
"""So many are rolled up at once: to add up more than that from rows takes longer than to read all of a year's days."""
_ROLL_SECONDS, _TIDY_SECONDS = 300.0, 3600.0
_log = logging.getLogger(__name__)


class Upkeep:
    """Off the request's path, after a flush. Each step is a transaction or several, and may be broken off anywhere."""

    def __init__(
        self,
        database: Database,
        settings: UsageSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._now = now
        self._rolled_at = self._tidied_at = clock() - _TIDY_SECONDS
        self._waiting = 1
        """How many rows are not rolled up; at first there may be some of before."""

    def step(self, added: int) -> None:
        """What is due after a flush that added so many rows. A catalogue that is busy is left alone until later."""
        self._waiting += added
        try:
            if self._waiting >= _MANY_ROWS or (self._waiting and self._due(self._rolled_at, _ROLL_SECONDS)):
                rollups.roll(self._database)
                self._waiting, self._rolled_at = 0, self._clock()
            if self._due(self._tidied_at, _TIDY_SECONDS):
                self.tidy()
        except CatalogError as error:
            _log.warning("the usage could not be rolled up, which is tried again: %s", error)

    def now(self) -> tuple[int, int]:
        """All of it at once, due or not; (batches that were added up, old rows that were removed).

        Raises CatalogError.
        """
        return rollups.roll(self._database), self.tidy()

    def tidy(self) -> int:
        """Make one of what several batches added, and remove what is older than it is kept; how many rows went."""
        kept = self._settings
        rollups.merge(self._database)
        count = rollups.forget(
            self._database, self._now(), rows=kept.retention_days, hours=kept.hourly_days, days=kept.daily_days
        )
        self._tidied_at = self._clock()
        return count

    def _due(self, last: float, seconds: float) -> bool:
        return self._clock() - last >= seconds
