import hashlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import metadata
from typing import Any

import httpx2
import pytest
from genai_prices.data import providers as shipped

from modelscan.errors import HostRefused
from modelscan.settings import DiscoverySettings
from modelscan.sources import genai_prices
from modelscan.sources.genai_prices import GENAI_PRICES, THEIR_IDS, prices_of, record_of
from modelscan.types import SourceGap, SourceRecord, utc_now
from tests.corpus import corpus_json
from tests.sources.asking import Handler, answered, ask_with, fixture

URL = DiscoverySettings().genai_prices_url


def no_route(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("no route to host")


def refused(_: httpx2.Request) -> httpx2.Response:
    raise HostRefused("raw.example is at 10.0.0.1, which is no public address.")


def fetched(handler: Handler, identifier: str = "acme") -> SourceRecord:
    record = ask_with(handler, GENAI_PRICES.fetch, identifier)
    assert isinstance(record, SourceRecord)
    return record


def usual() -> SourceRecord:
    return fetched(lambda _: answered(200, fixture("genai_prices/usual.json")))


def told(*models: dict[str, Any]) -> SourceRecord:
    rows = [{"id": "acme", "models": list(models)}]
    record = record_of(rows, "acme", url="u", sha256="0" * 64, note="")
    assert isinstance(record, SourceRecord)
    return record


def conditional(*prices: tuple[dict[str, str] | None, int]) -> dict[str, Any]:
    rows = [{"constraint": constraint, "prices": {"input_mtok": price}} for constraint, price in prices]
    return {"id": "anvil", "prices": rows}


def input_of(row: dict[str, Any]) -> Decimal | None:
    price = prices_of(told(row)).get("anvil")
    return price.input_mtok if price else None


def test_the_record_is_the_providers_prices_with_the_hash_of_the_whole_list() -> None:
    record = usual()
    assert (record.trusted, record.stale, record.url) == (False, False, URL)
    assert record.sha256 == hashlib.sha256(fixture("genai_prices/usual.json")).hexdigest()
    price = prices_of(record)["anvil"]
    assert (price.input_mtok, price.output_mtok, price.cache_read_mtok) == (Decimal("0.3"), Decimal("1.1"), None)


def test_of_a_price_that_rises_with_the_prompt_specifications_state_the_first() -> None:
    assert prices_of(usual())["tiered"].input_mtok == Decimal("1.25")


def test_rows_that_cannot_be_read_are_counted_and_the_others_kept() -> None:
    record = usual()
    assert record.note == "3 of 7 models cannot be read"
    assert set(prices_of(record)) == {"anvil", "tiered", "rocket"}


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (no_route, "no route to host"),
        (refused, "no public address"),
        (lambda _: answered(503, {}), "answered 503"),
        (lambda _: answered(200, {}), "no list"),
    ],
)
def test_without_the_live_list_the_packaged_one_stands_in_and_says_so(handler: Handler, why: str) -> None:
    record = fetched(handler, "deepseek")
    assert record.stale
    assert record.url == f"pkg:pypi/genai-prices@{metadata.version('genai-prices')}"
    assert record.note.startswith("stale snapshot")
    assert why in record.note
    assert prices_of(record)["deepseek-chat"].input_mtok


@pytest.mark.parametrize("handler", [lambda _: answered(200, fixture("genai_prices/usual.json")), no_route])
def test_a_provider_that_it_does_not_price_is_a_gap(handler: Handler) -> None:
    gap = ask_with(handler, GENAI_PRICES.fetch, "nobody")
    assert isinstance(gap, SourceGap)
    assert gap.kind == "unknown"
    assert gap.reason.startswith("genai-prices has no prices of nobody")
    assert ("no route to host" in gap.reason) is (handler is no_route)


def test_a_price_counts_from_its_day_on() -> None:
    today = utc_now().date()
    tomorrow, yesterday = ({"start_date": str(today + timedelta(days=days))} for days in (1, -1))
    assert input_of(conditional((None, 1), ({"start_date": str(today)}, 2))) == 2
    assert input_of(conditional((None, 1), (yesterday, 2), (tomorrow, 3))) == 2
    assert input_of(conditional((tomorrow, 3))) is None


