"""Where the master key comes from: the environment, else a file of the data directory that its owner alone reads."""

import base64
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import SecretStr

from modelscan.errors import InvalidConfiguration

__all__ = ["LEAST_CHARACTERS", "MASTER_VARIABLE", "Masters", "made_master"]

LEAST_CHARACTERS = 32
MASTER_VARIABLE = "MODELSCAN_MASTER_KEY"


class Masters:
    """MODELSCAN_MASTER_KEY, else `data_dir`/master.key, made (0600) at the first start.

    The file holds one key a line. The first one seals; there are others while a rotation is under way.
    """

    def __init__(self, data_dir: Path, environ: Mapping[str, str]) -> None:
        self.path = data_dir / "master.key"
        given = environ.get(MASTER_VARIABLE)
        self.given = SecretStr(given) if given else None
        """Of the environment; with it no file is read or made."""

    def read(self) -> tuple[SecretStr, ...]:
        """All of them, the one that seals first; raises InvalidConfiguration for a file that cannot be used."""
        if self.given:
            return (self.given,)
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.path.exists():
            with suppress(FileExistsError):  # The first of several processes wins, and no one ever sees half a file.
                self._place((made_master(),), os.link)
        self._refuse_readable_by_others()
        return tuple(self._whole(line) for line in self._lines())

    def write(self, masters: Sequence[SecretStr]) -> None:
        """Replace the file in one step, on the disk when this returns."""
        self._place(masters, os.replace)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes the master key meanwhile."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def stamp(self) -> tuple[int, int] | None:
        """Another one once the file is another one; None where the environment gives the key."""
        if self.given:
            return None
        with suppress(FileNotFoundError):
            status = self.path.stat()
            return status.st_ino, status.st_mtime_ns
        return None

    def _lines(self) -> list[str]:
        return self.path.read_text(errors="replace").split() or [""]

    def _whole(self, line: str) -> SecretStr:
        if len(line) < LEAST_CHARACTERS:
            raise InvalidConfiguration(
                f"{self.path.name} in the data directory is not whole: {len(line)} characters.",
                hint="Restore it. Without it the stored keys are lost: delete it, and add them again.",
            )
        return SecretStr(line)

    def _refuse_readable_by_others(self) -> None:
        mode = stat.S_IMODE(self.path.stat().st_mode)
        if mode & 0o077:
            raise InvalidConfiguration(
                f"{self.path.name} in the data directory is open to other users (mode {mode:04o}): it is not used.",
                hint=f"Close it: chmod 600 {self.path}. If others may have read it: modelscan keys rotate-master.",
            )

    def _place(self, masters: Sequence[SecretStr], put: Callable[[str, Path], None]) -> None:
        descriptor, fresh = tempfile.mkstemp(prefix=f".{self.path.name}.", dir=self.path.parent)  # 0600
        try:
            with open(descriptor, "w") as file:
                file.write("\n".join(master.get_secret_value() for master in masters))
                file.flush()
                os.fsync(descriptor)
            put(fresh, self.path)
            _settle(self.path.parent)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(fresh)


def made_master() -> SecretStr:
    """256 bits, as text."""
    return SecretStr(base64.urlsafe_b64encode(os.urandom(32)).decode())


def _settle(folder: Path) -> None:
    """A name is on the disk once its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
