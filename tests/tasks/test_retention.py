"""Prefect's own database is kept small: what ended long ago is removed in batches, and the file gives back its room."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from tasks import retention
from tasks.retention import Forgotten, forget_runs, put_by, vacuumed

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


class Client:
    """A Prefect that holds so many old runs, with an artifact each."""

    def __init__(self, runs: int, *, deletes: bool = True) -> None:
        self.runs = [FlowRun(flow_id=uuid4()) for _ in range(runs)]
        self.artifacts = {run.id: uuid4() for run in self.runs}
        self.deletes = deletes

    async def read_flow_runs(self, flow_run_filter: Any, limit: int) -> list[FlowRun]:
        assert flow_run_filter.end_time.before_ == LONG_AGO
        assert {state.value for state in flow_run_filter.state.type.any_} == {
            "COMPLETED",
            "FAILED",
            "CRASHED",
            "CANCELLED",
        }
        return self.runs[:limit]

    async def read_artifacts(self, artifact_filter: Any, limit: int) -> list[Any]:
        found = [self.artifacts[run] for run in artifact_filter.flow_run_id.any_ if run in self.artifacts]
        return [SimpleNamespace(id=one) for one in found[:limit]]

    async def delete_artifact(self, artifact: UUID) -> None:
        self.artifacts = {run: one for run, one in self.artifacts.items() if one != artifact}

    async def request(self, method: str, path: str, json: Any) -> Any:
        assert (method, path) == ("POST", "/flow_runs/bulk_delete")
        asked = json["flow_runs"]["id"]["any_"] if self.deletes else []
        assert len(asked) <= 50
        self.runs = [run for run in self.runs if str(run.id) not in asked]
        return SimpleNamespace(json=lambda: {"deleted": asked})


def test_what_ended_long_ago_is_removed_in_batches() -> None:
    client = Client(120)
    assert asyncio.run(forget_runs(cast("PrefectClient", client), LONG_AGO)) == Forgotten(120, 120)
    assert (client.runs, client.artifacts) == ([], {})


def test_what_prefect_does_not_remove_is_not_asked_for_for_ever() -> None:
    assert asyncio.run(forget_runs(cast("PrefectClient", Client(3, deletes=False)), LONG_AGO)) == Forgotten(0, 3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE big (blob)")
        connection.executemany("INSERT INTO big VALUES (?)", [(b"0" * 1_000_000,)] * 20)
        connection.commit()
        connection.execute("DELETE FROM big WHERE rowid > 2")
        connection.commit()
    return path


def test_a_file_that_is_mostly_empty_gives_back_its_room(file: Path) -> None:
    before = file.stat().st_size
    given = vacuumed(file)
    assert given == before - file.stat().st_size > 15_000_000
    assert vacuumed(file) == 0


def test_a_file_that_somebody_holds_is_left_for_the_next_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert vacuumed(file) == 0
    assert vacuumed(file.with_name("none.db")) == 0


def test_a_long_log_begins_anew_under_whoever_writes_it(tmp_path: Path) -> None:
    short, long = tmp_path / "prefect.log", tmp_path / "runner.log"
    short.write_text("a line\n")
    with long.open("ab", buffering=0) as writing:
        writing.write(b"old\n" * 10)
        assert put_by(tmp_path, 20) == 1
        writing.write(b"new\n")
        assert (short.read_text(), long.read_text()) == ("a line\n", "new\n")
        kept = tmp_path / "runner.log.1"
        assert kept.read_text() == "old\n" * 10
        assert kept.stat().st_mode & 0o777 == 0o600
        assert put_by(tmp_path, 20) == 0
        writing.write(b"newer\n" * 10)
        assert put_by(tmp_path, 20) == 1
        assert kept.read_text() == "new\n" + "newer\n" * 10
    assert put_by(tmp_path / "nowhere") == 0
