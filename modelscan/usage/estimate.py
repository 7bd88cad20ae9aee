"""Tokens that nobody told: guessed from bytes, for rows without a count, and to reserve before a request is sent."""

from collections.abc import Mapping
from typing import Any

from modelscan.types import Usage

__all__ = ["DEFAULT_COMPLETION", "completed", "estimated_tokens", "reserved"]

DEFAULT_COMPLETION = 1024
"""Tokens to reserve for an answer whose length the caller did not limit."""
_BYTES_A_TOKEN = 4
"""Of English and JSON; Chinese takes about 3, so that a guess is rather too low there."""
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_MOST_RESERVED = 10**7


def estimated_tokens(body_bytes: int) -> int:
    """How many tokens so many bytes may be: a quarter, at least one where there are any."""
    return -(-body_bytes // _BYTES_A_TOKEN)


def reserved(body_bytes: int, members: Mapping[str, Any]) -> tuple[int, int]:
    """(prompt, completion) tokens to reserve for a request of that size and those members before it is sent.

    The answer counts with the limit that the caller set, in any of the protocols, else with DEFAULT_COMPLETION, and as
    often as it is asked for at once (`n`).
    """
    limit = DEFAULT_COMPLETION
    for name in _LIMITS:  # A loop costs half of what a generator does, on each request.
        if name in members and (found := _count(members[name])):
            limit = found
            break
    times = (_count(members["n"]) or 1) if "n" in members else 1
    return estimated_tokens(body_bytes), min(limit * times, _MOST_RESERVED)


def completed(told: Usage, sent_bytes: int, relayed_bytes: int) -> Usage:
    """`told`, with what it lacks guessed from the size of the request and of what came of the answer."""
    prompt, completion = told.prompt, told.completion
    return told._replace(
        prompt=estimated_tokens(sent_bytes) if prompt is None else prompt,
        completion=estimated_tokens(relayed_bytes) if completion is None else completion,
    )


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
