"""What is guessed where no provider told it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.types import Usage
from modelscan.usage.estimate import DEFAULT_COMPLETION, estimated_tokens, reserved, said_tokens, used_up_to
from tests.corpus import corpus_json, corpus_names


@pytest.mark.parametrize(("size", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (4000, 1000)])
def test_four_bytes_are_a_token(size: int, tokens: int) -> None:
    assert estimated_tokens(size) == tokens


@pytest.mark.parametrize(
    ("members", "completion"),
    [
        ({}, DEFAULT_COMPLETION),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 8, "max_tokens": 7}, 8),
        ({"max_output_tokens": 9, "n": 3}, 27),
        ({"max_tokens": 0}, DEFAULT_COMPLETION),
        ({"max_tokens": True}, DEFAULT_COMPLETION),
        ({"max_tokens": "7", "n": "many"}, DEFAULT_COMPLETION),
        ({"max_tokens": 10**30}, 10**7),
    ],
)
def test_an_answer_is_reserved_up_to_its_limit(members: dict[str, Any], completion: int) -> None:
    assert reserved(b"x" * 300, members) == (228, completion)


def told(content: Any) -> dict[str, Any]:
    return {"messages": [{"content": content}]}


@pytest.mark.parametrize(
    ("members", "prompt"),
    [
        ({"content": "x" * 300}, 233),
        ({"content": "é" * 100}, 271),
        ({"tools": []}, 132),
        ({"tools": [{"type": "function"}, {"type": "custom"}, {"name": "mine"}, 7]}, 664),
        ({"tools": [{"type": "web_search_20250305"}]}, 4750),
        ({"tools": {"type": "web_search"}}, 651),
        (told("see http://a.example"), 145),
        (told([{"type": "text", "text": "http://a"}, 7]), 151),
        (told([{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}]), 4250),
        (told([{"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}]), 4261),
        (told([{"type": "tool_result", "content": [{"type": "input_image", "image_url": "https://a"}]}]), 4260),
        (told([{"type": "tool_result", "content": "words"}]), 152),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}, "x"]}, 4253),
        ({"input": ["x", "y"]}, 135),
        ({"messages": 7}, 133),
        (told([{"type": "image", "source": 7}]), 4244),
    ],
)
def test_a_prompt_is_reserved_by_its_size_its_tools_and_what_it_refers_to(members: dict[str, Any], prompt: int) -> None:
    body = json.dumps(members, ensure_ascii=False).encode()
    assert reserved(body, members)[0] == prompt


@pytest.mark.parametrize(
    "picture",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9000}},
    ],
)
def test_a_picture_is_not_reserved_by_its_bytes(picture: dict[str, Any]) -> None:
    members = {"messages": [{"content": [picture, picture, {"type": "text", "text": "A" * 300}]}]}
    prompt, _ = reserved(json.dumps(members).encode(), members)
    assert 2 * 4096 + 128 + 100 < prompt < 2 * 4096 + 128 + 250


RECORDED_ASKED = corpus_names("recorded/*__*.json")


@pytest.mark.skipif(not RECORDED_ASKED, reason="no corpus")
def test_no_recorded_prompt_was_more_than_is_reserved_for_it_nor_a_small_part_of_it() -> None:
    spans = []
    for name in RECORDED_ASKED:
        asked, prompt = _asked_and_told(corpus_json(name))
        if prompt:
            body = json.dumps(asked, separators=(",", ":"), ensure_ascii=False).encode()
            most = reserved(body, asked)[0]
            assert prompt <= most, name
            spans.append((len(body), prompt, most))
    assert len(spans) > 80
    of_text = sorted(most / prompt for size, prompt, most in spans if size > 1000 and most < 4096)
    assert of_text[len(of_text) // 2] < 2.5


def _asked_and_told(recorded: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The body of a request, and the most tokens that its answer says the prompt had."""
    lines = (recorded.get("response_text") or "").splitlines()
    events = [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip() != "[DONE]"]
    told = [_prompt_in(found) for found in _usages([recorded.get("response"), *events])]
    asked = recorded["request"]
    return (asked, max(told, default=0)) if isinstance(asked, dict) else ({}, 0)


def _usages(found: Any) -> Iterator[dict[str, Any]]:
    """Whatever is called usage, wherever it is."""
    for name, value in (
        found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    ):
        if name in ("usage", "usageMetadata") and isinstance(value, dict):
            yield value
        yield from _usages(value)


def _prompt_in(usage: dict[str, Any]) -> int:
    names = ("prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens")
    plain = next((usage[name] for name in names if isinstance(usage.get(name), int)), 0)
    caches = ("cache_read_input_tokens", "cache_creation_input_tokens")
    return int(plain) + sum(usage.get(name) or 0 for name in caches)


@given(st.builds(Usage, st.none() | st.integers(0), st.none() | st.integers(0)), st.integers(0), st.integers(0))
def test_what_was_told_is_kept_and_only_more_is_guessed(told: Usage, sent: int, said: int) -> None:
    found = used_up_to(told, sent, said)
    assert found.prompt == (estimated_tokens(sent) if told.prompt is None else told.prompt)
    assert found.completion == max(told.completion or 0, said)
    assert found[2:] == told[2:]


@pytest.mark.parametrize(
    ("size", "last", "stream", "tokens"),
    [
        (400, b"whatever", False, 100),
        (1000, b"data: 45678\n\n" * 2, True, 77),
        (1000, b'{"line": 1}\n', True, 83),
        (1000, b"half a piece", True, 83),
        (0, b"", True, 0),
        (1000, b"", True, 5),
    ],
)
def test_an_event_of_a_stream_is_a_token(size: int, last: bytes, stream: bool, tokens: int) -> None:
    assert said_tokens(size, last, stream=stream) == tokens


def test_a_type_that_is_no_text_is_counted_as_any_other_part() -> None:
    members = {"messages": [{"role": "user", "content": [{"type": [None], "text": "hi"}]}]}
    assert sum(reserved(b"{}", members)) > 0
