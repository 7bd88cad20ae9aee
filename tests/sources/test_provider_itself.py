import json
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from modelscan.errors import HostRefused
from modelscan.sources.provider_itself import PROVIDER, Observation, candidates, observations_of
from modelscan.types import SourceGap, SourceRecord
from tests.sources.asking import Handler, answered, ask_with, json_routes

BASE = "http://box.example:9001/v1"
MESSAGES = "anthropic_messages"
ENDS = ("messages", "messages/count_tokens", "models")
MODELS = {"object": "list", "data": [{"id": "anvil"}, {"id": "rocket"}]}
REFUSED = {"error": {"message": "You need a key", "type": "authentication_error"}}


def seen(handler: Handler, base_url: str = BASE, **more: Any) -> tuple[Observation, ...]:
    return observations_of(recorded(handler, base_url, **more))


def recorded(handler: Handler, base_url: str = BASE, **more: Any) -> SourceRecord:
    more = {"operator_named": True} | more
    record = ask_with(handler, PROVIDER.fetch, base_url=base_url, **more)
    assert isinstance(record, SourceRecord)
    return record


def keyed(header: str, value: str, calls: list[httpx2.Request] | None = None) -> Handler:
    """A server that wants its key in one header, and quotes whatever it was sent."""

    def handle(request: httpx2.Request) -> httpx2.Response:
        if calls is not None:
            calls.append(request)
        if request.headers.get(header) == value:
            return answered(200, {"data": [{"id": "anvil"}, {"id": f"echo {value}"}]})
        return answered(401, {"error": {"message": f"refused: {dict(request.headers)}"}})

    return handle


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("http://a/v1", ("http://a/v1", "http://a")),
        ("http://a/v1/", ("http://a/v1", "http://a")),
        ("http://a", ("http://a", "http://a/v1")),
        ("http://a/v1/chat/completions", ("http://a/v1", "http://a")),
    ],
)
def test_the_candidates_are_the_given_url_and_its_neighbour(given: str, expected: tuple[str, ...]) -> None:
    assert candidates(given) == expected


def test_an_open_server_shows_its_models_and_its_errors() -> None:
    routes = {
        f"GET {BASE}/models": (200, MODELS),
        f"POST {BASE}/chat/completions": (400, {"error": {"message": "no messages"}}),
    }
    by_path = {one.path: one for one in seen(json_routes(routes)) if one.base_url == BASE}
    assert by_path["/models"].models == ("anvil", "rocket")
    assert (by_path["/chat/completions"].shape, by_path["/chat/completions"].message) == ("error", "no messages")


def test_the_neighbours_of_an_operators_url_are_asked_too_but_not_those_of_a_lists() -> None:
    assert {one.base_url for one in seen(json_routes({}))} == {BASE, BASE.removesuffix("/v1")}
    assert {one.base_url for one in seen(json_routes({}), operator_named=False)} == {BASE}


@pytest.mark.parametrize(
    ("header", "value"), [("authorization", "Bearer sk-1"), ("x-api-key", "sk-1"), ("api-key", "sk-1")]
)
def test_the_header_that_carries_the_key_is_found(header: str, value: str) -> None:
    with_key = [one for one in seen(keyed(header, value), key=SecretStr("sk-1")) if one.shape == "models"]
    assert {str(one.key_header).lower() for one in with_key} == {header}


def test_a_provider_of_a_list_is_sent_its_key_in_the_usual_header_only() -> None:
    calls: list[httpx2.Request] = []
    seen(keyed("x-api-key", "sk-1", calls), key=SecretStr("sk-1"), operator_named=False)
    assert [call for call in calls if "x-api-key" in call.headers] == []


def test_the_key_stands_nowhere_in_the_record_though_the_server_quotes_it() -> None:
    for header in ("authorization", "x-api-key", "never"):
        record = recorded(keyed(header, "sk-very-secret"), key=SecretStr("sk-very-secret"))
        assert "sk-very-secret" not in record.model_dump_json()


def test_a_provider_of_messages_is_sent_its_key_as_that_protocol_has_it() -> None:
    calls: list[httpx2.Request] = []
    base = "https://api.acme.example/anthropic/v1"
    told = seen(keyed("x-api-key", "sk-1", calls), base, key=SecretStr("sk-1"), operator_named=False, protocol=MESSAGES)
    assert [one.models for one in told if one.with_key] == [("anvil",)]
    assert {call.url.path for call in calls} == {f"/anthropic/v1/{end}" for end in ENDS}
    assert not [call for call in calls if "authorization" in call.headers]
    assert {call.headers["anthropic-version"] for call in calls} == {"2023-06-01"}


@pytest.mark.parametrize("key", ["sk-\n1", "sk-é"])
def test_a_key_that_no_header_can_carry_is_not_sent(key: str) -> None:
    assert not any(one.with_key for one in seen(keyed("x", "y"), key=SecretStr(key)))


