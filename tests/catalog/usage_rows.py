"""Usage for tests: events written to segments and taken in."""

import itertools
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from modelscan.catalog import usage
from modelscan.catalog.database import Database
from modelscan.types import UsageEvent
from modelscan.usage.journal import Journal

_NUMBERS = itertools.count()


def an_event(at: datetime, **more: Any) -> UsageEvent:
    """A good answer of acme/anvil unless told otherwise."""
    fields: dict[str, Any] = {"asked_model": "anvil", "provider": "acme", "model": "anvil", "status": 200}
    fields |= {"latency_ms": 100.0, "generation": 1}
    return cast(UsageEvent, {"request_id": f"r{next(_NUMBERS)}", "at": at, **fields, **more})


def take_in(database: Database, *events: UsageEvent) -> int:
    """As one segment; returns how many rows were new."""
    journal = Journal(Path(f"{database.path}.journal"))
    for event in events:
        journal.append(event)
    added = 0
    for segment in journal.rotate():
        added += usage.ingest(database, segment)
        segment.unlink()
    journal.close()
    return added
