"""Usage added up: what may be asked, and a row of what is told."""

from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, Field

from modelscan.types.base import Frozen

__all__ = ["Bucket", "Dimension", "StatsQuery", "UsageStat"]

Dimension = Literal["alias", "client", "error", "key", "model", "operation", "provider", "status", "token"]
"""`alias` is the name that was asked for, `client` the name that a caller gave itself, `token` a client token's id."""
Bucket = Literal["minute", "hour", "day", "month"]


class StatsQuery(Frozen):
    """Which usage, and by what; times are in UTC."""

    by: tuple[Dimension, ...] = ("provider", "model")
    bucket: Bucket | None = None
    since: AwareDatetime | None = None
    """From then on; None: all that is kept."""
    until: AwareDatetime | None = None
    """Before then; None: now."""
    where: dict[Dimension, str] = Field(default_factory=dict)
    """Only these. A model is also found by the name that was asked for, a status as `429` or as `4xx`."""


class UsageStat(Frozen):
    """The usage of one group. Of the dimensions and the time those are set that were asked for."""

    time: AwareDatetime | None = None
    """The beginning of the minute, hour, day or month."""
    provider: str | None = None
    model: str | None = None
    alias: str | None = None
    key: str | None = None
    token: str | None = None
    client: str | None = None
    status: int | None = None
    operation: str | None = None
    error: str | None = None
    requests: int
    errors: int
    """Answered with 400 or more."""
    error_rate: float
    """`errors` of `requests`, from 0 to 1."""
    cancelled: int
    streams: int
    retries: int
    fallbacks: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    """Of `prompt_tokens`, as `cache_write_tokens` are."""
    cache_write_tokens: int
    reasoning_tokens: int
    """Of `completion_tokens`."""
    without_usage: int
    """Successful requests without a number of tokens."""
    estimated: int
    """Requests whose tokens are an estimate of ours."""
    cost_usd: Decimal | None
    """Of those whose cost is known; None where there is none of them."""
    cost_unknown: int
    """Requests that used something whose price is unknown."""
    latency_ms: float
    """The mean; percentiles are within 5 % of the true ones."""
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    latency_p99_ms: float | None = None
    first_byte_ms: float | None = None
    """The mean time to the first byte, of those that had one."""
    first_byte_p50_ms: float | None = None
    first_byte_p95_ms: float | None = None
    first_byte_p99_ms: float | None = None
    first_at: AwareDatetime
    last_at: AwareDatetime
