"""Tokens that nobody told: guessed from bytes, for rows without a count, and to reserve before a request is sent."""

from collections.abc import Mapping
from typing import Any

from modelscan.types import Usage

__all__ = ["DEFAULT_COMPLETION", "estimated_tokens", "reserved", "said_tokens", "used_up_to"]

DEFAULT_COMPLETION = 1024
"""Tokens to reserve for an answer whose length the caller did not limit."""
_EVENT_BYTES = 200
"""Of a stream's event, where no piece is as long as one."""
_BYTES_A_TOKEN = 4
"""Of English and JSON; Chinese takes about 3, so that a guess is rather too low there."""
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_MOST_RESERVED = 10**7


def estimated_tokens(body_bytes: int) -> int:
    """How many tokens so many bytes may be: a quarter, at least one where there are any."""
    return -(-body_bytes // _BYTES_A_TOKEN)


def reserved(body_bytes: int, members: Mapping[str, Any], *, dense: bool = False) -> tuple[int, int]:
    """(prompt, completion) tokens to reserve for a request of that size and those members before it is sent.

    A `dense` request counts twice: it is not in ASCII alone, and other letters come to up to a token for two bytes.
    The answer counts with the limit that the caller set, in any of the protocols, else with DEFAULT_COMPLETION, and as
    often as it is asked for at once (`n`).
    """
    limit = DEFAULT_COMPLETION
    for name in _LIMITS:  # A loop costs half of what a generator does, on each request.
        if name in members and (found := _count(members[name])):
            limit = found
            break
    times = (_count(members["n"]) or 1) if "n" in members else 1
    return estimated_tokens(body_bytes * (1 + dense)), min(limit * times, _MOST_RESERVED)


def said_tokens(size: int, last: bytes, *, stream: bool) -> int:
    """How many tokens an answer of which `size` bytes came may have; `last` is the last piece of them.

    The event of a stream is mostly frame, and one token: as many are counted as events of the last piece's size.
    """
    if not stream:
        return estimated_tokens(size)
    events = last.count(b"data:") or last.count(b"\n") or 1
    return round(size * events / (len(last) or _EVENT_BYTES))


def used_up_to(told: Usage, sent_bytes: int, said: int) -> Usage:
    """`told`, with what it lacks guessed; more may have been said than was told before a stream was cut."""
    return told._replace(
        prompt=estimated_tokens(sent_bytes) if told.prompt is None else told.prompt,
        completion=max(told.completion or 0, said),
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
