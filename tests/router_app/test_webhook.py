"""The router empties the outbox: also what was written before it started, and what nobody took at first."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.catalog import drift, drift_outbox
from modelscan.catalog.database import Connection, Database
from modelscan.catalog.migrate import migrate
from modelscan.drift.letters import letters
from modelscan.settings import DriftSettings
from router_app.parts import Parts
from router_app.webhook import WebhookSender
from tests.drift.looks import change
from tests.drift.receiver import SECRET, Receiver, receiving
from tests.router_app.routers import eventually

Probe = Callable[[], object]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


def written(database: Database, *models: str) -> None:
    drift.take_up(database, [change(model=model, provider=model) for model in models], letters)


def sending(
    database: Database, url: str, story: Callable[[Parts], Coroutine[Any, Any, None]], secret: str = SECRET
) -> Parts:
    parts = Parts()

    async def run() -> None:
        settings = DriftSettings(webhook_url=url, webhook_secret=SecretStr(secret))
        sender = WebhookSender(settings, database.path.parent, database, parts, every=0.01, rest=0.01)
        opened = asyncio.Event()
        opened.set()
        task = asyncio.create_task(sender.run(opened))
        try:
            await story(parts)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return parts


def told(receiver: Receiver) -> list[str]:
    return sorted(one["data"]["provider"] for one in receiver.told)


def test_what_waits_is_sent_at_the_start_and_what_comes_later_when_it_comes(database: Database) -> None:
    written(database, "a", "b")
    with receiving() as receiver:

        async def story(_: Parts) -> None:
            await eventually(lambda: len(receiver.came) == 2)
            await asyncio.to_thread(written, database, "c")
            await eventually(lambda: len(receiver.came) == 3)
            await eventually(lambda: drift_outbox.counts(database) == {"sent": 3})

        parts = sending(database, receiver.url, story)
        assert told(receiver) == ["a", "b", "c"]
    assert parts.state("webhook") == "up"


class Counted(Database):
    """How often it was looked at, and read."""

    looks = reads = 0

    def stamp(self) -> tuple[tuple[int, int], ...]:
        self.looks += 1
        return super().stamp()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self.reads += 1
        with super().read() as connection:
            yield connection


def test_once_all_is_sent_the_catalogue_is_not_read_before_it_changes(database: Database) -> None:
    written(database, "a")
    counted = Counted(database.path)
    with receiving() as receiver:

        async def story(_: Parts) -> None:
            await eventually(lambda: counted.looks > counted.reads + 10)
            reads = counted.reads
            await eventually(lambda: counted.looks > reads + 20)
            assert counted.reads == reads

        sending(counted, receiver.url, story)
        assert told(receiver) == ["a"]


def test_a_receiver_that_is_down_is_told_in_health_and_the_letters_wait(database: Database) -> None:
    written(database, "a")
    with receiving((503, {})) as receiver:

        async def story(parts: Parts) -> None:
            await eventually(lambda: parts.state("webhook") == "down")
            await eventually(lambda: drift_outbox.due_at(database))
            assert "answered 503" in str(parts.snapshot()["webhook"]["detail"])
            assert "token=" not in str(parts.snapshot()["webhook"]["detail"])

        sending(database, receiver.url, story)
    assert drift_outbox.counts(database) == {"waiting": 1}


def test_one_of_several_that_is_not_taken_keeps_none_of_the_others_waiting(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    written(database, *(f"p{one}" for one in range(20)))
    with receiving((410, {})) as receiver:

        async def story(parts: Parts) -> None:
            await eventually(lambda: drift_outbox.counts(database) == {"sent": 19, "given_up": 1})
            await eventually(lambda: parts.state("webhook") == "up")

        sending(database, receiver.url, story)
    assert "is given up" in caplog.text


def test_a_router_that_is_killed_within_a_letter_leaves_it_to_the_next(database: Database) -> None:
    written(database, "a")
    with receiving() as receiver:

        async def story(_: Parts) -> None:
            await eventually(lambda: receiver.came)

        sending(database, receiver.url, story)
        with database.write() as connection:  # Its lease is over, and its end was not stored.
            connection.execute("UPDATE drift_outbox SET state = 'waiting', next_at = created_at")

        async def again(_: Parts) -> None:
            await eventually(lambda: len(receiver.came) == 2)

        sending(database, receiver.url, again)
        assert len(set(receiver.ids)) == 1
        assert told(receiver) == ["a", "a"]


def test_a_secret_that_is_none_is_told_and_nothing_is_sent(database: Database) -> None:
    written(database, "a")

    async def story(parts: Parts) -> None:
        await eventually(lambda: parts.state("webhook") == "down")

    parts = sending(database, "http://127.0.0.1:9/hook", story, secret="hunter2")
    assert "whsec_" in str(parts.snapshot()["webhook"]["detail"])
    assert "hunter2" not in str(parts.snapshot())


def test_a_catalogue_that_cannot_be_read_is_looked_at_again(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    hidden = database.path.with_suffix(".away")
    database.path.rename(hidden)
    with receiving() as receiver:

        async def story(_: Parts) -> None:
            await eventually(lambda: "tried again" in caplog.text)
            hidden.rename(database.path)
            await asyncio.to_thread(written, database, "a")
            await eventually(lambda: receiver.came)

        sending(database, receiver.url, story)


def test_without_a_webhook_nothing_runs(database: Database) -> None:
    async def story(_: Parts) -> None:
        await asyncio.sleep(0)

    assert sending(database, "", story).snapshot() == {}
