"""`python -m tests.tasks.running.plain_home FD`: a zygote whose children do what their order says, without Prefect."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from tasks.running.zygote import Order, serve


class PlainHome:
    """Knows one master key."""

    def __init__(self) -> None:
        self.master = "first"

    def prepare(self) -> Callable[[], None]:
        return lambda: None

    def take(self, master: SecretStr) -> None:
        self.master = master.get_secret_value()

    def execute(self, order: Order, line: int) -> int:
        """Do what `order.run` says: `do`, and the file to write to."""
        said = Path(order.run["file"])
        match order.run["do"]:
            case "exit":
                said.write_text(self.master)
                return 3
            case "break":
                raise RuntimeError("boom")
            case "fault":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hog":
                try:
                    hoard = [bytearray(2**24) for _ in range(2**16)]
                except MemoryError:
                    return 77
                said.write_text(str(len(hoard)))
            case "wait":
                child = os.fork()
                if child == 0:
                    signal.pause()
                said.write_text(f"{os.getpid()} {child}")
                said.with_suffix(".said").write_bytes(os.read(line, 4096))
            case "hang":
                said.write_text(str(os.getpid()))
                signal.pause()
        return 0


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), PlainHome())
