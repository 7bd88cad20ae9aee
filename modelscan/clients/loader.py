"""Reads a published client's file, which must be the one that was proved."""

import errno
import hashlib
import os
import stat
from pathlib import Path

from modelscan.errors import GenerationRefused
from modelscan.types import SdkVersion

__all__ = ["published_bytes"]

_MAX_BYTES = 8 * 2**20
"""Twice what the gate lets through."""


def published_bytes(folder: Path, version: SdkVersion) -> bytes:
    """The module's source; GenerationRefused where it is not there, or is not what was published."""
    try:
        source = _regular(folder / version.path)
    except OSError as error:
        raise _refused(version, f"{version.path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(source).hexdigest() != version.sha256:
        raise _refused(version, f"{version.path} is not the file that was proved: its SHA-256 differs")
    return source


def _regular(path: Path) -> bytes:
    """The bytes of a plain file of a sensible size: no link leads elsewhere, and no pipe keeps the reader waiting."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is no plain file")
        if status.st_size > _MAX_BYTES:
            raise OSError(errno.EFBIG, f"it has more than {_MAX_BYTES} bytes")
        return file.read()


def _refused(version: SdkVersion, why: str) -> GenerationRefused:
    return GenerationRefused(
        f"Version {version.version} of {version.provider} is not served: {why}.",
        hint=f"Generate it again: modelscan add {version.provider} --refresh",
        provider=version.provider,
    )
