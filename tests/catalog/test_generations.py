"""A generation is announced in the transaction that makes it, and heard by all who follow."""

import asyncio
import multiprocessing
from pathlib import Path

import pytest

from modelscan.catalog import versions
from modelscan.catalog.database import Database
from modelscan.catalog.generations import FileGenerations
from tests.catalog.samples import report, spec


def file_of(database: Database) -> Path:
    return database.path.with_name(f"{database.path.name}.generation")


def heard(generations: FileGenerations, announce: int | str, database: Database) -> int:
    async def story() -> int:
        async with asyncio.timeout(10):
            changes = generations.changes()
            hearing = asyncio.ensure_future(anext(changes))
            await asyncio.sleep(0)
            if isinstance(announce, int):
                FileGenerations(database).announce(announce)
            else:
                file_of(database).write_text(announce)
            return await hearing

    return asyncio.run(story())


@pytest.mark.parametrize(("announced", "number"), [(7, 7), (0, 0), ("nonsense", 0)])
def test_what_is_announced_is_heard(database: Database, announced: int | str, number: int) -> None:
    assert heard(FileGenerations(database, look_seconds=0.01), announced, database) == number


def test_what_was_announced_between_the_making_and_the_first_look_is_heard(database: Database) -> None:
    generations = FileGenerations(database, look_seconds=0.01)
    versions.publish(database, spec(), path="acme.py", sha256="0" * 64, report=report())
    assert heard(generations, 1, database) == 1


def test_a_file_that_was_taken_away_says_look(database: Database) -> None:
    FileGenerations(database).announce(3)
    generations = FileGenerations(database, look_seconds=0.01)
    file_of(database).unlink()

    async def story() -> int:
        return await anext(generations.changes())

    assert asyncio.run(story()) == 0


def test_a_publication_is_announced_and_leaves_nothing_beside(database: Database) -> None:
    versions.publish(database, spec(), path="acme.py", sha256="0" * 64, report=report())
    assert file_of(database).read_text() == "1\n"
    assert list(database.path.parent.glob("*.new")) == []


def publish_and_die(path: Path) -> None:
    """Killed behind the commit, before anything else."""
    database = Database(path)
    versions.publish(database, spec(), path="acme.py", sha256="0" * 64, report=report())
    multiprocessing.current_process().kill()


def test_a_publisher_that_is_killed_behind_its_commit_has_announced_it(database: Database) -> None:
    process = multiprocessing.get_context("spawn").Process(target=publish_and_die, args=(database.path,))
    process.start()
    process.join(30)
    assert versions.generation(database) == 1
    assert file_of(database).read_text() == "1\n"
