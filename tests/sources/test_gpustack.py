import re
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from modelscan.sources.gpustack import GPUSTACK, chat_models_of, claims
from modelscan.types import SourceRecord
from tests.corpus import corpus_json
from tests.sources.asking import Handler, answered, ask_with, json_routes

BASE = "http://gpu.example:80/v1"
KEY = "gpustack_0123_abcdef"
REFUSED = {"code": 401, "reason": "Unauthorized", "message": "Invalid authentication credentials"}


def model(name: str, *categories: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "categories": categories, "backend": "vLLM", "huggingface_repo_id": None, **more}


DEPLOYED = [
    model("qwen3-0.6b", "llm", huggingface_repo_id="Qwen/Qwen3-0.6B"),
    model("bge", "embedding"),
    {"no": "name"},
]
ROUTES = [{"name": "qwen3-0.6b", "categories": ["llm"], "ready_targets": 1}, {"name": "chat", "categories": ["llm"]}]
SERVED = [
    {"id": "qwen3-0.6b", "owned_by": "gpustack", "meta": {"max_model_len": 8192, "lb_mode": "weighted"}},
    {"id": "bge", "meta": None},
    {"id": "chat", "meta": {"n_ctx": 2048}},
]


def server(header: str | None = None, value: str = "", pages: int = 1, calls: list[str] | None = None) -> Handler:
    """A GPUStack that wants its key in one header (None: it is open)."""
    lists: dict[str, list[Any]] = {"/v2/models": DEPLOYED, "/v2/model-routes": ROUTES}

    def handle(request: httpx2.Request) -> httpx2.Response:
        path, number = request.url.path, int(request.url.params.get("page", 1))
        if calls is not None:
            calls.append(f"{path} {number}")
        if header and request.headers.get(header) != value:
            return answered(401, REFUSED)
        if path in lists:
            return answered(200, {"items": lists[path][number - 1 :: pages], "pagination": {"totalPage": pages}})
        return answered(200, {"data": SERVED}) if path == "/v1/models" else answered(404, {"detail": "Not Found"})

    return handle


def fetched(handler: Handler, key: str | None = KEY, base_url: str = BASE) -> Any:
    secret = SecretStr(key) if key else None
    return ask_with(handler, GPUSTACK.fetch, "gpu", base_url=base_url, operator_named=True, key=secret)


def recorded(handler: Handler, key: str | None = KEY, base_url: str = BASE) -> SourceRecord:
    record = fetched(handler, key, base_url)
    assert isinstance(record, SourceRecord)
    return record


def said(record: SourceRecord) -> dict[tuple[str, str], Any]:
    return {(one.subject, one.field): one.value for one in claims(record)}


@pytest.mark.parametrize(("header", "value"), [("Authorization", f"Bearer {KEY}"), ("X-API-Key", KEY)])
@pytest.mark.parametrize("base_url", [BASE, "http://gpu.example:80", f"{BASE}/chat/completions", f"{BASE}-openai/"])
def test_a_running_server_is_recognised_with_either_form_of_its_key(header: str, value: str, base_url: str) -> None:
    record = recorded(server(header, value), base_url=base_url)
    assert isinstance(record.payload, dict)
    assert (record.payload["asks_for_key"], record.payload["key_header"]) == (True, header)
    assert (record.url, record.trusted) == ("http://gpu.example:80/v2/models", False)
    assert chat_models_of(record) == {"chat": 2048, "qwen3-0.6b": 8192}


def test_what_it_deploys_routes_and_serves_is_told() -> None:
    record = recorded(server())
    assert record.note == "1 rows cannot be read"
    assert said(record) == {
        ("gpu", "software"): "GPUStack",
        ("gpu", "models"): ["bge", "chat", "qwen3-0.6b"],
        ("gpu/qwen3-0.6b", "categories"): ["llm"],
        ("gpu/qwen3-0.6b", "weights"): "Qwen/Qwen3-0.6B",
        ("gpu/qwen3-0.6b", "backend"): "vLLM",
        ("gpu/qwen3-0.6b", "context_tokens"): 8192,
        ("gpu/bge", "categories"): ["embedding"],
        ("gpu/bge", "backend"): "vLLM",
        ("gpu/chat", "categories"): ["llm"],
        ("gpu/chat", "context_tokens"): 2048,
    }


