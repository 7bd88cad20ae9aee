"""Price versions as tests write them."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from modelscan.types import Media, PriceVersion, Rates, Tariff, Tier, Usage

__all__ = ["FROM", "tariffs", "usages", "version"]

FROM = datetime(2026, 11, 1, tzinfo=UTC)
_amounts = st.none() | st.just(0) | st.decimals(min_value="0.000001", max_value=10_000, places=6)
_rates = st.fixed_dictionaries(dict.fromkeys(Rates.model_fields, _amounts))
_counts = st.integers(0, 10**6)
_few = st.sampled_from((0, 1, 10**4, 10**6))
_media = st.builds(Media, _few, _few, _few, _few)


def version(
    provider: str = "acme", model: str = "anvil", *, tiers: tuple[Tier, ...] = (), **rates: Any
) -> PriceVersion:
    """One of acme/anvil, in force since November, without evidence."""
    return PriceVersion.of(provider, model, FROM, Tariff(**rates, tiers=tiers), {})


def tariffs() -> st.SearchStrategy[Tariff]:
    """Any, with up to three tiers."""
    tiers = st.lists(
        st.builds(lambda over, rates: Tier(over=over, **rates), st.integers(1, 10**6), _rates),
        max_size=3,
        unique_by=lambda tier: tier.over,
    )
    return st.builds(lambda rates, tiers: Tariff(**rates, tiers=tuple(tiers)), _rates, tiers)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Any that a provider can tell: no part is more than its whole."""
    cached, written, fresh = draw(_counts), draw(_counts), draw(_counts)
    reasoning, said = draw(_counts), draw(_counts)
    return Usage(fresh + cached + written, reasoning + said, cached, written, reasoning, draw(st.none() | _media))
