"""The rows of custom REST: one for each known mapping, made of it alone."""

import json

import pytest

from modelscan.types import Quirks, Usage
from modelscan.wire import WIRE_PROTOCOLS, WireProtocol, protocol_named, protocol_of
from modelscan.wire.custom_rest import KNOWN_MAPPINGS
from modelscan.wire.packages import PROTOCOL_OF_PACKAGE
from modelscan.wire.rest_mapping import error_of, values_at
from tests.codegen.golden import DUNES, SPECS


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.dialect for row in WIRE_PROTOCOLS]
    assert len(set(names)) == len(names)
    assert {row.name for row in KNOWN_MAPPINGS} == {"custom_rest"}
    assert "custom_rest" not in names
    assert {"cohere_v2", "gemini_generate_content"} <= set(names) & set(PROTOCOL_OF_PACKAGE.values())


def test_a_specification_is_spoken_to_by_its_own_mapping() -> None:
    by_provider = {spec.provider: protocol_of(spec) for spec in SPECS}
    assert by_provider["acme"] is protocol_named("openai_chat")
    assert (by_provider["dunes"].rest, by_provider["dunes"].title) == (DUNES, "custom REST (dunes_say)")
    assert by_provider["coral"].endpoints == protocol_named("cohere_v2").endpoints


@pytest.mark.parametrize(
    ("dialect", "url", "base"),
    [
        ("cohere_v2", "https://api.cohere.com/v2", "https://api.cohere.com"),
        ("cohere_v2", "https://api.cohere.com/v2/chat/", "https://api.cohere.com"),
        ("gemini_generate_content", "https://g.example/v1beta/models", "https://g.example"),
        ("gemini_generate_content", "https://g.example/v1beta", "https://g.example"),
        ("ollama_chat", "http://box:11434/api/chat", "http://box:11434"),
        ("ollama_chat", "http://box:11434/v1", "http://box:11434"),
        ("ollama_chat", "http://box:11434", "http://box:11434"),
    ],
)
def test_a_base_url_ends_before_what_the_paths_hold(dialect: str, url: str, base: str) -> None:
    assert protocol_named(dialect).base_of(url) == base


@pytest.mark.parametrize("row", KNOWN_MAPPINGS, ids=lambda row: row.dialect)
def test_the_smallest_chat_asks_for_one_token(row: WireProtocol) -> None:
    assert row.rest is not None
    body = row.chat_body("m", Quirks())
    assert '"hi"' in json.dumps(body)
    assert values_at(body, row.rest.request.max_tokens or "") == [1]


@pytest.mark.parametrize("row", [*KNOWN_MAPPINGS, protocol_of(SPECS[-1])], ids=lambda row: row.dialect)
def test_an_error_and_one_within_a_stream_stand_where_the_mapping_says(row: WireProtocol) -> None:
    assert row.rest is not None
    body = row.error_body(502, "line\nline", code="x")
    assert error_of(row.rest, body) == "line\nline"
    event = row.stream_error(body)
    if row.rest.stream.framing == "sse":
        assert event.startswith(b"data: ")
        assert event.endswith(b"\n\n")
    assert json.loads(event.removeprefix(b"data: ")) == body


def test_usage_is_read_beside_a_stream() -> None:
    reader = protocol_named("ollama_chat").stream_reader()
    reader.feed(b'{"prompt_eval_count": 3, "eval')
    reader.feed(b'_count": 4}\n')
    assert reader.usage == Usage(3, 4)
