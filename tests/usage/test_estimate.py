"""What is guessed where no provider told it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.types import Usage
from modelscan.usage.estimate import DEFAULT_COMPLETION, completed, estimated_tokens, reserved


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


@given(st.from_type(Usage), st.integers(0, 10**9), st.integers(0, 10**9))
def test_only_what_was_not_told_is_guessed(told: Usage, sent: int, relayed: int) -> None:
    found = completed(told, sent, relayed)
    assert found.prompt == (estimated_tokens(sent) if told.prompt is None else told.prompt)
    assert found.completion == (estimated_tokens(relayed) if told.completion is None else told.completion)
    assert found[2:] == told[2:]
