"""The supervisor's side of the zygote: begins runs, tells them things, and hears how they end."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic import SecretStr

from tasks.running.child import END, MASTER
from tasks.running.ending import Why
from tasks.running.zygote import Order

__all__ = ["Fork", "Forks"]

_GRACE_SECONDS = 4.0
"""How long a run that was told to end may take for it: it tells the catalogue and Prefect that it ended."""


class Fork:
    """One run in its process."""

    def __init__(self, forks: "Forks", id_: str, line: int) -> None:
        self._forks = forks
        self._line = line
        self.id = id_
        self.why: Why = ""
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The status, as waitpid has it."""
        self._killing: asyncio.TimerHandle | None = None

    def stop(self, why: Why) -> None:
        """Tell it to end, and kill it where it does not soon. The first reason counts."""
        if self.why or self.ended.done():
            return
        self.why = why
        self.tell(END)
        self._killing = asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._forks.kill, self.id)

    def tell(self, line: bytes) -> None:
        """Say a line to it; one that has ended hears nothing."""
        with suppress(BrokenPipeError):
            os.write(self._line, line + b"\n")

    def has_ended(self, status: int) -> None:
        """It is gone; nobody waits for its status who was cancelled meanwhile."""
        os.close(self._line)
        if self._killing:
            self._killing.cancel()
        if not self.ended.done():
            self.ended.set_result(status)


class Forks:
    """All that run. `gone` is done when the zygote is."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[str, Fork] = {}
        self._buffer = b""
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(control, self._read)

    def __iter__(self) -> Iterator[Fork]:
        return iter(tuple(self._running.values()))

    def begin(self, order: Order) -> Fork:
        """Have it run in a process of its own."""
        theirs, ours = os.pipe()
        fork = Fork(self, order.id, ours)
        data = json.dumps({"run": order.model_dump(mode="json")}).encode() + b"\n"
        try:
            sent = socket.send_fds(self._control, [data], [theirs])
            self._control.sendall(data[sent:])
        except OSError:  # The zygote is gone, which `gone` says as well.
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._running[order.id] = fork
        return fork

    def kill(self, id_: str) -> None:
        """End it with no chance to say anything."""
        self._say(kill=id_)

    def renew(self, master: SecretStr) -> None:
        """Have the runs of now and later open the stored keys with this master key."""
        self._say(master=master.get_secret_value())
        for fork in self:
            fork.tell(MASTER + master.get_secret_value().encode())

    def close(self) -> None:
        """Let go of the zygote, which kills what still runs, and ends."""
        if self._control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()

    def _say(self, **what: Any) -> None:
        with suppress(OSError):
            self._control.sendall(json.dumps(what).encode() + b"\n")

    def _read(self) -> None:
        data = self._control.recv(65_536)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in map(json.loads, lines):
            if "ended" in line:
                self._running.pop(line["ended"]).has_ended(line["status"])
        if not data:
            self.close()
            self.gone.set_result(None)
            while self._running:  # They die with it.
                self._running.popitem()[1].has_ended(signal.SIGKILL)
