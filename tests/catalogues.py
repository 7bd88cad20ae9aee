"""Catalogues of their own for tests, as copies of one that was migrated once: a third of what a migration costs."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from modelscan.catalog import migrate as really
from modelscan.catalog.database import Database

__all__ = ["migrate"]


def migrate(database: Database) -> None:
    """As modelscan.catalog.migrate.migrate: also a catalogue that is there already is brought up to date."""
    if database.path.exists():
        really.migrate(database)
        return
    database.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copy(_migrated(), database.path)


@cache
def _migrated() -> Path:
    """A catalogue without a row, one for each process."""
    folder = tempfile.mkdtemp(prefix="modelscan-catalogue-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "catalogue.duckdb"
    really.migrate(Database(path))
    return path
