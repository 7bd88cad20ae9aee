"""What the real host's answers to requests without a key are taken for."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from modelscan.errors import HostRefused
from modelscan.types import Auth, CaseResult, Level
from modelscan.validation.probe import Answer, judge_chat, judge_models, probe
from tests.validation.specs import ENDPOINTS, a_spec

ERROR = {"error": {"message": "no", "type": "invalid_request_error"}}
KEYLESS = a_spec(auth=Auth(kind="none"))


def answer(status: int, payload: Any = None, text: str = "", login: str = "") -> Answer:
    return Answer(status, "application/json" if payload is not None else "text/html", login, payload, text)


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (answer(200, {"object": "list", "data": [{"id": "a"}]}), "passed"),
        (answer(200, {"models": [{"id": "a"}]}), "passed"),
        (answer(200, [{"id": "a"}]), "passed"),
        (answer(200, {"data": []}), "passed"),
        (answer(401, ERROR), "passed"),
        (answer(403, {"detail": "Not authenticated"}), "passed"),
        (answer(401), "passed"),
        (answer(401, login='Basic realm="x"'), "failed"),
        (answer(400, ERROR, text="Incorrect API key provided"), "passed"),
        (answer(400, ERROR, text="bad request"), "failed"),
        (answer(403), "failed"),
        (answer(200), "failed"),
        (answer(200, {"hello": "world"}), "failed"),
        (answer(200, ["a"]), "failed"),
        (answer(404, ERROR), "failed"),
        (answer(301), "failed"),
        (answer(501), "failed"),
        (answer(503), "skipped"),
        (answer(429, ERROR), "skipped"),
        (answer(502), "skipped"),
    ],
)
def test_a_model_list_or_a_refusal_is_expected(given: Answer, outcome: str) -> None:
    assert judge_models(given)[0] == outcome


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (answer(401, ERROR), "passed"),
        (answer(401), "passed"),
        (answer(400, ERROR, text='{"error": "Invalid api-key"}'), "passed"),
        (answer(400, ERROR, text="messages is required"), "failed"),
        (answer(200, {"choices": []}), "failed"),
        (answer(404), "failed"),
        (answer(405), "failed"),
        (answer(429, ERROR), "skipped"),
    ],
)
def test_a_chat_without_the_key_that_is_needed_should_be_refused(given: Answer, outcome: str) -> None:
    assert judge_chat(a_spec(), given)[0] == outcome


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (answer(400, ERROR), "passed"),
        (answer(422, {"detail": []}), "passed"),
        (answer(500, ERROR), "passed"),
        (answer(404, ERROR, text="model '' not found"), "passed"),
        (answer(404, {"detail": "Not Found"}, text='{"detail":"Not Found"}'), "failed"),
        (answer(401, ERROR), "failed"),
        (answer(403), "failed"),
        (answer(200, ERROR), "failed"),
        (answer(400), "failed"),
        (answer(503, ERROR), "skipped"),
    ],
)
def test_an_empty_chat_where_no_key_is_needed_should_be_a_json_error(given: Answer, outcome: str) -> None:
    assert judge_chat(KEYLESS, given)[0] == outcome


def run(respond: Callable[[httpx2.Request], httpx2.Response], **changes: Any) -> tuple[CaseResult, ...]:
    spec = a_spec(**changes)

    async def ask() -> tuple[CaseResult, ...]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(respond)) as http:
            return await probe(spec, spec.base_url, http)

    return asyncio.run(ask())


def test_both_endpoints_are_asked_below_the_base_url_and_without_a_key() -> None:
    asked: dict[str, bytes] = {}

    def respond(request: httpx2.Request) -> httpx2.Response:
        assert "authorization" not in request.headers
        asked[f"{request.method} {request.url}"] = request.content
        return httpx2.Response(401, json=ERROR)

    results = run(respond, base_url="https://api.acme.example/v1/")
    assert set(asked) == {
        "GET https://api.acme.example/v1/models",
        "POST https://api.acme.example/v1/chat/completions",
    }
    assert b"anvil" in asked["POST https://api.acme.example/v1/chat/completions"]
    assert [(row.case, row.outcome, row.status) for row in results] == [
        ("models_without_key", "passed", 401),
        ("chat_without_key", "passed", 401),
    ]
    assert {row.level for row in results} == {Level.PROBE}


def test_an_endpoint_that_the_specification_lacks_is_not_asked() -> None:
    results = run(lambda request: httpx2.Response(400, json=ERROR), endpoints=ENDPOINTS[:1], auth=Auth(kind="none"))
    assert [(row.case, row.outcome) for row in results] == [("chat_without_key", "passed")]


def test_static_headers_and_query_parameters_are_sent() -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        assert request.headers["acme-version"] == "2026-01-01"
        assert request.url.query == b"api-version=1"
        return httpx2.Response(401, json=ERROR)

    results = run(respond, headers={"acme-version": "2026-01-01"}, query={"api-version": "1"})
    assert {row.outcome for row in results} == {"passed"}


def test_a_web_page_is_told_apart_with_what_came() -> None:
    results = run(lambda request: httpx2.Response(404, html="<h1>nothing here</h1>"))
    assert {row.outcome for row in results} == {"failed"}
    assert all("got 404 text/html" in row.detail for row in results)


@pytest.mark.parametrize(
    "error", [httpx2.ConnectError("no such host"), HostRefused("10.0.0.1 is private."), httpx2.ReadTimeout("")]
)
def test_a_host_that_cannot_be_reached_proves_nothing(error: Exception) -> None:
    def respond(request: httpx2.Request) -> httpx2.Response:
        raise error

    results = run(respond)
    assert {row.outcome for row in results} == {"skipped"}
    assert all(row.detail == f"the host could not be reached: {str(error) or 'ReadTimeout'}" for row in results)


class Endless(httpx2.AsyncByteStream):
    """A body that never ends, in pieces of a MiB; counts how many were taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.taken += 1
            yield b"x" * 2**20


def test_an_endless_answer_is_read_only_to_its_cap() -> None:
    body = Endless()
    results = run(lambda request: httpx2.Response(200, stream=body), endpoints=ENDPOINTS[:1])
    assert {row.outcome for row in results} == {"failed"}
    assert body.taken <= 40


def test_a_host_that_does_not_answer_in_time_proves_nothing() -> None:
    async def silent(request: httpx2.Request) -> httpx2.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async def ask() -> tuple[CaseResult, ...]:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(silent)) as http:
            return await probe(a_spec(), "https://api.acme.example", http, seconds=0.05)

    assert {row.detail for row in asyncio.run(ask())} == {"the host did not answer within 0.05 s"}
