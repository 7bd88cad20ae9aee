"""How providers were doing is kept, and what our own chats cost is counted before they are sent."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from modelscan.catalog import health
from modelscan.catalog.database import Database
from modelscan.types import HealthChange, HealthEvidence, HealthState

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
EVIDENCE = HealthEvidence(source="traffic", at=NOON, words="6 of 12 failed", faults={"503": 6}, requests=12, failed=6)


def change(before: HealthState, after: HealthState, minutes: int = 0, provider: str = "acme") -> HealthChange:
    at = NOON + timedelta(minutes=minutes)
    return HealthChange(provider=provider, before=before, after=after, at=at, evidence=EVIDENCE)


def test_changes_are_kept_newest_first_and_the_last_of_each_is_known(database: Database) -> None:
    first, second, other = change("unknown", "up"), change("up", "down", 5), change("unknown", "up", 2, "bolt")
    assert health.record(database, (first, second, other)) == 3
    assert health.history(database, "acme") == (second, first)
    assert health.history(database) == (second, other, first)
    assert health.history(database, limit=1) == (second,)
    assert health.latest(database) == (second, other)


def test_what_another_router_told_already_is_no_news(database: Database) -> None:
    assert health.record(database, (change("unknown", "up"),)) == 1
    assert health.record(database, (change("unknown", "up", 1),)) == 0
    assert health.record(database, (change("up", "degraded", 2), change("degraded", "up", 2))) == 2
    assert [one.after for one in health.history(database)] == ["up", "degraded", "up"]


def test_no_change_is_no_news(database: Database) -> None:
    assert health.record(database, ()) == 0


def test_a_change_without_evidence_is_read_as_it_was(database: Database) -> None:
    forgotten = HealthChange(provider="acme", before="down", after="unknown", at=NOON)
    health.record(database, (change("unknown", "down", -5), forgotten))
    assert health.latest(database) == (forgotten,)


def reserved(database: Database, most: str, cap: str = "0.01", at: datetime = NOON) -> str | None:
    return health.reserve_chat(database, "acme", "echo", most=Decimal(most), cap=Decimal(cap), at=at)


def test_no_more_is_reserved_than_the_cap_of_the_day(database: Database) -> None:
    first = reserved(database, "0.006")
    assert first is not None
    assert reserved(database, "0.006") is None
    health.settle_chat(database, first, Decimal("0.001"))
    assert reserved(database, "0.006") is not None
    assert reserved(database, "0.006") is None
    assert reserved(database, "0.006", at=NOON + timedelta(days=1)) is not None
    assert health.spent_since(database, NOON) == Decimal("0.013")


def test_a_chat_whose_cost_is_not_known_counts_as_the_most_it_may_have_been(database: Database) -> None:
    chat = reserved(database, "0.01")
    assert chat is not None
    health.settle_chat(database, chat, None)
    assert reserved(database, "0.000000000001") is None
    health.settle_chat(database, chat, Decimal(0))
    assert health.spent_since(database, NOON) == 0
