"""Short connections: transactions, and many processes at once."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from modelscan.catalog import records
from modelscan.catalog.connection import Refused
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate, shipped_migrations
from modelscan.errors import CatalogBusy, CatalogError

WRITER = """
import sys
from pathlib import Path
import orjson
from modelscan.catalog import discoveries, records, usage
from modelscan.catalog.connection import Refused
from modelscan.catalog.database import Database
from modelscan.types import Discovery, SourceRecord, UsageEvent, utc_now
path, number = Path(sys.argv[1]), sys.argv[2]
database = Database(path)
for turn in range(10):
    name = f"{number}-{turn}"
    records.save(database, [SourceRecord.of(source="s", subject=name, url="u", payload=turn, trusted=True)])
    discoveries.create(database, Discovery(id=name, identifier="a/b", created_at=utc_now()))
    journal = path.with_name(f"{name}.jsonl")
    event = UsageEvent(request_id=name, at=utc_now(), asked_model="m", status=200, latency_ms=1, generation=1)
    journal.write_bytes(orjson.dumps(event) + b'\\n')
    assert usage.ingest(database, journal) == 1
"""

HOLDER = """
import sys, duckdb
held = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
held.close()
"""


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def test_four_processes_write_at_once_and_nothing_is_lost(database: Database) -> None:
    command = [sys.executable, "-c", WRITER, str(database.path)]
    writers = [subprocess.Popen([*command, str(number)], stderr=subprocess.PIPE, text=True) for number in range(4)]
    said = [writer.communicate(timeout=120)[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, said
    assert [count(database, table) for table in ("source_records", "discovery_logs", "usage_tracking")] == [40] * 3


def test_threads_of_one_process_read_and_write_at_once(database: Database) -> None:
    def work(number: int) -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO settings VALUES (?, 'x')", [str(number)])
        assert count(database, "settings") >= 1

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(database, "settings") == 8


def test_an_error_rolls_the_transaction_back(database: Database) -> None:
    def broken() -> None:
        with database.write() as connection:
            connection.execute("INSERT INTO settings VALUES ('a', 'b')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert count(database, "settings") == 0


def test_a_strangers_process_is_waited_for(database: Database) -> None:
    with held(database.path) as holder:
        assert holder.stdin is not None
        threading.Timer(0.3, holder.stdin.close).start()
        with database.write() as connection:
            connection.execute("INSERT INTO settings VALUES ('a', 'b')")
    assert count(database, "settings") == 1


def test_a_stranger_that_stays_is_a_clear_error(database: Database) -> None:
    impatient = Database(database.path, wait_seconds=0.1)
    with (
        held(database.path),
        pytest.raises(CatalogBusy, match=r"held by another process.*wait_seconds"),
        impatient.read(),
    ):
        raise AssertionError("it was held")


def test_a_file_that_is_no_database_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "text.duckdb"
    path.write_text("no database, and long enough to be looked at closely" * 100)
    with pytest.raises(Exception, match="not a valid DuckDB"):
        migrate(Database(path, wait_seconds=5))


def test_the_folder_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "new" / "catalogue.duckdb")
    migrate(database)
    assert database.path.parent.stat().st_mode & 0o777 == 0o700
    assert records.get_record(database, "none") is None


def held(path: Path) -> "subprocess.Popen[str]":
    """A process of somebody else's that has the file open, until its stdin closes."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_catalogue_that_was_never_made_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="There is no catalogue"), Database(tmp_path / "none.duckdb").read():
        raise AssertionError("not reached")


def test_a_file_that_is_empty_of_tables_is_brought_up_to_date(tmp_path: Path) -> None:
    database = Database(tmp_path / "empty.duckdb")
    with database.write() as connection:
        connection.execute("SELECT 1")
    assert migrate(database) == tuple(shipped_migrations())


SHELL = "import duckdb, sys; duckdb.connect(sys.argv[1]).execute('CREATE OR REPLACE TABLE mine (id INTEGER)')"


def test_between_two_uses_the_file_is_free_for_a_persons_own_shell(database: Database) -> None:
    for _ in range(3):
        migrate(database)
        subprocess.run([sys.executable, "-c", SHELL, str(database.path)], check=True, timeout=60)
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM mine").fetchall() == [(0,)]


def test_readers_of_one_process_read_side_by_side(database: Database) -> None:
    with database.read() as one, Database(database.path).read() as other:
        assert one.execute("SELECT 1").fetchall() == other.execute("SELECT 1").fetchall()
        with pytest.raises(Refused, match="read-only"):
            one.execute("CREATE TABLE x (id INTEGER)")
    with database.write() as connection:
        connection.execute("CREATE TABLE x (id INTEGER)")


class Stuck:
    """A DuckDB that fails at one statement."""

    def __init__(self, statement: str) -> None:
        self._real, self._statement = duckdb.connect(), statement

    def cursor(self) -> object:
        return Stuck(self._statement) if self._statement == "USE" else self._real.cursor()

    def execute(self, sql: str, _: object = ()) -> None:
        if sql.startswith(self._statement):
            raise duckdb.IOException("No space left on device")
        self._real.execute(sql)

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize("statement", ["ATTACH", "USE"])
def test_an_engine_that_cannot_begin_says_so_and_is_used_again(database: Database, statement: str) -> None:
    engine = database._engine
    engine._engine = cast("Any", Stuck(statement))
    with pytest.raises(CatalogError, match="No space left"), database.read():
        raise AssertionError("not reached")
    assert engine._users == 0
    engine._engine = None
    assert migrate(database) == ()


def test_an_engine_that_cannot_let_go_is_replaced(database: Database) -> None:
    database._engine._engine = cast("Any", Stuck("DETACH"))
    with database.write() as connection:
        connection.execute("CREATE TABLE kept (id INTEGER)")
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]
