from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from modelscan.catalog import discoveries, prices, versions
from modelscan.catalog.database import Database
from modelscan.catalog.prices import Stated, Stating
from modelscan.types import Claim, Decision, Discovery, Model, PriceSource, PriceVersion, Tariff, Tier, utc_now
from tests.catalog.samples import report, spec

SOURCE = PriceSource(source="models.dev", record="r1", url="https://models.dev/api.json", fetched_at=utc_now())


def saying(seen: list[bool] | None = None, **rates: Any) -> Stating:
    """A rule by which each named model has this price of input."""

    def state(
        _claims: tuple[Claim, ...], _decisions: tuple[Decision, ...], *, own_server: bool
    ) -> Mapping[str, Stated]:
        if seen is not None:
            seen.append(own_server)
        return {model: (Tariff(input_mtok=rate), {"input_mtok": SOURCE}) for model, rate in rates.items()}

    return state


def inputs(found: tuple[PriceVersion, ...]) -> list[tuple[str, Any]]:
    return [(one.model, one.tariff.stated().get("input_mtok")) for one in found]


def test_a_version_is_made_only_where_something_changed(database: Database) -> None:
    assert inputs(prices.renew(database, "acme", saying(a=1, b=2))) == [("a", "1"), ("b", "2")]
    assert prices.renew(database, "acme", saying(a=1, b=2)) == ()
    (changed,) = prices.renew(database, "acme", saying(a=1, b=3))
    assert inputs(prices.newest(database)) == [("a", "1"), ("b", "3")]
    assert inputs(prices.versions(database, "acme", "b")) == [("b", "3"), ("b", "2")]
    assert changed.evidence == {"input_mtok": SOURCE}


def test_a_price_that_nobody_says_any_more_is_unknown_from_then_on(database: Database) -> None:
    prices.renew(database, "acme", saying(a=1))
    (gone,) = prices.renew(database, "acme", saying())
    assert gone.tariff == Tariff()
    assert prices.renew(database, "acme", saying()) == ()
    assert inputs(prices.newest(database, "acme")) == [("a", None)]


def test_one_model_alone_may_be_taken_up(database: Database) -> None:
    prices.renew(database, "acme", saying(a=1, b=2))
    assert inputs(prices.renew(database, "acme", saying(a=5, b=6), model="a")) == [("a", "5")]
    assert prices.renew(database, "acme", saying(), model="c") == ()
    assert inputs(prices.newest(database)) == [("a", "5"), ("b", "2")]


def test_a_version_counts_after_the_one_before_it_though_the_clock_went_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = prices.renew(database, "acme", saying(a=1))
    monkeypatch.setattr(prices, "utc_now", lambda: first.valid_from - timedelta(days=1))
    (second,) = prices.renew(database, "acme", saying(a=2))
    assert second.valid_from > first.valid_from


def test_a_version_is_read_as_it_was_written(database: Database) -> None:
    tariff = Tariff(input_mtok="0.083333", request_usd=0, tiers=(Tier(over=200_000, input_mtok=2),))
    (made,) = prices.renew(database, "acme", lambda *_, **__: {"a/b": (tariff, {"tiers": SOURCE})})
    assert prices.newest(database) == (made,)


def test_prices_in_force_are_those_of_published_models(database: Database) -> None:
    assert prices.unpriced(database) == ()
    versions.publish(database, spec(Model(id="a")), path="acme.py", sha256="0", report=report())
    assert prices.unpriced(database) == ("acme",)
    prices.renew(database, "acme", saying(a=1, b=2))
    (found,) = prices.in_force(database)
    assert inputs((found,)) == [("a", "1")]
    assert prices.unpriced(database) == ()
    assert prices.in_force(database, {found.id: found})[0] is found  # It was not read again.
    prices.renew(database, "acme", saying(a=3))
    assert inputs(prices.in_force(database, {found.id: found})) == [("a", "3")]


@pytest.mark.parametrize("base_url", [None, "http://localhost:9000/v1"])
def test_the_rule_is_told_whether_the_operator_named_the_server(database: Database, base_url: str | None) -> None:
    seen: list[bool] = []
    prices.renew(database, "acme", saying(seen))
    run = Discovery(id="d1", identifier="acme", base_url=base_url, created_at=utc_now())
    discoveries.create(database, run)
    versions.publish(database, spec(), path="acme.py", sha256="0", report=report(), discovery_id="d1")
    prices.renew(database, "acme", saying(seen))
    assert seen == [False, base_url is not None]
