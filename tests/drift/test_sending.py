import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from modelscan.catalog import drift, drift_outbox
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.drift.letters import letters
from modelscan.drift.sending import WAITS, Webhook, deliver, open_webhook
from modelscan.types import Letter
from tests.drift.looks import change
from tests.drift.receiver import SECRET, Receiver, receiving

HOUR = timedelta(hours=1)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """Two letters wait: of two providers."""
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    drift.take_up(database, [change(), change(provider="bolt")], letters)
    return database


Story = Callable[[Webhook], Coroutine[Any, Any, None]]


def with_webhook(url: str, story: Story, ahead: timedelta = timedelta()) -> None:
    """`ahead`: how far its clock is."""

    async def run() -> None:
        webhook = open_webhook(url, SecretStr(SECRET), hours=2)
        async with webhook.http:
            await story(replace(webhook, clock=lambda: datetime.now(UTC) + ahead))

    asyncio.run(run())


def delivered(receiver: Receiver, database: Database, ahead: timedelta = timedelta()) -> list[Letter]:
    found: list[Letter] = []

    async def story(webhook: Webhook) -> None:
        found.extend((await deliver(database, webhook)).letters)

    with_webhook(receiver.url, story, ahead)
    return found


def test_each_letter_comes_signed_and_once(database: Database) -> None:
    with receiving() as receiver:
        assert [one.state for one in delivered(receiver, database)] == ["sent", "sent"]
        assert delivered(receiver, database) == []
        assert sorted(one["data"]["provider"] for one in receiver.told) == ["acme", "bolt"]
        assert {one["type"] for one in receiver.told} == {"modelscan.drift.price"}
    assert drift_outbox.counts(database) == {"sent": 2}


def test_what_was_not_taken_is_sent_again_later_with_the_same_id(database: Database) -> None:
    with receiving((500, {}), (302, {"location": "http://elsewhere.invalid"})) as receiver:
        first = delivered(receiver, database)
        assert [one.state for one in first] == ["waiting", "waiting"]
        assert delivered(receiver, database, timedelta(seconds=WAITS[0] - 1)) == []
        assert [one.state for one in delivered(receiver, database, timedelta(seconds=WAITS[0] + 2))] == ["sent", "sent"]
        assert sorted(receiver.ids) == sorted([one.id for one in first] * 2)


def test_waits_grow_and_the_last_one_goes_on(database: Database) -> None:
    letter = letters([change()])[0]
    with receiving(*[(503, {})] * 3) as receiver:

        async def story(webhook: Webhook) -> None:
            for attempts, wait in ((1, WAITS[0]), (2, WAITS[1]), (99, WAITS[-1])):
                tried = replace(webhook, patience=10 * 24 * HOUR)
                after = await tried.send(letter.model_copy(update={"attempts": attempts}))
                assert after.state == "waiting"
                assert abs((after.next_at - datetime.now(UTC)).total_seconds() - wait) < 5

        with_webhook(receiver.url, story)


@pytest.mark.parametrize(("asked", "seconds"), [("900", 900), ("99999999", 3600), ("soon", WAITS[0])])
def test_who_asks_for_time_is_given_it_within_bounds(database: Database, asked: str, seconds: float) -> None:
    with receiving(*[(429, {"retry-after": asked})] * 2) as receiver:
        for one in delivered(receiver, database):
            assert abs((one.next_at - datetime.now(UTC)).total_seconds() - seconds) < 5


def test_it_is_given_up_once_time_is_over_or_where_nothing_is_wanted_any_more(database: Database) -> None:
    with receiving((410, {}), (500, {})) as receiver:
        states = [one.state for one in delivered(receiver, database, 2 * HOUR - timedelta(seconds=2))]
        assert states == ["given_up", "given_up"]
    assert drift_outbox.due_at(database) is None


def test_whoever_cannot_be_reached_is_tried_again_and_its_address_is_not_told(database: Database) -> None:
    with receiving() as receiver:
        gone = receiver
    for one in delivered(gone, database):
        assert one.state == "waiting"
        assert "cannot be reached" in one.said
        assert "of-the-receiver" not in one.said


def test_only_the_named_private_address_may_be_reached(database: Database) -> None:
    with receiving() as receiver, receiving() as other:

        async def story(webhook: Webhook) -> None:
            elsewhere = replace(webhook, url=other.url)
            tried = (await deliver(database, elsewhere)).letters
            assert {one.state for one in tried} == {"waiting"}
            assert all("no public address" in one.said for one in tried)

        with_webhook(receiver.url, story)
        assert other.came == []


def test_who_dies_after_sending_sends_it_again_once_its_lease_is_over(database: Database) -> None:
    drift_outbox.claim(database, datetime.now(UTC), lease=timedelta(seconds=60), most=8)
    with receiving() as receiver:
        assert delivered(receiver, database) == []
        assert [one.attempts for one in delivered(receiver, database, timedelta(seconds=61))] == [2, 2]
