"""The choice of the next key, within its limits."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelscan.keys.counter import Used
from modelscan.keys.pool import KeyPool
from tests.keys.keyring import NOON, Clock, chosen, ids, key_id, pool_of, usable

REMAINING_0 = [(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"42s")]


@given(st.integers(1, 20), st.integers(1, 200))
def test_requests_at_equal_cost_spread_evenly(keys: int, requests: int) -> None:
    names = [f"key-{number}" for number in range(keys)]
    counts = Counter(ids(pool_of(Clock(), *names), requests))
    assert max(counts.values()) - min(counts[name] for name in names) <= 1


@given(st.integers(1, 5), st.integers(1, 5_000), st.lists(st.integers(0, 9), max_size=80))
def test_they_do_whichever_of_them_end_first(keys: int, tokens: int, endings: list[int]) -> None:
    names = [f"key-{number}" for number in range(keys)]
    pool, counts, running = pool_of(Clock(), *names), Counter[str](dict.fromkeys(names, 0)), []
    for ending in endings:
        if ending < 5:
            running.append(chosen(pool, 8_000))
            counts[running[-1].usable.secret.get_secret_value()] += 1
        elif running:
            running.pop(ending % len(running)).settle(tokens)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_a_request_that_runs_counts_with_the_tokens_that_are_usual() -> None:
    pool = pool_of(Clock(), "a", "b")
    first, second = chosen(pool), chosen(pool)
    first.settle(4_000)
    assert ids(pool, 2) == ["a", "b"]  # The one of b that runs is thought to cost as much.
    second.settle(1_000)
    assert ids(pool, 1) == ["b"]


def test_no_minute_begins_with_the_key_that_the_one_before_began_with() -> None:
    clock, counts = Clock(), Counter[str | None]()
    pool = pool_of(clock, "a", "b", "c")
    for _ in range(60):
        chosen(pool).settle(100)
        counts.update(ids(pool, 1))
        clock.now += 60
    assert set(counts.values()) == {20}


def test_the_least_used_comes_first_and_a_thousand_tokens_are_a_request() -> None:
    clock = Clock()
    pool = KeyPool(clock=clock)
    used = {key_id("busy"): Used(3), key_id("talkative"): Used(0, 2_500), key_id("idle"): Used(2)}
    pool.replace({"acme": [usable("busy"), usable("talkative"), usable("idle")]}, {"acme": used})
    assert ids(pool, 2) == ["idle", "talkative"]


def test_tokens_count_once_they_are_known() -> None:
    pool = pool_of(Clock(), "a", "b")
    chosen(pool).settle(5_000)
    for _ in range(5):
        lease = chosen(pool)
        assert lease.key_id == key_id("b")
        lease.settle(10)
    assert chosen(pool).key_id == key_id("b")
    assert chosen(pool).key_id == key_id("a")


def test_the_scores_begin_anew_with_each_minute() -> None:
    clock = Clock()
    pool = pool_of(clock, "a", "b")
    chosen(pool).settle(500_000)
    for _ in range(3):
        lease = chosen(pool)
        assert lease.key_id == key_id("b")
        lease.settle(1)
    clock.now += 60
    assert ids(pool, 2) == ["a", "b"]


def test_a_key_that_remains_keeps_its_counters_and_one_that_is_gone_is_not_chosen() -> None:
    pool = pool_of(Clock(), "a")
    ids(pool, 3)
    gone = chosen(pool)
    pool.replace({"acme": [usable("a"), usable("b")]})
    assert ids(pool, 4) == ["b"] * 4
    pool.replace({"acme": [usable("b")]})
    gone.answered(401)
    gone.answered(200, REMAINING_0)
    gone.settle(7)
    assert (ids(pool, 2), pool.take_unsaved()) == (["b", "b"], [])
    pool.replace({})
    assert pool.choose("acme") is None


def test_a_key_that_comes_back_used_what_it_used() -> None:
    pool = pool_of(Clock(), "a", rpm=3)
    running, refused = chosen(pool, 100), chosen(pool, 100)
    refused.answered(401)
    pool.replace({})
    running.settle(50)
    refused.release()
    pool.replace({"acme": [usable("a", rpm=3)]})
    assert (ids(pool, 1), pool.has_unsaved) == ([None], True)
    pool.enable("acme", key_id("a"))
    assert ids(pool, 3) == ["a", "a", None]
    ((counter, _),) = pool.in_order("acme")
    assert counter.tokens.used == 50


def test_a_provider_without_keys_has_none() -> None:
    pool = KeyPool()
    assert pool.choose("acme") is None
    assert (pool.waiting("acme"), pool.in_order("acme")) == (None, [])
    pool.enable("acme", "any")
    pool.replace({"acme": []})
    assert (pool.choose("acme"), pool.waiting("acme")) == (None, None)


@pytest.mark.parametrize(("limits", "fits"), [({"rpm": 3}, 3), ({"daily": 4}, 4), ({"tpm": 500}, 5), ({}, 9)])
def test_a_burst_does_not_pass_a_limit(limits: dict[str, int], fits: int) -> None:
    pool = pool_of(Clock(), "a", **limits)
    found = [pool.choose("acme", 100) for _ in range(9)]
    assert [bool(one) for one in found] == [True] * fits + [False] * (9 - fits)


def test_what_a_request_did_not_use_is_another_ones() -> None:
    pool = pool_of(Clock(), "a", tpm=1_000)
    first = chosen(pool, 900)
    assert pool.choose("acme", 200) is None
    assert pool.waiting("acme", 200) == (60.0, 0)
    first.settle(100)
    first.settle(800)
    assert pool.waiting("acme", 200) is None
    chosen(pool, 900).release()
    assert chosen(pool, 900)


def test_what_is_given_back_of_requests_is_another_ones() -> None:
    pool = pool_of(Clock(), "a", rpm=1, daily=1)
    lease = chosen(pool)
    assert pool.choose("acme") is None
    lease.release()
    lease.release()
    assert chosen(pool)
    assert pool.choose("acme") is None


def test_a_request_larger_than_a_minutes_limit_gets_a_minute_of_its_own() -> None:
    clock = Clock()
    pool = pool_of(clock, "a", tpm=1_000)
    chosen(pool, 1).settle(1)
    assert pool.choose("acme", 5_000) is None
    clock.now += 60
    assert chosen(pool, 5_000)
    assert pool.choose("acme", 1) is None


def test_a_key_without_room_for_a_large_request_is_chosen_for_a_small_one() -> None:
    pool = pool_of(Clock(), "a", tpm=1_000)
    chosen(pool, 600)
    assert pool.choose("acme", 600) is None
    assert chosen(pool, 400)


def test_a_daily_limit_ends_with_the_day_and_a_minutes_with_the_minute() -> None:
    clock = Clock()
    pool = pool_of(clock, "a", rpm=2, daily=3)
    assert ids(pool, 3) == ["a", "a", None]
    assert pool.waiting("acme") == (60.0, 0)
    clock.now += 60
    assert ids(pool, 2) == ["a", None]
    assert pool.waiting("acme") == (43_140.0, 0)
    clock.now += 43_140
    assert ids(pool, 3) == ["a", "a", None]


def test_the_keys_that_have_room_are_used_while_the_others_have_none() -> None:
    clock = Clock()
    pool = KeyPool(clock=clock)
    pool.replace({"acme": [usable("a", rpm=1), usable("b", rpm=5), usable("c")]})
    assert Counter(ids(pool, 20)) == {"a": 1, "b": 5, "c": 14}


def test_limits_that_the_operator_changes_count_at_once() -> None:
    pool = pool_of(Clock(), "a", rpm=1)
    assert ids(pool, 2) == ["a", None]
    pool.replace({"acme": [usable("a", rpm=3)]})
    assert ids(pool, 3) == ["a", "a", None]


def test_what_was_used_before_a_restart_counts() -> None:
    pool = KeyPool(clock=Clock())
    pool.replace({"acme": [usable("a", rpm=5, daily=100)]}, {"acme": {key_id("a"): Used(4, 10, 50)}})
    assert ids(pool, 2) == ["a", None]
    ((counter, _),) = pool.in_order("acme")
    assert [window.taken(NOON) for window in counter.windows] == [5, 11, 51]


def test_entries_that_are_stale_are_thrown_away() -> None:
    pool = pool_of(Clock(), "a", "b")
    for _ in range(2_000):
        chosen(pool, 900).settle(0)
    assert len(pool._of["acme"]._ready) < 300


def test_the_order_is_that_in_which_they_are_chosen() -> None:
    clock = Clock()
    pool = KeyPool(clock=clock)
    texts = ("free", "used", "full", "limited", "refused")
    used = {key_id("used"): Used(1), key_id("full"): Used(1)}
    pool.replace({"acme": [usable(text, rpm=1 if text == "full" else None) for text in texts]}, {"acme": used})
    for text, status in (("limited", 429), ("refused", 401)):
        chosen(pool, without={key_id(other) for other in texts if other != text}).answered(status)
    told = [(counter.usable.secret.get_secret_value(), waiting) for counter, waiting in pool.in_order("acme")]
    assert told == [
        ("free", (0.0, 0)),
        ("used", (0.0, 0)),
        ("full", (60.0, 0)),
        ("limited", (900.0, 429)),
        ("refused", (float("inf"), 401)),
    ]
    assert all(one[1] <= other[1] for one, other in pairwise(told))
