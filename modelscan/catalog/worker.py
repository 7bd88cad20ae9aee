"""The process behind DetachedDatabase: its arguments are path, seconds to wait, seconds to idle, and a socket."""

import os
import signal
import sys
from contextlib import AbstractContextManager, suppress
from multiprocessing import connection as ipc
from pathlib import Path

from modelscan.catalog.connection import Connection, Refused
from modelscan.catalog.database import Database
from modelscan.errors import ModelScanError
from modelscan.logs import guard_logs

__all__ = ["main"]


class _Told(Exception):
    """The caller wants its transaction rolled back."""


class _Worker:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._transaction: AbstractContextManager[Connection] | None = None
        self._connection: Connection | None = None

    @property
    def within(self) -> bool:
        """Whether a transaction runs."""
        return self._transaction is not None

    def answer(self, what: str, *told: object) -> tuple[object, ...]:
        try:
            return "ok", getattr(self, f"_{what}")(*told)
        except Refused as error:
            return "refused", error.kind, str(error)
        except ModelScanError as error:
            return "error", error.code, error.message, error.hint, error.fields

    def _begin(self, kind: str) -> None:
        transaction = self._database.write() if kind == "write" else self._database.read()
        self._connection = transaction.__enter__()
        self._transaction = transaction

    def _execute(self, sql: str, parameters: object) -> tuple[object, ...]:
        assert self._connection is not None
        return tuple(self._connection.execute(sql, parameters))  # type: ignore[arg-type]  # as it was given there

    def _end(self, well: bool) -> None:
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        if well:
            transaction.__exit__(None, None, None)
            return
        told = _Told()
        try:
            transaction.__exit__(_Told, told, None)
        except _Told:
            return


def main(path: str, wait_seconds: str, idle_seconds: str, descriptor: str) -> None:
    """Answer until nobody asks any more: the other side has gone, or has been silent for so long."""
    guard_logs(os.environ)
    worker = _Worker(Database(Path(path), float(wait_seconds)))
    with ipc.Connection(int(descriptor)) as channel, suppress(EOFError, OSError):
        while worker.within or channel.poll(float(idle_seconds)):
            what, *more = channel.recv()
            channel.send(worker.answer(what, *more))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # A terminal's Ctrl-C is for the router, which ends this one.
    main(*sys.argv[1:])
