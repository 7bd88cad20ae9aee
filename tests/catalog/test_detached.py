"""The catalogue through a process of its own: the same answers and errors, and a death that costs one transaction."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelscan.catalog.connection import ConstraintBroken, FileFault, Refused, TableMissing
from modelscan.catalog.database import Database
from modelscan.catalog.detached import DetachedDatabase
from modelscan.catalog.migrate import migrate, shipped_migrations
from modelscan.catalog.stats import stats
from modelscan.errors import CatalogBusy, CatalogError
from tests.e2e.service import eventually


@pytest.fixture
def detached(tmp_path: Path) -> Iterator[DetachedDatabase]:
    database = DetachedDatabase(Database(tmp_path / "catalogue.duckdb", 5.0))
    yield database
    database.close()


def process_of(database: DetachedDatabase) -> "subprocess.Popen[bytes]":
    assert database._process is not None
    return database._process


def test_it_answers_as_a_database_of_this_process_does(detached: DetachedDatabase) -> None:
    with pytest.raises(CatalogError, match="There is no catalogue"), detached.read():
        raise AssertionError("not reached")
    assert migrate(detached) == tuple(shipped_migrations())
    with detached.write() as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY, text VARCHAR)")
        connection.execute("INSERT INTO numbers VALUES (?, ?), (2, 'zwei')", [1, "eins"])
    with detached.read() as connection:
        found = connection.execute("SELECT * FROM numbers WHERE n <= $most ORDER BY n", {"most": 2})
        assert (found.names, found.fetchall()) == (("n", "text"), [(1, "eins"), (2, "zwei")])
        assert connection.execute("SELECT n FROM numbers WHERE n = 7").fetchone() is None
    assert stats(detached) == ()
    with Database(detached.path).read() as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (2,)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("SELECT * FROM nowhere", TableMissing),
        ("INSERT INTO numbers VALUES (1)", ConstraintBroken),
        ("SELECT * FROM read_json('/nowhere/x.json')", FileFault),
        ("SELEC", Refused),
    ],
)
def test_its_errors_are_the_same_and_roll_back(detached: DetachedDatabase, sql: str, kind: type[Refused]) -> None:
    with detached.write() as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
        connection.execute("INSERT INTO numbers VALUES (1)")

    def wrong(error: Exception | None = None) -> None:
        with detached.write() as connection:
            connection.execute("INSERT INTO numbers VALUES (2)")
            if error:
                raise error
            connection.execute(sql)

    with pytest.raises(Refused) as failed:
        wrong()
    assert type(failed.value) is kind
    with pytest.raises(LookupError):
        wrong(LookupError())
    with detached.read() as connection:
        assert connection.execute("SELECT n FROM numbers").fetchall() == [(1,)]


def test_a_held_file_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.duckdb"
    detached = DetachedDatabase(Database(path, 0.2))
    with Database(path).write(), pytest.raises(CatalogBusy, match=r"0\.2 s"), detached.read():
        raise AssertionError("not reached")
    migrate(detached)
    detached.close()


def test_a_death_costs_its_transaction_alone(detached: DetachedDatabase) -> None:
    with detached.write() as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER)")

    def interrupted() -> None:
        with detached.write() as connection:
            connection.execute("INSERT INTO numbers VALUES (1)")
            process_of(detached).kill()
            process_of(detached).wait()
            connection.execute("INSERT INTO numbers VALUES (2)")

    with pytest.raises(CatalogError, match="ended within a transaction"):
        interrupted()
    with detached.read() as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (0,)


def test_it_ends_once_it_idles_and_is_started_again(tmp_path: Path) -> None:
    detached = DetachedDatabase(Database(tmp_path / "catalogue.duckdb"), idle_seconds=0.05)
    migrate(detached)
    first = process_of(detached)
    assert first.wait(10) == 0
    with detached.read() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert process_of(detached).pid != first.pid
    detached.close()
    detached.close()
    with pytest.raises(CatalogError, match="is closed"), detached.read():
        raise AssertionError("not reached")
    assert detached._process is None


def test_threads_take_turns(detached: DetachedDatabase) -> None:
    with detached.write() as connection:
        connection.execute("CREATE TABLE numbers (n INTEGER)")

    def add(number: int) -> None:
        with detached.write() as connection:
            connection.execute("INSERT INTO numbers VALUES (?)", [number])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    with detached.read() as connection:
        assert connection.execute("SELECT count(DISTINCT n) FROM numbers").fetchone() == (40,)


OWNER = """
import sys
from pathlib import Path
from modelscan.catalog.database import Database
from modelscan.catalog.detached import DetachedDatabase
detached = DetachedDatabase(Database(Path(sys.argv[1])))
with detached.write() as connection:
    connection.execute("CREATE TABLE numbers (n INTEGER)")
    assert "duckdb" not in sys.modules
    print(detached._process.pid, flush=True)
    sys.stdin.read()
"""


def test_it_does_not_outlive_a_killed_owner_and_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "catalogue.duckdb"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        worker = int(owner.stdout.readline())
        owner.send_signal(signal.SIGKILL)
    eventually(lambda: not _runs(worker), seconds=10, what="the worker's end")
    assert migrate(Database(path)) == tuple(shipped_migrations())


def test_it_inherits_no_key(detached: DetachedDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-canary-0123456789")
    migrate(detached)
    assert b"sk-canary" not in Path(f"/proc/{process_of(detached).pid}/environ").read_bytes()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
