"""What a look at requests, or at calls of ours, says of a provider."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.health.judging import RANK, judged_calls, judged_traffic
from modelscan.health.traffic import Window
from modelscan.types import CaseResult, HealthState
from tests.health.looks import START, case, limits, window


@pytest.mark.parametrize(
    ("seen", "before", "state"),
    [
        (window(1), "up", "up"),
        (window(3), "down", "up"),
        (window(100, s503=1), "up", "up"),  # One lost connection is no trouble.
        (window(5, s503=1), "up", "up"),
        (window(10, s503=2), "up", "degraded"),
        (window(100, s503=6), "up", "up"),
        (window(100, s503=6), "degraded", "degraded"),  # It is kept down to half the share.
        (window(100, s503=4), "degraded", "up"),
        (window(10, s503=5), "up", "down"),
        (window(10, upstream_failed=10), "unknown", "down"),
        (window(10, s503=3), "up", "degraded"),
        (window(10, s503=3), "down", "down"),
        (window(10, s503=2), "down", "degraded"),
        (window(10, s500=10), "up", "degraded"),  # A caller may provoke that.
        (window(10, s500=10), "down", "down"),
        (window(10, upstream_timeout=10), "up", "degraded"),
        (window(10)._replace(p50=60.0), "up", "degraded"),
        (window(10)._replace(p50=40.0), "up", "up"),
        (window(10)._replace(p50=40.0), "degraded", "degraded"),
        (window(10)._replace(p50=29.0), "degraded", "up"),
        (window(10)._replace(p50=None), "up", "up"),
    ],
)
def test_requests_tell_the_state(seen: Window, before: HealthState, state: HealthState) -> None:
    found = judged_traffic(seen, before, limits(), START)
    assert found is not None
    assert found.state == state


@pytest.mark.parametrize("seen", [Window(), window(4, s503=4), window(1, s503=1)])
def test_too_few_requests_tell_nothing(seen: Window) -> None:
    assert judged_traffic(seen, "up", limits(), START) is None


def test_the_evidence_says_it_in_numbers_and_in_words() -> None:
    found = judged_traffic(window(12, s503=5, upstream_timeout=1), "up", limits(), START)
    assert found is not None
    assert found.evidence.words == (
        "6 of 12 requests failed in the last 5 min (503 x5, upstream-timeout x1); "
        "first byte after 200 ms (p50), 900 ms (p95)"
    )
    assert (found.evidence.requests, found.evidence.failed, found.evidence.p95_ms) == (12, 6, 900.0)
    one = judged_traffic(window(1)._replace(p50=None), "up", limits(), START)
    assert one is not None
    assert one.evidence.words == "0 of 1 request failed in the last 5 min"


@given(
    requests=st.integers(5, 1000),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    before=st.sampled_from(["unknown", "up", "degraded", "down"]),
)
def test_more_faults_never_look_better(requests: int, shares: tuple[float, float], before: HealthState) -> None:
    few, many = (
        judged_traffic(window(requests, s503=int(requests * one)), before, limits(), START) for one in sorted(shares)
    )
    assert few is not None
    assert many is not None
    assert RANK[few.state] <= RANK[many.state]


@given(requests=st.integers(5, 1000), share=st.floats(0, 1), before=st.sampled_from(["up", "degraded", "down"]))
def test_the_same_requests_seen_again_change_nothing(requests: int, share: float, before: HealthState) -> None:
    seen = window(requests, s503=int(requests * share))
    first = judged_traffic(seen, before, limits(), START)
    assert first is not None
    again = judged_traffic(seen, first.state, limits(), START)
    assert again is not None
    assert again.state == first.state


MODELS = "models_without_key"


@pytest.mark.parametrize(
    ("cases", "state"),
    [
        ([case()], "up"),
        ([case(MODELS, 200), case()], "up"),
        ([case(MODELS, 503, "skipped"), case()], "degraded"),
        ([case(MODELS, 404, "failed"), case()], "degraded"),
        ([case(MODELS, 200), case(status=503, outcome="skipped")], "down"),
        ([case(MODELS, None, "skipped"), case(status=None, outcome="skipped")], "down"),
        ([case(status=429, outcome="skipped")], "up"),
        ([case(status=402, outcome="skipped")], "up"),
        ([case(status=500, outcome="passed")], "up"),  # llama.cpp's older servers say so to an empty chat.
        ([case(status=404, outcome="failed")], "degraded"),
        ([case(status=200, outcome="failed")], "degraded"),
        ([], "unknown"),
    ],
)
def test_calls_of_ours_tell_the_state(cases: list[CaseResult], state: HealthState) -> None:
    assert judged_calls(cases, START).state == state


def test_what_calls_met_is_told_in_words_and_safe_to_show() -> None:
    found = judged_calls([case(MODELS, 200), case(status=404, outcome="failed", detail="a \x1b[31mpage")], START)
    assert found.evidence.source == "probe"
    assert found.evidence.words.startswith(
        "models without a key answered 200 in 12 ms; chat without a key answered 404: a "
    )
    assert "\x1b" not in found.evidence.words
    assert judged_calls([case("chat", None, "skipped", "gone")], START).evidence.words == "chat was not answered: gone"
    assert judged_calls([case("chat", 200)], START).evidence.source == "chat"
