"""What it costs to choose a key and to settle it: `python -m bench.keys`."""

import sys
import time
from collections.abc import Sequence

from pydantic import SecretStr

from modelscan.keys.describing import describe
from modelscan.keys.pool import KeyPool
from modelscan.keys.store import UsableKey

ROUNDS = 100_000
RUNNING = 32
"""Requests at a time."""


def main() -> None:
    """Print microseconds of CPU a request, best of five, by the number of keys, without limits and with."""
    for keys in (1, 10, 100):
        for limits in ({}, {"rpm": 10**6, "tpm": 10**9, "daily": 10**8}):
            choose, settle = min(spent(keys, limits) for _ in range(5))
            what = "with limits" if limits else "no limits"
            sys.stdout.write(
                f"{keys:4} keys, {what:11}: choose {choose:.2f} µs, answered and settled {settle:.2f} µs\n"
            )


def spent(keys: int, limits: dict[str, int]) -> tuple[float, float]:
    """CPU, in microseconds, to choose a key, and to hear of its answer and settle it, while other requests run."""
    pool = KeyPool()
    pool.replace({"acme": _usables(keys, limits)})
    headers = [(b"content-type", b"application/json"), (b"date", b"now"), (b"server", b"any")]
    running = [pool.choose("acme", 500) for _ in range(RUNNING)]
    choosing = settling = 0.0
    for _ in range(ROUNDS // 100):
        began = time.thread_time()
        running += [pool.choose("acme", 500) for _ in range(100)]
        chosen = time.thread_time()
        ending, running = running[:100], running[100:]
        for lease in ending:
            assert lease is not None
            lease.answered(200, headers)
            lease.settle(420)
        choosing += chosen - began
        settling += time.thread_time() - chosen
    return choosing / ROUNDS * 1e6, settling / ROUNDS * 1e6


def _usables(keys: int, limits: dict[str, int]) -> Sequence[UsableKey]:
    secrets = [SecretStr(f"sk-{number:040}") for number in range(keys)]
    described = [describe(secret, "acme", "api").model_copy(update=limits) for secret in secrets]
    return [UsableKey(key=key, secret=secret) for key, secret in zip(described, secrets, strict=True)]


if __name__ == "__main__":
    main()
