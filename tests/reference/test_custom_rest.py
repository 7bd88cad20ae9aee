"""The reference provider speaks every mapping, refuses what has another form, and misbehaves only on demand."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from modelscan.reference import create_reference
from modelscan.reference.server import serve_in_thread
from modelscan.types import RestMapping
from modelscan.wire import protocol_of
from modelscan.wire.rest_mapping import PieceReader, answer_of, error_of, model_ids, request_body
from tests.codegen.golden import SPECS

KEY = "sk-reference-0123456789"
MAPPED = [spec for spec in SPECS if spec.rest]
TALK = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}]

Ask = Callable[..., httpx2.Response]


@pytest.fixture(scope="module")
def origins() -> Iterator[dict[str, str]]:
    """Provider of a specification -> a server that speaks as it says."""
    with ExitStack() as stack:
        yield {
            spec.provider: stack.enter_context(
                serve_in_thread(create_reference(models=("echo", "a/b"), key=KEY, protocol=protocol_of(spec)))
            )
            for spec in MAPPED
        }


@pytest.fixture(params=MAPPED, ids=lambda spec: spec.provider)
def spoken(request: pytest.FixtureRequest, origins: dict[str, str]) -> tuple[RestMapping, Ask]:
    """(the mapping, how a chat of it is asked for)"""
    spec = request.param
    row = protocol_of(spec)

    def ask(*, model: str = "echo", stream: bool = False, body: Any = None, **headers: str) -> httpx2.Response:
        endpoint = (row.endpoint("stream") if stream else None) or spec.chat
        url = spec.url(endpoint, base_url=origins[spec.provider], model=model)
        if body is None:
            body = request_body(spec.rest, model=model, messages=TALK, stream=stream, options={"max_tokens": 2})
        given = {row.auth.header: f"{row.auth.scheme} {KEY}".strip(), **headers}
        return httpx2.post(url, json=body, headers=given, timeout=10)

    return spec.rest, ask


def test_it_echoes_counts_and_says_why_it_ended(spoken: tuple[RestMapping, Ask]) -> None:
    mapping, ask = spoken
    said = answer_of(mapping, ask(model="a/b").json())
    limited = mapping.request.max_tokens is not None
    assert said.text == ("one two" if limited else "one two three")
    assert said.finish == ("length" if limited else "stop")
    assert said.usage[:2] == (5, 2 if limited else 3)


def test_it_streams_as_the_mapping_says(spoken: tuple[RestMapping, Ask]) -> None:
    mapping, ask = spoken
    reader, answer = PieceReader(mapping), ask(stream=True)
    pieces = list(reader.feed(answer.content))
    assert "".join(piece.text for piece in pieces).startswith("one two")
    assert len(pieces) > 2
    assert pieces[-1].finish
    assert pieces[-1].usage[0] == 5
    assert reader.ended is (mapping.stream.end != "connection")
    assert ("event-stream" in answer.headers["content-type"]) is (mapping.stream.framing == "sse")


@pytest.mark.parametrize("body", [[], {}, {"contents": 7}, {"messages": [], "talk": [], "contents": []}])
def test_a_chat_of_another_form_is_refused(spoken: tuple[RestMapping, Ask], body: Any) -> None:
    mapping, ask = spoken
    answer = ask(body=body)
    assert answer.status_code == 400
    assert error_of(mapping, answer.json())


def test_a_message_of_another_form_is_refused(spoken: tuple[RestMapping, Ask]) -> None:
    mapping, ask = spoken
    for wrong in ({"role": "stranger", "content": "x"}, {"role": "user", "content": 7}):
        body = request_body(mapping, model="echo", messages=TALK[1:])
        assert json.loads(json.dumps(body)) == body
        body[mapping.request.messages] = [wrong]
        assert ask(body=body).status_code == 400


def test_an_unknown_model_and_a_wrong_key_are_refused(spoken: tuple[RestMapping, Ask]) -> None:
    mapping, ask = spoken
    for answer, status in (
        (ask(model="none"), 404),
        (ask(Authorization="Bearer no", **{"x-goog-api-key": "no"}), 401),
    ):
        assert answer.status_code == status
        assert error_of(mapping, answer.json())


@pytest.mark.parametrize("fault", ["401", "404", "429", "500"])
def test_a_status_is_answered_on_demand(spoken: tuple[RestMapping, Ask], fault: str) -> None:
    mapping, ask = spoken
    for stream in (False, True):
        answer = ask(stream=stream, **{"x-reference-fault": fault})
        assert answer.status_code == int(fault)
        assert error_of(mapping, answer.json())


@pytest.mark.parametrize("stream", [True, False])
def test_it_breaks_off_and_writes_what_is_malformed_on_demand(spoken: tuple[RestMapping, Ask], stream: bool) -> None:
    _, ask = spoken
    with pytest.raises(httpx2.TransportError):
        ask(stream=stream, **{"x-reference-fault": "cut"})
    malformed = ask(stream=stream, **{"x-reference-fault": "malformed"}).text
    assert '{"broken' in malformed
    if not stream:
        with pytest.raises(ValueError, match=r"."):
            json.loads(malformed)


def test_it_lists_and_shows_its_models(origins: dict[str, str]) -> None:
    for spec in MAPPED:
        row = protocol_of(spec)
        if (endpoint := row.endpoint("models")) and spec.rest:
            headers = {row.auth.header: f"{row.auth.scheme} {KEY}".strip()}
            url = origins[spec.provider] + endpoint.path
            assert model_ids(spec.rest, httpx2.get(url, headers=headers).json()) == ["echo", "a/b"]
            assert httpx2.get(f"{url}/a/b", headers=headers).status_code == 200
