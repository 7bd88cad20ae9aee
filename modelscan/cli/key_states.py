"""How `modelscan keys explain` shows what the service tells of each key."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from modelscan.visible import visible

__all__ = ["state_columns", "state_lines"]

State = dict[str, Any]


def state_columns() -> dict[str, Callable[[State], Any]]:
    """Title and value of each column."""
    return {
        "#": lambda row: row["place"],
        "key": lambda row: f"{row['prefix']}…",
        "id": lambda row: row["id"],
        "label": lambda row: row["label"] or None,
        "state": lambda row: row["state"],
        "score": lambda row: None if row["score"] is None else f"{row['score']:.2f}",
        "requests/min": lambda row: _used(row, "requests a minute"),
        "tokens/min": lambda row: _used(row, "tokens a minute"),
        "requests/day": lambda row: _used(row, "requests a day"),
        "last refusal": _refusal,
    }


def state_lines(told: Sequence[State]) -> Iterator[str]:
    """Why, key by key, and what their provider told of limits."""
    yield ""
    for row in told:
        yield visible(f"{row['prefix']}… ({row['id']}): {row['why']}")
        yield from _learned(row["learned"])


def _learned(limits: Iterable[State]) -> Iterator[str]:
    for one in limits:
        parts = [
            f"{one['remaining']:,} left" if one["remaining"] is not None else "",
            f"of {one['told']:,}" if one["told"] is not None else "",
            f"(yours is {one['limit']:,})" if one["limit"] != one["told"] else "",
            f"reset in {one['resets_seconds']:.0f} s" if one["resets_seconds"] is not None else "",
        ]
        yield f"  its provider told of {visible(one['what'])}: {' '.join(part for part in parts if part)}"


def _used(row: State, what: str) -> str | None:
    """`used of limit`, or what was used where there is no limit."""
    found = next((one for one in row["limits"] if one["what"] == what), None)
    if found is None:
        return None
    return f"{found['used']:,}" if found["limit"] is None else f"{found['used']:,} of {found['limit']:,}"


def _refusal(row: State) -> str | None:
    if row["refused_with"] is None:
        return None
    at = f" at {datetime.fromisoformat(row['refused_at']):%Y-%m-%d %H:%M:%S}Z" if row["refused_at"] else ""
    return f"{row['refused_with']}{at}"
