from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from modelscan.types import Media, PriceVersion, Rates, Tariff, Tier, Usage
from tests.usage.pricing import FROM, tariffs, usages, version

USUAL = version(input_mtok="0.27", output_mtok="1.1", cache_read_mtok="0.07", cache_write_mtok="0.3")


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(1_000_000, 0), "0.27"),
        (Usage(0, 1_000_000), "1.1"),
        (Usage(1, 1), "0.00000137"),
        (Usage(1_000_000, 0, cached=400_000), "0.19"),
        (Usage(1_000_000, 0, cache_write=1_000_000), "0.3"),
        (Usage(0, 1_000_000, reasoning=900_000), "1.1"),
        (Usage(0, 0), "0"),
        (Usage(None, 5), None),
        (Usage(5, None), None),
        (Usage(), None),
    ],
)
def test_each_part_of_a_request_has_its_price(usage: Usage, cost: str | None) -> None:
    assert USUAL.cost(usage) == (None if cost is None else Decimal(cost))


def test_what_costs_nothing_need_not_be_counted() -> None:
    vectors = version(input_mtok="0.02", output_mtok=0)
    assert vectors.cost(Usage(1_000_000, None)) == Decimal("0.02")
    assert version(input_mtok=0, output_mtok=0, cache_read_mtok=0).cost(Usage(7, None, cached=5)) == 0


@pytest.mark.parametrize(
    ("rates", "usage"),
    [
        ({"output_mtok": 1}, Usage(1, 1)),
        ({"input_mtok": 1}, Usage(1, 1)),
        ({"input_mtok": 1, "output_mtok": 1}, Usage(2, 1, cached=1)),
        ({"input_mtok": 1, "output_mtok": 1}, Usage(2, 1, cache_write=1)),
        ({}, Usage(1, 1)),
    ],
)
def test_a_part_without_a_known_price_makes_the_cost_unknown(rates: dict[str, Any], usage: Usage) -> None:
    assert version(**rates).cost(usage) is None


def test_thoughts_cost_what_the_answer_costs_unless_they_have_a_price_of_their_own() -> None:
    usage = Usage(0, 10, reasoning=4)
    assert version(input_mtok=1, output_mtok=1).cost(usage) == Decimal("0.00001")
    assert version(input_mtok=1, output_mtok=1, reasoning_mtok=4).cost(usage) == Decimal("0.000022")


def test_a_request_may_have_a_price_whatever_its_tokens() -> None:
    assert version(input_mtok=1, output_mtok=1, request_usd="0.005").cost(Usage(1, 1)) == Decimal("0.005002")


@pytest.mark.parametrize(("prompt", "cost"), [(200_000, 1), (200_001, 2), (272_000, 2), (272_001, None), (0, 1)])
def test_a_tier_counts_for_prompts_that_are_longer_and_for_all_of_their_tokens(prompt: int, cost: int | None) -> None:
    unknown, dear = Tier(over=272_000), Tier(over=200_000, input_mtok=2, output_mtok=2)
    told = version(tiers=(unknown, dear), input_mtok=1, output_mtok=1)
    expected = None if cost is None else Decimal(prompt + 1) * cost / 1_000_000
    assert told.cost(Usage(prompt, 1)) == expected


def test_what_is_in_the_cache_makes_a_prompt_long_as_well() -> None:
    tier = Tier(over=100, input_mtok=9, output_mtok=9, cache_read_mtok=5)
    told = version(tiers=(tier,), input_mtok=1, output_mtok=1, cache_read_mtok=1)
    assert told.cost(Usage(101, 0, cached=101)) == Decimal(505) / 1_000_000


def test_a_cost_beyond_belief_is_unknown() -> None:
    assert version(input_mtok=999_999_999, output_mtok=1).cost(Usage(10**6, 0)) is None


@given(tariffs(), usages())
def test_a_cost_is_exact_and_unknown_where_a_part_of_it_is(tariff: Tariff, usage: Usage) -> None:
    told = PriceVersion.of("acme", "anvil", FROM, tariff, {})
    assert told.cost(usage) == _by_hand(tariff, usage)


