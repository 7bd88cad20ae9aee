"""Who is asked by calls of ours, and when; what changes; what the router's choice is told."""

from datetime import timedelta
from typing import Any

from modelscan.health.board import Board
from modelscan.health.traffic import Window
from modelscan.types import HealthChange, HealthState
from tests.health.looks import START, Clock, limits, look, window

NOTHING = Window()
OLD = window(10, s503=10)._replace(fresh=0)


def board_of(clock: Clock, *providers: str, **settings: Any) -> Board:
    board = Board(limits(**settings), clock=clock, now=clock.now, chance=lambda: 0.5)
    board.follow(providers)
    return board


def state(board: Board, provider: str = "acme") -> HealthState:
    found = board.standing(provider)
    assert found is not None
    return found.state


def called(board: Board, *said: HealthState, seen: Window = NOTHING, provider: str = "acme") -> HealthState:
    for one in said:
        board.called(provider, look(one), seen)
    return state(board, provider)


def test_whom_nobody_asks_is_asked_soon_and_then_once_an_interval() -> None:
    clock = Clock()
    board = board_of(clock, "acme", "bolt")
    assert board.due() == []
    clock.seconds += 10
    assert board.due() == ["acme", "bolt"]
    assert board.due() == []
    called(board, "up")
    clock.seconds += 61  # Of the other one nothing is known yet.
    assert board.due() == ["bolt"]
    clock.seconds += 300
    assert sorted(board.due()) == ["acme", "bolt"]


def test_intervals_are_jittered() -> None:
    clock, chances = Clock(), iter([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    board = Board(limits(), clock=clock, now=clock.now, chance=lambda: next(chances))
    board.follow(["acme"])
    assert board.due() == ["acme"]
    assert board._rows["acme"].due == clock.seconds + 60 * 0.8


def test_requests_go_before_calls_of_ours() -> None:
    clock = Clock()
    board = board_of(clock, "acme")
    for _ in range(20):
        clock.seconds += 60
        board.seen("acme", window(10))
        assert board.due() == []
    assert state(board) == "up"


def test_no_interval_is_no_call() -> None:
    clock = Clock()
    board = board_of(clock, "acme", probe_seconds=0)
    clock.seconds += 10_000
    assert board.due() == []


def test_a_fault_too_few_to_tell_has_it_asked_soon() -> None:
    clock = Clock()
    board = board_of(clock, "acme")
    called(board, "up")
    clock.seconds += 15
    board.due()
    assert board.due() == []
    board.seen("acme", window(1, s503=1))
    clock.seconds += 11
    assert board.due() == ["acme"]
    board.seen("acme", window(1, s503=1))  # It is the same fault.
    clock.seconds += 20
    assert board.due() == []


def test_faults_that_callers_could_provoke_are_confirmed_by_calls_of_ours() -> None:
    clock = Clock()
    board = board_of(clock, "acme")
    board.seen("acme", window(10, s500=10))
    assert state(board) == "degraded"
    clock.seconds += 11
    assert board.due() == ["acme"]
    called(board, "down")
    board.seen("acme", window(12, s500=12))
    assert called(board, "down") == "down"
    board.seen("acme", window(14, s500=14))
    board.seen("acme", window(14, s500=14))
    assert state(board) == "down"


def test_a_good_call_says_no_more_than_degraded_while_requests_failed_lately() -> None:
    board = board_of(Clock(), "acme")
    board.seen("acme", window(10, s503=10))
    assert state(board) == "down"
    board.seen("acme", OLD)
    assert called(board, "up", "up", "up", seen=OLD) == "degraded"
    shown = board.standing("acme")
    assert shown is not None
    assert shown.evidence is not None
    assert shown.evidence.words.startswith("probe says up; but 10 of 10 requests failed in the last 5 min")
    assert called(board, "up", "up") == "up"


def test_a_chat_that_failed_makes_it_degraded_and_calls_do_not_lift_it_for_a_while() -> None:
    clock = Clock()
    board = board_of(clock, "acme")
    called(board, "up")
    board.called("acme", look("down", "chat"), NOTHING)
    assert state(board) == "degraded"
    assert called(board, "up", "up", "up") == "degraded"
    clock.seconds += 301
    assert called(board, "up", "up") == "up"
    board.called("acme", look("down", "chat"), NOTHING)
    board.called("acme", look("up", "chat"), NOTHING)
    board.called("acme", look("up", "chat"), NOTHING)
    assert state(board) == "up"


def test_nothing_seen_for_three_intervals_is_unknown() -> None:
    clock = Clock()
    board = board_of(clock, "acme", probe_seconds=0)
    board.seen("acme", window(10, s503=10))
    clock.seconds += 200
    board.seen("acme", OLD)
    assert state(board) == "down"
    clock.seconds += 200
    board.seen("acme", NOTHING)
    assert state(board) == "unknown"
    assert board.ailing == {}


def test_who_is_not_up_is_ranked_for_the_choice_and_counted() -> None:
    board = board_of(Clock(), "acme", "bolt", "coda", "dune")
    board.seen("acme", window(10, s503=10))
    board.seen("bolt", window(10, s503=2))
    board.seen("coda", window(10))
    assert board.ailing == {"acme": 2, "bolt": 1}
    assert board.counts() == {"unknown": 1, "up": 1, "degraded": 1, "down": 1}
    assert [one.provider for one in board.standings()] == ["acme", "bolt", "coda", "dune"]
    board.follow(["coda"])
    assert board.ailing == {}
    assert board.standing("acme") is None
    board.called("acme", look("up"), NOTHING)  # Its call was under way.
    assert board.standing("acme") is None


def test_changes_are_told_once() -> None:
    clock = Clock()
    board = board_of(clock, "acme")
    board.seen("acme", window(10, s503=10))
    (change,) = board.take_changes()
    assert (change.before, change.after, change.at) == ("unknown", "down", clock.now())
    assert change.evidence is not None
    assert change.evidence.failed == 10
    assert board.take_changes() == []


def test_what_was_known_before_a_restart_is_known_until_it_is_looked_at() -> None:
    board = Board(limits())
    since = START - timedelta(days=1)
    board.remember([HealthChange(provider="acme", before="up", after="down", at=since)])
    board.follow(["acme", "bolt"])
    found = board.standing("acme")
    assert found is not None
    assert (found.state, found.since) == ("down", since)
    assert board.ailing == {"acme": 2}
    assert board.take_changes() == []


def test_a_chat_is_due_once_an_interval_and_only_where_it_may_cost() -> None:
    clock = Clock()
    free = board_of(clock, "acme")
    paid = board_of(clock, "acme", max_cost_usd_per_day="0.1")
    clock.seconds += 1801
    assert [free.chat_due("acme"), paid.chat_due("acme"), paid.chat_due("acme")] == [False, True, False]
    assert not paid.chat_due("nobody")
    clock.seconds += 3601
    assert paid.chat_due("acme")
