"""The journal and its way into the catalogue."""

import errno
import os
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from pydantic import SecretStr

from modelscan.catalog import keys as table
from modelscan.catalog import usage
from modelscan.catalog.connection import FileFault
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate, shipped_migrations
from modelscan.catalog.rows import rows
from modelscan.catalog.stats import stats
from modelscan.custody.sealing import Custody
from modelscan.errors import CatalogBusy
from modelscan.keys import store
from modelscan.types import Media, StatsQuery, UsageEvent, utc_now
from modelscan.usage.flush import flush
from modelscan.usage.journal import Journal

DYING = """
import os, sys
from pathlib import Path
from modelscan.types import UsageEvent, utc_now
from modelscan.usage.journal import Journal
journal = Journal(Path(sys.argv[1]))
journal.append(UsageEvent(request_id="killed", at=utc_now(), asked_model="m", status=200, latency_ms=1, generation=1))
os.kill(os.getpid(), 9)
"""


def event(request_id: str, **more: Any) -> UsageEvent:
    fields: dict[str, Any] = {"at": utc_now(), "asked_model": "m", "status": 200, "latency_ms": 2.0, "generation": 1}
    return cast(UsageEvent, {"request_id": request_id, **fields, **more})


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_every_event_becomes_one_row(database: Database, folder: Path) -> None:
    journal = Journal(folder)
    for number in range(5):
        journal.append(event(str(number), provider="acme", model="m", prompt_tokens=10, completion_tokens=None))
    assert flush(journal, database) == 5
    assert flush(journal, database) == 0
    (row,) = stats(database, StatsQuery(where={"model": "m", "provider": "acme"}))
    assert (row.requests, row.prompt_tokens, row.completion_tokens, row.without_usage) == (5, 50, 0, 0)
    journal.close()
    assert list(folder.iterdir()) == []


def test_a_segment_taken_in_twice_counts_once(database: Database, folder: Path) -> None:
    journal = Journal(folder)
    journal.append(event("1"))
    (segment,) = journal.rotate()
    assert [usage.ingest(database, segment), usage.ingest(database, segment)] == [1, 0]
    assert flush(journal, database) == 0
    journal.close()


def test_a_line_that_is_there_twice_and_a_row_that_was_taken_in_under_another_name_count_once(
    database: Database, folder: Path
) -> None:
    journal = Journal(folder)
    journal.append(event("1"))
    (segment,) = journal.rotate()
    copy = folder / "copy.jsonl"
    copy.write_bytes(segment.read_bytes() * 3)
    assert [usage.ingest(database, segment), usage.ingest(database, copy)] == [1, 0]
    other = folder / "other.jsonl"
    other.write_bytes(segment.read_bytes().replace(b'"1"', b'"2"') * 3)
    assert usage.ingest(database, other) == 1
    journal.close()


def test_a_row_keeps_all_that_its_event_says(database: Database, folder: Path) -> None:
    journal = Journal(folder)
    told = event(
        "1", provider="acme", model="m", key_id="k", stream=True, prompt_tokens=9, completion_tokens=5,
        first_byte_ms=1.5, operation="embeddings", token_id="t", client="batch",
        cached_tokens=4, cache_write_tokens=2, reasoning_tokens=3, media_tokens=Media(1, 2, 3, 4)._asdict(),
        estimated=True, cost_usd=Decimal("0.000000012345"), price_id="p", retries=2, fallbacks=1,
    )  # fmt: skip
    journal.append(told)
    assert flush(journal, database) == 1
    with database.read() as connection:
        (row,) = rows(connection, "FROM usage_tracking")
    assert [row.pop(f"{name}_tokens") for name in Media._fields] == [1, 2, 3, 4]
    row["media_tokens"] = told["media_tokens"]
    beside = {"batch", "latency_bucket", "first_byte_bucket"}
    assert {name: value for name, value in row.items() if value and name not in beside} == {**told, "at": row["at"]}
    assert abs(row["at"] - told["at"]) < timedelta(milliseconds=1)
    journal.close()


def test_a_journal_of_an_older_version_is_taken_in(database: Database, folder: Path) -> None:
    folder.mkdir()
    older = {"request_id": "1", "at": "2026-01-01T00:00:00+00:00", "asked_model": "m", "status": 200, "stream": False}
    older |= {"cancelled": False, "latency_ms": 1.0, "generation": 1, "newer": {"than": "this one"}}
    (folder / "old.jsonl").write_bytes(orjson.dumps(older) + b"\n")
    assert usage.ingest(database, folder / "old.jsonl") == 1
    with database.read() as connection:
        (row,) = rows(connection, "FROM usage_tracking")
    assert (row["operation"], row["estimated"], row["cost_usd"], row["retries"]) == ("chat", False, None, 0)


def test_rows_of_a_catalogue_before_the_details_are_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "old.duckdb")
    shipped = shipped_migrations()
    migrate(database, {name: sql for name, sql in shipped.items() if name < "0007"})
    with database.write() as connection:
        connection.execute(
            "INSERT INTO usage_tracking BY NAME SELECT 'r' AS request_id, now() AS at, 'm' AS asked_model,"
            " 200 AS status, false AS stream,"
            " false AS cancelled, 1.5 AS latency_ms, 3 AS generation, 7 AS prompt_tokens"
        )
    assert "0007_usage_details" in migrate(database)
    (row,) = stats(database)
    assert (row.requests, row.prompt_tokens) == (1, 7)


