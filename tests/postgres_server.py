"""A PostgreSQL of the tests' own, which they may stop and start again."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

__all__ = ["PostgresServer", "postgres_server"]

_USER = "postgres"


class PostgresServer:
    """On a loopback port, below `folder`. Root may not run one: it is the user `postgres` then."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._data = folder / "data"
        self._programs = programs
        self._as = ["runuser", "-u", _USER, "--"] if os.geteuid() == 0 else []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        folder.mkdir(mode=0o755)
        if self._as:
            shutil.chown(folder, _USER)
        self._run("initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "--no-sync")

    @property
    def url(self) -> str:
        """As Prefect wants it."""
        return f"postgresql+asyncpg://{_USER}@127.0.0.1:{self.port}/postgres"

    def start(self) -> Self:
        """Start it, and return once it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-o", options, "-l", str(self._data / "log"), "start")
        return self

    def stop(self) -> None:
        """At once, as a crash would."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, cwd="/")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running one; skips the test where there is none to be run."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found or (os.geteuid() == 0 and shutil.which("runuser") is None):
        pytest.skip("PostgreSQL is not installed: scripts/scale-peers does that")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="modelscan-postgres-") as folder:
        Path(folder).chmod(0o755)  # The user `postgres` has to come through, as it may not below pytest's folders.
        server = PostgresServer(Path(folder) / "server", found[-1].parent).start()
        try:
            yield server
        finally:
            server.stop()
