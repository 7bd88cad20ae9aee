"""A mapping is made of a closed vocabulary, belongs to custom REST alone, and keeps each request at its endpoint."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from modelscan.types import ClientSpec, Endpoint, Model, RestMapping, fits_a_path
from modelscan.wire import protocol_named
from modelscan.wire.mappings import COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT
from tests.codegen.golden import DUNES
from tests.validation.specs import a_spec

GEMINI = protocol_named("gemini_generate_content").endpoints


def mapped(mapping: RestMapping | None = COHERE_V2, **changes: Any) -> ClientSpec:
    endpoints = protocol_named("cohere_v2").endpoints
    return a_spec(**{"protocol": "custom_rest", "rest": mapping, "endpoints": endpoints, **changes})


def changed(path: str, value: Any) -> RestMapping:
    """Cohere's mapping with one field changed."""
    data = COHERE_V2.model_dump(mode="json")
    at = data
    *outer, last = path.split(".")
    for step in outer:
        at = at[step]
    at[last] = value
    return RestMapping.model_validate(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((f"request.{name}", "a/b") for name in ("model", "messages", "role", "content", "max_tokens", "stream")),
        *(("answer.text", path) for path in ("", ".", "a..b", "a.", "$.a", "a[0]", "a b", "a\n", "100", "a.b()", "ü")),
        ("answer.text", ".".join("abcdefghijk")),
        ("request.messages", "messages.0"),
        ("request.messages", "*"),
        ("answer.finish", []),
        ("answer.prompt_tokens", ["a"] * 5),
        ("request.roles", {"user": "user"}),
        ("request.roles", {"user": "user", "assistant": "bot", "tool": "x"}),
        ("request.roles", {"user": "user", "assistant": 'b"ot', "system": "s"}),
        ("request.roles", {"user": "user", "assistant": "bot"}),
        ("request.system", "system"),
        ("request.content_form", "xml"),
        ("stream.framing", "websocket"),
        ("stream.end", "timeout"),
        ("stream.end", "connection"),
        ("stream.end_at", None),
        ("stream.end_value", "a b"),
        ("stream.query", {"key": "v"}),
        ("stream.query", {"alt": "a&b=c"}),
        ("finish_reasons", {"DONE": "finished"}),
        ("finish_reasons", {'D"': "stop"}),
        ("error", ["a/b"]),
        ("error", []),
        ("models.prefix", "a b"),
        ("name", "Cohere"),
        ("name", "../x"),
        ("code", "import os"),
    ],
)
def test_what_is_not_of_the_vocabulary_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        changed(field, value)


@pytest.mark.parametrize("mapping", [COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT, DUNES])
def test_a_mapping_is_read_again_from_what_a_file_states(mapping: RestMapping) -> None:
    endpoints = GEMINI if mapping.request.model is None else protocol_named("cohere_v2").endpoints
    spec = mapped(mapping, endpoints=endpoints)
    again = ClientSpec.model_validate(json.loads(json.dumps(spec.stated())))
    assert (again, again.digest) == (spec, spec.digest)


def test_other_protocols_state_no_mapping_so_that_what_was_published_keeps_its_digest() -> None:
    assert "rest" not in a_spec().stated()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rest": None}, "belongs to custom_rest"),
        ({"protocol": "openai_chat"}, "belongs to custom_rest"),
        ({"rest": GEMINI_GENERATE_CONTENT}, "how a stream is asked for"),
        ({"rest": GEMINI_GENERATE_CONTENT, "endpoints": GEMINI[:1]}, "how a stream is asked for"),
        (
            {
                "rest": GEMINI_GENERATE_CONTENT,
                "endpoints": (GEMINI[0], Endpoint(operation="stream", method="POST", path="/stream")),
            },
            "which model is asked",
        ),
    ],
)
def test_a_specification_says_how_all_of_it_is_asked_for(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        mapped(**changes)


def test_a_stream_has_its_own_query_beside_the_specifications() -> None:
    spec = mapped(GEMINI_GENERATE_CONTENT, endpoints=GEMINI, query={"v": "2"})
    chat, stream = (spec.url(spec.endpoint(name) or spec.chat, model="a/b") for name in ("chat", "stream"))
    assert chat == "https://api.acme.example/v1/v1beta/models/a%2Fb:generateContent?v=2"
    assert stream.endswith("/models/a%2Fb:streamGenerateContent?alt=sse&v=2")


@pytest.mark.parametrize("model", ["..", ".", "a/../b", "../x", "x/..", "..\\x", "%2e%2e", "a%2F..%2Fb", "a//b", "a/"])
def test_a_model_that_would_lead_out_of_its_path_is_refused_there_and_only_there(model: str) -> None:
    assert not fits_a_path(model)
    models = {"models": (Model(id=model),), "test_model": model}
    with pytest.raises(ValidationError, match="another path"):
        mapped(GEMINI_GENERATE_CONTENT, endpoints=GEMINI, **models)
    assert mapped(COHERE_V2, **models).test_model == model


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "org/model:tag", "a..b", "...", "100%", "a%20b", "ünï"])
def test_other_ids_stay_in_their_path(model: str) -> None:
    assert fits_a_path(model)