def test_a_server_that_cannot_be_reached_is_a_gap_with_the_reason() -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("connection refused")

    gap = ask_with(refuse, PROVIDER.fetch, base_url=BASE, operator_named=True)
    assert gap == SourceGap(
        source="provider", kind="unreachable", reason="http://box.example:9001 cannot be reached: connection refused."
    )


def test_an_address_that_may_not_be_asked_is_a_gap() -> None:
    def refuse(_: httpx2.Request) -> httpx2.Response:
        raise HostRefused("box.example is at 10.0.0.1, which is no public address.")

    gap = ask_with(refuse, PROVIDER.fetch, base_url=BASE, operator_named=True)
    assert isinstance(gap, SourceGap)
    assert gap.kind == "refused"


def test_what_one_request_misses_does_not_hide_what_the_others_saw() -> None:
    def half(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            raise httpx2.ReadError("cut")
        return answered(200, MODELS)

    record = recorded(half)
    assert {one.method for one in observations_of(record)} == {"GET"}
    assert record.note == "http://box.example:9001 cannot be reached: cut."


def test_a_fault_of_the_key_request_leaves_what_was_seen_without_it() -> None:
    def cut(request: httpx2.Request) -> httpx2.Response:
        if "sk-1" in str(request.headers):
            raise httpx2.ReadError("cut")
        return answered(401, REFUSED)

    assert {one.status for one in seen(cut, key=SecretStr("sk-1"))} == {401}


@pytest.mark.parametrize(
    ("status", "body", "shape"),
    [
        (200, MODELS, "models"),
        (200, [{"id": "a"}], "models"),
        (200, {"data": []}, "models"),
        (500, MODELS, "json"),
        (200, [], "json"),
        (200, {"data": [{"name": "a"}]}, "json"),
        (200, {"data": [7]}, "json"),
        (200, {"hello": 1}, "json"),
        (422, {"detail": [{"loc": ["body"]}]}, "error"),
        (400, {"message": "bad"}, "error"),
        (401, {"error": "unauthorized"}, "error"),
        (200, b"<html>", "other"),
    ],
)
def test_answers_are_told_apart_by_their_shape(status: int, body: Any, shape: str) -> None:
    came = seen(lambda _: answered(status, body))
    [one] = [one for one in came if (one.base_url, one.path) == (BASE, "/models")]
    assert one.shape == shape


@pytest.mark.parametrize("base_url", [None, "https://${ACCOUNT}.example/v1"])
def test_there_is_nothing_to_ask_without_a_url_or_with_a_variable_in_it(base_url: str | None) -> None:
    assert ask_with(json_routes({}), PROVIDER.fetch, base_url=base_url) is None


def test_there_is_nothing_to_ask_in_a_protocol_that_has_no_template() -> None:
    assert ask_with(json_routes({}), PROVIDER.fetch, base_url=BASE, protocol="azure_openai") is None


def test_rows_that_cannot_be_read_are_left_out_and_counted() -> None:
    models = {"data": [{"id": "x" * 257}, {"id": "fine"}, {"id": 7}, None]}
    assert {one.models for one in seen(lambda _: answered(200, models)) if one.shape == "models"} == {("fine",)}
    assert recorded(lambda _: answered(200, models)).note == "3 of 4 models that it lists cannot be read"


@pytest.mark.parametrize(
    ("listing", "model"),
    [
        ({"models": [{"name": "models/../.."}, {"name": "models/a/b"}]}, "a%2Fb"),
        ({"models": [{"name": "models/.."}]}, "modelscan"),
        ({}, "modelscan"),
    ],
)
def test_a_chat_with_the_model_in_its_path_is_asked_of_one_that_is_listed(listing: Any, model: str) -> None:
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.method} {request.url.raw_path.decode()}")
        if request.method == "GET":
            return answered(200, listing)
        return answered(400, {"error": {"message": "contents are missing"}})

    came = seen(handle, "https://g.example", operator_named=False, protocol="gemini_generate_content")
    assert asked == ["GET /v1beta/models", f"POST /v1beta/models/{model}:generateContent"]
    assert [one.path for one in came] == ["/v1beta/models", "/v1beta/models/{model}:generateContent"]


def test_a_list_at_the_place_of_two_protocols_is_read_in_either_way() -> None:
    cohere = {"models": [{"name": "reef"}]}
    routes = {"GET https://c.example/v1/models": (200, cohere)}
    came = seen(json_routes(routes), "https://c.example")
    assert {one.models for one in came if one.shape == "models"} == {("reef",)}


def test_the_providers_own_words_are_never_trusted_with_a_url() -> None:
    assert not recorded(json_routes({})).trusted


@pytest.mark.parametrize("payload", [None, [], {"observations": 7}, {"observations": [{"another": "form"}]}])
def test_a_record_in_another_form_holds_no_observations(payload: Any) -> None:
    record = SourceRecord.of(
        source="provider", subject="acme", url=BASE, payload=json.loads(json.dumps(payload)), trusted=False
    )
    assert observations_of(record) == ()
