"""What becomes of a key that its provider refused."""

import logging
from datetime import UTC, datetime

import pytest

from tests.keys.keyring import NOON, Clock, chosen, ids, key_id, pool_of

REMAINING_0 = [(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"42s")]


def test_a_key_that_was_limited_rests_as_long_as_the_provider_said_and_is_tried_by_one() -> None:
    clock = Clock()
    pool = pool_of(clock, "a", "b")
    chosen(pool).answered(429, [], 7.0)
    assert ids(pool, 3) == ["b"] * 3
    assert pool.waiting("acme") is None
    chosen(pool).answered(429, [], 30.0)
    assert ids(pool, 1) == [None]
    assert pool.waiting("acme") == (7.0, 429)
    clock.now += 7
    trial = chosen(pool)
    assert ids(pool, 1) == [None]
    assert pool.waiting("acme") == (10.0, 429)
    trial.answered(200)
    assert ids(pool, 2) == ["a", "a"]


@pytest.mark.parametrize(
    ("headers", "retry_after", "rests"),
    [
        ([], None, 900.0),
        ([], 12.0, 12.0),
        ([], 0.0, 0.05),
        ([], 1e9, 86_400.0),
        (REMAINING_0, None, 42.0),
        (REMAINING_0, 3.0, 3.0),
        ([(b"anthropic-ratelimit-requests-reset", b"2023-11-15T12:00:20Z")], None, 20.0),
    ],
)
def test_it_rests_by_retry_after_else_by_the_reset_that_is_told_else_as_long_as_is_set(
    headers: list[tuple[bytes, bytes]], retry_after: float | None, rests: float
) -> None:
    pool = pool_of(Clock(), "a")
    chosen(pool).answered(429, headers, retry_after)
    waiting = pool.waiting("acme")
    assert waiting is not None
    assert waiting.seconds == pytest.approx(rests, abs=1e-5)
    assert waiting.status == 429


def test_a_request_that_is_sent_again_with_the_same_key_ends_its_rest() -> None:
    pool = pool_of(Clock(), "a")
    lease, other = chosen(pool), chosen(pool)
    lease.answered(429)
    other.answered(200)  # It was sent before the refusal, and says nothing about now.
    assert ids(pool, 1) == [None]
    lease.answered(200)
    assert ids(pool, 1) == ["a"]


def test_a_key_of_which_nothing_is_left_rests_until_the_reset() -> None:
    clock = Clock()
    pool = pool_of(clock, "a", "b")
    chosen(pool).answered(200, REMAINING_0)
    assert ids(pool, 2) == ["b", "b"]
    clock.now += 42
    assert "a" in ids(pool, 3)
    assert pool.waiting("acme") is None


def test_headers_are_looked_at_once_a_second_where_none_was_told() -> None:
    clock = Clock()
    pool = pool_of(clock, "a")
    for _ in range(2):
        chosen(pool).answered(200, [(b"server", b"any")])
    chosen(pool).answered(200, REMAINING_0)
    assert ids(pool, 1) == ["a"]
    clock.now += 1
    chosen(pool).answered(200, REMAINING_0)
    assert ids(pool, 1) == [None]


def test_a_401_disables_a_key_until_the_operator_acts() -> None:
    clock = Clock()
    pool = pool_of(clock, "a")
    lease, other = chosen(pool), chosen(pool)
    lease.answered(401)
    other.answered(200)
    other.answered(429)
    clock.now += 10**6
    assert ids(pool, 1) == [None]
    assert pool.waiting("acme") == (float("inf"), 429)
    pool.enable("acme", key_id("a"))
    pool.enable("acme", "another")
    assert ids(pool, 2) == ["a", "a"]


