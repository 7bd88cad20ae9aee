"""A Redis of the tests' own, which they may kill, empty and start again."""

import gc
import shutil
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

__all__ = ["RedisServer", "redis_server"]


class RedisServer:
    """On a loopback port. It writes nothing down, unless `kept`."""

    def __init__(self, folder: Path, *, kept: bool = False) -> None:
        self.folder = folder
        self._kept = kept
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start it, with what it wrote down before, and return once it answers."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self._kept else "no", "--appendfsync", "always"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as asking:
                    asking.sendall(b"PING\r\n")
                    if asking.recv(16).startswith(b"+PONG"):
                        return self
            except OSError:
                time.sleep(0.01)
        raise AssertionError("Redis did not answer within 20 s")

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(20)


@contextmanager
def redis_server(folder: Path, *, kept: bool = False) -> Iterator[RedisServer]:
    """A running one; skips the test where there is no redis-server."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed: scripts/scale-peers does that")
    server = RedisServer(folder, kept=kept).start()
    try:
        yield server
    finally:
        server.kill()
        with warnings.catch_warnings():
            # Its library may leave a connection open, in which a task was cancelled. It ends here, and not in any test.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
