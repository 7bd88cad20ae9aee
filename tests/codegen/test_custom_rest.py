"""The clients of custom REST, executed: what they send, what they read, and what they refuse."""

import ast
import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from modelscan.codegen.gate import check
from modelscan.codegen.render import render_client
from modelscan.codegen.spec_literal import read_spec
from modelscan.errors import GenerationRefused
from modelscan.reference import create_reference
from modelscan.reference.server import serve_in_thread
from modelscan.types import Auth, ClientSpec
from modelscan.wire import protocol_of
from tests.codegen.golden import FOLDER, RECORDS, SPECS

MAPPED = [spec for spec in SPECS if spec.rest]
TALK: Any = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}]
FILES = {spec.provider: spec.provider.replace("-", "_") for spec in MAPPED}

Handler = Callable[[httpx2.Request], httpx2.Response]


def loaded(provider: str) -> dict[str, Any]:
    return executed((FOLDER / f"{FILES[provider]}.py").read_text())


def executed(source: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "generated"}
    exec(compile(source, "generated.py", "exec"), names)
    return names


@contextmanager
def speaking(provider: str, handler: Handler) -> Iterator[Any]:
    """A client of `provider` whose server is a function."""
    with httpx2.Client(transport=httpx2.MockTransport(handler), follow_redirects=True) as http:
        yield loaded(provider)["Client"]("sk-1", base_url="https://x.example/deep/", http_client=http)


def always(status: int, content: bytes, **headers: str) -> Handler:
    return lambda _: httpx2.Response(status, content=content, headers=headers)


def lines(provider: str, *events: Any) -> bytes:
    before = b"" if provider == "llama-box" else b"data: "
    return b"".join(before + json.dumps(event).encode() + b"\n" for event in events)


@pytest.mark.parametrize("spec", MAPPED, ids=lambda spec: spec.provider)
def test_each_method_works_at_its_endpoint_at_once_and_awaited(spec: ClientSpec) -> None:
    names = loaded(spec.provider)
    key = None if spec.auth.kind == "none" else "sk-1"
    app = create_reference(models=("echo", "a/b"), key=key, auth=spec.auth, protocol=protocol_of(spec))

    async def awaited(origin: str) -> tuple[Any, list[Any], list[str]]:
        async with names["AsyncClient"](key, base_url=origin) as client:
            pieces = [piece async for piece in client.stream("a/b", TALK)]
            listed = await client.models() if spec.endpoint("models") else []
            return await client.chat("a/b", TALK), pieces, listed

    with serve_in_thread(app) as origin, names["Client"](key, base_url=origin) as client:
        answer, pieces = client.chat("a/b", TALK), list(client.stream("a/b", TALK))
        assert (answer.text, answer.finish_reason) == ("one two three", "stop")
        assert (answer.prompt_tokens, answer.completion_tokens) == (5, 3)
        assert "".join(piece.text for piece in pieces) == answer.text
        assert (pieces[-1].finish_reason, pieces[-1].prompt_tokens) == ("stop", 5)
        listed = client.models() if spec.endpoint("models") else []
        assert asyncio.run(awaited(origin)) == (answer, pieces, listed)
        assert listed in ([], ["echo", "a/b"])


def test_a_request_has_its_places_headers_and_query() -> None:
    asked: list[httpx2.Request] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(200, json={})

    with speaking("gemma", handle) as client:
        answer = client.chat("a/b", TALK, max_tokens=3, temperature=0.5, stop=["x"], extra_body={"safetySettings": []})
        client.models()
    assert (answer.text, answer.finish_reason, answer.prompt_tokens) == ("", None, None)
    chat, listing = asked
    assert chat.url.raw_path == b"/deep/v1beta/models/a%2Fb:generateContent"
    assert (chat.headers["x-goog-api-key"], chat.headers["x-client"]) == ("sk-1", "modelscan")
    assert "authorization" not in chat.headers
    assert json.loads(chat.content) == {
        "contents": [{"role": "user", "parts": [{"text": "one two three"}]}],
        "systemInstruction": {"parts": [{"text": "be brief"}]},
        "generationConfig": {"maxOutputTokens": 3, "temperature": 0.5, "stopSequences": ["x"]},
        "safetySettings": [],
    }
    assert (listing.method, listing.url.raw_path) == ("GET", b"/deep/v1beta/models")


