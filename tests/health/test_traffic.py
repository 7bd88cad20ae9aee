"""What requests met is counted by slices, the oldest of which are forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.health.traffic import SLICES, Traffic, Window


def test_nothing_is_known_of_whom_nobody_asked() -> None:
    assert Traffic().window("acme") == Window()


@pytest.mark.parametrize(
    ("status", "failed", "hard", "timed"),
    [
        (200, 0, 0, True),
        (302, 1, 1, False),  # A redirect is not followed: nobody was served.
        (400, 0, 0, False),
        (401, 0, 0, False),
        (402, 0, 0, False),
        (404, 0, 0, False),
        (429, 0, 0, False),
        (500, 1, 0, False),
        (503, 1, 1, False),
        (529, 1, 1, False),
        (999, 1, 1, False),
    ],
)
def test_only_the_providers_own_faults_count(status: int, failed: int, hard: int, timed: bool) -> None:
    traffic = Traffic()
    traffic.answered("acme", status, 0.25)
    found = traffic.window("acme")
    assert (found.requests, found.failed, found.hard) == (1, failed, hard)
    assert found.p50 == (0.25 if timed else None)


@pytest.mark.parametrize(("code", "hard"), [("upstream-failed", 1), ("upstream-timeout", 0)])
def test_who_does_not_answer_failed_and_a_time_limit_may_be_the_requests(code: str, hard: int) -> None:
    traffic = Traffic()
    traffic.failed("acme", code)
    assert traffic.window("acme")[:4] == (1, 1, hard, {code: 1})


def test_an_answer_that_broke_off_is_one_request_that_failed() -> None:
    traffic = Traffic()
    traffic.answered("acme", 200, 0.1)
    traffic.broke_off("acme")
    traffic.broke_off("other")  # It had begun in a slice that is over.
    assert traffic.window("acme")[:4] == (1, 1, 0, {"broke-off": 1})
    assert traffic.window("other")[:2] == (1, 1)


def test_latencies_are_told_as_percentiles() -> None:
    traffic = Traffic()
    for number in range(1, 101):
        if number == 51:
            traffic.turn()
        traffic.answered("acme", 200, number / 100)
    assert (traffic.window("acme").p50, traffic.window("acme").p95) == (0.5, 0.95)


def test_a_slice_keeps_a_bounded_number_of_latencies_and_counts_all() -> None:
    traffic = Traffic()
    for _ in range(1000):
        traffic.answered("acme", 200, 1.0)
    assert traffic.window("acme").requests == 1000
    assert len(traffic._now["acme"].seconds) == 50


@given(st.lists(st.sampled_from(["good", "bad", "turn"]), max_size=60))
def test_a_window_is_what_happened_in_its_slices(events: list[str]) -> None:
    traffic, slices = Traffic(), [0]
    for event in events:
        if event == "turn":
            traffic.turn()
            slices.append(0)
        else:
            traffic.answered("acme", 200 if event == "good" else 503, 0.1)
            slices[-1] += 1
    found = traffic.window("acme")
    assert found.requests == sum(slices[-SLICES:])
    assert found.fresh == sum(slices[-2:])
    assert found.hard == found.failed == sum(found.faults.values()) <= found.requests
