"""A state changes only where looks agree."""

import itertools
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.health.standing import Standing, after, forgotten
from modelscan.types import HealthState
from tests.health.looks import START, look

STATES: tuple[HealthState, ...] = ("unknown", "up", "degraded", "down")


def stand(state: HealthState, *said: HealthState, source: Literal["traffic", "probe", "chat"] = "probe") -> HealthState:
    standing = Standing(state, START)
    for one in said:
        standing = after(standing, look(one, source))
    return standing.state


@pytest.mark.parametrize(
    ("before", "said", "state"),
    [
        ("unknown", ["up"], "up"),
        ("unknown", ["down"], "unknown"),
        ("unknown", ["down", "down"], "down"),
        ("up", ["down"], "up"),
        ("up", ["down", "down"], "down"),
        ("up", ["down", "up", "down"], "up"),
        ("up", ["down", "degraded"], "degraded"),
        ("up", ["down", "degraded", "down", "down"], "down"),
        ("up", ["unknown", "unknown"], "up"),
        ("down", ["up"], "down"),
        ("down", ["up", "up"], "up"),
        ("down", ["up", "degraded"], "degraded"),
        ("down", ["up", "down", "up"], "down"),
        ("degraded", ["up", "down"], "degraded"),
        ("degraded", ["up", "down", "down"], "down"),
        ("degraded", ["down", "up", "up"], "up"),
    ],
)
def test_free_calls_change_a_state_by_two_in_a_row(
    before: HealthState, said: list[HealthState], state: HealthState
) -> None:
    assert stand(before, *said) == state


@pytest.mark.parametrize("source", ["traffic", "chat"])
def test_what_is_real_makes_it_worse_at_once_and_better_by_two(source: Literal["traffic", "chat"]) -> None:
    assert stand("up", "down", source=source) == "down"
    assert stand("unknown", "degraded", source=source) == "degraded"
    assert stand("down", "up", source=source) == "down"
    assert stand("down", "up", "up", source=source) == "up"


def test_since_when_and_the_evidence_are_of_the_look_that_counted() -> None:
    standing = after(Standing("unknown", START), first := look("up"))
    assert (standing.state, standing.since, standing.evidence) == ("up", START, first.evidence)
    again = after(standing, second := look("up", at=START.replace(hour=13)))
    assert (again.since, again.evidence) == (START, second.evidence)
    doubted = after(again, look("down"))
    assert (doubted.state, doubted.evidence) == ("up", second.evidence)


def test_nothing_seen_for_long_is_unknown_once() -> None:
    known = Standing("down", START)
    later = START.replace(hour=18)
    assert forgotten(known, later) == Standing("unknown", later)
    assert forgotten(Standing("unknown", START), later).since == START


@given(st.sampled_from(["up", "degraded", "down"]), st.sampled_from(["up", "degraded", "down"]), st.integers(1, 20))
def test_looks_that_alternate_change_nothing(state: HealthState, other: HealthState, times: int) -> None:
    said = [one for _ in range(times) for one in (other, state)]
    assert stand(state, *said) == state


@given(st.sampled_from(STATES), st.lists(st.sampled_from(STATES), max_size=40))
def test_free_calls_change_a_known_state_at_most_every_second_look(
    before: HealthState, said: list[HealthState]
) -> None:
    standing, changed_at = Standing(before, START), [-2]
    for number, one in enumerate(said):
        after_it = after(standing, look(one))
        if after_it.state != standing.state:
            if standing.state != "unknown":
                changed_at.append(number)
            assert after_it.state != "unknown"
        standing = after_it
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(changed_at))
