import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from modelscan.errors import HostRefused
from modelscan.sources.models_dev import MODELS_DEV, models_of, read_provider, record_of
from modelscan.types import Model, SourceGap, SourceRecord
from tests.sources.asking import Handler, answered, ask_with, fixture


def fetched(handler: Handler, identifier: str = "acme") -> SourceRecord | SourceGap | None:
    return ask_with(handler, MODELS_DEV.fetch, identifier)


def recorded(handler: Handler, identifier: str = "acme") -> SourceRecord:
    record = fetched(handler, identifier)
    assert isinstance(record, SourceRecord)
    return record


def usual_models() -> dict[str, Model]:
    _, listed, _ = read_provider(json.loads(fixture("models_dev/usual.json"))["acme"])
    return {model.id: model for model in models_of(listed)}


def no_route(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("no route to host")


def refused(_: httpx2.Request) -> httpx2.Response:
    raise HostRefused("models.dev is at 10.0.0.1, which is no public address.")


def test_the_record_is_the_providers_part_with_the_hash_of_the_whole() -> None:
    body = fixture("models_dev/usual.json")
    record = recorded(lambda _: answered(200, body))
    assert isinstance(record.payload, dict)
    assert record.payload["name"] == "Acme"
    assert (record.trusted, record.stale, record.note) == (True, False, "")
    assert record.sha256 == hashlib.sha256(body).hexdigest()
    assert record.url == "https://models.dev/api.json"


def test_an_unknown_provider_is_a_gap_with_the_nearest_names() -> None:
    gap = fetched(lambda _: answered(200, fixture("models_dev/usual.json")), "acmee")
    assert isinstance(gap, SourceGap)
    assert (gap.kind, gap.nearest[0]) == ("unknown", "acme")


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (no_route, "no route to host"),
        (refused, "no public address"),
        (lambda _: answered(503, {}), "answered 503"),
        (lambda _: answered(200, b"<html>"), "no list"),
        (lambda _: answered(200, []), "no list"),
    ],
)
def test_without_the_live_list_the_packaged_snapshot_stands_in_and_says_so(handler: Handler, why: str) -> None:
    record = recorded(handler, "deepseek")
    assert record.stale
    assert "stale snapshot of 2026-" in record.note
    assert why in record.note
    assert datetime(2026, 1, 1, tzinfo=UTC) < record.fetched_at < datetime.now(UTC)


def test_an_unknown_provider_of_the_snapshot_says_that_it_was_the_snapshot() -> None:
    gap = fetched(no_route, "deepsek")
    assert isinstance(gap, SourceGap)
    assert "stale snapshot" in gap.reason
    assert "deepseek" in gap.nearest


def test_rows_that_cannot_be_read_are_dropped_and_counted() -> None:
    record = recorded(lambda _: answered(200, fixture("models_dev/malformed.json")))
    _, listed, bad = read_provider(record.payload)
    assert ([model.id for model in models_of(listed)], bad) == (["good"], 3)
    assert record.note == "3 of 5 models cannot be read"


@pytest.mark.parametrize("provider", ["broken", "text"])
def test_a_provider_that_cannot_be_read_is_a_gap(provider: str) -> None:
    gap = fetched(lambda _: answered(200, fixture("models_dev/malformed.json")), provider)
    assert isinstance(gap, SourceGap)
    assert gap.kind == "malformed"


def test_a_stale_record_keeps_its_date_and_both_notes() -> None:
    made = datetime(2026, 5, 1, tzinfo=UTC)
    listed = json.loads(fixture("models_dev/malformed.json"))
    record = record_of(listed, "acme", url="u", body=b"", fetched_at=made, note="old")
    assert isinstance(record, SourceRecord)
    assert (record.fetched_at, record.note) == (made, "old; 3 of 5 models cannot be read")


def test_prices_are_the_numbers_as_written() -> None:
    price = usual_models()["anvil"].price
    assert price is not None
    assert (price.input_mtok, price.output_mtok, price.cache_read_mtok) == (
        Decimal("0.27"),
        Decimal("1.1"),
        Decimal("0.07"),
    )


def test_a_price_that_is_not_given_is_unknown_and_not_zero() -> None:
    models = usual_models()
    assert models["rocket/skates:v2"].price is None
    assert models["anvil"].price is not None
    assert models["anvil"].price.cache_write_mtok is None


def test_a_price_of_zero_that_is_given_is_kept() -> None:
    _, listed, _ = read_provider(
        {"id": "a", "name": "A", "models": {"m": {"id": "m", "cost": {"input": 0, "output": 0}}}}
    )
    [model] = models_of(listed)
    assert model.price is not None
    assert model.price.input_mtok == 0


def test_limits_and_abilities_are_mapped() -> None:
    anvil = usual_models()["anvil"]
    assert (anvil.context_tokens, anvil.output_tokens) == (128_000, 8_192)
    assert anvil.capabilities == ("reasoning", "temperature", "tool_call")


@pytest.mark.parametrize("row", [{"id": 7}, {"name": "x"}, {"id": "x", "cost": {"input": "NaN"}}, None, []])
def test_no_row_of_any_shape_stops_the_others(row: Any) -> None:
    _, listed, bad = read_provider({"id": "a", "name": "A", "models": {"bad": row, "good": {"id": "good"}}})
    assert ([model.id for model in listed], bad) == (["good"], 1)