@pytest.mark.parametrize("hour", [0, 12, 23])
def test_where_it_changes_with_the_hour_the_price_at_noon_stands_for_it(
    hour: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(genai_prices, "utc_now", lambda: datetime(2026, 7, 1, hour, 31, tzinfo=UTC))
    cheap_at_night = ({"start_time": "16:30:00Z", "end_time": "00:30:00Z"}, 1)
    assert input_of(conditional((None, 2), cheap_at_night)) == 2
    assert input_of(conditional((None, 2), ({"start_time": "11:00:00Z", "end_time": "12:30:00Z"}, 3))) == 3
    assert input_of(conditional((None, 2), ({"start_time": "20:00:00Z", "end_time": "13:00:00Z"}, 4))) == 4


def test_a_condition_that_is_not_known_here_never_holds() -> None:
    assert input_of(conditional((None, 1), ({"region": "eu"}, 2))) == 1


@pytest.mark.parametrize("price", [-1, 10**9, "NaN", "Infinity", True, {"base": -1}, [1]])
def test_a_price_that_nobody_could_believe_makes_a_bad_row(price: Any) -> None:
    record = told({"id": "anvil", "prices": {"input_mtok": price}})
    if price is not True:
        assert (record.note, prices_of(record)) == ("1 of 1 models cannot be read", {})


def test_a_model_is_found_by_their_match_clause_where_one_row_alone_speaks_of_it() -> None:
    prices = prices_of(usual(), ["Anvil-2026-01-01", "rocket-x", "other", "both-rocket-anvil"])
    assert prices["Anvil-2026-01-01"] == prices["anvil"]
    assert prices["rocket-x"] == prices["rocket"]
    assert {"other", "both-rocket-anvil"} & set(prices) == set()
    odd = usual().model_copy(update={"payload": {"models": {"a": {"input_mtok": "1"}}, "match": {"a": ["no clause"]}}})
    assert set(prices_of(odd, ["b"])) == {"a"}


@pytest.mark.parametrize("payload", [None, [], {"models": 7}, {"models": {"a": {"another": "form"}}}])
def test_a_record_in_another_form_holds_no_prices(payload: Any) -> None:
    record = SourceRecord.of(source="genai-prices", subject="acme", url="u", payload=payload, trusted=False)
    assert prices_of(record, ["a"]) == {}


THEIRS = {one.id: one for one in shipped}
ANOTHER_OFFER = {"zai-coding-plan", "zhipuai-coding-plan", "minimax-coding-plan", "minimax-cn-coding-plan"}
"""Plans with a price of their own at the same host, and what answers for other providers' models there."""


def test_every_id_of_the_table_is_theirs_and_needed() -> None:
    assert set(THEIR_IDS.values()) <= set(THEIRS)
    assert set(THEIR_IDS) & set(THEIRS) == set()


def test_the_table_is_complete_by_the_hosts_that_their_list_prices() -> None:
    listed = corpus_json("models_dev_api.json")
    assert set(THEIR_IDS) <= set(listed)
    for ours, row in listed.items():
        hosts = {one.id for one in shipped if row.get("api") and re.match(one.api_pattern, row["api"])}
        if hosts and ours not in ANOTHER_OFFER | {"perplexity-agent"}:
            assert THEIR_IDS.get(ours, ours) in hosts, ours


def test_what_both_lists_price_is_compared_by_their_clauses_too() -> None:
    listed = corpus_json("models_dev_api.json")
    both = exactly = 0
    for ours, row in listed.items():
        record = record_of(shipped, ours, url="u", sha256=None, note="")
        if isinstance(record, SourceRecord):
            both += len(set(prices_of(record, row["models"])) & set(row["models"]))
            exactly += len(set(prices_of(record)) & set(row["models"]))
    assert both > exactly + 150
