"""`bench.soak` in small: every answer as it should be, and nothing left open in the router."""

import asyncio
from collections.abc import Iterator

import pytest

from bench.gateways import Started, own_gateway
from bench.router import peer
from bench.soak import Soaked, slope, soaked, streamed_slowly


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    folder = tmp_path_factory.mktemp("soak")
    with (
        peer() as upstream,
        own_gateway(MODELSCAN_ROUTING_RETRIES="0").running(folder, folder / "home", upstream) as own,
    ):
        yield own


def test_plain_streamed_failed_and_left_requests_are_answered_right_and_leave_nothing_open(router: Started) -> None:
    found = asyncio.run(soaked(router, 400, 8, kept=8))
    assert found.answers == {"plain right": 280, "stream right": 40, "fail right": 40, "leave right": 40}
    assert found.files[1] <= found.files[0] + 8


def test_slow_streams_are_held_side_by_side(router: Started) -> None:
    found = asyncio.run(streamed_slowly(router, 100, kept=100))
    assert found.answers == {"slow right": 100}
    assert found.seconds < 50  # One after the other they would take a thousand seconds.


def test_the_slope_is_that_of_the_least_squares_after_the_first_fifth() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(1, 1), (1, 9)]) == 0
    soak = Soaked(memory=[(0, 50.0), (10_000, 70.0), (50_000, 71.0), (100_000, 72.25)])
    assert soak.growth == pytest.approx(2.5)
