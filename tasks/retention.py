"""Keeps Prefect's own database and the files of logs small: runs that ended long ago go, with all that is theirs."""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterEndTime,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES

__all__ = ["Forgotten", "forget_runs", "put_by", "vacuumed"]

_AT_ONCE = 50
"""Prefect's API deletes no more in one go."""
_WORTH_BYTES = 8 * 2**20
_BUSY_SECONDS = 10.0
_LONGEST_LOG = 16 * 2**20
"""Bytes."""


class Forgotten(NamedTuple):
    """How many were removed."""

    runs: int
    artifacts: int


async def forget_runs(client: PrefectClient, before: datetime) -> Forgotten:
    """Remove, in batches, what ended before that; their artifacts first, which Prefect would leave behind."""
    runs = artifacts = 0
    ended = FlowRunFilterState(type=FlowRunFilterStateType(any_=list(TERMINAL_STATES)))
    wanted = FlowRunFilter(state=ended, end_time=FlowRunFilterEndTime(before_=before))
    while found := await client.read_flow_runs(flow_run_filter=wanted, limit=_AT_ONCE):
        ids = [run.id for run in found]
        artifacts += await _forget_artifacts(client, ids)
        asked = {"flow_runs": FlowRunFilter(id=FlowRunFilterId(any_=ids)).model_dump(mode="json", exclude_none=True)}
        # Prefect's client lists the routes that it knows of its server, and not this one.
        answer = await client.request("POST", "/flow_runs/bulk_delete", json=asked)  # type: ignore[arg-type]
        if not (deleted := answer.json()["deleted"]):
            break
        runs += len(deleted)
    return Forgotten(runs, artifacts)


async def _forget_artifacts(client: PrefectClient, runs: list[UUID]) -> int:
    count = 0
    of_runs = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=runs))
    while found := await client.read_artifacts(artifact_filter=of_runs, limit=_AT_ONCE):
        for artifact in found:
            await client.delete_artifact(artifact.id)
        count += len(found)
    return count


def vacuumed(path: Path) -> int:
    """Have a SQLite file give back what it does not use, where that is worth it; returns the bytes.

    Nothing is given back while somebody holds the file for long; the next time will do.
    """
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)) as connection:
        try:
            return _vacuumed(connection, path)
        except sqlite3.OperationalError:
            return 0


def _vacuumed(connection: sqlite3.Connection, path: Path) -> int:
    ((free,), (page,)) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("freelist_count", "page_size"))
    before = path.stat().st_size
    if free * page < max(_WORTH_BYTES, before // 4):
        return 0
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return max(0, before - path.stat().st_size)


def put_by(folder: Path, most: int = _LONGEST_LOG) -> int:
    """Begin each log of more than `most` bytes anew, and keep what it holds as NAME.1, in the place of the one before.

    Whoever writes goes on writing to the same file, at its new end; a line of the moment between is lost. Returns how
    many.
    """
    count = 0
    for log in sorted(folder.glob("*.log")):
        if log.stat().st_size > most:
            kept = log.with_name(f"{log.name}.1")
            kept.touch(mode=0o600)
            shutil.copyfile(log, kept)
            os.truncate(log, 0)
            count += 1
    return count
