"""A provider that fails again and again is left alone, longer each time, and tried by one request."""

import pytest

from modelscan.errors import CircuitOpen
from router_app.circuits import Circuits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def failed(circuits: Circuits, times: int) -> None:
    for _ in range(times):
        circuits.failed("acme", "it answered with status 503.")


def test_it_opens_after_so_many_faults_in_a_row() -> None:
    circuits = Circuits(3, 10, clock=Clock())
    failed(circuits, 2)
    circuits.answered("acme")
    failed(circuits, 2)
    circuits.enter("acme")
    assert circuits.open_for("acme") == 0
    failed(circuits, 1)
    with pytest.raises(
        CircuitOpen, match=r"acme failed 3 times in a row, .* status 503.* tried again in 10 s"
    ) as refused:
        circuits.enter("acme")
    assert refused.value.fields["retry_after"] == 10
    circuits.enter("other")


def test_after_its_time_one_request_tries_it_and_decides() -> None:
    clock = Clock()
    circuits = Circuits(1, 10, clock=clock)
    failed(circuits, 1)
    clock.now = 10
    circuits.enter("acme")
    with pytest.raises(CircuitOpen):
        circuits.enter("acme")
    failed(circuits, 1)
    assert circuits.open_for("acme") == 20
    clock.now = 30
    circuits.enter("acme")
    circuits.answered("acme")
    circuits.enter("acme")
    assert circuits.open_for("acme") == 0


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another() -> None:
    clock = Clock()
    circuits = Circuits(1, 10, clock=clock)
    failed(circuits, 1)
    for clock.now in (10, 20):
        circuits.enter("acme")


def test_what_was_sent_before_it_opened_does_not_open_it_for_longer() -> None:
    circuits = Circuits(1, 10, clock=Clock())
    failed(circuits, 9)
    assert circuits.open_for("acme") == 10


def test_it_is_never_left_alone_for_more_than_sixteen_times_as_long() -> None:
    clock = Clock()
    circuits = Circuits(1, 10, clock=clock)
    for _ in range(9):
        failed(circuits, 1)
        clock.now += circuits.open_for("acme")
        circuits.enter("acme")
    failed(circuits, 1)
    assert circuits.open_for("acme") == 160


def test_none_opens_where_the_setting_says_never() -> None:
    circuits = Circuits(0, 10, clock=Clock())
    failed(circuits, 100)
    circuits.enter("acme")
