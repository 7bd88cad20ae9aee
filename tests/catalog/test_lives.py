"""Whoever executes a run is seen to live, and to be killed; nothing is said of what nobody saw."""

import os
from pathlib import Path

import pytest

from modelscan.catalog import lives
from modelscan.catalog.database import Database
from tests.executing import executed_elsewhere

RUN = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "catalogue.duckdb")


def left(database: Database) -> list[str]:
    return os.listdir(database.path.parent)


def test_of_a_run_that_nobody_saw_nothing_is_said(database: Database) -> None:
    assert not lives.killed(database, RUN)
    lives.forget(database, RUN)


def test_a_process_that_lives_is_not_taken_for_dead_and_leaves_nothing_behind(database: Database) -> None:
    with executed_elsewhere(database, RUN):
        assert not lives.killed(database, RUN)
    assert not lives.killed(database, RUN)
    assert left(database) == []


def test_a_process_that_was_killed_is_seen_until_that_was_told(database: Database) -> None:
    with executed_elsewhere(database, RUN) as process:
        process.kill()
        process.wait(20)
    assert lives.killed(database, RUN)
    assert lives.killed(database, RUN)
    lives.forget(database, RUN)
    assert not lives.killed(database, RUN)
    assert left(database) == []


def test_a_run_that_is_executed_again_lives(database: Database) -> None:
    with executed_elsewhere(database, RUN) as process:
        process.kill()
    with lives.executing(database, RUN):
        assert not lives.killed(database, RUN)
    assert left(database) == []


def test_the_end_of_one_that_was_thought_dead_says_nothing_of_the_next(database: Database) -> None:
    with executed_elsewhere(database, RUN):
        lives.forget(database, RUN)
        with lives.executing(database, RUN):
            pass
    with lives.executing(database, RUN):
        with lives.executing(database, "another"), lives.executing(database, RUN):
            pass
        assert left(database) == []


@pytest.mark.parametrize("run_id", ["../outside", "a/b", "x" * 5000, ""])
def test_an_id_names_no_other_place(database: Database, run_id: str) -> None:
    with lives.executing(database, run_id):
        (name,) = left(database)
    assert name.startswith("catalogue.duckdb.run-")
    assert left(database) == []
