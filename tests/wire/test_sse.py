"""Data lines of streams that are split anywhere and may have no end."""

from hypothesis import given
from hypothesis import strategies as st

from modelscan.wire.sse import DataLines

STREAM = b": comment\r\nevent: ping\r\ndata: one\r\n\r\ndata:two\nid: 3\n\ndata: \n\n"


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_data_is_found_however_the_stream_is_split(cuts: list[int]) -> None:
    lines, at = DataLines(), [0, *sorted(cuts), len(STREAM)]
    found = [data for start, end in zip(at, at[1:], strict=False) for data in lines.feed(STREAM[start:end])]  # noqa: RUF007 - two ends of one piece
    assert found == [b"one", b"two", b""]


def test_a_line_without_end_does_not_fill_the_memory_and_is_told_of() -> None:
    lines = DataLines(longest=100)
    assert list(lines.feed(b"data: " + b"x" * 90)) == []
    assert not lines.lost
    for _ in range(50):
        assert list(lines.feed(b"data: " * 10)) == []
        assert lines.lost
        assert len(lines._lines._rest) <= 100
    assert list(lines.feed(b"data: its end\ndata: heard\n{} \n{\n")) == [b"heard", b"{}", b"{"]
