from typing import Any

import pytest

from modelscan.sources.modelscope import MODELSCOPE, claims, detail_of, served_of
from modelscan.types import SourceGap, SourceRecord
from tests.corpus import corpus_json
from tests.sources.asking import ask_with, json_routes

MODEL = "acme/anvil-7b"
OPEN = f"GET https://modelscope.cn/openapi/v1/models/{MODEL}"
OLDER = f"GET https://modelscope.cn/api/v1/models/{MODEL}"
SERVED = "GET https://api-inference.modelscope.cn/v1/models"
DETAIL = {
    "success": True,
    "request_id": "r",
    "data": {
        "id": MODEL,
        "license": "apache-2.0",
        "params": 7_000,
        "tags": ["library:gguf", "task:text-generation"],
        "gated": False,
        "downloads": 5,
    },
}
OLDER_DETAIL = {
    "Code": 200,
    "Data": {
        "Name": "anvil-7b",
        "License": "mit",
        "Tasks": [{"Name": "text-generation"}, {"Other": 1}],
        "SupportApiInference": True,
        "BackendSupport": {"model_id": "acme/anvil-7b"},
    },
    "Message": "success",
    "RequestId": "r",
    "Success": True,
}
LIST = {"object": "list", "data": [{"id": MODEL}, {"id": "acme/rocket"}, {"name": "x"}]}


def fetched(routes: dict[str, tuple[int, Any]], identifier: str = f"modelscope/{MODEL}", **more: Any) -> Any:
    return ask_with(json_routes(routes), MODELSCOPE.fetch, identifier, **more)


def recorded(routes: dict[str, tuple[int, Any]], identifier: str = f"modelscope/{MODEL}", **more: Any) -> SourceRecord:
    record = fetched(routes, identifier, **more)
    assert isinstance(record, SourceRecord)
    return record


def said(record: SourceRecord) -> dict[tuple[str, str], Any]:
    return {(one.subject, one.field): one.value for one in claims(record)}


def test_a_model_is_told_by_the_open_api_and_by_what_is_served() -> None:
    record = recorded({OPEN: (200, DETAIL), SERVED: (200, LIST)})
    assert (record.trusted, record.note) == (False, "1 of 3 served models cannot be read")
    subject = f"modelscope/{MODEL}"
    assert said(record) == {
        (subject, "license"): "apache-2.0",
        (subject, "parameters"): 7_000,
        (subject, "gated"): False,
        (subject, "task"): "text-generation",
        (subject, "api_inference"): True,
        ("modelscope", "models"): ["acme/anvil-7b", "acme/rocket"],
    }


def test_where_the_open_api_has_none_the_older_one_is_asked() -> None:
    facts = said(recorded({OLDER: (200, OLDER_DETAIL)}))
    assert {field: value for (_, field), value in facts.items()} == {
        "license": "mit",
        "task": "text-generation",
        "api_inference": True,
    }


def test_a_model_that_is_not_served_is_said_so() -> None:
    record = recorded({OPEN: (200, DETAIL), SERVED: (200, {"data": [{"id": "acme/rocket"}]})})
    assert said(record)[f"modelscope/{MODEL}", "api_inference"] is False


def test_the_provider_alone_is_what_it_serves() -> None:
    record = recorded({SERVED: (200, LIST)}, "modelscope")
    assert record.url == "https://api-inference.modelscope.cn/v1/models"
    assert said(record) == {("modelscope", "models"): ["acme/anvil-7b", "acme/rocket"]}


def test_of_another_provider_only_the_weights_are_told() -> None:
    facts = said(recorded({OPEN: (200, DETAIL)}, f"box/{MODEL}", deep=True))
    assert facts[f"box/{MODEL}", "license"] == "apache-2.0"
    assert not {field for _, field in facts} & {"models", "api_inference"}


def test_what_one_request_misses_is_noted_beside_what_the_other_gave() -> None:
    assert "answered 503" in recorded({OPEN: (200, DETAIL), SERVED: (503, {})}).note


@pytest.mark.parametrize(
    ("routes", "identifier", "kind"),
    [
        ({}, f"modelscope/{MODEL}", "unknown"),
        ({OPEN: (503, {}), OLDER: (200, OLDER_DETAIL)}, f"box/{MODEL}", "unreachable"),
        ({OPEN: (200, []), OLDER: (200, [])}, f"box/{MODEL}", "malformed"),
        ({SERVED: (200, [])}, "modelscope", "malformed"),
    ],
)
def test_what_cannot_be_told_is_a_gap(routes: dict[str, tuple[int, Any]], identifier: str, kind: str) -> None:
    gap = fetched(routes, identifier)
    assert isinstance(gap, SourceGap)
    assert (gap.source, gap.kind) == ("modelscope", kind)


def test_asked_for_a_name_that_is_none_of_a_hub_it_has_nothing_to_say() -> None:
    assert fetched({}, "box/gpt", deep=True) is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"success": False, "data": {}},
        {"success": True, "data": []},
        {"success": True, "data": {"models": [7, {"id": "acme/other"}]}},
        {"success": True, "data": {"params": "many"}},
        {"Success": False, "Data": {}},
        {"Success": True, "Data": {"License": 7}},
    ],
)
def test_an_answer_that_failed_or_has_another_form_says_nothing(body: Any) -> None:
    assert detail_of(body, MODEL) is None


@pytest.mark.parametrize("payload", [None, [], {"model": 7, "served": "x"}])
def test_a_record_in_another_form_claims_nothing(payload: Any) -> None:
    record = SourceRecord.of(source="modelscope", subject="modelscope/a/b", url="u", payload=payload, trusted=False)
    assert said(record) == {}


@pytest.mark.peer
def test_recorded_shapes_are_read() -> None:
    listed = corpus_json("modelscope/get_openapi_v1_models.json")["response"]
    row = listed["data"]["models"][0]
    assert detail_of({"success": True, "data": row}, row["id"]) == detail_of(listed, row["id"])
    assert detail_of(listed, row["id"]) == {
        "license": "apache-2.0",
        "params": 7_615_616_512,
        "gated": False,
        "tags": ["library:gguf", "task:text-generation"],
    }
    older = corpus_json("modelscope/get_api_v1_models_detail_keys.json")["example"]
    assert detail_of({"Code": 200, "Data": older, "Success": True}, MODEL) == {"tasks": [], "api_inference": False}
    served = served_of(corpus_json("modelscope/get_api_inference_v1_models.json")["response"])
    assert served is not None
    assert (len(served[0]), served[1]) == (5, 0)
