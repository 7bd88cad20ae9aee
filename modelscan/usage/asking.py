"""What usage is asked for, in words: of a query's parameters or of a command's options."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, get_args

from modelscan.errors import InvalidInput
from modelscan.types import Bucket, Dimension, StatsQuery, utc_now
from modelscan.usage.ranges import moment

__all__ = ["DIMENSIONS", "asked_stats"]

DIMENSIONS: tuple[str, ...] = get_args(Dimension)
_BUCKETS: tuple[str, ...] = get_args(Bucket)
_STATUS = re.compile(r"[1-9]\d\d|[1-5]xx", re.IGNORECASE)


def asked_stats(words: Iterable[tuple[str, str]], now: datetime | None = None) -> StatsQuery:
    """The query that `by=model,key`, `bucket`, `since`, `until` and `DIMENSION=value` say; raises InvalidInput."""
    now = now or utc_now()
    where: dict[str, str] = {}
    more: dict[str, Any] = {}
    for name, value in words:
        if name in ("since", "until"):
            more[name] = moment(value, now)
        elif name == "by":
            more["by"] = _dimensions(value)
        elif name == "bucket":
            more["bucket"] = _one_of(value, _BUCKETS)
        else:
            where[_one_of(name, DIMENSIONS)] = value
    if "status" in where and not _STATUS.fullmatch(where["status"]):
        raise InvalidInput(f"{where['status'][:40]!r} is no status.", hint="Write, for example, 429 or 5xx.")
    return StatsQuery.model_validate({**more, "where": where})


def _dimensions(text: str) -> tuple[str, ...]:
    named = [name for part in text.split(",") if (name := part.strip())]
    return tuple(dict.fromkeys(_one_of(name, DIMENSIONS) for name in named if name != "all"))


def _one_of(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise InvalidInput(f"{word[:40]!r} is not known here.", hint=f"Known are {', '.join(words)}.")
    return word
