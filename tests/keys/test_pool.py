"""The choice of the next key."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelscan.keys.describing import describe
from modelscan.keys.pool import KeyPool
from modelscan.keys.store import UsableKey


def usable(text: str, requests: int = 0, tokens: int = 0) -> UsableKey:
    key = describe(SecretStr(text), "acme", "api").model_copy(update={"requests": requests, "tokens": tokens})
    return UsableKey(key=key, secret=SecretStr(text))


def chosen(pool: KeyPool) -> str:
    found = pool.choose("acme")
    assert found is not None
    return found.secret.get_secret_value()


@given(st.integers(1, 20), st.integers(1, 200))
def test_requests_at_equal_cost_spread_evenly(keys: int, requests: int) -> None:
    pool = KeyPool({"acme": [usable(f"key-{number}") for number in range(keys)]})
    counts = Counter(chosen(pool) for _ in range(requests))
    spread = [counts[f"key-{number}"] for number in range(keys)]
    assert max(spread) - min(spread) <= 1


def test_the_least_used_comes_first_and_a_thousand_tokens_are_a_request() -> None:
    pool = KeyPool(
        {"acme": [usable("busy", requests=3), usable("talkative", tokens=2_500), usable("idle", requests=2)]}
    )
    assert chosen(pool) == "idle"
    assert chosen(pool) == "talkative"


def test_tokens_count_once_they_are_known() -> None:
    pool = KeyPool({"acme": [usable("a"), usable("b")]})
    first = pool.choose("acme")
    assert first is not None
    pool.settle("acme", first.key.id, 5_000)
    pool.settle("acme", first.key.id, 0)
    other = {"a": "b", "b": "a"}[first.secret.get_secret_value()]
    assert [chosen(pool) for _ in range(5)] == [other] * 5


def test_a_key_that_remains_keeps_its_counters() -> None:
    pool = KeyPool({"acme": [usable("a")]})
    for _ in range(3):
        chosen(pool)
    pool.replace({"acme": [usable("a"), usable("b")]})
    assert [chosen(pool) for _ in range(3)] == ["b", "b", "b"]
    pool.settle("acme", "gone", 5)


def test_a_provider_without_keys_has_none() -> None:
    assert KeyPool({}).choose("acme") is None
    assert KeyPool({"acme": []}).choose("acme") is None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def only(pool: KeyPool) -> str:
    """The id of the one key, which is chosen."""
    found = pool.choose("acme")
    assert found is not None
    return found.key.id


def two(clock: Clock) -> tuple[KeyPool, str, str]:
    """A pool of two keys and their ids, the first one used once."""
    pool = KeyPool({"acme": [usable("a"), usable("b")]}, clock=clock)
    first = pool.choose("acme")
    assert first is not None
    return pool, first.key.id, next(key.key.id for key in (usable("a"), usable("b")) if key.key.id != first.key.id)


def ids(pool: KeyPool, times: int) -> list[str | None]:
    found = (pool.choose("acme") for _ in range(times))
    return [one.key.id if one else None for one in found]


def test_a_key_that_was_limited_rests_as_long_as_the_provider_said() -> None:
    clock = Clock()
    pool, first, other = two(clock)
    pool.refused("acme", first, 429, 7.0)
    assert ids(pool, 3) == [other] * 3
    assert pool.resting("acme") is None
    pool.refused("acme", other, 429, 30.0)
    assert ids(pool, 1) == [None]
    assert pool.resting("acme") == (7.0, 429)
    clock.now = 7.0
    assert ids(pool, 2) == [first, None]  # One request tries it.
    pool.accepted("acme", first)
    assert ids(pool, 2) == [first, first]


@pytest.mark.parametrize(
    ("status", "rests"), [(429, (1, 2, 4, 8)), (401, (60, 120, 240, 480)), (403, (0, 0, 240, 480))]
)
def test_a_key_rests_longer_each_time_in_a_row(status: int, rests: tuple[float, ...]) -> None:
    clock = Clock()
    pool = KeyPool({"acme": [usable("a")]}, clock=clock)
    for rest in rests:
        key = only(pool)
        pool.refused("acme", key, status)
        found = pool.resting("acme")
        assert (found[0] if found else 0) == rest
        clock.now += rest
    for _ in range(20):
        pool.refused("acme", key, status)
    assert pool.resting("acme") == (900.0, status)
    pool.accepted("acme", key)
    pool.refused("acme", key, status)
    assert (pool.resting("acme") or (0,))[0] == {429: 1, 401: 60, 403: 0}[status]


def test_a_refusal_of_another_kind_begins_to_count_anew() -> None:
    pool, first, _ = two(Clock())
    for status in (403, 403, 401, 403, 403):
        pool.refused("acme", first, status)
        if status == 403:
            pool.accepted("acme", first)
    assert first in ids(pool, 2)


def test_a_trial_of_which_nothing_is_heard_is_followed_by_another() -> None:
    clock = Clock()
    pool = KeyPool({"acme": [usable("a")]}, clock=clock)
    key = only(pool)
    pool.refused("acme", key, 429)
    for clock.now in (1.0, 11.0):
        assert ids(pool, 2) == [key, None]
    pool.settle("acme", key, 3_000)
    clock.now = 21.0
    assert ids(pool, 1) == [key]


def test_a_key_that_rests_is_no_other_key_either() -> None:
    pool, first, other = two(Clock())
    pool.refused("acme", other, 401)
    assert pool.choose("acme", without={first}) is None
    found = pool.choose("acme", without={other})
    assert found is not None
    assert found.key.id == first


def test_a_key_that_remains_keeps_its_rest_and_what_is_gone_is_passed_over() -> None:
    clock = Clock()
    pool, first, other = two(clock)
    pool.refused("acme", first, 429, 5.0)
    pool.replace({"acme": [usable("a"), usable("b")]})
    assert ids(pool, 2) == [other, other]
    pool.refused("acme", "gone", 401)
    pool.accepted("acme", "gone")
    pool.refused("nobody", "gone", 401)
    pool.accepted("nobody", "gone")
    assert pool.resting("nobody") is None
    clock.now = 5.0
    assert ids(pool, 1) == [first]
