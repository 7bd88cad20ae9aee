"""How router processes hear that there is something new to serve: a small file beside the catalogue, replaced whole."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from modelscan.catalog.database import Database

__all__ = ["FileGenerations", "Generations"]

_LOOK_SECONDS = 0.1
"""A look is one `stat`, of 2 µs."""
Signature = tuple[int, int, int]


class Generations(Protocol):
    """What publishers tell, and routers hear. Whoever changes what is served announces it, in whichever process."""

    def announce(self, generation: int = 0) -> None:
        """There is a new generation; 0: something else that routers hold in memory was changed."""
        ...

    def changes(self) -> AsyncIterator[int]:
        """What is announced from the making of this object on; several announcements may come as one, the last."""
        ...


class FileGenerations:
    """For the processes of one machine. A missed look costs nothing: the file stays as it is."""

    def __init__(self, database: Database, look_seconds: float = _LOOK_SECONDS) -> None:
        self._path = database.path.with_name(database.path.name + ".generation")
        self._look_seconds = look_seconds
        self._seen = _signature(self._path)

    def announce(self, generation: int = 0) -> None:
        """Replace the file. Within the transaction that makes the generation, whoever reads waits for its end: then
        nothing is missed where the process is killed behind the commit."""
        fresh = self._path.with_name(f"{self._path.name}.{uuid.uuid4().hex}.new")
        try:
            fresh.write_text(f"{generation}\n")
            fresh.replace(self._path)
        finally:
            fresh.unlink(missing_ok=True)

    async def changes(self) -> AsyncIterator[int]:
        """Each time the file was replaced since the last look."""
        while True:
            found = _signature(self._path)
            if found != self._seen:
                self._seen = found
                yield _number(self._path)
            await asyncio.sleep(self._look_seconds)


def _signature(path: Path) -> Signature | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # It was taken away, or somebody wrote into it: look at the catalogue.
        return 0
