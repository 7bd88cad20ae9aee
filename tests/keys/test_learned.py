"""What providers' rate-limit headers say."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.keys.learned import Learned, exhausted_until, learned

NOW = datetime(2026, 1, 27, 12, tzinfo=UTC).timestamp()


def test_openais_names_are_read() -> None:
    headers = [
        (b"x-ratelimit-limit-requests", b"500"),
        (b"x-ratelimit-remaining-requests", b"0"),
        (b"x-ratelimit-reset-requests", b"6m0s"),
        (b"x-ratelimit-limit-tokens", b"200000"),
        (b"x-ratelimit-remaining-tokens", b"149984"),
        (b"x-ratelimit-reset-tokens", b"120ms"),
        (b"content-type", b"application/json"),
    ]
    found = learned(headers, NOW)
    assert found == {"requests": Learned(500, 0, NOW + 360), "tokens": Learned(200_000, 149_984, NOW + 0.12)}
    assert exhausted_until(found, NOW) == NOW + 360


def test_anthropics_names_are_read() -> None:
    headers = [
        (b"anthropic-ratelimit-requests-limit", b"50"),
        (b"anthropic-ratelimit-requests-remaining", b"49"),
        (b"anthropic-ratelimit-requests-reset", b"2026-01-27T12:00:01Z"),
        (b"anthropic-ratelimit-input-tokens-limit", b"30000"),
        (b"anthropic-ratelimit-input-tokens-remaining", b"0"),
        (b"anthropic-ratelimit-input-tokens-reset", b"2026-01-27T12:00:30+00:00"),
        (b"anthropic-ratelimit-output-tokens-remaining", b"0"),
    ]
    found = learned(headers, NOW)
    assert found["requests"] == Learned(50, 49, NOW + 1)
    assert found["input-tokens"] == Learned(30_000, 0, NOW + 30)
    assert found["output-tokens"] == Learned(None, 0, None)
    assert exhausted_until(found, NOW) == NOW + 30


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (b"1s", 1.0),
        (b"7.66s", 7.66),
        (b"2m59.56s", 179.56),
        (b"1h2m3s", 3723.0),
        (b"15ms", 0.015),
        (b"1.5", 1.5),
        (b"0", 0.0),
        (b"999h", 86_400.0),
        (b"2027-01-01T00:00:00Z", 86_400.0),
        (b"2025-01-01T00:00:00Z", 0.0),
    ],
)
def test_a_reset_is_a_duration_a_number_or_a_time_within_a_day(told: bytes, seconds: float) -> None:
    found = learned([(b"x-ratelimit-reset-tokens", told)], NOW)
    assert found["tokens"].resets_at == pytest.approx(NOW + seconds, abs=1e-4)


@pytest.mark.parametrize(
    "told", [b"", b"soon", b"-5", b"1e9", b"9" * 400, b"2026-01-27T12:00:00", "٣".encode(), b"\xff\xfe", b"1s" * 200]
)
def test_nonsense_says_nothing(told: bytes) -> None:
    names = (b"x-ratelimit-reset-tokens", b"x-ratelimit-limit-tokens", b"anthropic-ratelimit-requests-remaining")
    assert learned([(name, told) for name in names], NOW) == {}


@given(
    st.lists(st.tuples(st.sampled_from([b"x-ratelimit-reset-requests", b"x-ratelimit-limit-requests"]), st.binary()))
)
def test_whatever_is_told_is_taken_within_bounds(headers: list[tuple[bytes, bytes]]) -> None:
    for one in learned(headers, NOW).values():
        assert one.limit is None or 0 <= one.limit < 10**15
        assert one.resets_at is None or NOW <= one.resets_at <= NOW + 86_400


def test_a_reset_counts_where_nothing_remains_or_a_request_was_refused() -> None:
    found = {"requests": Learned(10, None, NOW + 5), "tokens": Learned(10, 3, NOW + 9)}
    assert exhausted_until(found, NOW) is None
    assert exhausted_until(found, NOW, refused=True) == NOW + 5
    assert exhausted_until({"requests": Learned(10, 0, NOW)}, NOW) is None
