"""What the usage rows say of each token, exactly in the windows of now."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from modelscan.catalog.database import Database
from modelscan.catalog.usage import ingest
from modelscan.tokens.spent import NOTHING, Amounts, Spent, spent
from modelscan.types import UsageEvent
from modelscan.usage.journal import Journal
from tests.catalogues import migrate
from tests.tokens.accounts import NOON, usd

MINUTES, HOURS, DAYS = 60.0, 3_600.0, 86_400.0


@pytest.fixture
def database(tmp_path: Path) -> Database:
    database = Database(tmp_path / "catalogue.duckdb")
    migrate(database)
    return database


def a_row(number: int, ago: float, **more: Any) -> UsageEvent:
    """Seven tokens for half a dollar, so many seconds before noon."""
    row: dict[str, Any] = {
        "asked_model": "acme/echo",
        "provider": "acme",
        "model": "echo",
        "status": 200,
        "prompt_tokens": 4,
        "completion_tokens": 3,
        "latency_ms": 1.0,
        "generation": 1,
        "token_id": "tok_app",
        "cost_usd": usd("0.5"),
    }
    at = datetime.fromtimestamp(NOON - ago, UTC)
    return cast(UsageEvent, {"request_id": f"req_{number}", "at": at, **row, **more})


def taken_in(database: Database, *rows: UsageEvent) -> None:
    journal = Journal(database.path.parent / "journal")
    for row in rows:
        journal.append(row)
    journal.close()
    for file in (database.path.parent / "journal").glob("*.jsonl"):
        ingest(database, file)


def free(*_: object) -> None:
    """No price is known."""


def test_each_window_counts_what_began_in_it(database: Database) -> None:
    agos = (0.0, -30.0, 1.0, 11 * HOURS, 12 * HOURS, 12 * HOURS + 1, 26.5 * DAYS, 26.5 * DAYS + 1)
    taken_in(database, *(a_row(number, ago) for number, ago in enumerate(agos)))
    assert spent(database, NOON, free) == {
        "tok_app": Spent(Amounts(2, 14), Amounts(0, 35, usd("2.5")), Amounts(0, 49, usd("3.5")))
    }


def test_tokens_are_counted_apart_and_what_was_refused_for_none(database: Database) -> None:
    other = a_row(1, 0, token_id="tok_other", provider="other")
    refused = a_row(2, 0, provider=None, model=None, prompt_tokens=None, completion_tokens=None, cost_usd=None)
    nobody = a_row(3, 0, token_id=None)
    taken_in(database, a_row(0, 0), a_row(4, 0, model="more"), other, refused, nobody)
    found = spent(database, NOON, free)
    assert {token: one.minute for token, one in found.items()} == {
        "tok_app": Amounts(2, 14),
        "tok_other": Amounts(1, 7),
    }


def test_a_row_without_a_cost_counts_the_most_that_it_may_have_been(database: Database) -> None:
    def most(provider: str, model: str, prompt: int, completion: int) -> Decimal | None:
        return Decimal(prompt + 10 * completion) if (provider, model) == ("acme", "echo") else None

    taken_in(
        database,
        a_row(0, 0),
        a_row(1, 0, cost_usd=None),
        a_row(2, 2 * DAYS, cost_usd=None, completion_tokens=None),
        a_row(3, 0, cost_usd=None, model="priceless"),
        a_row(4, 0, cost_usd=None, prompt_tokens=None, completion_tokens=None),
    )
    (found,) = spent(database, NOON, most).values()
    assert found.day.usd == usd("0.5") + 34
    # Two rows of 4 prompt tokens, and 3 of the answer between them: each counts as 4 and 2.
    assert found.month.usd == usd("0.5") + 2 * 24


def test_without_rows_nothing_was_used(database: Database) -> None:
    assert spent(database, NOON, free) == {}
    assert Spent() == NOTHING
