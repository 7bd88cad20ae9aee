"""A catalogue of its own for each test, and the vocabulary to fill it with."""

from pathlib import Path

import pytest

from modelscan.catalog.database import Database
from tests.catalogues import migrate


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """A migrated catalogue."""
    database = Database(tmp_path / "catalogue.duckdb", wait_seconds=20)
    migrate(database)
    return database
