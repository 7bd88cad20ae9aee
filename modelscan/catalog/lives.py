"""Which runs are being executed: each process holds a locked file beside the catalogue for as long as it lives."""

import fcntl
import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from modelscan.catalog.database import Database

__all__ = ["executing", "forget", "killed"]


@contextmanager
def executing(database: Database, run_id: str) -> Iterator[None]:
    """Show all who see the catalogue's folder that this process executes the run.

    Nothing but the end of the process, however it ends, takes the lock away without taking the file away as well.
    """
    path = _path(database, run_id)
    fresh = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
    descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        fresh.replace(path)  # Nobody sees it without its lock.
        yield
    finally:
        # Another process may execute the run by now, where this one was thought dead.
        if _same(descriptor, path):
            path.unlink()
        os.close(descriptor)


def killed(database: Database, run_id: str) -> bool:
    """Whether the process that executed the run is gone without having told its end; False where none was seen."""
    try:
        descriptor = os.open(_path(database, run_id), os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(descriptor).st_nlink > 0
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def forget(database: Database, run_id: str) -> None:
    """Its end was told by somebody else."""
    _path(database, run_id).unlink(missing_ok=True)


def _path(database: Database, run_id: str) -> Path:
    name = hashlib.sha256(run_id.encode()).hexdigest()[:32]  # An id is Prefect's word.
    return database.path.with_name(f"{database.path.name}.run-{name}")


def _same(descriptor: int, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