def test_a_killed_process_leaves_its_rows_to_the_next(database: Database, folder: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", DYING, str(folder)], check=False)
    assert killed.returncode == -9
    journal = Journal(folder)
    assert flush(journal, database) == 1
    journal.close()


def test_a_segment_that_another_process_writes_is_left_to_it(database: Database, folder: Path) -> None:
    theirs, ours = Journal(folder), Journal(folder)
    theirs.append(event("theirs"))
    assert flush(ours, database) == 0
    theirs.close()
    assert flush(ours, database) == 1
    ours.close()


def test_a_torn_last_line_is_skipped(database: Database, folder: Path) -> None:
    journal = Journal(folder)
    journal.append(event("whole"))
    (segment,) = journal.rotate()
    with segment.open("ab") as file:
        file.write(orjson.dumps(event("torn"))[:40])
    assert flush(journal, database) == 1
    journal.close()


def test_failed_and_cancelled_requests_are_counted_as_such(database: Database, folder: Path) -> None:
    journal = Journal(folder)
    journal.append(event("1", status=502, error_code="upstream-failed"))
    journal.append(event("2", cancelled=True, prompt_tokens=None))
    flush(journal, database)
    (row,) = stats(database)
    assert (row.requests, row.errors, row.cancelled, row.without_usage) == (2, 1, 1, 1)
    journal.close()


def test_a_keys_counters_are_the_sums_of_its_rows(database: Database, folder: Path) -> None:
    key = store.add_key(database, Custody(SecretStr("m")), "acme", SecretStr("sk-0123456789"))
    journal = Journal(folder)
    journal.append(event("1", provider="acme", key_id=key.id, prompt_tokens=7, completion_tokens=3))
    journal.append(event("2", provider="acme", key_id=key.id, status=500))
    flush(journal, database)
    (counted,) = table.list_keys(database)
    assert (counted.requests, counted.tokens, counted.score) == (2, 10, 2.01)
    journal.close()


def test_a_segment_that_vanishes_is_passed_over(folder: Path) -> None:
    journal = Journal(folder)
    dangling = folder / "0.jsonl"
    os.symlink(folder / "gone", dangling)
    assert journal.rotate() == ()
    journal.close()


def test_a_segment_that_holds_no_rows_is_set_aside_and_those_behind_it_go_on(
    database: Database, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal(folder)
    (folder / "0-foreign.jsonl").write_text('{"request_id": "x", "at": "2026-01-01T00:00:00Z"}\n')
    journal.append(event("behind"))
    assert flush(journal, database) == 1
    assert (folder / "0-foreign.jsonl.rejected").exists()
    assert "set aside" in caplog.text
    journal.close()
    assert flush(journal, database) == 0


def test_a_segment_that_another_process_took_in_has_no_rows(database: Database, folder: Path) -> None:
    assert usage.ingest(database, folder / "gone.jsonl") == 0


def test_a_segment_that_cannot_be_opened_is_not_lost(database: Database, folder: Path) -> None:
    (folder / "0.jsonl").mkdir(parents=True)
    with pytest.raises(FileFault):
        usage.ingest(database, folder / "0.jsonl")


def test_a_busy_catalogue_leaves_the_segment_where_it_is(folder: Path, tmp_path: Path) -> None:
    database = Database(tmp_path / "busy.duckdb", wait_seconds=0.05)
    migrate(database)
    journal = Journal(folder)
    journal.append(event("1"))
    with database.write(), pytest.raises(CatalogBusy):
        flush(journal, Database(tmp_path / "busy.duckdb", wait_seconds=0.05))
    assert flush(journal, database) == 1
    journal.close()


REAL_WRITE = os.write


def no_room(_: int, line: bytes) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def half_a_line(descriptor: int, line: bytes) -> int:
    return REAL_WRITE(descriptor, line[:20])


@pytest.mark.parametrize("write", [no_room, half_a_line])
@pytest.mark.parametrize("then", ["append", "rotate", "close"])
def test_a_full_disk_costs_no_line(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch, write: Any, then: str
) -> None:
    journal = Journal(folder)
    journal.append(event("before"))
    with monkeypatch.context() as full:
        full.setattr(os, "write", write)
        with pytest.raises(OSError, match="No space"):
            journal.append(event("first"))
        journal.append(event("second"))
        assert journal.held == 2
        assert flush(journal, database) == 1
    if then == "append":
        journal.append(event("third"))
        assert journal.held == 0
    if then == "close":
        journal.close()
    assert flush(journal, database) == (3 if then == "append" else 2)
    assert journal.held == 0
    journal.close()


def test_what_is_held_while_the_disk_is_full_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelscan.usage.journal._MOST_HELD", 2)
    monkeypatch.setattr(os, "write", no_room)
    journal = Journal(folder)
    with pytest.raises(OSError, match="No space"):
        journal.append(event("1"))
    journal.append(event("2"))
    with pytest.raises(OSError, match="2 rows wait in memory already"):
        journal.append(event("3"))
    journal.close()


def test_what_comes_after_the_journal_was_closed_is_there_for_the_next_process(
    database: Database, folder: Path
) -> None:
    journal = Journal(folder)
    journal.append(event("1"))
    journal.close()
    journal.close()
    journal.append(event("2"))
    assert flush(Journal(folder), database) == 1  # Not what is still being written.
    journal.close()
    assert flush(Journal(folder), database) == 1


def test_a_callers_name_for_a_model_is_kept_short_and_storable(database: Database, folder: Path) -> None:
    journal = Journal(folder)
    journal.append(event("1", asked_model="\ud800" + "x" * 1000))
    assert flush(journal, database) == 1
    with database.read() as connection:
        ((asked,),) = connection.execute("SELECT asked_model FROM usage_tracking").fetchall()
    assert len(asked) <= 256
    assert asked.endswith("xxx")
    journal.close()


def test_what_a_killed_process_only_began_is_swept_away(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    old, young = folder / "old.new", folder / "young.new"
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    with closing(Journal(folder)):
        assert (old.exists(), young.exists()) == (False, True)
