"""Data lines of streams that are split anywhere and may have no end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.wire import sse
from modelscan.wire.sse import DataLines

STREAM = b": comment\r\nevent: ping\r\ndata: one\r\n\r\ndata:two\nid: 3\n\ndata: \n\n"


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_data_is_found_however_the_stream_is_split(cuts: list[int]) -> None:
    lines, at = DataLines(), [0, *sorted(cuts), len(STREAM)]
    found = [data for start, end in zip(at, at[1:], strict=False) for data in lines.feed(STREAM[start:end])]  # noqa: RUF007 - two ends of one piece
    assert found == [b"one", b"two", b""]


def test_a_line_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "_LONGEST_LINE", 100)
    lines = DataLines()
    for _ in range(50):
        assert list(lines.feed(b"x" * 60)) == []
        assert len(lines._lines._rest) <= 160
    assert list(lines.feed(b"\ndata: heard\n")) == [b"heard"]
