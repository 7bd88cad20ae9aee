"""The catalogue through another process, so that a long-lived one stays without DuckDB: half of a router's memory."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing import connection as ipc
from typing import Any

from modelscan.catalog.connection import Connection, Rows, refused
from modelscan.catalog.database import Database
from modelscan.errors import CatalogError, error_from_code

__all__ = ["DetachedDatabase"]

_INHERITED = ("COVERAGE_", "LANG", "LC_", "PATH", "PYTHON", "TMPDIR", "TZ")
"""Of the environment, which also holds keys."""


class _Gone(Exception):
    """The process ended, or never ran."""


class DetachedDatabase(Database):
    """A `Database` whose transactions a process of its own runs: started when one begins, ended once it idles.

    One transaction at a time. Should the process die within one, nothing of that is committed, and it raises
    CatalogError; the next one has a new process.
    """

    def __init__(self, database: Database, idle_seconds: float = 30.0) -> None:
        super().__init__(database.path, database.wait_seconds)
        self._idle_seconds = idle_seconds
        self._one_at_a_time = threading.Lock()
        self._closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: ipc.Connection[Any, Any] | None = None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """As Database.write."""
        with self._transaction("write") as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """As Database.read."""
        with self._transaction("read") as connection:
            yield connection

    def close(self) -> None:
        """End the process, once no transaction runs; none begins any more."""
        with self._one_at_a_time:
            self._closed = True
            self._end()

    @contextmanager
    def _transaction(self, kind: str) -> Iterator[Connection]:
        with self._one_at_a_time:
            if self._closed:  # By a thread that goes on though its task was cancelled at the end.
                raise CatalogError(f"The catalogue {self.path} is closed.", hint="The service ends.")
            try:
                self._begin(kind)
                try:
                    yield _Remote(self)
                except _Gone:
                    raise
                except BaseException:
                    self.call("end", False)
                    raise
                self.call("end", True)
            except _Gone as error:
                self._end()
                raise CatalogError(
                    f"The process that works with {self.path} ended within a transaction.",
                    hint="Nothing of it was stored: ask again.",
                    path=str(self.path),
                ) from error

    def _begin(self, kind: str) -> None:
        try:
            self.call("begin", kind)
        except _Gone:  # It had idled, and ended: nothing has begun.
            self._end()
            self.call("begin", kind)

    def call(self, *asked: object) -> Any:
        """Its answer; raises what it raised."""
        try:
            channel = self._running()
            channel.send(asked)
            kind, *told = channel.recv()
        except (OSError, EOFError) as error:
            raise _Gone from error
        if kind == "refused":
            raise refused(*told)
        if kind == "error":
            raise error_from_code(*told)
        return told[0]

    def _running(self) -> "ipc.Connection[Any, Any]":
        if self._channel is None:
            ours, theirs = socket.socketpair()
            settings = [self.path.absolute(), self.wait_seconds, self._idle_seconds, theirs.fileno()]
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "modelscan.catalog.worker", *map(str, settings)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env={name: value for name, value in os.environ.items() if name.startswith(_INHERITED)},
                    start_new_session=True,
                )
            self._channel = ipc.Connection(ours.detach())
        return self._channel

    def _end(self) -> None:
        channel, self._channel = self._channel, None
        process, self._process = self._process, None
        if channel is not None:
            channel.close()
        if process is not None:
            process.kill()
            process.wait()


class _Remote:
    """The connection of a transaction that runs there."""

    def __init__(self, database: DetachedDatabase) -> None:
        self._database = database

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Rows:
        names, values = self._database.call("execute", sql, parameters)
        return Rows(names, values)
