"""Counts of tokens that can be true."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.types import Usage

COUNTS = st.none() | st.integers(0, 2**64)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (Usage(3, 4, 1, 1, 2), Usage(3, 4, 1, 1, 2)),
        (Usage(2**63, 4, 1), Usage(None, 4)),
        (Usage(3, 2**63, reasoning=1), Usage(3)),
        (Usage(3, 4, cached=4, cache_write=3), Usage(3, 4, None, 3)),
        (Usage(3, 4, cached=3, cache_write=1), Usage(3, 4, 3)),
        (Usage(3, 4, reasoning=5), Usage(3, 4)),
    ],
)
def test_what_cannot_be_true_is_not_known(told: Usage, kept: Usage) -> None:
    assert told.believable() == kept


@given(st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS))
def test_the_parts_are_never_more_than_their_whole(told: Usage) -> None:
    kept = told.believable()
    assert (kept.cached or 0) + (kept.cache_write or 0) <= (kept.prompt or 0)
    assert (kept.reasoning or 0) <= (kept.completion or 0)
    assert kept.believable() == kept
