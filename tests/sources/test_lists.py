"""Each whole list is parsed once, and read for every provider in it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from modelscan.settings import DiscoverySettings
from modelscan.sources.lists import LISTS, ReadList
from modelscan.types import SourceGap, SourceRecord
from tests.rediscovery.listed import AT, listing, lists, models_dev, prices, provider
from tests.sources.asking import fixture


def test_their_addresses_are_the_settings() -> None:
    settings = DiscoverySettings(models_dev_url="https://a.example", genai_prices_url="https://b.example")
    assert [one.url(settings) for one in LISTS] == ["https://a.example", "https://b.example"]


def test_a_record_is_of_the_time_at_which_the_server_confirmed_it() -> None:
    later = listing("models.dev", models_dev()).model_copy(update={"checked_at": AT + timedelta(hours=1)})
    found = ReadList(LISTS[0], later).record("acme")
    assert isinstance(found, SourceRecord)
    assert (found.fetched_at, found.sha256, found.stale) == (AT + timedelta(hours=1), later.sha256, False)
    assert found.id == lists(models_dev())["models.dev"].record("acme").id  # type: ignore[union-attr]


def test_prices_are_found_by_the_name_that_models_dev_uses() -> None:
    rows = [*prices("x-ai", grok={"input_mtok": 3}), *prices("avian", small={"input_mtok": 1})]
    read = lists(priced=rows)["genai-prices"]
    assert read.providers == ("avian", "xai")
    assert isinstance(found := read.record("xai"), SourceRecord)
    assert found.payload["models"] == {"grok": {"input_mtok": "3"}}  # type: ignore[index, call-overload]


def test_who_is_not_listed_has_no_record_and_whose_row_cannot_be_read_is_a_gap() -> None:
    read = lists(models_dev(provider(), provider("broken", api=["no text"])))["models.dev"]
    assert read.record("nobody") is None
    assert isinstance(gap := read.record("broken"), SourceGap)
    assert gap.kind == "malformed"


def test_what_cannot_be_an_id_is_left_out() -> None:
    rows = {**models_dev(), "Not An Id": provider(), "a/b": provider(), "": provider()}
    assert lists(rows)["models.dev"].providers == ("acme",)


@pytest.mark.parametrize(("source", "body"), [(0, []), (0, "text"), (0, 3), (1, {}), (1, None), (1, "text")])
def test_a_list_of_another_shape_is_refused(source: int, body: Any) -> None:
    with pytest.raises(ValueError, match="is no"):
        ReadList(LISTS[source], listing(LISTS[source].name, body))


@pytest.mark.parametrize(
    ("source", "body", "models"),
    [
        (0, {"acme": provider(), "odd": {"models": [1]}, "none": 3}, {"acme": 1, "odd": 0}),
        (1, [*prices(small={"input_mtok": 1}), {"id": "odd", "models": 3}, "none"], {"acme": 1, "odd": 0}),
    ],
)
def test_models_are_counted_as_the_source_has_them(source: int, body: Any, models: dict[str, int]) -> None:
    read = ReadList(LISTS[source], listing(LISTS[source].name, body))
    assert {name: len(rows) for name, rows in read.models().items()} == models


@pytest.mark.parametrize("name", ["usual", "missing", "malformed"])
def test_every_provider_of_the_fixtures_has_a_record_or_a_gap(name: str) -> None:
    body = json.loads(fixture(f"models_dev/{name}.json"))
    read = ReadList(LISTS[0], listing("models.dev", body))
    assert all(read.record(one) is not None for one in read.providers)
