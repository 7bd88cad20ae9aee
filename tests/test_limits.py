from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.limits import DAY, MINUTE, MONTH, AnchoredClock, Held, Interval, Window

EARLY = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC."""
INTERVALS = st.sampled_from(Interval)
TIMES = st.floats(0, 4e9, allow_nan=False)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("interval", "now", "began", "until"),
    [
        (MINUTE, "2026-02-28T23:59:59.9", "2026-02-28T23:59", "2026-03-01T00:00"),
        (DAY, "2026-02-28T23:59:59.9", "2026-02-28", "2026-03-01"),
        (MONTH, "2026-02-28T23:59:59.9", "2026-02-01", "2026-03-01"),
        (MONTH, "2024-02-29T00:00", "2024-02-01", "2024-03-01"),
        (MONTH, "2026-12-31T23:59:59.9", "2026-12-01", "2027-01-01"),
        (MONTH, "2026-01-01T00:00", "2026-01-01", "2026-02-01"),
    ],
)
def test_a_window_is_a_minute_a_day_or_a_month_of_utc(interval: Interval, now: str, began: str, until: str) -> None:
    assert interval.bounds(at(now)) == (at(began), at(until))


@given(INTERVALS, TIMES)
def test_the_windows_follow_each_other_without_a_gap(interval: Interval, now: float) -> None:
    began, until = interval.bounds(now)
    assert began <= now < until
    assert interval.bounds(began) == (began, until)
    assert interval.bounds(until)[0] == until


def test_what_is_reserved_leaves_no_room_for_others_until_it_is_settled() -> None:
    window = Window(MINUTE, 0, limit=10)
    first = window.reserve(7, EARLY)
    assert [window.room(amount, EARLY) for amount in (3, 4)] == [True, False]
    first.settle(2)
    assert (window.taken(EARLY), window.left(EARLY), window.room(8, EARLY)) == (2, 8, True)
    second = window.reserve(8, EARLY)
    assert not window.room(1, EARLY)
    second.release()
    assert (window.used, window.reserved) == (2, 0)


def test_money_is_counted_as_exactly_as_tokens_are() -> None:
    budget = Window(DAY, Decimal(0), limit=Decimal("0.30"))
    for _ in range(3):
        budget.reserve(Decimal("0.20"), EARLY).settle(Decimal("0.10"))
    assert budget.taken(EARLY) == budget.limit
    assert budget.left(EARLY) == 0
    assert not budget.room(Decimal("0.000000001"), EARLY)


def test_who_has_no_limit_is_counted_and_never_refused() -> None:
    window = Window(DAY, 0)
    window.reserve(10**12, EARLY)
    assert window.room(10**12, EARLY)
    assert (window.left(EARLY), window.wait(10**12, EARLY)) == (None, 0.0)


def test_it_says_when_there_will_be_room_again() -> None:
    window = Window(MINUTE, 0, limit=10)
    assert window.wait(10, EARLY) == 0.0
    window.reserve(10, EARLY).settle(10)
    assert window.wait(1, EARLY) == 40.0
    assert window.wait(11, EARLY) == float("inf")
    assert window.room(10, EARLY + 40)


def test_more_than_was_reserved_may_turn_out_to_be_used() -> None:
    window = Window(MINUTE, 0, limit=10)
    window.reserve(10, EARLY).settle(25)
    assert (window.taken(EARLY), window.left(EARLY)) == (25, 0)


def test_a_request_counts_in_the_window_that_it_began_in() -> None:
    window = Window(MINUTE, 0, limit=10)
    held = window.reserve(10, EARLY)
    window.turn(EARLY + 60)
    held.settle(10)
    assert window.taken(EARLY + 60) == 0


def test_what_is_settled_twice_counts_once() -> None:
    window = Window(MINUTE, 0, limit=10)
    held = window.reserve(5, EARLY)
    for _ in range(2):
        held.settle(3)
    assert (window.used, window.reserved) == (3, 0)


def test_what_the_rows_say_is_taken_over_beside_what_runs() -> None:
    window = Window(DAY, 0, limit=10)
    window.reserve(4, EARLY)
    window.restore(5, EARLY)
    assert window.left(EARLY) == 1


@given(INTERVALS, TIMES, st.floats(0, 4e9, allow_nan=False))
def test_a_clock_that_goes_back_grants_nothing_twice_and_locks_out_for_one_interval(
    interval: Interval, now: float, back: float
) -> None:
    window = Window(interval, 0, limit=1)
    held = window.reserve(1, now)
    earlier = max(now - back, 0.0)
    assert not window.room(1, earlier)
    began, until = interval.bounds(earlier)
    assert window.wait(1, earlier) <= until - began
    assert window.room(1, until)
    held.settle(1)
    assert window.taken(until) == 0


def test_a_clock_that_is_set_while_it_runs_goes_on_as_before() -> None:
    wall, steady = 1_000.0, 5.0
    clock = AnchoredClock(lambda: wall, lambda: steady)
    assert clock() == 1_000.0
    wall, steady = 90_000.0, 6.5
    assert clock() == 1_001.5


def test_the_clock_of_the_machine_is_the_time() -> None:
    assert AnchoredClock()() == pytest.approx(datetime.now(UTC).timestamp(), abs=5)


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.sampled_from(["reserve", "settle", "release", "pass"]), st.integers(0, 60)), max_size=60),
)
def test_no_limit_is_passed_by_what_was_foreseen(limit: int, steps: list[tuple[str, int]]) -> None:
    """Who uses no more than was reserved never passes the limit, and nothing stays reserved for nobody."""
    window, now, running = Window(MINUTE, 0, limit=limit), EARLY, list[Held[int]]()
    for what, number in steps:
        if what == "reserve" and window.room(number, now):
            running.append(window.reserve(number, now))
        elif what == "pass":
            now += number
        elif running:
            held = running.pop(number % len(running))
            held.settle(min(number, held.amount)) if what == "settle" else held.release()
        assert 0 <= window.taken(now) <= limit
    for held in running:
        held.release()
    assert window.reserved == 0
