"""The warm process that forks one for each run; it has no thread and no event loop, so that its forks are whole.

Over a Unix socket it is told `{"run": ORDER}`, together with the reading end of a pipe over which that run is told
things later, `{"kill": ID}` and `{"master": KEY}`. It says `{"ended": ID, "status": N}`, as waitpid has it. When
the socket closes (its parent died, however), it kills what still runs, and ends.
"""

import json
import logging
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from pydantic import BaseModel, ConfigDict, SecretStr

from tasks.running.confinement import confine

__all__ = ["Home", "Order", "serve"]

_BROKE = 1
_log = logging.getLogger(__name__)


class Order(BaseModel):
    """What is to be run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """Of the run."""
    deployment: str
    """Its name."""
    run: dict[str, Any]
    """The flow run, as Prefect's API has it."""
    memory_bytes: int


class Home(Protocol):
    """What the zygote keeps warm, and what its children do with it."""

    def prepare(self) -> Callable[[], None]:
        """Called before a fork; what it returns is called in the parent after it."""
        ...

    def take(self, master: SecretStr) -> None:
        """Use this master key from now on, here and in children that are forked later."""
        ...

    def execute(self, order: Order, line: int) -> int:
        """In the child: execute the run, which is told things over the descriptor `line`; the code to exit with."""
        ...


def serve(control: socket.socket, home: Home) -> None:
    """Fork what is asked for until `control` closes."""
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    forks = _Forks(control, home)
    buffer, lines = b"", list[int]()
    while True:
        sides: list[socket.socket | int] = [control, woken]
        ready = select.select(sides, (), ())[0]
        if woken in ready:
            with suppress(BlockingIOError):
                os.read(woken, 4096)
            forks.bury()
        if control not in ready:
            continue
        data, received, _, _ = socket.recv_fds(control, 65_536, 16)
        lines += received
        *messages, buffer = (buffer + data).split(b"\n")
        for message in messages:
            forks.heard(json.loads(message), lines)
        if not data:
            forks.kill_all()
            return


class _Forks:
    """The children that were not waited for yet: until then no other process has their ids."""

    def __init__(self, control: socket.socket, home: Home) -> None:
        self._control = control
        self._home = home
        self._pids: dict[str, int] = {}

    def heard(self, message: dict[str, Any], lines: list[int]) -> None:
        if "run" in message:
            self._fork(Order.model_validate(message["run"]), lines.pop(0))
        elif "kill" in message:
            self._kill(message["kill"])
        else:
            self._home.take(SecretStr(message["master"]))

    def bury(self) -> None:
        """Wait for those that ended, and say how."""
        for id_, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del self._pids[id_]
                with suppress(ProcessLookupError):  # What it left behind.
                    os.killpg(pid, signal.SIGKILL)
                self._say(ended=id_, status=status)

    def kill_all(self) -> None:
        for id_, pid in self._pids.items():
            self._kill(id_)
            os.waitpid(pid, 0)

    def _kill(self, id_: str) -> None:
        with suppress(KeyError, ProcessLookupError):  # It has ended meanwhile.
            os.killpg(self._pids[id_], signal.SIGKILL)

    def _fork(self, order: Order, line: int) -> None:
        done = self._home.prepare()
        pid = os.fork()
        if pid == 0:  # pragma: no cover - the child ends without telling coverage
            self._control.close()
            _child(self._home, order, line)
        with suppress(PermissionError, ProcessLookupError):
            os.setpgid(pid, pid)  # Also done by the child: whoever comes first, the group is there from now on.
        os.close(line)
        done()
        self._pids[order.id] = pid

    def _say(self, **what: object) -> None:
        with suppress(BrokenPipeError):  # The next look at the socket ends it all.
            self._control.sendall(json.dumps(what).encode() + b"\n")


def _child(home: Home, order: Order, line: int) -> NoReturn:  # pragma: no cover
    """Execute the run, and end without ever returning into the zygote's loop."""
    code = _BROKE
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        confine(order.memory_bytes)
        code = home.execute(order, line)
    except BaseException:  # noqa: BLE001 - the edge of the process
        _log.exception("the run %s ended unexpectedly", order.id)
    finally:
        os._exit(code)
