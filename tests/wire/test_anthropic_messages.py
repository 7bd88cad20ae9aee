"""Anthropic's error shape, and usage read on the side of its streams."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.types import Quirks, Usage
from modelscan.wire.anthropic_messages import ANTHROPIC_MESSAGES, StreamUsage, chat_body, error_body, usage_of

CORPUS = Path(os.environ.get("MODELSCAN_CORPUS") or Path(__file__).parents[2].parent / "shared" / "data") / "recorded"
STREAM = (
    b'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}\n\n'
    b'event: ping\ndata: {"type": "ping"}\n\n'
    b'event: odd\ndata: {"usage" malformed\n\nevent: odd\ndata: ["usage"]\n\n'
    b'event: message_delta\r\ndata: {"type":"message_delta","usage":{"input_tokens":0,"output_tokens":7}}\r\n\r\n'
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_usage_is_found_however_the_stream_is_split(cuts: list[int]) -> None:
    usage, at = StreamUsage(), [0, *sorted(cuts), len(STREAM)]
    for start, end in zip(at, at[1:], strict=False):  # noqa: RUF007 - two ends of one piece
        usage.feed(STREAM[start:end])
    assert usage.usage == Usage(3, 7)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"usage": {"input_tokens": 1, "output_tokens": 0}}, (1, 0)),
        ({"usage": {"input_tokens": 1, "cache_read_input_tokens": 5, "cache_creation_input_tokens": None}}, (6, None)),
        ({"usage": {"cache_read_input_tokens": 5, "output_tokens": 2}}, (None, 2)),
        ({"usage": {"input_tokens": -1, "output_tokens": "2"}}, (None, None)),
        ({"usage": 1}, (None, None)),
        ([], (None, None)),
    ],
)
def test_the_prompt_is_counted_with_its_cache(payload: Any, found: tuple[int | None, int | None]) -> None:
    assert usage_of(payload)[:2] == found


@pytest.mark.parametrize(
    ("start", "delta", "found"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, {"output_tokens": 0}, (0, 0)),
        ({"input_tokens": 0}, {"input_tokens": 5, "output_tokens": 2}, (5, 2)),
        ({"input_tokens": 5}, {"input_tokens": 0, "output_tokens": 2}, (5, 2)),
        ({}, {"output_tokens": 2}, (None, 2)),
    ],
)
def test_a_stream_tells_its_prompt_at_its_start_or_at_its_end(start: Any, delta: Any, found: Any) -> None:
    usage = StreamUsage()
    for event in ({"message": {"usage": start}}, {"usage": delta}):
        usage.feed(b"data: " + json.dumps(event).encode() + b"\n")
    assert usage.usage[:2] == found


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (418, "invalid_request_error"), (529, "overloaded_error")]
)
def test_an_error_has_the_type_of_its_status(status: int, kind: str) -> None:
    assert error_body(status, "m", code="c") == {"type": "error", "error": {"type": kind, "message": "m", "code": "c"}}


def test_an_unknown_failure_is_the_apis() -> None:
    assert error_body(503, "m")["error"] == {"type": "api_error", "message": "m"}


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.minimax.example/anthropic/v1", "https://api.minimax.example/anthropic"),
        ("https://api.minimax.example/anthropic/v1/messages/", "https://api.minimax.example/anthropic"),
        ("https://api.minimax.example/anthropic/", "https://api.minimax.example/anthropic"),
    ],
)
def test_what_the_sdk_adds_itself_is_cut_off_a_base_url(url: str, base: str) -> None:
    assert ANTHROPIC_MESSAGES.base_of(url) == base


@pytest.mark.peer
def test_recorded_answers_tell_their_usage() -> None:
    if not CORPUS.exists():
        pytest.skip("no corpus: MODELSCAN_CORPUS names no folder with recorded/")
    for file in CORPUS.glob("api.anthropic.com__v1-messages__*.json"):
        recorded = json.loads(file.read_bytes())
        assert chat_body("m", Quirks()).keys() <= recorded["request"].keys()
        if recorded["kind"].startswith("json"):
            assert None not in usage_of(recorded["response"])[:2]
        elif recorded["kind"].startswith("stream"):
            reader = StreamUsage()
            reader.feed(recorded["response_text"].encode())
            assert None not in reader.usage[:2], file.name
        else:
            ours = error_body(recorded["status"], "m")
            assert (ours["type"], ours["error"].keys()) == (recorded["response"]["type"], {"type", "message"})
            assert ours["error"]["type"] == recorded["response"]["error"]["type"]


def test_parts_of_the_tokens_are_read_and_kept_to_the_end_of_a_stream() -> None:
    reader = StreamUsage()
    start = {"input_tokens": 3, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 7, "output_tokens": 1}
    for event in (
        {"message": {"usage": start}},
        {"usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}},
    ):
        reader.feed(b"data: " + json.dumps(event).encode() + b"\n")
    assert reader.usage == Usage(30, 9, 20, 7, 4)