def _by_hand(tariff: Tariff, usage: Usage) -> Decimal | None:
    """Likewise, with fractions: nothing is rounded."""
    prompt, completion, cached, written, reasoning = (count or 0 for count in usage[:5])
    every, media = (tariff, *tariff.tiers), usage.media or Media()
    rates: Rates = next((tier for tier in reversed(tariff.tiers) if prompt > tier.over), tariff)
    thinking = rates.output_mtok if rates.reasoning_mtok is None else rates.reasoning_mtok
    apart = {
        name: (count, getattr(rates, f"{name}_mtok"))
        for name, count in media._asdict().items()
        if count
        and any(getattr(one, f"{name}_mtok") is not None for one in every)
        and getattr(rates, f"{name}_mtok") != (rates.input_mtok if name.startswith("input") else rates.output_mtok)
    }
    read, said = (
        sum(count for name, (count, _) in apart.items() if name.startswith(side)) for side in ("input", "output")
    )
    if (read and (cached or written or read > prompt)) or said > completion - reasoning:
        return None
    parts = [
        *apart.values(),
        (prompt - cached - written - read, rates.input_mtok),
        (cached, rates.cache_read_mtok),
        (written, rates.cache_write_mtok),
        (completion - reasoning - said, rates.output_mtok),
        (reasoning, thinking),
    ]
    if any(count and rate is None for count, rate in parts):
        return None
    total = sum((Fraction(count) * Fraction(rate or 0) for count, rate in parts), Fraction(0)) / 10**6
    total += Fraction(rates.request_usd or 0)
    return None if total >= 10**6 else Decimal(total.numerator * (10**12 // total.denominator)).scaleb(-12)


@given(tariffs(), usages(), usages())
def test_without_tiers_and_a_price_of_requests_costs_add_up(tariff: Tariff, one: Usage, other: Usage) -> None:
    flat = Tariff(**{**tariff.model_dump(), "tiers": (), "request_usd": None})
    told = PriceVersion.of("acme", "anvil", FROM, flat, {})
    one, other = one._replace(media=None), other._replace(media=None)
    prompt, completion, cached, written, reasoning = (
        (mine or 0) + (theirs or 0) for mine, theirs in zip(one[:5], other[:5], strict=True)
    )
    both = Usage(prompt, completion, cached, written, reasoning)
    costs = told.cost(one), told.cost(other)
    if costs[0] is not None and costs[1] is not None:
        assert told.cost(both) == costs[0] + costs[1]
    else:
        assert told.cost(both) is None


@given(
    tariffs(), usages(), st.integers(0, 1000), st.sampled_from(["cached", "cache_write", "fresh", "said", "reasoning"])
)
def test_more_tokens_never_cost_less_without_tiers(tariff: Tariff, usage: Usage, more: int, kind: str) -> None:
    told = PriceVersion.of("acme", "anvil", FROM, tariff.model_copy(update={"tiers": ()}), {})
    whole = "completion" if kind in ("said", "reasoning") else "prompt"
    grown = usage._replace(**{name: getattr(usage, name) + more for name in {kind, whole} & set(Usage._fields)})
    before, after = told.cost(usage), told.cost(grown)
    assert before is None or after is None or after >= before


@given(tariffs(), usages())
def test_the_most_is_never_less_than_the_cost_where_caches_cost_no_more_than_known(
    tariff: Tariff, usage: Usage
) -> None:
    told = PriceVersion.of("acme", "anvil", FROM, tariff, {})
    assert usage.prompt is not None
    assert usage.completion is not None
    most, cost = told.most(usage.prompt, usage.completion), told.cost(usage)
    assert most is None or cost is None or most >= cost


def test_the_most_is_unknown_where_a_tier_within_reach_is() -> None:
    told = version(tiers=(Tier(over=100),), input_mtok=1, output_mtok=1)
    assert told.most(100, 1) == Decimal("0.000101")
    assert told.most(101, 1) is None
    assert version(input_mtok=1).most(1, 1) is None


@pytest.mark.parametrize(
    ("said", "amount"),
    [("0.09999999999999999", "0.1"), ("0.08333333333333334", "0.083333"), (100, "100"), ("1E+2", "100"), ("0.0", "0")],
)
def test_an_amount_has_six_decimals(said: Any, amount: str) -> None:
    assert str(Rates(input_mtok=said).input_mtok) == amount


@pytest.mark.parametrize("said", ["-1", "NaN", "Infinity", 10**9, "0.0000001", "1e-30"])
def test_what_is_no_price_is_refused_and_never_becomes_zero(said: Any) -> None:
    with pytest.raises(ValidationError):
        Rates(input_mtok=said)


@pytest.mark.parametrize("tiers", [[{"over": 5}, {"over": 5}], [{"over": 0}], [{"over": n} for n in range(1, 22)]])
def test_tiers_are_few_and_begin_at_different_lengths(tiers: list[dict[str, int]]) -> None:
    with pytest.raises(ValidationError):
        Tariff.model_validate({"tiers": tiers})


def test_a_version_is_known_by_what_it_says_and_since_when() -> None:
    assert USUAL.id == version(input_mtok="0.270", output_mtok="1.10", cache_read_mtok=".07", cache_write_mtok=".3").id
    assert USUAL.id != version(input_mtok="0.27").id
    assert USUAL.tariff.stated()["input_mtok"] == "0.27"
    assert PriceVersion.model_validate_json(USUAL.model_dump_json()) == USUAL


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(9, 1), "0.000011"),
        (Usage(9, 1, media=Media(4)), "0.000167"),
        (Usage(9, 4, media=Media(4, 3)), "0.000407"),
        (Usage(9, 4, media=Media(input_image=5, output_image=2)), "0.000017"),
        (Usage(9, 4, reasoning=1, media=Media(output_audio=3)), "0.000251"),
        (Usage(9, 4, reasoning=2, media=Media(output_audio=3)), None),
        (Usage(9, 1, media=Media(10)), None),
        (Usage(9, 1, cached=1, media=Media(4)), None),
        (Usage(9, 1, cache_write=1, media=Media(4)), None),
        (Usage(9, 1, cached=1, media=Media(input_image=4)), "0.000011"),
        (Usage(9, None, media=Media(4)), None),
    ],
)
def test_sound_and_pictures_count_apart_where_they_cost_something_else(usage: Usage, cost: str | None) -> None:
    told = version(
        input_mtok=1, output_mtok=2, cache_read_mtok=1, cache_write_mtok=1, input_audio_mtok=40, output_audio_mtok=80
    )
    assert told.cost(usage) == (None if cost is None else Decimal(cost))


def test_sound_without_a_price_of_its_own_costs_what_the_rest_does_but_not_where_another_tier_tells_it_apart() -> None:
    with_sound = Usage(9, 1, media=Media(4, 1))
    assert USUAL.cost(with_sound) == USUAL.cost(Usage(9, 1))
    told = version(input_mtok=1, output_mtok=1, tiers=(Tier(over=10, input_mtok=1, output_mtok=1, input_audio_mtok=9),))
    assert told.cost(with_sound) is None
    assert told.cost(Usage(12, 1, media=Media(4))) == Decimal("0.000045")


def test_counts_of_sound_beyond_belief_make_the_cost_unknown_and_can_be_stored() -> None:
    usage = Usage(9, 1, media=Media(2**70)).believable()
    assert usage.media is not None
    assert max(usage.media) < 2**63
    assert version(input_mtok=1, output_mtok=2, input_audio_mtok=40).cost(usage) is None


def test_the_most_holds_for_sound() -> None:
    told = version(input_mtok=1, output_mtok=2, input_audio_mtok=40, output_audio_mtok=80)
    assert told.most(9, 4) == told.cost(Usage(9, 4, media=Media(9, 4))) == Decimal("0.00068")
