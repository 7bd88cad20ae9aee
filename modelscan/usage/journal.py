"""The usage journal: one line a request, written before its answer is complete."""

import errno
import fcntl
import os
import threading
import uuid
from dataclasses import replace
from pathlib import Path

import orjson

from modelscan.catalog.rows import storable
from modelscan.types import UsageEvent

__all__ = ["Journal"]

_ASKED_CHARACTERS = 256
"""What is kept of the model's name as the caller wrote it, who may write anything."""


class Journal:
    """Segments of JSON lines in `directory`. The one being written is locked by its writer, so several processes may
    share the directory, and a segment that nobody locks is an orphan of a process that ended: ready to be taken in."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._guard = threading.Lock()
        self._lines = 0
        self._torn = False
        self._closed = False
        self._path, self._descriptor = self._open()

    def append(self, event: UsageEvent) -> None:
        """One write of one line; what a killed process had answered is in the file. Raises OSError (a full disk)."""
        line = _line(event)
        with self._guard:
            if self._closed:
                raise OSError(errno.EBADF, "the journal is closed")
            self._lines += 1
            line = b"\n" * self._torn + line  # Half a line, left by a full disk, ends before the next one begins.
            self._torn = os.write(self._descriptor, line) < len(line)
            if self._torn:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def rotate(self) -> tuple[Path, ...]:
        """The segments that are ready to be taken in: what was written so far, and those of dead processes."""
        with self._guard:
            if self._lines and not self._closed:
                full = self._descriptor
                self._path, self._descriptor = self._open()
                os.close(full)
                self._lines = 0
        return tuple(path for path in sorted(self._directory.glob("*.jsonl")) if _is_free(path))

    def close(self) -> None:
        """End writing; what is left is ready for the next process, or for a last `rotate`."""
        with self._guard:
            if self._closed:
                return
            self._closed = True
            os.close(self._descriptor)
            if not self._lines:
                self._path.unlink(missing_ok=True)

    def _open(self) -> tuple[Path, int]:
        """Locked before it has its name: no one ever sees it free."""
        path = self._directory / f"{uuid.uuid4().hex}.jsonl"
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        hidden.rename(path)
        return path, descriptor


def _line(event: UsageEvent) -> bytes:
    asked = event.asked_model[:_ASKED_CHARACTERS]
    if asked is not event.asked_model or not asked.isascii():
        event = replace(event, asked_model=storable(asked))
    return orjson.dumps(event, str, orjson.OPT_APPEND_NEWLINE)  # A Decimal is written as its text.


def _is_free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, FileNotFoundError):
        return False
    return True
