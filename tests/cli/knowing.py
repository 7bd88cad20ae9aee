"""A catalogue in which sources have answered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelscan.catalog import records
from modelscan.catalog.database import Database
from modelscan.types import Fact, SourceRecord
from tests.catalogues import migrate

__all__ = ["tell"]


def tell(home: Path, source: str, said: Mapping[tuple[str, str], Any], *, stale: bool = False) -> None:
    """`source` says of acme, by (subject, field)."""
    database = Database(home / "data" / "modelscan.duckdb")
    migrate(database)
    url = f"https://{source}/list"
    record = SourceRecord.of(source=source, subject="acme", url=url, payload=source, trusted=True, stale=stale)
    facts = [
        Fact(subject=subject, field=field, value=value, record=record.id, confidence=0.9)
        for (subject, field), value in said.items()
    ]
    records.save(database, [record], facts)
