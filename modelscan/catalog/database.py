"""Short connections to the DuckDB file, which any number of our processes and threads may ask for at once."""

import fcntl
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modelscan.catalog.connection import Connection, FileFault
from modelscan.errors import CatalogBusy, CatalogError

if TYPE_CHECKING:
    from modelscan.catalog.engine import Engine, LocalConnection

__all__ = ["Connection", "Database"]

T = TypeVar("T")


class Database:
    """One DuckDB file. A writing process locks out all others, readers too, so nobody keeps it open.

    Ours queue on a lock file beside it (many readers or one writer); a stranger's process, such as a person's own
    DuckDB shell, is waited for as well. To begin costs 4 ms in a process that has done it before and 30 ms the first
    time (measured on two cores), so callers batch.

    All of them wait in front of a second file, the turn: a writer that waits for the readers to end keeps new readers
    out. Without it six threads that read all the time kept a writer out for its whole 20 s.
    """

    def __init__(self, path: Path, wait_seconds: float = 30.0) -> None:
        self.path = path
        self.wait_seconds = wait_seconds

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on an error. Raises CatalogBusy past `wait_seconds`."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._opened(fcntl.LOCK_EX, read_only=False) as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that cannot write. Raises CatalogBusy, and CatalogError where `migrate` never made the file."""
        if not self.path.exists():
            raise CatalogError(
                f"There is no catalogue at {self.path} yet.",
                hint="Start the service once (modelscan serve): it makes one.",
                path=str(self.path),
            )
        with self._opened(fcntl.LOCK_SH, read_only=True) as connection:
            yield connection

    def stamp(self) -> tuple[tuple[int, int], ...]:
        """Times and sizes of the file and of DuckDB's log beside it: the same as long as nobody wrote."""
        found = []
        for file in (self.path, self.path.with_name(self.path.name + ".wal")):
            with suppress(FileNotFoundError):
                stat = file.stat()
                found.append((stat.st_mtime_ns, stat.st_size))
        return tuple(found)

    @contextmanager
    def _opened(self, lock: int, *, read_only: bool) -> Iterator[Connection]:
        deadline = time.monotonic() + self.wait_seconds
        with self._beside(".lock") as place:
            with self._beside(".turn") as turn:
                self._until(deadline, lambda: _locked(turn, lock))
                self._until(deadline, lambda: _locked(place, lock))
            connection = self._until(deadline, lambda: self._connected(read_only))
            try:
                yield connection
            finally:
                self._engine.release(connection)

    @cached_property
    def _engine(self) -> "Engine":
        # Imported by the first who works with it: a router has another process do that.
        from modelscan.catalog.engine import Engine

        return Engine.of(self.path)

    def _connected(self, read_only: bool) -> "LocalConnection | None":
        try:
            if not self.path.exists():
                self._engine.make()
            return self._engine.connect(read_only)
        except FileFault as error:
            if "Could not set lock" in str(error):
                return None
            raise CatalogError(
                f"The catalogue {self.path} cannot be opened: {error}",
                hint="Check the disk and the file's owner, or point database.path to another file.",
                path=str(self.path),
            ) from error

    @contextmanager
    def _beside(self, suffix: str) -> Iterator[int]:
        """A descriptor of the file next to the catalogue; closing it gives its lock back."""
        descriptor = os.open(self.path.with_name(self.path.name + suffix), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _until(self, deadline: float, attempt: Callable[[], T | None]) -> T:
        while (found := attempt()) is None:
            if time.monotonic() > deadline:
                raise CatalogBusy(
                    f"The catalogue {self.path} was held by another process for {self.wait_seconds:g} s.",
                    hint="Close whatever holds it (a DuckDB shell, say), or raise database.wait_seconds.",
                    path=str(self.path),
                )
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - jitter, not a secret
        return found


def _locked(descriptor: int, lock: int) -> bool | None:
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    return True
