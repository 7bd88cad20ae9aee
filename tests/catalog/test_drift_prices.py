from collections.abc import Iterable

import pytest
from pydantic import JsonValue

from modelscan.catalog import drift, prices, records
from modelscan.catalog.database import Database
from modelscan.catalog.drift_prices import as_they_count
from modelscan.synthesis.prices import renew_prices, stated_prices
from modelscan.types import Claim, DriftEvent, DriftKind, DriftState, Fact
from tests.catalog.samples import record
from tests.drift.looks import AT, change

TIERS: JsonValue = [{"over": 200000, "input_mtok": "0.6"}]


def claim(value: JsonValue, field: str = "price.input_mtok", source: str = "models.dev") -> Claim:
    return Claim(
        subject="acme/small", field=field, value=value, source=source, url="https://models.dev/api.json",
        fetched_at=AT, sha256="0", stale=False, confidence=0.9, record="r2",
    )  # fmt: skip


def values(claims: Iterable[Claim]) -> list[JsonValue]:
    return [one.value for one in claims]


@pytest.mark.parametrize(
    ("claims", "event", "counts"),
    [
        ([claim("0.20")], change("0.1", "0.2"), ["0.1"]),
        ([claim(0.2), claim("0.3", source="genai-prices")], change("0.1", "0.2"), ["0.1", "0.3"]),
        ([claim("0.2")], change("5", "0.2"), [5]),
        ([claim("0.2")], change(None, "0.2"), []),
        ([claim("0.9")], change("0.1", "0.2"), ["0.9"]),
        ([], change("0.1", None), ["0.1"]),
        ([claim("0.3", source="genai-prices")], change("0.1", None), ["0.3"]),
        ([claim("words")], change("0.1", "words"), ["0.1"]),
        ([claim("words")], change("other words", "words"), ["other words"]),
        ([claim(TIERS, "price.tiers")], change(None, '[{"input_mtok":"0.6","over":200000}]', field="price.tiers"), []),
        ([claim("0.2")], change("a", "0.2", kind=DriftKind.LIMIT), ["0.2"]),
    ],
)
def test_a_price_that_must_not_take_effect_is_what_it_was(
    claims: list[Claim], event: DriftEvent, counts: list[JsonValue]
) -> None:
    assert values(as_they_count(claims, [event])) == counts


def test_nothing_is_changed_where_nothing_is_withheld() -> None:
    assert values(as_they_count([claim("0.2")], [])) == ["0.2"]


def test_a_price_that_went_is_said_on_by_the_record_that_said_it() -> None:
    (found,) = as_they_count([], [change("0.1", None)])
    assert (found.record, found.source, found.subject) == ("r2", "models.dev", "acme/small")
    unsaid = change("0.1", None).model_copy(update={"evidence": ()})
    assert as_they_count([], [unsaid]) == ()


def said(database: Database, amount: str) -> None:
    told = record({"price": amount})
    fact = Fact(subject="acme/small", field="price.input_mtok", value=amount, record=told.id, confidence=0.9)
    records.save(database, [told], [fact])


def in_force(database: Database) -> str:
    return str(prices.newest(database, "acme")[0].tariff.input_mtok)


def test_a_held_price_counts_only_once_it_was_approved(database: Database) -> None:
    said(database, "0.1")
    renew_prices(database, "acme")
    said(database, "0.2")
    (held,) = drift.record(database, [change("0.1", "0.2", state=DriftState.HELD)])
    assert renew_prices(database, "acme") == ()
    drift.judge(database, held.id, approved=False)
    assert renew_prices(database, "acme") == ()
    assert in_force(database) == "0.1"
    drift.judge(database, held.id, approved=True)
    assert len(prices.renew(database, "acme", stated_prices)) == 1
    assert in_force(database) == "0.2"
