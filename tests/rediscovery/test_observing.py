"""What a provider is like is read by rules, each value with the record that says it."""

from typing import Any

import pytest
from pydantic import JsonValue

from modelscan.rediscovery.looking import listed_records
from modelscan.rediscovery.observing import inputs_of, state_of
from modelscan.sources.builtin import record_of
from modelscan.types import Decision, ProviderState, SourceRecord
from tests.rediscovery.listed import lists, model, models_dev, prices, provider


def seen(row: dict[str, Any] | None, priced: Any = None, *more: SourceRecord, decisions: Any = ()) -> ProviderState:
    read = lists(models_dev(row) if row else None, priced)
    name = row["id"] if row else "acme"
    return state_of(name, (*listed_records(name, read.values()), *more), decisions)


def values(state: ProviderState) -> dict[str, str | None]:
    return {name: one.value if (one := getattr(state, name)) else None for name in ("protocol", "base_url", "auth")}


def itself(*models: str, key_header: str | None = None) -> SourceRecord:
    observation: dict[str, JsonValue] = {
        "base_url": "http://127.0.0.1:9/v1",
        "method": "GET",
        "path": "/models",
        "status": 200,
        "shape": "models",
        "models": list(models),
        "with_key": key_header is not None,
        "key_header": key_header,
    }
    chat: dict[str, JsonValue] = {
        **observation,
        "method": "POST",
        "path": "/chat/completions",
        "status": 400,
        "shape": "error",
        "models": [],
    }
    return SourceRecord.of(
        source="provider",
        subject="acme",
        url="http://127.0.0.1:9/v1",
        payload={"observations": [observation, chat]},
        trusted=False,
    )


OPERATOR = SourceRecord.of(
    source="operator",
    subject="acme",
    url="http://127.0.0.1:9/v1",
    payload={"base_url": "http://127.0.0.1:9/v1"},
    trusted=True,
)


def test_a_listed_provider_has_its_protocol_address_key_models_prices_and_limits() -> None:
    state = seen(provider("acme", model("small", input=0.5, output=1.5), model("large", context=None, input=3)))
    assert values(state) == {
        "protocol": "openai_chat",
        "base_url": "https://api.acme.invalid/v1",
        "auth": "key in Authorization Bearer from ACME_API_KEY",
    }
    prices_of = {name: {k: v.value for k, v in one.prices.items()} for name, one in state.models.items()}
    limits_of = {name: {k: v.value for k, v in one.limits.items()} for name, one in state.models.items()}
    assert prices_of == {"small": {"input_mtok": "0.5", "output_mtok": "1.5"}, "large": {"input_mtok": "3"}}
    assert limits_of == {"small": {"context_tokens": "8000", "output_tokens": "1000"}, "large": {}}
    assert {one.source for one in state.evidence.values()} == {"models.dev"}


def test_what_one_list_does_not_say_the_other_one_may_and_each_value_names_its_record() -> None:
    state = seen(
        provider("acme", model("small", input=0.5)),
        prices(small={"input_mtok": 9, "output_mtok": 2}, odd={"input_mtok": 1}),
    )
    said = state.models["small"].prices
    assert {name: (one.value, state.evidence[one.record].source) for name, one in said.items()} == {
        "input_mtok": ("0.5", "models.dev"),
        "output_mtok": ("2", "genai-prices"),
    }
    assert list(state.models) == ["small"]


def test_a_provider_of_the_price_list_alone_has_the_models_that_it_prices() -> None:
    state = seen(None, prices(small={"input_mtok": 1}, large={"input_mtok": 2}))
    assert sorted(state.models) == ["large", "small"]
    assert values(state) == {"protocol": None, "base_url": None, "auth": None}


@pytest.mark.parametrize(
    ("more", "protocol", "base_url", "auth"),
    [
        ({"npm": "@ai-sdk/azure"}, "azure_openai", "https://api.acme.invalid/v1", "ACME_API_KEY"),
        ({"npm": "acme-sdk", "api": None}, "acme-sdk", None, "ACME_API_KEY"),
        ({"npm": None, "env": []}, "no package", "https://api.acme.invalid/v1", None),
        ({"api": None}, "openai_chat", None, "key in Authorization Bearer from ACME_API_KEY"),
    ],
)
def test_whom_no_template_fits_is_compared_as_the_list_has_it(
    more: dict[str, Any], protocol: str, base_url: str | None, auth: str | None
) -> None:
    assert values(seen(provider(**more))) == {"protocol": protocol, "base_url": base_url, "auth": auth}


def test_our_own_row_comes_before_the_list() -> None:
    own = record_of("groq")
    assert own
    state = seen(provider("groq", api=None), None, own)
    assert state.base_url
    assert (state.base_url.value, state.base_url.record) == ("https://api.groq.com/openai/v1", own.id)


def test_of_what_the_list_has_only_what_the_provider_itself_lists_counts() -> None:
    row = provider("acme", model("small"), model("large"))
    assert list(seen(row, None, itself("small", "unlisted")).models) == ["small"]
    assert sorted(seen(row, None, itself("unlisted")).models) == ["large", "small"]


def test_a_server_of_the_operators_own_is_what_it_says_of_itself() -> None:
    state = seen(provider(), prices(own={"input_mtok": 1}), OPERATOR, itself("own"))
    assert list(state.models) == ["own"]
    assert state.models["own"].prices == {}
    assert values(state) == {"protocol": "openai_chat", "base_url": "http://127.0.0.1:9/v1", "auth": "no key"}


def test_a_gpustack_tells_which_of_its_models_chat() -> None:
    payload: Any = {
        "asks_for_key": False,
        "key_header": None,
        "models": [{"name": "small", "categories": ["llm"]}, {"name": "vectors", "categories": ["embedding"]}],
        "model-routes": [],
        "served": [{"id": "small", "meta": {"n_ctx": 4096}}],
    }
    stack = SourceRecord.of(source="gpustack", subject="acme", url="http://127.0.0.1:9", payload=payload, trusted=False)
    state = state_of("acme", (OPERATOR, itself("small", "vectors"), stack))
    assert list(state.models) == ["small"]
    assert state.models["small"].limits["context_tokens"].value == "4096"


def test_a_rejected_source_is_not_heard_and_a_pin_is_no_change_of_the_provider() -> None:
    row, priced = provider("acme", model("small", input=0.5)), prices(small={"input_mtok": 9})
    reject = Decision.of("reject", "acme/small", "price.input_mtok", source="models.dev")
    pin = Decision.of("pin", "acme/small", "price.input_mtok", value="7")
    assert seen(row, priced, decisions=[pin]) == seen(row, priced)
    assert seen(row, priced, decisions=[reject]).models["small"].prices["input_mtok"].value == "9"
    both = listed_records("acme", lists(models_dev(row), priced).values())
    assert inputs_of(both) == inputs_of(reversed(both), [pin]) != inputs_of(both, [reject])


def test_a_price_is_as_far_as_it_counts_and_what_is_none_is_unknown() -> None:
    rates: dict[str, Any] = {"input": 0.09999999999999999, "output": 1e-9, "reasoning": "-1", "tiers": "no list"}
    state = seen(provider("acme", model("small", **rates)))
    assert {name: one.value for name, one in state.models["small"].prices.items()} == {"input_mtok": "0.1"}
