"""Moves the journal into the catalogue."""

import logging
from pathlib import Path

from modelscan.catalog import usage
from modelscan.catalog.database import Database
from modelscan.errors import CatalogBusy, CatalogError
from modelscan.usage.journal import Journal

__all__ = ["flush"]

_log = logging.getLogger(__name__)


def flush(journal: Journal, database: Database) -> int:
    """Take in every segment that is ready; returns the rows added. A segment goes only after its rows are committed,
    and rows are known by request id: killed in between, the next flush takes it in again and adds nothing twice."""
    added = 0
    for segment in journal.rotate():
        added += _take(segment, database)
    return added


def _take(segment: Path, database: Database) -> int:
    try:
        added = usage.ingest(database, segment)
    except CatalogBusy:
        raise
    except CatalogError as error:
        # Set aside, since those that come after it would wait behind it for ever.
        _log.error("a usage segment was set aside as %s.rejected: %s", segment.name, error)
        segment.rename(segment.with_name(f"{segment.name}.rejected"))
        return 0
    segment.unlink(missing_ok=True)
    return added
