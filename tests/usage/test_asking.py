"""What usage is asked for, in people's words."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.errors import InvalidInput
from modelscan.types import StatsQuery
from modelscan.usage.asking import asked_stats
from modelscan.usage.ranges import moment

NOW = datetime(2026, 11, 27, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("90m", datetime(2026, 11, 27, 11, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 26, 12, 30, tzinfo=UTC)),
        ("7D", datetime(2026, 11, 20, 12, 30, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 13, 12, 30, tzinfo=UTC)),
        ("now", NOW),
        (" today ", datetime(2026, 11, 27, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 26, tzinfo=UTC)),
        ("month", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T10:00+02:00", datetime(2026, 11, 1, 8, tzinfo=UTC)),
    ],
)
def test_a_point_in_time_is_understood(text: str, found: datetime) -> None:
    assert moment(text, NOW) == found


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert moment(text, NOW).tzinfo is UTC


def test_words_make_a_query() -> None:
    words = [("by", "model, key,model"), ("bucket", "day"), ("since", "today"), ("until", "now"), ("status", "5xx")]
    assert asked_stats(words, NOW) == StatsQuery(
        by=("model", "key"), bucket="day", since=moment("today", NOW), until=NOW, where={"status": "5xx"}
    )
    assert asked_stats([]) == StatsQuery()
    assert asked_stats([("by", "all")]).by == ()


@pytest.mark.parametrize(
    "word",
    [("by", "model,1; DROP TABLE x"), ("bucket", "year"), ("since", "soon"), ("colour", "red"), ("status", "abcxx")],
)
def test_other_words_are_refused(word: tuple[str, str]) -> None:
    with pytest.raises(InvalidInput):
        asked_stats([word], NOW)
