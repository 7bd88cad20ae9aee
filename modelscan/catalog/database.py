"""Short connections to the DuckDB file, which any number of our processes and threads may ask for at once."""

import fcntl
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, TypeVar

import duckdb

from modelscan.errors import CatalogBusy, CatalogError

__all__ = ["Connection", "Database"]

T = TypeVar("T")

Connection = duckdb.DuckDBPyConnection


class _Engine:
    """A DuckDB without a file of its own, kept warm: a file is attached to it only while somebody uses that file.

    One a file and process: to close a file drops all locks that the process has on it, so the last user alone may.
    """

    _made: ClassVar["weakref.WeakValueDictionary[Path, _Engine]"] = weakref.WeakValueDictionary()
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._users = 0
        self._engine: Connection | None = None

    @classmethod
    def of(cls, path: Path) -> "_Engine":
        """The one of this file."""
        path = path.absolute()
        with cls._making:
            return cls._made.get(path) or cls._made.setdefault(path, cls(path))

    def connect(self, read_only: bool) -> Connection:
        """A connection of its own to the file, for `release`; raises what DuckDB raises where it cannot be attached."""
        with self._guard:
            self._engine = self._engine or duckdb.connect(config={"temp_directory": f"{self._path}.tmp"})
            if self._users == 0:
                quoted = str(self._path).replace("'", "''")
                self._engine.execute(f"ATTACH '{quoted}' AS catalogue{' (READ_ONLY)' if read_only else ''}")
            self._users += 1
            connection = self._engine.cursor()
        try:
            connection.execute("USE catalogue")
        except duckdb.Error:
            self.release(connection)
            raise
        return connection

    def release(self, connection: Connection) -> None:
        """Let go of a connection, and with the last one of the file."""
        connection.close()
        with self._guard:
            self._users -= 1
            if self._users or self._engine is None:
                return
            try:
                self._engine.execute("DETACH catalogue")
            except duckdb.Error:  # What was committed is in the file or its log; a new engine reads both.
                self._engine.close()
                self._engine = None


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
        self._engine = _Engine.of(path)

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

    def _connected(self, read_only: bool) -> Connection | None:
        try:
            if not self.path.exists():
                _make(self.path)
            return self._engine.connect(read_only)
        except duckdb.IOException as error:
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


def _make(path: Path) -> None:
    """Made under another name: DuckDB cannot open the file of a process that was killed while it made it."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    duckdb.connect(fresh).close()
    fresh.rename(path)
