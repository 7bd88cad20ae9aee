"""Errors in OpenAI's shape, and usage read on the side of streams that may be split anywhere."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import UnsupportedProtocol
from modelscan.types import Auth, ClientSpec, Media, Usage
from modelscan.wire import WIRE_PROTOCOLS, protocol_named
from modelscan.wire.cases import derive
from modelscan.wire.openai_chat import StreamUsage, error_body, usage_of
from tests.validation.specs import a_spec

STREAM = (
    b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n'
    b'data: {"usage" malformed\n\n'
    b": a comment\n\n"
    b'data: {"choices":[],"usage":null}\r\n\r\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
    b"data: [DONE]\n\n"
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_usage_is_found_however_the_stream_is_split(cuts: list[int]) -> None:
    usage = StreamUsage()
    at = [0, *sorted(cuts), len(STREAM)]
    for start, end in zip(at, at[1:], strict=False):  # noqa: RUF007 - two ends of one piece
        usage.feed(STREAM[start:end])
    assert usage.usage == Usage(3, 4)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        ({"usage": {"prompt_tokens": 1, "completion_tokens": 0}}, (1, 0)),
        ({"usage": {"prompt_tokens": 1}}, (1, None)),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": True}}, (None, None)),
        ({"usage": {"prompt_tokens": "3", "completion_tokens": 1.5}}, (None, None)),
        ({"usage": []}, (None, None)),
        ({"usage": None, "x_groq": {"usage": {"prompt_tokens": 3}}}, (3, None)),
        ({"choices": [{"usage": {"completion_tokens": 4}}]}, (None, 4)),
        ({"choices": [7], "x_groq": 7}, (None, None)),
        ([], (None, None)),
        (None, (None, None)),
    ],
)
def test_what_an_answer_does_not_say_is_unknown(payload: Any, found: tuple[int | None, int | None]) -> None:
    assert usage_of(payload)[:2] == found


@pytest.mark.parametrize(
    "place", [{"data": [{"b64_json": "AA"}]}, {"type": "image_generation.completed", "b64_json": ""}]
)
@pytest.mark.parametrize(
    ("details", "found"),
    [
        ({}, Media(output_image=9)),
        ({"input_tokens_details": {"text_tokens": 1, "image_tokens": 2}}, Media(input_image=2, output_image=9)),
        ({"output_tokens_details": {"text_tokens": 4, "image_tokens": 5}}, Media(output_image=5)),
    ],
)
def test_an_answer_of_pictures_is_pictures_where_it_does_not_say_otherwise(
    place: dict[str, Any], details: dict[str, Any], found: Media
) -> None:
    payload = {**place, "usage": {"input_tokens": 3, "output_tokens": 9, **details}}
    assert usage_of(payload) == Usage(3, 9, media=found)


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (418, "invalid_request_error"), (503, "api_error")]
)
def test_an_error_has_the_type_of_its_status(status: int, kind: str) -> None:
    error = error_body(status, "m", code="c", nearest=["a"])["error"]
    assert error == {"message": "m", "type": kind, "param": None, "code": "c", "nearest": ["a"]}


def test_a_protocol_is_found_by_its_name() -> None:
    assert tuple(protocol_named(protocol.dialect) for protocol in WIRE_PROTOCOLS) == WIRE_PROTOCOLS
    with pytest.raises(UnsupportedProtocol):
        protocol_named("none")


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        ({}, set()),
        ({"auth": Auth(kind="none")}, {"wrong_key_is_refused"}),
        ({"endpoints": protocol_named("openai_chat").endpoints[:1]}, {"lists_models"}),
    ],
)
def test_the_cases_follow_from_the_specification(changes: dict[str, Any], absent: set[str]) -> None:
    everything = {case.id for case in derive(a_spec())}
    spec: ClientSpec = a_spec(**changes)
    assert everything - {case.id for case in derive(spec)} == absent


@pytest.mark.parametrize(
    ("usage", "found"),
    [
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
            Usage(9, 5, 4, 2, 3),
        ),
        ({"prompt_tokens": 9, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1}, Usage(9, None, 8)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None, "completion_tokens_details": [1]}, Usage(9)),
        (
            {"input_tokens": 7, "output_tokens": 6, "output_tokens_details": {"reasoning_tokens": 1}},
            Usage(7, 6, None, None, 1),
        ),
        ({"prompt_tokens": 9, "total_tokens": 9}, Usage(9, 0)),
        ({"total_tokens": 9}, Usage()),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 5,
                "prompt_tokens_details": {"audio_tokens": 3, "image_tokens": 2},
                "completion_tokens_details": {"audio_tokens": 4, "image_tokens": "?"},
            },
            Usage(9, 5, media=Media(3, 4, 2, 0)),
        ),
        (
            {"input_tokens": 14, "output_tokens": 45, "input_token_details": {"text_tokens": 0, "audio_tokens": 14}},
            Usage(14, 45, media=Media(14)),
        ),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"audio_tokens": 0}}, Usage(9)),
    ],
)
def test_parts_of_the_tokens_are_read_where_they_are_told(usage: Any, found: Usage) -> None:
    assert usage_of({"usage": usage}) == found
