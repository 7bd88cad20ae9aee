"""What is guessed where no provider told it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.types import Usage
from modelscan.usage.estimate import DEFAULT_COMPLETION, estimated_tokens, reserved, said_tokens, used_up_to


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
    assert reserved(400, members) == (100, completion)
    assert reserved(400, members, dense=True) == (200, completion)


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
