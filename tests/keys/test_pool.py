"""The choice of the next key."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from modelscan.keys.custody import describe
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
