"""Why a key would be chosen now, or would not."""

from datetime import UTC, datetime

import pytest

from modelscan.keys.explain import KeyState, explained, spelt
from modelscan.keys.pool import KeyPool
from modelscan.types import ApiKey
from tests.keys.keyring import NOON, Clock, chosen, key_id, pool_of, usable

ACTIVE = ("free", "used", "full", "limited", "empty", "refused")


def told(pool: KeyPool, *more: ApiKey) -> dict[str, KeyState]:
    keys = [usable(text, label=text, rpm=1 if text == "full" else None).key for text in ACTIVE]
    return {one.label: one for one in explained(pool, "acme", [*keys, *more])}


def a_pool() -> KeyPool:
    pool = KeyPool(clock=Clock())
    pool.replace({"acme": [usable(text, rpm=1 if text == "full" else None) for text in ACTIVE]})
    nothing_left = [(b"x-ratelimit-remaining-requests", b"0"), (b"x-ratelimit-reset-requests", b"30s")]
    for text, status in (("used", 200), ("full", 200), ("limited", 429), ("empty", 200), ("refused", 401)):
        others = {key_id(other) for other in ACTIVE if other != text}
        chosen(pool, without=others).answered(status, nothing_left if text == "empty" else [])
    return pool


def test_each_key_has_its_state_its_place_and_its_reason() -> None:
    found = told(a_pool())
    assert [(one.label, one.state, one.place, one.wait_seconds) for one in found.values()] == [
        ("free", "ready", 1, 0.0),
        ("used", "ready", 2, 0.0),
        ("empty", "resting", None, 30.0),
        ("full", "full", None, 60.0),
        ("limited", "resting", None, 900.0),
        ("refused", "disabled", None, None),
    ]
    assert {label: one.why for label, one in found.items()} == {
        "free": "it would be chosen next: no other has a lower score",
        "used": "1 before it with a lower score, or used longer ago",
        "empty": "nothing is left of its limits there: again in 30 s",
        "full": "its 1 requests a minute are used: again in 60 s",
        "limited": "it rests after status 429: again in 15 min",
        "refused": f"the provider refused it with status 401; modelscan keys enable acme {key_id('refused')}",
    }


def test_the_last_refusal_is_told_with_its_time() -> None:
    found = told(a_pool())
    noon = datetime.fromtimestamp(NOON, UTC)
    assert (found["limited"].refused_with, found["limited"].refused_at) == (429, noon)
    assert (found["free"].refused_with, found["free"].refused_at) == (None, None)


def test_the_limits_are_told_with_what_is_left() -> None:
    pool = pool_of(Clock(), "a", rpm=10, tpm=1_000, daily=None)
    chosen(pool, 300)
    (one,) = explained(pool, "acme", [usable("a").key])
    assert [(limit.what, limit.limit, limit.used, limit.left) for limit in one.limits] == [
        ("requests a minute", 10, 1, 9),
        ("tokens a minute", 1_000, 300, 700),
        ("requests a day", None, 1, None),
    ]
    assert one.score == 1.0  # What requests usually cost is not known yet.


def test_what_the_provider_told_is_never_above_what_the_operator_set() -> None:
    pool = pool_of(Clock(), "a", rpm=10)
    headers = [
        (b"x-ratelimit-limit-requests", b"500"),
        (b"x-ratelimit-remaining-requests", b"499"),
        (b"x-ratelimit-limit-tokens", b"90000"),
        (b"x-ratelimit-reset-tokens", b"6s"),
    ]
    chosen(pool).answered(200, headers)
    (one,) = explained(pool, "acme", [usable("a").key])
    requests, tokens = one.learned
    assert (requests.told, requests.limit, requests.remaining, requests.resets_seconds) == (500, 10, 499, None)
    assert (tokens.told, tokens.limit, tokens.remaining, tokens.resets_seconds) == (90_000, 90_000, None, 6.0)


@pytest.mark.parametrize(
    ("fields", "state", "why"),
    [
        ({"state": "disabled", "disabled_for": "operator"}, "disabled", "you switched it off; modelscan keys enable"),
        (
            {"state": "disabled", "disabled_for": "refused", "fault_status": 403},
            "disabled",
            "refused it with status 403",
        ),
        ({"state": "disabled", "disabled_for": "absent"}, "disabled", "no longer in the api, where it came from"),
        ({"host": "127.0.0.1:9"}, "elsewhere", "it was given for 127.0.0.1:9"),
        ({}, "elsewhere", "it cannot be opened with this master key"),
    ],
)
def test_a_key_that_is_not_in_the_pool_is_told_too(fields: dict[str, object], state: str, why: str) -> None:
    one = told(KeyPool(), usable("another", label="another", **fields).key)["another"]
    assert (one.state, one.place, one.wait_seconds) == (state, None, None)
    assert why in one.why


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0 s"), (0.25, "0.25 s"), (42.4, "42 s"), (900.0, "15 min"), (12_600.0, "3.5 h")]
)
def test_times_are_spelt_for_people(seconds: float, text: str) -> None:
    assert spelt(seconds) == text


def test_nothing_of_a_key_is_told_but_its_prefix() -> None:
    secret = "sk-canary-0123456789-abcdefghijklmnop"
    pool = pool_of(Clock(), secret)
    (one,) = explained(pool, "acme", [usable(secret).key])
    assert one.prefix == secret[:8]
    assert secret[:12] not in one.model_dump_json()
