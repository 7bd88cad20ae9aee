"""The bytes of a published version, wherever they are whole: in its file, or in the copy that the catalogue keeps."""

import hashlib
import logging
from pathlib import Path
from typing import NamedTuple

from modelscan.catalog import kept, versions
from modelscan.catalog.database import Database
from modelscan.clients.loader import published_bytes
from modelscan.codegen.publish import publish_files
from modelscan.codegen.render import render_test
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused
from modelscan.types import Kept, SdkVersion

__all__ = ["Source", "files_of", "settle", "source_of"]

_log = logging.getLogger(__name__)


class Source(NamedTuple):
    """A version's client."""

    client: bytes
    fault: str = ""
    """Why its file in the folder is not what was published; empty where it is."""


def source_of(database: Database, folder: Path, version: SdkVersion) -> Source:
    """Its bytes, which are those that were proved; raises GenerationRefused where they are nowhere."""
    try:
        return Source(published_bytes(folder, version))
    except GenerationRefused as error:
        found = files_of(database, version)
        if found is None:
            raise
        return Source(found.client.encode(), error.message)


def files_of(database: Database, version: SdkVersion) -> Kept | None:
    """The copy that is kept, where it is whole."""
    found = kept.kept(database, version.provider, version.version)
    return found if found and hashlib.sha256(found.client.encode()).hexdigest() == version.sha256 else None


def settle(database: Database, folder: Path) -> None:
    """Keep what is served and is not kept yet, and bring back files that are gone; a file that was changed stays."""
    for version in versions.active(database):
        try:
            if version.version not in kept.kept_numbers(database, version.provider):
                _adopt(database, published_bytes(folder, version), version)
            elif not (folder / version.path).exists() and (found := files_of(database, version)):
                publish_files(folder, read_spec(found.client), *found)
        except (GenerationRefused, OSError) as error:  # The registry tells of what cannot be served.
            _log.info("the files of %s stay as they are: %s", version.provider, error)


def _adopt(database: Database, client: bytes, version: SdkVersion) -> None:
    files = Kept(client.decode(), render_test(read_spec(client)))
    with database.write() as connection:
        kept.keep(connection, version.provider, version.version, files)
