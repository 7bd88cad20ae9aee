import json
from decimal import Decimal
from typing import Any

import pytest
from genai_prices.data import providers as shipped

from modelscan.sources.genai_prices import GENAI_PRICES
from modelscan.sources.genai_prices import record_of as priced
from modelscan.sources.models_dev import MODELS_DEV, Cost, read_provider
from modelscan.sources.models_dev import record_of as listed
from modelscan.sources.source import Source
from modelscan.sources.tariffs import amounts
from modelscan.types import Price, SourceRecord, Tariff, Tier
from tests.corpus import corpus_json

LONG = {"over": 200_000, "input_mtok": "2", "output_mtok": "4"}


def said(source: Source, record: Any) -> dict[str, Any]:
    assert isinstance(record, SourceRecord)
    return {one.field: one.value for one in source.claims(record, ()) if one.field.startswith("price.")}


def of_models_dev(**cost: Any) -> dict[str, Any]:
    row = {"id": "acme", "name": "Acme", "models": {"anvil": {"id": "anvil", "cost": {"input": 1, **cost}}}}
    return said(MODELS_DEV, listed({"acme": row}, "acme", url="u", body=b"", fetched_at=None, note=""))


def of_genai(**prices: Any) -> dict[str, Any]:
    rows = [{"id": "acme", "models": [{"id": "anvil", "prices": prices}]}]
    return said(GENAI_PRICES, priced(rows, "acme", url="u", sha256=None, note=""))


def tier(size: Any = 200_000, kind: Any = "context", **rates: Any) -> dict[str, Any]:
    return {"tier": {"type": kind, "size": size}, **rates}


@pytest.mark.parametrize(
    "cost",
    [
        {"tiers": [tier(input=2, output=4)]},
        {"context_over_200k": {"input": 2, "output": 4}},
        {"tiers": [tier(input=2, output=4)], "context_over_200k": {"input": 99}},
        {"tiers": [tier(input=2, output=4), tier(input=7), tier(kind="hour"), tier(size="x"), 7, {"tier": 1}]},
    ],
)
def test_models_dev_says_tiers_in_two_ways_and_what_is_no_tier_is_passed_over(cost: dict[str, Any]) -> None:
    assert of_models_dev(**cost)["price.tiers"] == [LONG]


@pytest.mark.parametrize("tiers", [7, "no", [], [[]], {"tier": 1}, [tier(size=-1)], [tier(size=True, kind="")]])
def test_tiers_in_another_form_cost_neither_the_model_nor_its_other_prices(tiers: Any) -> None:
    assert of_models_dev(tiers=tiers, reasoning="lots", input_audio=-1) == {"price.input_mtok": "1"}


def test_models_dev_says_prices_of_thoughts_and_of_sound() -> None:
    found = of_models_dev(reasoning=4, input_audio=1.5, output_audio=0.09999999999999999)
    assert found == {
        "price.input_mtok": "1",
        "price.reasoning_mtok": "4",
        "price.input_audio_mtok": "1.5",
        "price.output_audio_mtok": "0.1",
    }


def test_each_tier_of_genai_prices_holds_all_the_rates_that_count_in_it() -> None:
    steps = [{"start": 200_000, "price": 2}, {"start": 500_000, "price": 3}]
    found = of_genai(input_mtok={"base": 1, "tiers": steps}, output_mtok=4, requests_kcount=5)
    assert found["price.request_usd"] == "0.005"
    first, second = found["price.tiers"]
    assert first == {**LONG, "request_usd": "0.005"}
    assert second == {"over": 500_000, "input_mtok": "3", "output_mtok": "4", "request_usd": "0.005"}


def test_genai_prices_may_know_nothing_but_what_specifications_do_not_state() -> None:
    assert of_genai(output_reasoning_mtok=3, input_image_mtok=2, output_image_mtok=1) == {
        "price.reasoning_mtok": "3",
        "price.input_image_mtok": "2",
        "price.output_image_mtok": "1",
    }


@pytest.mark.parametrize("said", [None, True, "a lot", -1, "NaN", 1e-30, [1], {"base": 1}, 10**9])
def test_what_is_no_price_is_unknown(said: Any) -> None:
    assert amounts({"input": said}, {"input": "input_mtok"}) == {}


def test_every_price_of_the_real_list_loads_and_none_that_is_absent_becomes_zero() -> None:
    names = {"input": "input_mtok", "output": "output_mtok", "cache_read": "cache_read_mtok"}
    names |= {"cache_write": "cache_write_mtok", "reasoning": "reasoning_mtok"}
    names |= {"input_audio": "input_audio_mtok", "output_audio": "output_audio_mtok"}
    models = tiers = 0
    for provider in corpus_json("models_dev_api.json").values():
        for row in provider["models"].values():
            cost = row.get("cost") or {}
            told = Cost.model_validate(cost).tariff
            models += 1
            for theirs, ours in names.items():
                amount = getattr(told, ours)
                assert (amount is None) is (theirs not in cost), (row["id"], ours)
                if amount is not None:
                    assert abs(amount - Decimal(str(cost[theirs]))) <= Decimal("0.0000005"), row["id"]
                    assert (amount == 0) is (cost[theirs] == 0), row["id"]
            assert len(told.tiers) == len(cost.get("tiers", ())), row["id"]
            tiers += len(told.tiers)
    assert (models, tiers) == (5276, 194)


def test_the_real_list_of_genai_prices_has_tiers_that_hold_what_counts_in_them() -> None:
    found = 0
    for provider in shipped:
        record = priced(shipped, provider.id, url="u", sha256=None, note="")
        assert isinstance(record, SourceRecord)
        for one in GENAI_PRICES.claims(record, ()):
            if one.field == "price.tiers":
                told = Tariff.model_validate_json(json.dumps({"tiers": one.value}))
                assert all(isinstance(tier, Tier) and tier.input_mtok is not None for tier in told.tiers)
                found += 1
    assert found > 100


def test_what_specifications_state_is_said_as_it_always_was() -> None:
    _, models, _ = read_provider({"id": "a", "name": "A", "models": {"m": {"id": "m", "cost": {"reasoning": 1}}}})
    assert of_models_dev(output=0.09999999999999999)["price.output_mtok"] == "0.09999999999999999"
    assert models[0].cost is not None
    assert models[0].cost.tariff == Tariff(reasoning_mtok=Decimal(1))
    assert set(Price.model_fields) < set(Tariff.model_fields)
