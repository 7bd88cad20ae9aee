"""Moves the journal into the catalogue."""

from modelscan.catalog import usage
from modelscan.catalog.database import Database
from modelscan.usage.journal import Journal

__all__ = ["flush"]


def flush(journal: Journal, database: Database) -> int:
    """Take in every segment that is ready; returns the rows added. A segment goes only after its rows are committed,
    and rows are known by request id: killed in between, the next flush takes it in again and adds nothing twice."""
    added = 0
    for segment in journal.rotate():
        added += usage.ingest(database, segment)
        segment.unlink(missing_ok=True)
    return added
