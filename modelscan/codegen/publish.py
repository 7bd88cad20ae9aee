"""Publishes a client and its test as files, each replaced in one step."""

import hashlib
import os
from pathlib import Path

from modelscan.codegen.render import module_name
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused
from modelscan.types import ClientSpec, Frozen

__all__ = ["Published", "place_of", "publish_files"]


class Published(Frozen):
    """What was written: file names within the folder, and the SHA-256 of the client's bytes."""

    path: str
    test_path: str
    sha256: str


def publish_files(folder: Path, spec: ClientSpec, client_source: str, test_source: str) -> Published:
    """Write the test, then the client, each in one step, unless they are there. Raises as `place_of`, and OSError."""
    place = place_of(folder, spec, client_source)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in ((folder / place.test_path, test_source), (folder / place.path, client_source)):
        if not _holds(path, text.encode()):
            _replace(path, text.encode())
    return place


def place_of(folder: Path, spec: ClientSpec, client_source: str) -> Published:
    """Where a client's files belong. Raises GenerationRefused rather than have another one's module overwritten."""
    module = module_name(spec.provider)
    _refuse_other(folder / f"{module}.py", spec)
    sha256 = hashlib.sha256(client_source.encode()).hexdigest()
    return Published(path=f"{module}.py", test_path=f"test_{module}.py", sha256=sha256)


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == len(data) and path.read_bytes() == data


def _refuse_other(path: Path, spec: ClientSpec) -> None:
    if path.is_symlink():
        raise GenerationRefused(
            f"{path.name} is a link, which is not written through.", hint="Remove it and try again."
        )
    if path.exists() and not path.is_file():
        raise GenerationRefused(f"{path.name} is there and is no plain file.", hint="Remove it and try again.")
    if path.exists() and (owner := read_spec(path.read_bytes()).provider) != spec.provider:
        raise GenerationRefused(
            f"{path.name} is the client of {owner}; {spec.provider} would overwrite it.",
            hint=f"Add the provider under another id, or remove {path.name}.",
            provider=spec.provider,
            owner=owner,
        )


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)  # Of a process that was killed, or a link that somebody laid there.
    try:
        with fresh.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
