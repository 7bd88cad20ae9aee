"""A mapping writes the requests and reads the answers that were really recorded, and any other JSON without raising."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import InvalidInput
from modelscan.types import RestMapping, Usage
from modelscan.wire.mappings import COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT
from modelscan.wire.rest_mapping import (
    PieceReader,
    Said,
    StreamUsage,
    answer_of,
    error_of,
    model_ids,
    placed,
    request_body,
    text_of,
    usage_of,
    values_at,
)
from modelscan.wire.sse import TooLong
from tests.codegen.golden import DUNES
from tests.corpus import corpus_json

ALL = (COHERE_V2, GEMINI_GENERATE_CONTENT, OLLAMA_CHAT, DUNES)
TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}]},
    {"role": "assistant", "content": "two"},
]
OPTIONS = {"max_tokens": 9, "temperature": 0.5, "top_p": None, "stop": "end", "unknown": 1}
RECORDED = {
    COHERE_V2.name: "api.cohere.com__v2-chat",
    GEMINI_GENERATE_CONTENT.name: "generativelanguage.googleapis.com__v1beta-model-m-",
    OLLAMA_CHAT.name: "127.0.0.1_11434__api-chat",
}


def pieces_of(mapping: RestMapping, *chunks: bytes) -> list[Said]:
    reader = PieceReader(mapping)
    return [piece for chunk in chunks for piece in reader.feed(chunk)]


def test_a_chat_is_written_as_cohere_has_it() -> None:
    assert request_body(COHERE_V2, model="reef", messages=TALK, stream=True, options=OPTIONS) == {
        "model": "reef",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one two"},
            {"role": "assistant", "content": "two"},
        ],
        "max_tokens": 9,
        "temperature": 0.5,
        "stop_sequences": ["end"],
        "stream": True,
    }


def test_a_chat_is_written_as_gemini_has_it() -> None:
    assert request_body(GEMINI_GENERATE_CONTENT, model="in the path", messages=TALK, options=OPTIONS) == {
        "contents": [
            {"role": "user", "parts": [{"text": "one two"}]},
            {"role": "model", "parts": [{"text": "two"}]},
        ],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"maxOutputTokens": 9, "temperature": 0.5, "stopSequences": ["end"]},
    }


def test_a_chat_is_written_as_ollama_has_it_which_streams_unless_it_is_told_not_to() -> None:
    body = request_body(OLLAMA_CHAT, model="smol", messages=[{"role": "developer", "content": "x"}], options=OPTIONS)
    assert body == {
        "model": "smol",
        "messages": [{"role": "system", "content": "x"}],
        "options": {"num_predict": 9, "temperature": 0.5, "stop": ["end"]},
        "stream": False,
    }


def test_a_mapping_of_its_own_has_its_own_places() -> None:
    assert request_body(DUNES, model="m", messages=TALK[2:], options=OPTIONS) == {
        "to": {"model": "m"},
        "talk": [{"from": "host", "body": {"parts": [{"text": "two"}]}}],
        "flow": False,
    }


@pytest.mark.parametrize("message", [{"role": "tool", "content": "x"}, {"content": "x"}])
def test_a_role_without_a_word_is_refused_and_not_dropped(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="cannot be sent to a service that speaks gemini_generate_content"):
        request_body(GEMINI_GENERATE_CONTENT, model="m", messages=[message])


@pytest.mark.parametrize(("content", "text"), [("x", "x"), (None, ""), ([{"text": 7}, "x", {"text": "y"}], "y")])
def test_only_text_is_taken_of_a_content(content: Any, text: str) -> None:
    assert text_of(content) == text


@pytest.mark.parametrize(
    ("payload", "path", "found"),
    [
        ({"a": {"b": 1}}, "a.b", [1]),
        ({"a": [{"b": 1}, {"c": 2}, {"b": 3}]}, "a.*.b", [1, 3]),
        ({"a": [1, 2]}, "a.1", [2]),
        ({"a": [1, 2]}, "a.2", []),
        ({"a": {"1": 5}}, "a.1", [5]),
        ({"a": {"x": 5}}, "a.*", []),
        ([[1], [2]], "*.0", [1, 2]),
        (None, "a", []),
        ("text", "0", []),
    ],
)
def test_a_path_finds_what_is_there(payload: Any, path: str, found: list[Any]) -> None:
    assert values_at(payload, path) == found


@pytest.mark.parametrize("path", ["a", "a.b.c", "a.*.b", "a.2.b", "a.0.*"])
def test_what_is_placed_is_found_again(path: str) -> None:
    assert values_at(placed(None, path, 7), path)[0] == 7
    assert values_at(placed({"z": 1}, path, 7), "z") == [1]


def test_usage_is_summed_and_what_is_no_number_of_tokens_is_none() -> None:
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": 5}
    assert usage_of(GEMINI_GENERATE_CONTENT, {"usageMetadata": usage}) == Usage(3, 9, reasoning=5)
    for wrong in (True, -1, "3", None, [3]):
        assert usage_of(GEMINI_GENERATE_CONTENT, {"usageMetadata": {"promptTokenCount": wrong}}) == Usage()


@pytest.mark.parametrize(
    ("answer", "finish"),
    [
        ({"candidates": [{"finishReason": "MAX_TOKENS"}]}, "length"),
        ({"promptFeedback": {"blockReason": "SAFETY"}}, "content_filter"),
        ({"candidates": [{"finishReason": "A_NEW_WORD"}]}, "stop"),
        ({"candidates": [{"finishReason": ""}]}, None),
        ({"candidates": [{"finishReason": 7}]}, None),
    ],
)
def test_why_an_answer_ended_is_said_in_the_words_of_the_field(answer: Any, finish: str | None) -> None:
    assert answer_of(GEMINI_GENERATE_CONTENT, answer).finish == finish


@pytest.mark.parametrize(
    ("mapping", "payload", "ids"),
    [
        (GEMINI_GENERATE_CONTENT, {"models": [{"name": "models/pro"}, {"name": "tuned/x"}]}, ["pro", "tuned/x"]),
        (OLLAMA_CHAT, {"models": [{"name": "smol:135m"}, {"model": "x"}, 7]}, ["smol:135m", None, None]),
        (COHERE_V2, {"models": []}, []),
        (COHERE_V2, {"models": {}}, None),
        (COHERE_V2, [], None),
        (DUNES, {"all": [{"id": ""}]}, [""]),
    ],
)
def test_a_models_list_is_read(mapping: RestMapping, payload: Any, ids: list[str | None] | None) -> None:
    assert model_ids(mapping, payload) == ids


def test_an_ndjson_stream_is_read_wherever_it_is_split() -> None:
    lines = [
        {"message": {"content": "Hel"}, "done": False},
        {"message": {"content": "lo\u2028"}, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": "length", "prompt_eval_count": 3, "eval_count": 2},
        {"message": {"content": "after its end"}},
    ]
    data = b"\r\n".join(json.dumps(line, ensure_ascii=False).encode() for line in lines) + b"\n"
    for at in range(len(data)):
        pieces = pieces_of(OLLAMA_CHAT, data[:at], data[at:])
        assert "".join(piece.text for piece in pieces) == "Hello\u2028"
        assert (pieces[-1].finish, pieces[-1].usage) == ("length", Usage(3, 2))


def test_a_stream_that_ends_with_a_mark_ends_there() -> None:
    data = b'data: {"bit": "a"}\n\ndata: [DONE]\n\ndata: {"bit": "b"}\n\n'
    reader = PieceReader(DUNES)
    assert [piece.text for byte in data for piece in reader.feed(bytes([byte]))] == ["a"]
    assert reader.ended


def test_a_stream_without_an_end_of_its_own_never_says_that_it_ended() -> None:
    reader = PieceReader(GEMINI_GENERATE_CONTENT)
    assert len(list(reader.feed(b'data: {"candidates": [{"finishReason": "STOP"}]}\r\n\r\n'))) == 1
    assert not reader.ended


def test_an_error_within_a_stream_is_a_piece_that_says_so() -> None:
    assert pieces_of(OLLAMA_CHAT, b'{"error": "out of memory"}\n') == [Said(error="out of memory")]
    assert error_of(DUNES, {"faults": [{"words": "sand"}]}) == "sand"
    assert error_of(DUNES, {"faults": [{"words": ""}], "fault": "wind"}) == "wind"
    broken = {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "overloaded"}}
    assert [piece.error for piece in pieces_of(COHERE_V2, b"data: " + json.dumps(broken).encode() + b"\n\n")] == [
        "overloaded"
    ]


def test_a_last_line_without_an_end_is_read_when_the_stream_is_over() -> None:
    reader = PieceReader(OLLAMA_CHAT)
    assert list(reader.feed(b'{"message": {"content": "a"}, "done": true}')) == []
    assert [piece.text for piece in reader.end()] == ["a"]
    assert list(reader.end()) == []
    assert reader.ended


def test_what_cannot_be_read_is_passed_over() -> None:
    deep = b"[" * 100_000
    chunks = (b"{broken\n", deep + b"\n", b"7\n", b'{"message": {"content": "fine"}}\n')
    assert [piece.text for piece in pieces_of(OLLAMA_CHAT, *chunks)] == ["", "fine"]


def test_a_piece_beyond_all_measure_is_an_error_after_those_before_it() -> None:
    reader = PieceReader(OLLAMA_CHAT)
    pieces: list[Said] = []
    with pytest.raises(TooLong):
        pieces.extend(reader.feed(b'{"message": {"content": "fine"}}\n' + b"x" * (33 << 20)))
    assert [piece.text for piece in pieces] == ["fine"]
    usage = StreamUsage(OLLAMA_CHAT)
    usage.feed(b'{"eval_count": 2}\n' + b"x" * (33 << 20))
    assert usage.usage == Usage(None, 2)


def test_usage_on_the_side_of_a_stream_is_the_last_that_was_said() -> None:
    usage = StreamUsage(GEMINI_GENERATE_CONTENT)
    for counts in ({"promptTokenCount": 3}, {"candidatesTokenCount": 1}, {"candidatesTokenCount": 2}, {}):
        usage.feed(b"data: " + json.dumps({"usageMetadata": counts}).encode() + b"\n\n")
    assert usage.usage == Usage(3, 2)


SOME_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "content", "candidates", "parts", "text", "delta", "models", "name", "error", "0"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(payload=SOME_JSON)
def test_any_json_is_read_without_a_fault(payload: Any) -> None:
    for mapping in ALL:
        said = answer_of(mapping, payload)
        assert isinstance(said.text, str)
        assert isinstance(said.error, str)
        ids = model_ids(mapping, payload)
        assert ids is None or all(id_ is None or isinstance(id_, str) for id_ in ids)
        for piece in pieces_of(mapping, b"data: " + json.dumps(payload).encode() + b"\n", json.dumps(payload).encode()):
            assert all(count is None or count >= 0 for count in piece.usage[:5])


def exchanges(mapping: RestMapping) -> list[dict[str, Any]]:
    """The recorded chats of a service, without those that call tools."""
    found = [row for row in corpus_json("recorded/INDEX.json") if row["file"].startswith(RECORDED[mapping.name])]
    chats = [row for row in found if "enerateContent" in row["url"] or row["url"].endswith("/chat")]
    assert chats
    return [{**row, **corpus_json(f"recorded/{row['file']}")} for row in chats if not row["kind"].endswith("_tools")]


@pytest.mark.peer
@pytest.mark.parametrize("mapping", ALL[:3], ids=lambda mapping: mapping.name)
def test_the_answers_that_were_recorded_are_read(mapping: RestMapping) -> None:
    for one in exchanges(mapping):
        if one["kind"] == "error":
            assert error_of(mapping, one["response"])
        elif one["kind"] == "json":
            said = answer_of(mapping, one["response"])
            assert said.finish in ("stop", "length"), one["file"]
            assert said.text or said.finish == "stop"
            assert said.usage[0], one["file"]
            assert not said.error


@pytest.mark.peer
@pytest.mark.parametrize("mapping", ALL[:3], ids=lambda mapping: mapping.name)
def test_the_streams_that_were_recorded_are_read(mapping: RestMapping) -> None:
    streams = [one for one in exchanges(mapping) if one["kind"] == "stream"]
    for one in streams:
        data = one["response_text"].encode()
        usage, reader = StreamUsage(mapping), PieceReader(mapping)
        pieces = [piece for at in range(0, len(data), 7) for piece in reader.feed(data[at : at + 7])]
        usage.feed(data)
        assert "".join(piece.text for piece in pieces), one["file"]
        assert reader.ended or mapping.stream.end == "connection", one["file"]
        assert usage.usage[0], one["file"]
    assert streams


@pytest.mark.peer
@pytest.mark.parametrize("mapping", ALL[:3], ids=lambda mapping: mapping.name)
def test_what_is_sent_has_the_places_of_what_was_recorded(mapping: RestMapping) -> None:
    ours = request_body(mapping, model="m", messages=TALK[1:], stream=True)
    for one in exchanges(mapping):
        assert ours.keys() <= {*one["request"].keys(), "stream"}, one["file"]


def test_parts_of_the_tokens_are_read_where_a_mapping_says_where() -> None:
    told = {"promptTokenCount": 9, "cachedContentTokenCount": 8, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
    assert usage_of(GEMINI_GENERATE_CONTENT, {"usageMetadata": told}) == Usage(9, 5, 8, None, 3)
    reader = StreamUsage(GEMINI_GENERATE_CONTENT)
    for piece in (told, {"promptTokenCount": 9}):
        reader.feed(b"data: " + json.dumps({"usageMetadata": piece}).encode() + b"\n")
    assert reader.usage == Usage(9, 5, 8, None, 3)
