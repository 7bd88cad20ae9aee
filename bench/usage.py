"""What usage costs to take in, to keep and to add up: `python -m bench.usage`, 1,000,000 requests of 30 days.

Segments of a journal are written as a router writes them, 1,000,000 lines each, taken in, rolled up and merged; then
statistics are asked for, each three times, of which the quickest counts. `--rows 10000000` asks for as many. The
requests are those of 40 tokens, each of one client that uses three of 20 models of 8 providers with 3 keys each.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from modelscan.catalog import rollups, usage
from modelscan.catalog.database import Database
from modelscan.catalog.migrate import migrate
from modelscan.catalog.stats import stats
from modelscan.types import StatsQuery, UsageEvent, utc_now

__all__ = ["QUERIES", "lines", "main"]

_SEGMENT = 1_000_000
_SPAN = timedelta(days=30)
_KINDS = 5_000
_TIMES = 3
QUERIES: dict[str, dict[str, Any]] = {
    "by provider and model": {},
    "all": {"by": ()},
    "by token": {"by": ("token",)},
    "by key": {"by": ("key",)},
    "by client and status": {"by": ("client", "status")},
    "by alias": {"by": ("alias",)},
    "by operation and error": {"by": ("operation", "error")},
    "by day and provider": {"by": ("provider",), "bucket": "day"},
    "by month and model": {"by": ("model",), "bucket": "month"},
    "7 days by hour and provider": {"by": ("provider",), "bucket": "hour", "days": 7},
    "24 hours by model": {"days": 1},
    "1 hour by minute": {"by": (), "bucket": "minute", "days": 1 / 24},
    "one model by day and token": {"by": ("token",), "bucket": "day", "where": {"model": "m3"}},
    "5xx by provider": {"by": ("provider",), "where": {"status": "5xx"}},
}


def lines(count: int, first: int, whole: int, until: datetime) -> Iterator[bytes]:
    """`count` lines of a journal, from number `first` of `whole` that end at `until`."""
    kinds = [_kind(random.Random(number)) for number in range(_KINDS)]
    for number in range(first, first + count):
        at = (until - _SPAN + _SPAN * (number / whole)).isoformat().encode()
        yield b'{"request_id":"req_%032x","at":"%b",%b\n' % (
            number * 2**64 + hash(at) % 2**64,
            at,
            kinds[number * 7919 % _KINDS],
        )


def _kind(draw: random.Random) -> bytes:
    """All of a line but its id and its time."""
    token, ended = draw.randrange(40), draw.random()
    model = (token * 3 + draw.randrange(3)) % 20
    provider = model % 8
    event = UsageEvent(
        request_id="",
        at=utc_now(),
        asked_model=draw.choice([f"m{model}", f"p{provider}/m{model}", "fast"]),
        provider=f"p{provider}",
        model=f"m{model}",
        key_id=f"{provider:08x}{draw.randrange(3):08x}",
        token_id=f"tok{token}",
        client=f"client{token % 15}",
        status=200 if ended < 0.97 else 429 if ended < 0.985 else 502,
        error_code=None if ended < 0.97 else "rate-limited" if ended < 0.985 else "upstream-failed",
        stream=draw.random() < 0.5,
        cancelled=draw.random() < 0.01,
        prompt_tokens=draw.randrange(8000),
        completion_tokens=draw.randrange(1500),
        cached_tokens=draw.choice([None, 0, 500]),
        estimated=draw.random() < 0.02,
        cost_usd=None if draw.random() < 0.1 else Decimal(draw.randrange(10**8)) / 10**9,
        price_id=f"price{model}",
        latency_ms=draw.lognormvariate(7, 1),
        first_byte_ms=draw.lognormvariate(5.5, 0.8),
        generation=3,
    )
    said = {name: value for name, value in event.items() if name not in ("request_id", "at")}
    return orjson.dumps(said, str)[1:]


def main() -> int:
    """Measure and print; 1 where a statistic takes longer than --most seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--most", type=float, default=0.6, help="seconds that a statistic may take")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database, now = Database(Path(folder) / "usage.duckdb"), datetime.now(UTC)
        migrate(database)
        _take_in(database, asked.rows, now)
        slowest = max(_timed(database, name, now, dict(how)) for name, how in QUERIES.items())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    _say(f"the slowest of {len(QUERIES)}: {slowest:.3f} s; at most {peak:,} MiB of memory")
    return int(slowest > asked.most)


def _take_in(database: Database, rows: int, now: datetime) -> None:
    taken = worked = 0.0
    for first in range(0, rows, _SEGMENT):
        segment = database.path.with_name(f"{first}.jsonl")
        with segment.open("wb") as file:
            file.writelines(lines(min(_SEGMENT, rows - first), first, rows, now))
        began, before = time.perf_counter(), time.process_time()
        usage.ingest(database, segment)
        taken += time.perf_counter() - began
        worked += time.process_time() - before
        segment.unlink()
    _say(f"taken in: {rows / taken:,.0f} rows/s, {rows / worked:,.0f} a second of CPU")
    for name, step in (("rolled up", rollups.roll), ("merged", rollups.merge)):
        began = time.perf_counter()
        step(database)
        _say(f"{name}: {time.perf_counter() - began:.2f} s")
    _say(f"the file: {database.path.stat().st_size / 2**20:,.0f} MiB for {rows:,} rows")


def _timed(database: Database, name: str, now: datetime, how: dict[str, Any]) -> float:
    days = how.pop("days", None)
    query = StatsQuery(since=now - timedelta(days=days) if days else None, **how)
    times = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        found = stats(database, query, now)
        times.append(time.perf_counter() - began)
    _say(f"{name}: {min(times):.3f} s, {len(found):,} rows")
    return min(times)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