@pytest.mark.parametrize("key", [None, "wrong", "é", "two\nlines"])
def test_without_a_key_that_it_takes_only_what_it_is_can_be_told(key: str | None) -> None:
    record = recorded(server("Authorization", f"Bearer {KEY}"), key)
    assert record.payload == {"asks_for_key": True, "key_header": None}
    assert said(record) == {("gpu", "software"): "GPUStack"}
    assert chat_models_of(record) == {}


def test_all_pages_are_read_and_no_more_than_a_few() -> None:
    calls: list[str] = []
    assert recorded(server(pages=3, calls=calls)).payload == recorded(server(pages=1)).payload | {}  # type: ignore[operator]
    assert [call for call in calls if call.startswith("/v2/models ")][1:] == [f"/v2/models {n}" for n in (1, 2, 3)]
    calls.clear()
    recorded(server(pages=1000, calls=calls))
    assert len(calls) < 50


def test_a_key_that_may_not_see_the_deployments_still_sees_what_is_served() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return answered(401, REFUSED)
        if request.url.path == "/v1/models":
            return answered(200, {"data": SERVED})
        return answered(403, REFUSED | {"code": 403})

    assert list(chat_models_of(recorded(handle))) == ["bge", "chat", "qwen3-0.6b"]


def test_the_key_stands_nowhere_in_the_record_though_the_server_quotes_it() -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        if "authorization" not in request.headers:
            return answered(401, REFUSED)
        echo = request.headers["authorization"]
        if request.url.path == "/v1/models":
            return answered(200, {"data": [{"id": echo}, {"id": "good"}]})
        return answered(200, {"items": [model(echo), model("m", echo)], "pagination": {"totalPage": 1}})

    record = recorded(handle)
    assert KEY not in record.model_dump_json()
    assert list(chat_models_of(record)) == ["good"]


def refuse(_: httpx2.Request) -> httpx2.Response:
    raise httpx2.ConnectError("connection refused")


@pytest.mark.parametrize(
    "handler",
    [
        refuse,
        json_routes({}),
        lambda _: answered(401, {"error": {"message": "no key"}}),
        lambda _: answered(401, {"code": "x", "reason": "y", "message": "z"}),
        lambda _: answered(200, {"items": []}),
        lambda _: answered(200, {"data": []}),
        lambda _: answered(200, b"<html>"),
    ],
)
def test_another_server_is_no_gpustack(handler: Handler) -> None:
    assert fetched(handler) is None


def test_the_key_is_not_sent_to_what_is_no_gpustack() -> None:
    sent: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return answered(200, {"data": []})

    fetched(handle)
    assert [KEY in str(dict(request.headers)) for request in sent] == [False]


@pytest.mark.parametrize("payload", [None, [], {"models": 7}, {"served": [{"x": 1}]}])
def test_a_record_in_another_form_names_no_models(payload: Any) -> None:
    record = SourceRecord.of(source="gpustack", subject="gpu", url="u", payload=payload, trusted=False)
    assert chat_models_of(record) == {}
    assert said(record) == {("gpu", "software"): "GPUStack"}


@pytest.mark.peer
def test_recorded_answers_are_read() -> None:
    files = {
        "/v2/models": "v2_models",
        "/v2/model-routes": "v2_model-routes",
        "/v1/models": "v1_models_with_meta_true",
    }
    bodies = {path: corpus_json(f"gpustack/{name}.json") for path, name in files.items()}
    refused = corpus_json("gpustack/v1_models_401.json")

    def handle(request: httpx2.Request) -> httpx2.Response:
        known = re.fullmatch(rf"Bearer {KEY}", request.headers.get("authorization", ""))
        return answered(200, bodies[request.url.path]) if known else answered(401, refused)

    facts = said(recorded(handle))
    assert facts["gpu", "models"] == ["smollm2"]
    assert facts["gpu/qwen3-0.6b", "weights"] == "Qwen/Qwen3-0.6B"
    assert facts["gpu/smollm2", "categories"] == ["llm"]
