"""The usage journal: one line a request, written before its answer is complete."""

import errno
import fcntl
import os
import threading
import time
import uuid
from collections import deque
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import orjson

from modelscan.catalog.rows import storable
from modelscan.types import UsageEvent

__all__ = ["Journal", "sweep"]

_ASKED_CHARACTERS = 256
"""What is kept of the model's name as the caller wrote it, who may write anything."""
_BEGUN_SECONDS = 60.0
"""A segment has its name sooner than that."""
_MOST_HELD = 50_000
"""Lines, of some 600 bytes each."""


class Journal:
    """Segments of JSON lines in `directory`. The one being written is locked by its writer, so several processes may
    share the directory, and a segment that nobody locks is an orphan of a process that ended: ready to be taken in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._lines = 0
        self._torn = False
        self._held: deque[bytes] = deque()
        self._closed = False
        sweep(directory)
        self._path, self._descriptor = self._open()

    def append(self, event: UsageEvent) -> None:
        """One write of one line; what a killed process had answered is in the file.

        While the disk is full, lines are held in memory and written once there is room. Raises OSError when that
        begins, and for a line that is lost because too many are held. After `close`, it opens a segment that stays for
        the next process: requests are turned away until the very end.
        """
        line = _line(event)
        with self._guard:
            if self._closed:
                self._path, self._descriptor = self._open()
                self._lines, self._torn, self._closed = 0, False, False
            if self._held:
                self._hold(line)
                with suppress(OSError):
                    self._release()
                return
            try:
                self._write(line)
            except OSError:
                self._hold(line)
                raise

    def rotate(self) -> tuple[Path, ...]:
        """The segments that are ready to be taken in: what was written so far, and those of dead processes."""
        with self._guard:
            if self._held and not self._closed:
                with suppress(OSError):
                    self._release()
            if self._lines and not self._closed:
                full = self._descriptor
                self._path, self._descriptor = self._open()
                os.close(full)
                self._lines, self._torn = 0, False
        return tuple(path for path in sorted(self._directory.glob("*.jsonl")) if _is_free(path))

    def close(self) -> None:
        """End writing; what is left is ready for the next process, or for a last `rotate`."""
        with self._guard:
            if self._closed:
                return
            if self._held:
                with suppress(OSError):
                    self._release()
            self._closed = True
            os.close(self._descriptor)
            if not self._lines:
                self._path.unlink(missing_ok=True)

    @property
    def held(self) -> int:
        """Lines that wait in memory for room on the disk; they are lost where the process is killed."""
        return len(self._held)

    def _write(self, line: bytes) -> None:
        whole = b"\n" * self._torn + line  # Half a line, left by a full disk, ends before the next one begins.
        written = os.write(self._descriptor, whole)
        if written < len(whole):
            self._torn = self._torn or written > 0
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._torn = False
        self._lines += 1

    def _hold(self, line: bytes) -> None:
        if len(self._held) >= _MOST_HELD:
            raise OSError(errno.ENOSPC, f"{_MOST_HELD} rows wait in memory already")
        self._held.append(line)

    def _release(self) -> None:
        """Write what is held, as far as there is room; raises OSError where there is none."""
        while self._held:
            self._write(self._held[0])
            self._held.popleft()

    def _open(self) -> tuple[Path, int]:
        """Locked before it has its name: no one ever sees it free."""
        path = self._directory / f"{uuid.uuid4().hex}.jsonl"
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        hidden.rename(path)
        return path, descriptor


def _line(event: UsageEvent) -> bytes:
    asked = event["asked_model"]
    if len(asked) > _ASKED_CHARACTERS or not asked.isascii():
        event = {**event, "asked_model": storable(asked[:_ASKED_CHARACTERS])}
    return orjson.dumps(event, str, orjson.OPT_APPEND_NEWLINE)  # A Decimal is written as its text.


def sweep(directory: Path, rejected_for: timedelta | None = None) -> int:
    """Take away what processes left that were killed as they began a segment: it has no line yet.

    With `rejected_for`, also segments that were set aside that long ago. Returns how many files.
    """
    old = {"*.new": _BEGUN_SECONDS} | ({"*.rejected": rejected_for.total_seconds()} if rejected_for else {})
    count = 0
    for path, seconds in [(path, seconds) for name, seconds in old.items() for path in directory.glob(name)]:
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > seconds and _is_free(path):
                path.unlink()
                count += 1
    return count


def _is_free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