def test_the_query_of_the_specification_goes_with_every_request() -> None:
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(f"{request.url.raw_path.decode()} {request.headers['authorization']}")
        return httpx2.Response(200, content=lines("coral", {"type": "message-end"}))

    with speaking("coral", handle) as client:
        assert len(list(client.stream("reef", TALK))) == 1
    assert asked == ["/deep/v2/chat?v=2 Bearer sk-1"]


@pytest.mark.parametrize(
    "model", ["..", "../x", "a/../../v1/files", "%2e%2e", "a\\..\\b", "", "a\r\nb", "a\0", "\ud800"]
)
def test_a_model_leaves_its_path_neither_plainly_nor_escaped(model: str) -> None:
    def handle(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError(f"asked {request.url}")

    with speaking("gemma", handle) as client:
        for call in (client.chat, lambda *given: list(client.stream(*given))):
            with pytest.raises(Exception, match="cannot be the id of a model"):
                call(model, TALK)


def test_no_redirect_takes_the_key_along_though_the_callers_own_client_would_follow() -> None:
    asked: list[str] = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(307, headers={"location": "https://evil.example/"})

    with speaking("gemma", handle) as client:
        for call in (lambda: client.chat("m", TALK), lambda: list(client.stream("m", TALK)), client.models):
            with pytest.raises(Exception, match="307") as refused:
                call()
            assert getattr(refused.value, "status_code", None) == 307
    assert set(asked) == {"x.example"}


@pytest.mark.parametrize(
    ("content", "message", "body"),
    [
        (b'{"error": {"message": "no such model"}}', "404: no such model", {"error": {"message": "no such model"}}),
        (b"<html>", "404: Not Found", None),
        (b"[]", "404: Not Found", []),
    ],
)
def test_an_error_says_its_status_its_message_and_its_body(content: bytes, message: str, body: Any) -> None:
    with speaking("gemma", always(404, content)) as client:
        for call in (lambda: client.chat("m", TALK), lambda: list(client.stream("m", TALK))):
            with pytest.raises(Exception, match=message) as refused:
                call()
            assert getattr(refused.value, "body", "") == body


@pytest.mark.parametrize("content", [b"", b"{", b"<html>", b"[" * 100_000])
def test_an_answer_that_is_no_json_is_an_error(content: bytes) -> None:
    with speaking("coral", always(200, content)) as client, pytest.raises(Exception, match="answered no JSON"):
        client.chat("m", TALK)


@pytest.mark.parametrize(
    ("provider", "content", "said"),
    [
        ("llama-box", lines("llama-box", {"message": {"content": "a"}, "done": False}), "broke off before its end"),
        ("llama-box", lines("llama-box", {"message": {"content": "a"}, "done": 1}), "broke off before its end"),
        ("llama-box", lines("llama-box", {"error": "out of memory"}), "with an error: out of memory"),
        ("coral", lines("coral", {"type": "content-delta"}), "broke off before its end"),
        ("coral", lines("coral", {"type": "message-end", "delta": {"error": "overloaded"}}), "an error: overloaded"),
        ("coral", b"data: {broken\n\n", "answered no JSON"),
        ("dunes", b'data: {"bit": "a"}\n\n', "broke off before its end"),
        ("gemma", lines("gemma", {"error": {"message": "overloaded"}}), "with an error: overloaded"),
        ("gemma", b"data: " + b"x" * (2**20 + 1), "a line without an end"),
    ],
)
def test_a_stream_that_breaks_off_is_an_error_and_no_short_answer(provider: str, content: bytes, said: str) -> None:
    with speaking(provider, always(200, content)) as client, pytest.raises(Exception, match=said):
        list(client.stream("m", TALK))


@pytest.mark.parametrize(
    ("provider", "content", "text"),
    [
        ("llama-box", b'{"message": {"content": "a\xe2\x80\xa8"}}\n{"done": true}', "a\u2028"),
        ("dunes", b'data: {"bit": "a"}\r\n\r\ndata: [DONE]\r\n\r\ndata: {"bit": "b"}\n', "a"),
        ("coral", b": a comment\nevent: x\n" + lines("coral", {"type": "message-end"}, {"type": "y"}), ""),
        ("gemma", b'data: {"candidates": [{"content": {"parts": [{"text": "a"}, {"text": "b"}, 7]}}]}', "ab"),
    ],
)
def test_a_stream_is_read_to_its_end_and_not_beyond(provider: str, content: bytes, text: str) -> None:
    with speaking(provider, always(200, content)) as client:
        assert "".join(piece.text for piece in client.stream("m", TALK)) == text


def test_a_client_without_a_key_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    names = loaded("gemma")
    monkeypatch.setenv("GEMMA_REGION", "eu")
    with pytest.raises(names["Error"], match="GEMMA_API_KEY or GEMMA_KEY"):
        names["Client"]()
    monkeypatch.setenv("GEMMA_KEY", "sk-env")
    with names["Client"]() as client:
        assert client._headers["x-goog-api-key"] == "sk-env"
        assert client._base == "https://eu.gemma.example"
        assert "sk-env" not in repr(client)
    monkeypatch.delenv("GEMMA_REGION")
    with pytest.raises(names["Error"], match="GEMMA_REGION"):
        names["AsyncClient"]("k")


@pytest.mark.parametrize("auth", [Auth(kind="none"), Auth(header="X-Key", scheme="Token", env=("K",))])
def test_the_key_goes_where_the_specification_says(auth: Auth) -> None:
    spec = ClientSpec.model_validate({**dict(MAPPED[0]), "auth": auth})
    source = render_client(spec, RECORDS)
    check(source, spec)
    with executed(source)["Client"]("k") as client:
        assert client._headers == ({} if auth.kind == "none" else {"X-Key": "Token k"})


def test_a_caller_s_own_connections_stay_open() -> None:
    with httpx2.Client(transport=httpx2.MockTransport(always(200, b"{}"))) as http:
        with loaded("coral")["Client"]("k", base_url="https://x.example", http_client=http) as client:
            client.chat("m", TALK)
        assert not http.is_closed


def test_the_gate_lets_through_no_word_that_no_client_needs() -> None:
    used = set[str]()
    for spec in MAPPED:
        for node in ast.walk(ast.parse(render_client(spec, RECORDS))):
            used |= (
                {node.id} if isinstance(node, ast.Name) else {node.attr} if isinstance(node, ast.Attribute) else set()
            )
    vocabulary = protocol_of(MAPPED[0]).vocabulary
    assert not (vocabulary.names | vocabulary.attributes) - used


@pytest.mark.parametrize(
    ("added", "named"),
    [
        ("import socket\n", "import of socket"),
        ("import subprocess as httpx2\n", "import of subprocess"),
        ("class Client:\n    def close(self) -> None:\n        os.system('id')\n", "the attribute system"),
        ("class Client:\n    def close(self) -> None:\n        os.environ.clear()\n", "the attribute clear"),
        ("def _json(data: bytes) -> Any:\n    return eval(data)\n", "the name eval"),
        ("def _json(data: bytes) -> Any:\n    return open(data).read()\n", "the name open"),
        ("def _json(data: bytes) -> Any:\n    while data:\n        pass\n", "While"),
        ("def _json(data: bytes) -> Any:\n    return (lambda: data)()\n", "Lambda"),
        ("for chunk in SPEC:\n    pass\n", "For at module level"),
        ("SPEC['base_url'] = 'https://evil.example'\n", "by which the SPEC is changed"),
    ],
)
def test_what_is_added_to_a_client_is_refused(added: str, named: str) -> None:
    source = (FOLDER / "gemma.py").read_text()
    spec = read_spec(source)
    check(source, spec)
    with pytest.raises(GenerationRefused, match=named):
        check(source + added, spec)
