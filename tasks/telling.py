"""Tells how a run goes, beside the run: what waits to be told goes into the catalogue in one transaction."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from modelscan.catalog import discoveries
from modelscan.catalog.database import Database
from modelscan.types import Attempt, Discovery, DiscoveryStep

__all__ = ["Telling"]


@dataclass
class Telling:
    """The row of one run. To open the catalogue takes longer than most steps do, so no step waits for it."""

    database: Database
    told: Discovery
    """As the catalogue has it."""
    _steps: dict[int, DiscoveryStep] = field(default_factory=dict)
    _changes: dict[str, Any] = field(default_factory=dict)
    _attempts: list[Attempt] = field(default_factory=list)
    _count: int = 0
    _writing: asyncio.Task[None] | None = None

    def number(self) -> int:
        """Of the next step."""
        self._count += 1
        return self._count

    def step(self, step: DiscoveryStep) -> None:
        """Tell a step as it is now."""
        self._steps[step.seq] = step
        self._begin()

    def change(self, **changes: Any) -> None:
        """Tell fields of the run itself."""
        self._changes |= changes
        self._begin()

    def attempt(self, attempt: Attempt) -> None:
        """Tell one more loop of proposal and validation."""
        self._attempts.append(attempt)
        self.change(attempts=tuple(self._attempts))

    async def written(self) -> Discovery:
        """The run as told, once all of it is in the catalogue. Raises what kept it out."""
        if self._steps or self._changes:
            self._begin()
        if self._writing:
            await asyncio.shield(self._writing)
        return self.told

    def _begin(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._steps or self._changes:
            steps, self._steps = self._steps, {}
            changes, self._changes = self._changes, {}
            try:
                self.told = await asyncio.to_thread(
                    discoveries.update, self.database, self.told.id, tuple(steps.values()), **changes
                )
            except BaseException:
                self._steps, self._changes = {**steps, **self._steps}, {**changes, **self._changes}
                raise
