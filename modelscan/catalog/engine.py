"""DuckDB itself, in this process: the one module that imports it (25 MiB, and as much again once it works)."""

import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import duckdb

from modelscan.catalog.connection import Refused, Rows, refused

__all__ = ["Engine", "SealedEngine"]

_SEALED: Mapping[str, str | int | bool] = {
    "allow_community_extensions": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "memory_limit": "512MB",
    "python_enable_replacements": False,
    "temp_directory": "",
    "threads": 2,
}


class LocalConnection:
    """A connection of this process, whose errors are ours."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Rows:
        """Run it, and fetch all that it says; raises Refused."""
        try:
            found = self._connection.execute(sql, parameters)
            names = tuple(column[0] for column in found.description or ())
            return Rows(names, found.fetchall() if names else [])
        except duckdb.Error as error:
            raise refused(type(error).__name__, str(error)) from error

    def limited(self, sql: str, rows: int, seconds: float) -> Rows:
        """Run it, and fetch one row more than `rows` at most; raises Refused, and TimeoutError past `seconds`."""
        timer = threading.Timer(seconds, self._connection.interrupt)
        timer.start()
        try:
            found = self._connection.execute(sql)
            return Rows(tuple(column[0] for column in found.description or ()), found.fetchmany(rows + 1))
        except duckdb.InterruptException as error:
            raise TimeoutError from error
        except duckdb.Error as error:
            raise refused(type(error).__name__, str(error)) from error
        finally:
            timer.cancel()

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()


class Engine:
    """A DuckDB without a file of its own, kept warm: a file is attached to it only while somebody uses that file.

    One a file and process: to close a file drops all locks that the process has on it, so the last user alone may.
    """

    _made: ClassVar["weakref.WeakValueDictionary[Path, Engine]"] = weakref.WeakValueDictionary()
    _making: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._users = 0
        self._engine: duckdb.DuckDBPyConnection | None = None

    @classmethod
    def of(cls, path: Path) -> "Engine":
        """The one of this file."""
        path = path.absolute()
        with cls._making:
            return cls._made.get(path) or cls._made.setdefault(path, cls(path))

    def connect(self, read_only: bool) -> LocalConnection:
        """A connection of its own to the file, for `release`; raises Refused where it cannot be attached."""
        try:
            connection = self._attached(read_only)
        except duckdb.Error as error:
            raise refused(type(error).__name__, str(error)) from error
        try:
            connection.execute("USE catalogue")
        except Refused:
            self.release(connection)
            raise
        return connection

    def make(self) -> None:
        """The file. Made under another name: DuckDB cannot open that of a process which was killed while it made it."""
        fresh = self._path.with_name(f"{self._path.name}.new")
        fresh.unlink(missing_ok=True)
        try:
            duckdb.connect(fresh).close()
        except duckdb.Error as error:
            raise refused(type(error).__name__, str(error)) from error
        fresh.rename(self._path)

    def _attached(self, read_only: bool) -> LocalConnection:
        with self._guard:
            self._engine = self._engine or duckdb.connect(config={"temp_directory": f"{self._path}.tmp"})
            if self._users == 0:
                quoted = str(self._path).replace("'", "''")
                self._engine.execute(f"ATTACH '{quoted}' AS catalogue{' (READ_ONLY)' if read_only else ''}")
            self._users += 1
            return LocalConnection(self._engine.cursor())

    def release(self, connection: LocalConnection) -> None:
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


class SealedEngine(Engine):
    """One that reads some views of the file and can do nothing else: it reaches no other file, and stays so."""

    def __init__(self, path: Path, views: Mapping[str, str]) -> None:
        super().__init__(path)
        self._views = views

    def connect(self, read_only: bool) -> LocalConnection:  # noqa: ARG002 - it never writes
        """As Engine.connect; it is always read-only, and the file is no part of the names' search path."""
        engine = duckdb.connect(config={**_SEALED})
        try:
            quoted = str(self._path).replace("'", "''")
            engine.execute(f"ATTACH '{quoted}' AS catalogue (READ_ONLY)")
            for name, sql in self._views.items():
                engine.execute(f"CREATE VIEW {name} AS {sql}")
            engine.execute("SET enable_external_access = false")
            engine.execute("SET lock_configuration = true")
        except duckdb.Error as error:
            engine.close()
            raise refused(type(error).__name__, str(error)) from error
        return LocalConnection(engine)

    def release(self, connection: LocalConnection) -> None:
        """Close it, and the file with it."""
        connection.close()
