"""Why a key would be chosen now, or would not: what `modelscan keys explain` and the API tell."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime

from modelscan.keys.counter import Counter
from modelscan.keys.pool import KeyPool
from modelscan.keys.provider import Waiting
from modelscan.limits import Window
from modelscan.types import ApiKey, Frozen

__all__ = ["KeyLimit", "KeyState", "LearnedLimit", "explained", "spelt"]

_NAMES = ("requests a minute", "tokens a minute", "requests a day")
_TOO_MANY = 429


class KeyLimit(Frozen):
    """One of the operator's limits and what counts for it."""

    what: Literal["requests a minute", "tokens a minute", "requests a day"]
    limit: int | None
    """None: there is none."""
    used: int
    """In the current window, with what running requests have reserved."""
    left: int | None


class LearnedLimit(Frozen):
    """A limit that the provider told in its last answer. Over which time it is meant is not told."""

    what: str
    """`requests`, `tokens`, `input-tokens` or `output-tokens`."""
    told: int | None
    limit: int | None
    """What was told, but never above the operator's own limit a minute."""
    remaining: int | None
    resets_seconds: float | None
    """Until the provider counts anew."""


class KeyState(Frozen):
    """How one key stands now."""

    id: str
    prefix: str
    label: str
    state: Literal["ready", "full", "resting", "disabled", "elsewhere"]
    """`full`: its limits leave no room; `elsewhere`: it was given for another server."""
    place: int | None
    """In the order in which keys would be chosen, from 1; None where it would not be."""
    score: float | None
    wait_seconds: float | None
    """Until it may be chosen again; 0 where it may be now, None where that takes somebody's act."""
    limits: tuple[KeyLimit, ...] = ()
    learned: tuple[LearnedLimit, ...] = ()
    refused_with: int | None
    """The status of the provider's last refusal."""
    refused_at: AwareDatetime | None
    why: str


def explained(pool: KeyPool, provider: str, keys: Sequence[ApiKey]) -> tuple[KeyState, ...]:
    """The `keys` that the catalogue has of the provider: first those of the pool, in the order of choice."""
    now = pool.clock()
    known = {key.id: key for key in keys}
    pooled = [
        (known[one.usable.key.id], one, why) for one, why in pool.in_order(provider) if one.usable.key.id in known
    ]
    states = [_pooled(*one, place, now, pool.score(one[1])) for place, one in enumerate(pooled, 1)]
    in_pool = {key.id for key, _, _ in pooled}
    return (*states, *(_outside(key) for key in keys if key.id not in in_pool))


def spelt(seconds: float) -> str:
    """A time for people: `12 s`, `14 min`, `3.5 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 1 or not seconds else f"{seconds:.2f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _pooled(key: ApiKey, counter: Counter, waiting: Waiting, place: int, now: float, score: float) -> KeyState:
    state, why = _state(key, counter, waiting, place, now)
    fault = counter.fault_at
    return KeyState(
        id=key.id,
        prefix=key.prefix,
        label=key.label,
        state=state,
        place=place if state == "ready" else None,
        score=round(score, 3),
        wait_seconds=None if counter.disabled else round(waiting.seconds, 3),
        limits=tuple(_limits(counter, now)),
        learned=tuple(_learned(counter, now)),
        refused_with=counter.status or None,
        refused_at=datetime.fromtimestamp(fault, UTC) if fault else None,
        why=why,
    )


def _state(
    key: ApiKey, counter: Counter, waiting: Waiting, place: int, now: float
) -> tuple[Literal["ready", "full", "resting", "disabled"], str]:
    if counter.disabled:
        return "disabled", _disabled(key, counter.status)
    if not waiting.seconds:
        first = "it would be chosen next: no other has a lower score"
        return "ready", first if place == 1 else f"{place - 1} before it with a lower score, or used longer ago"
    until = f"again in {spelt(waiting.seconds)}"
    if counter.rests_until - now >= waiting.seconds:
        limited = counter.refusals and counter.status == _TOO_MANY
        return (
            "resting",
            f"{'it rests after status 429' if limited else 'nothing is left of its limits there'}: {until}",
        )
    full = [f"{window.limit} {name}" for name, window in _named(counter) if not window.room(1, now)]
    return "full", f"its {' and '.join(full)} are used: {until}"


def _outside(key: ApiKey) -> KeyState:
    """One that the pool does not have."""
    if key.state == "disabled":
        state: Literal["disabled", "elsewhere"] = "disabled"
        why = _disabled(key, key.fault_status)
    else:
        state = "elsewhere"
        why = f"it was given for {key.host}" if key.host else "it cannot be opened with this master key"
    return KeyState(
        id=key.id,
        prefix=key.prefix,
        label=key.label,
        state=state,
        place=None,
        score=None,
        wait_seconds=None,
        refused_with=key.fault_status,
        refused_at=key.fault_at,
        why=why,
    )


def _disabled(key: ApiKey, status: int | None) -> str:
    if key.disabled_for == "absent":
        return f"it is no longer in the {key.origin}, where it came from"
    what = "you switched it off" if key.disabled_for == "operator" else f"the provider refused it with status {status}"
    return f"{what}; modelscan keys enable {key.provider} {key.id}"


def _named(counter: Counter) -> Iterator[tuple[str, Window[int]]]:
    return zip(_NAMES, counter.windows, strict=True)


def _limits(counter: Counter, now: float) -> Iterator[KeyLimit]:
    for name, window in zip(_NAMES, counter.windows, strict=True):
        yield KeyLimit(what=name, limit=window.limit, used=window.taken(now), left=window.left(now))


def _learned(counter: Counter, now: float) -> Iterator[LearnedLimit]:
    for what, one in counter.learned.items():
        own = (counter.requests if what == "requests" else counter.tokens).limit
        limits = [limit for limit in (one.limit, own) if limit is not None]
        yield LearnedLimit(
            what=what,
            told=one.limit,
            limit=min(limits) if one.limit is not None else None,
            remaining=one.remaining,
            resets_seconds=None if one.resets_at is None else round(max(one.resets_at - now, 0.0), 3),
        )
