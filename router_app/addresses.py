"""The files by which the command line and the runner find a router: of several on one data directory, a living one."""

import asyncio
import fcntl
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

__all__ = ["Address", "addressed"]

_LOOK_SECONDS = 1.0


class Address:
    """Of one router: a file that it locks as long as it lives, beside those of the others."""

    def __init__(self, data_dir: Path, url: str) -> None:
        self._named = data_dir / "router.url"
        self._folder = data_dir / "routers"
        self._url = url
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._own = self._folder / f"{uuid.uuid4().hex}.url"
        hidden = self._own.with_suffix(".new")
        self._lock = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        os.write(self._lock, f"{url}\n".encode())
        hidden.rename(self._own)  # Locked before it has its name: nobody takes it for that of a dead one.
        _write(data_dir / "reference.url", f"{url}/reference/v1")
        _write(self._named, url)

    def look(self) -> None:
        """Where the router that is named there is gone, name this one."""
        if _read(self._named) not in {self._url, *self._others()}:
            _write(self._named, self._url)

    def close(self) -> None:
        """It ends: where it was named, another one is, if there is one."""
        self._own.unlink(missing_ok=True)
        os.close(self._lock)
        if _read(self._named) == self._url:
            if other := next(iter(self._others()), None):
                _write(self._named, other)
            else:
                self._named.unlink(missing_ok=True)

    def _others(self) -> list[str]:
        """Those that live; the files of the dead are taken away."""
        living = []
        for path in sorted(self._folder.glob("*.url")):
            if path == self._own:
                continue
            with suppress(FileNotFoundError):
                if _is_free(path):
                    path.unlink()
                else:
                    living.append(path.read_text().strip())
        return [url for url in living if url]


@asynccontextmanager
async def addressed(data_dir: Path, url: str) -> AsyncIterator[None]:
    """This router, at `url`, is found while this lasts."""
    address = Address(data_dir, url)
    looking = asyncio.create_task(_look(address))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        address.close()


async def _look(address: Address) -> None:
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        with suppress(OSError):  # A full disk, say: the next look may do.
            address.look()


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""


def _is_free(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def _write(path: Path, line: str) -> None:
    """In one step: whoever reads it meanwhile sees the old or the new."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(line + "\n")
    fresh.replace(path)