def test_the_third_403_in_a_row_does_so_too_and_a_success_between_begins_anew() -> None:
    pool = pool_of(Clock(), "a")
    for status in (403, 403, 200, 403, 403, 429, 403, 403, 200, 403, 403):
        lease = pool.choose("acme")
        if lease is None:
            pool.enable("acme", key_id("a"))
            lease = chosen(pool)
        lease.answered(status)
    assert ids(pool, 1) == ["a"]
    chosen(pool).answered(403)
    assert ids(pool, 1) == [None]


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_a_fault_of_the_provider_is_not_the_keys(status: int) -> None:
    pool = pool_of(Clock(), "a")
    for _ in range(20):
        chosen(pool).answered(status)
    assert ids(pool, 1) == ["a"]
    assert pool.take_unsaved() == []


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another() -> None:
    clock = Clock()
    pool = pool_of(clock, "a")
    chosen(pool).answered(429, [], 1.0)
    clock.now += 1
    trial = chosen(pool)
    assert ids(pool, 1) == [None]
    trial.settle(3_000)
    clock.now += 10
    assert ids(pool, 2) == ["a", None]


def test_the_next_key_is_none_that_was_tried_or_rests() -> None:
    pool = pool_of(Clock(), "a", "b", "c")
    first = chosen(pool)
    assert chosen(pool, without={first.key_id}).key_id != first.key_id
    for text in ("b", "c"):
        chosen(pool, without={key_id(other) for other in "abc" if other != text}).answered(429)
    assert pool.choose("acme", without={first.key_id}) is None
    assert chosen(pool).key_id == first.key_id


def test_the_last_refusal_says_how_long_a_key_rests() -> None:
    clock = Clock()
    pool = pool_of(clock, "a")
    first, second = chosen(pool), chosen(pool)
    first.answered(429, [], 5.0)
    second.answered(429, [], 8.0)
    clock.now += 6
    assert pool.waiting("acme") == (2.0, 429)
    clock.now += 2
    assert ids(pool, 1) == ["a"]


def test_what_is_held_against_a_key_is_told_once_to_be_kept_over_a_restart() -> None:
    clock = Clock()
    pool = pool_of(clock, "a", "b", "c")
    chosen(pool).answered(429, [], 90.0)
    chosen(pool).answered(401)
    chosen(pool).answered(200, REMAINING_0)
    kept = {one.key_id: one for one in pool.take_unsaved()}
    noon = datetime.fromtimestamp(NOON, UTC)
    assert kept[key_id("a")][2:5] == (False, 429, noon)
    assert kept[key_id("b")][2:] == (True, 401, noon, None)
    assert [kept[key_id(text)].rests_until for text in "ac"] == [
        datetime.fromtimestamp(NOON + seconds, UTC) for seconds in (90, 42)
    ]
    assert pool.take_unsaved() == []
    pool.give_back([*kept.values(), kept[key_id("a")]._replace(provider="gone")])
    assert len(pool.take_unsaved()) == 3


def test_a_rest_that_is_over_in_a_moment_is_not_kept_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    pool = pool_of(clock, "a")
    headers = [(b"x-ratelimit-remaining-tokens", b"0"), (b"x-ratelimit-reset-tokens", b"120ms")]
    chosen(pool).answered(200, headers)
    assert (ids(pool, 1), pool.has_unsaved, caplog.records) == ([None], False, [])
    clock.now += 0.12
    assert ids(pool, 2) == ["a", "a"]


def test_it_rests_on_after_a_restart() -> None:
    clock = Clock()
    until = datetime.fromtimestamp(NOON + 30, UTC)
    pool = pool_of(clock, "a", fault_status=429, fault_at=until, rests_until=until)
    assert pool.waiting("acme") == (30.0, 429)
    clock.now += 30
    assert ids(pool, 2) == ["a", None]
    assert ids(pool_of(clock, "a", fault_status=429, rests_until=until), 1) == ["a"]


def test_that_a_key_rests_and_is_taken_again_is_logged_once_and_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    secret = "sk-canary-0123456789-abcdefghijklmnop"
    pool = pool_of(Clock(), secret)
    first, second = chosen(pool), chosen(pool)
    for lease in (first, second):
        lease.answered(429, [], 9.0)
    for status in (200, 200, 401, 401):
        second.answered(status)
    assert [record.getMessage().partition("acme ")[2] for record in caplog.records] == [
        "rests for 9 s after status 429",
        "is taken again",
        "is disabled: it was refused with status 401; see: modelscan keys explain acme",
    ]
    assert "sk-canar…" in caplog.text
    assert "sk-canary-0" not in caplog.text
